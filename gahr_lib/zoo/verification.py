"""Whether what is there is what the cards and the recipes say."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gahr_lib.errors import GahrError, WeightsError
from gahr_lib.jobs import ImageSets, Run, load_images
from gahr_lib.jobs.measurements import data_sha256, measure
from gahr_lib.weights import check_weights, load_network, read_card
from gahr_lib.zoo.build import files_of
from gahr_lib.zoo.references import reference_psnr
from gahr_lib.zoo.workflow import Zoo

__all__ = ["DECIBELS", "faults", "figure_faults"]

DECIBELS = 0.02
"""How far a recomputed PSNR may lie from the card's: machines round differently."""
ASYMMETRY = 0.002
HOMOGENEITY = 1e-4
# Beyond, a PSNR says how exactly a machine adds.
_EXACT = 60.0


def faults(zoo: Zoo, names: Sequence[str] = ()) -> Iterator[str]:
    """Check the SHA-256 of weights, pictures and cached results, and who made them.

    Parameters
    ----------
    zoo
        Where they are.
    names
        Of networks and results; everything if empty, and then also whether there are weights that
        no recipe makes.

    Yields
    ------
    str
        One line for each thing that is wrong.

    Raises
    ------
    ConfigError
        If a name is unknown.
    """
    zoo.check_names(names)
    for name, run in zoo.recipes.items():
        if name in names or not names:
            for path in files_of(name, run, zoo.networks):
                yield from _file_faults(path, run)
            yield from _picture_faults(zoo.networks / f"{name}.png")
    for name in zoo.results:
        if (name in names or not names) and not zoo.is_current_result(name):
            yield (
                f"The result {name} is missing, damaged, or made of other networks. Make it again "
                f"with gahr zoo build {name}."
            )
    if not names:
        yield from _strays(zoo)


def figure_faults(zoo: Zoo, name: str) -> Iterator[str]:
    """Measure a network and its snapshots again and compare with their cards.

    PSNR may differ by `DECIBELS`, asymmetry by 0.002; the error of homogeneity stays below 1e-4 or
    does not; the SHA-256 of the training set is the same.

    Parameters
    ----------
    zoo
        Where they are; their weights are whole.
    name
        Of a network.

    Yields
    ------
    str
        One line for each figure that is wrong.
    """
    run = zoo.recipes[name]
    sets = load_images(run.images, channels=run.network.channels)
    references = reference_psnr(run)
    for path in files_of(name, run, zoo.networks):
        try:
            found = measure(load_network(path), sets) | {"references": references}
            said = read_card(path.with_suffix(".json"))
        except GahrError as error:
            yield str(error)
            continue
        yield from (f"{path.stem}: {fault}" for fault in _differences(said, found, sets))


def _differences(card: dict[str, Any], found: dict[str, Any], sets: ImageSets) -> Iterator[str]:
    sha256 = None if callable(sets.train) else data_sha256(sets.train)
    if card.get("data_sha256") != sha256:
        yield "it was trained on other images than those there are now; their SHA-256 differ."
    said = card.get("measured", {})
    rows = [(("psnr", row), found["psnr"][row]) for row in found["psnr"]]
    rows += [(("references", row), found["references"][row]) for row in found["references"]]
    for (group, row), values in rows:
        there = said.get(group, {}).get(row, [])
        pairs = [(min(a, _EXACT), min(b, _EXACT)) for a, b in zip(there, values, strict=False)]
        if len(there) != len(values) or any(abs(a - b) > DECIBELS for a, b in pairs):
            yield (
                f"the card's PSNR of {row} is {there} dB; measured again it is {values}, and "
                f"{DECIBELS} dB is allowed."
            )
    for name, allowed in (("asymmetry", ASYMMETRY), ("homogeneity_error", HOMOGENEITY)):
        there = said.get(name)
        if there is None or abs(there - found[name]) > allowed:
            yield f"the card's {name} is {there}; measured again it is {found[name]}."


def _file_faults(path: Path, run: Run) -> Iterator[str]:
    try:
        check_weights(path)
        facts = read_card(path.with_suffix(".json"))
    except WeightsError as error:
        yield str(error)
        return
    if facts["run"] != json.loads(json.dumps(asdict(run))):
        yield f"{path} was made by another recipe than today's. Make it again with gahr zoo build."


def _picture_faults(path: Path) -> Iterator[str]:
    try:
        samples = read_card(path.with_suffix(".json")).get("samples", {})
        if "failure" in samples:
            return
        content = path.read_bytes()
    except WeightsError:
        return  # which has been said of the weights
    except OSError as error:
        yield f"The samples {path} cannot be read ({error}). Draw them with gahr zoo build."
        return
    if hashlib.sha256(content).hexdigest() != samples.get("sha256"):
        yield f"The samples {path} are not those of the card. Draw them with gahr zoo build."


def _strays(zoo: Zoo) -> Iterator[str]:
    known = {path.stem for name, run in zoo.recipes.items() for path in files_of(name, run)}
    for path in sorted(zoo.networks.glob("*.safetensors")):
        if path.stem not in known:
            yield f"No recipe makes {path}. Remove it with its card."
