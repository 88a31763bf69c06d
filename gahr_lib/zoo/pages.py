"""The cards of the networks as a page of the book."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gahr_lib.jobs import Run
from gahr_lib.weights import read_card
from gahr_lib.zoo.build import files_of

__all__ = ["card_page", "cards_page", "psnr_table", "training_table"]

Card = Mapping[str, Any]

_SIGMA = 0.1
_EXACT = 60.0
_ROWS = {
    "train": "training images",
    "other_half": "other half",
    "test": "test images",
    "input": "*input*",
    "wiener": "*Wiener filter*",
    "empirical_optimum": "*empirical optimum*",
    "bayes": "*Bayes optimum*",
}
_INTRODUCTION = """\
# Cards of the networks

<!-- Written by tools/cards.py from the cards in gahr_lib/zoo/networks: change those, not this. -->

Beside the weights of every network of the package lies a card that says how they were made and
what was measured of them. {{func}}`gahr_lib.zoo.card` returns it, and this page shows all {count}.
[](zoo.md) tells how to make them again.

PSNR is in dB, averaged over up to 500 images, for noise of the standard deviation σ. The rows
are of different images: training images; images of the *other half*, on which the network's twin
was trained; and test images, which neither has seen. Compare networks along one row. The rows in
italics are no networks. They show what there is to know: the noisy *input* itself; the *Wiener
filter*, the best affine denoiser for the mean and covariance of the training images, on test
images; the *empirical optimum*, which knows the training set by heart, on images of that set; and
the *Bayes optimum*, which no denoiser beats, on test images, where it is known. "Exact" stands for
more than 60 dB.

The error of *homogeneity* is the relative difference of $f(0.3\\,y)$ and $0.3\\,f(y)$, which a
network without biases owes to rounding alone; *asymmetry* is
$\\|J - J^\\top\\| / \\|J + J^\\top\\|$. Both are at one noisy test image, at σ = 0.1.
"""
_TIME = """\
## Images and time of training

PSNR at σ = 0.1 of networks of half A, after so many steps: on training images / on test images.
Their weights are there too: `load_denoiser("fashion", n_train=10, step=500)`.
"""


def cards_page(recipes: Mapping[str, Run], folder: Path, link: str) -> str:
    """Return the page of the cards of some recipes, in MyST Markdown.

    Parameters
    ----------
    recipes
        Whose cards.
    folder
        Where the cards are.
    link
        The way from the page to that folder.

    Raises
    ------
    WeightsError
        If a card is missing or damaged.
    """
    cards = {
        name: [read_card(path.with_suffix(".json")) for path in files_of(name, run, folder)]
        for name, run in recipes.items()
    }
    last = [found[-1] for found in cards.values()]
    parts = [_INTRODUCTION.format(count=sum(map(len, cards.values())))]
    if any(len(found) > 1 for found in cards.values()):
        parts += [_TIME, training_table(found for found in cards.values() if len(found) > 1)]
    parts += ["## Every network\n", *(card_page(card, link) for card in last)]
    return "\n".join(parts)


def card_page(card: Card, link: str) -> str:
    """Return a card as a section that opens at a click.

    Parameters
    ----------
    card
        Its content.
    link
        The way from the page to the folder of its picture.
    """
    run, measured, software = card["run"], card["measured"], card["software"]
    psnr = measured["psnr"]["test"][measured["sigmas"].index(_SIGMA)]
    made = ", ".join(f"{name} {version}" for name, version in software.items())
    minutes = card["training_seconds"] / 60
    data = "fresh images" if card["data_sha256"] is None else f"SHA-256 `{card['data_sha256']}`"
    lines = [
        f":::{{dropdown}} {card['name']}: {psnr:.2f} dB on test images at sigma {_SIGMA}",
        *_samples(card, link),
        "",
        f"- Images: {_settings(run['images'])}; {data}",
        f"- Network: {_settings(run['network'])}; {card['parameters']:,} parameters",
        f"- Training: {_settings(run['training'])}; seed {run['seed']}",
        f"- Made in {minutes:.1f} minutes on {card['device']}, with {made}",
        f"- Weights: SHA-256 `{card['weights_sha256']}`",
        "",
        psnr_table(measured),
        "",
        f"- Homogeneity: error {measured['homogeneity_error']:.0e}; asymmetry: "
        f"{measured['asymmetry']:.3f}",
        f"- Licence: {card['licence']}. Intended use: {card['intended_use']}",
        f"- Limits: {card['limits']}",
        *(f"- Tried: {what}" for what in card.get("tried", [])),
        ":::",
        "",
    ]
    return "\n".join(lines)


def psnr_table(measured: Mapping[str, Any]) -> str:
    """Return what was measured at all noise levels, networks and others, as a table."""
    rows = measured["psnr"] | measured.get("references", {})
    head = ["sigma", *(f"{sigma:g}" for sigma in measured["sigmas"])]
    body = [[_ROWS[name], *map(_decibels, rows[name])] for name in _ROWS if name in rows]
    return _table([head, *body])


def training_table(ladders: Iterable[Sequence[Card]]) -> str:
    """Return the PSNR of networks after their snapshots and at the end, a row for each."""
    rows: list[list[str]] = []
    for cards in ladders:
        if not rows:
            rows.append(["images", *(f"{card['step']:,} steps" for card in cards)])
        cells = []
        for card in cards:
            at = card["measured"]["sigmas"].index(_SIGMA)
            psnr = card["measured"]["psnr"]
            cells.append(f"{psnr['train'][at]:.1f} / {psnr['test'][at]:.1f}")
        rows.append([f"{cards[0]['run']['images']['n_train']:,}", *cells])
    return _table(rows)


def _samples(card: Card, link: str) -> list[str]:
    samples = card["samples"]
    if "failure" in samples:
        return [f"The sampler does not come to an end with this network: {samples['failure']}"]
    n, seed = samples["n"], samples["seed"]
    return [
        f"```{{image}} {link}/{card['name']}.png",
        f":alt: {n} samples of {card['name']}, side by side",
        ":class: dark-light",
        "```",
        "",
        f"{n} samples of Algorithm 1, beta = {samples['beta']:g}, seed {seed}.",
    ]


def _settings(facts: Mapping[str, Any]) -> str:
    """Return the settings that have a value, as code."""
    given = {name: value for name, value in facts.items() if value is not None}
    return ", ".join(f"`{name}={value!r}`" for name, value in given.items())


def _decibels(value: float) -> str:
    return "exact" if value > _EXACT else f"{value:.2f}"


def _table(rows: Sequence[Sequence[str]]) -> str:
    head, *body = rows
    rule = ["---", *["--:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *body)) + "\n"
