"""Making the networks of the package: from a recipe to weights, card and samples."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from gahr_lib._files import write_whole
from gahr_lib.errors import WeightsError
from gahr_lib.jobs import Job, Run, RunFolder, load_images
from gahr_lib.training import TrainState, connect
from gahr_lib.weights import check_weights, read_card, write_card
from gahr_lib.zoo.networks import FOLDER
from gahr_lib.zoo.references import reference_psnr
from gahr_lib.zoo.strips import draw_strip
from gahr_lib.zoo.tried import tried

__all__ = ["build", "files_of", "is_current", "publish", "run_folder", "state_of"]

State = Literal["current", "missing", "damaged", "of another recipe", "without samples"]

_USE = {
    "licence": "MIT",
    "intended_use": "Teaching and research on how denoisers generalize.",
    "limits": (
        "Trained for images of this kind and size alone, with noise levels up to 1. It is small, "
        "so that a laptop can run it; it says nothing of how good a denoiser can be."
    ),
}


def build(
    name: str, run: Run, *, runs: str | Path = "runs", folder: str | Path = FOLDER
) -> Iterator[TrainState]:
    """Train a network of the zoo, yielding each state; write weights, card and samples at the end.

    After an interruption the same call goes on from the last checkpoint. What is there already is
    not made again: a network that lacks its samples alone gets them. Bit-for-bit equal weights
    need the same machine, PyTorch and one thread.

    Parameters
    ----------
    name
        Of the network and its files.
    run
        What makes it.
    runs
        Where the run has its folder.
    folder
        Where weights and cards go.

    Yields
    ------
    TrainState
        After each step.
    """
    folder = Path(folder)
    state = state_of(name, run, folder)
    if state not in ("current", "without samples"):
        there = run_folder(name, run, runs)
        if not there.claim(run):
            sets = load_images(run.images, channels=run.network.channels)
            yield from Job(run, there, sets, connect("auto")).states()
        publish(name, run, there, folder)
    elif state == "without samples":
        _add_samples(folder / f"{name}.safetensors")


def run_folder(name: str, run: Run, runs: str | Path = "runs") -> RunFolder:
    """Return the folder of a run of the zoo.

    Its name ends with a hash of the recipe: a changed recipe starts in a folder of its own, and one
    that is changed back finds its weights again.
    """
    settings = json.dumps(asdict(run), sort_keys=True)
    return RunFolder(Path(runs) / f"{name}-{hashlib.sha256(settings.encode()).hexdigest()[:8]}")


def publish(name: str, run: Run, there: RunFolder, folder: Path) -> None:
    """Write the networks of a finished run to the zoo's folder, with what their cards add.

    Raises
    ------
    WeightsError
        If they are missing or damaged, or cannot be written.
    """
    sources = [*(there.snapshot(step) for step in run.snapshots), there.weights]
    references = reference_psnr(run)
    for source, target in zip(sources, files_of(name, run, folder), strict=True):
        check_weights(source)
        facts = read_card(source.with_suffix(".json"))
        facts["name"] = target.stem
        facts["measured"]["references"] = references
        # The card last, so that it never lies.
        write_whole(target, source.read_bytes(), WeightsError)
        write_card(target.with_suffix(".json"), facts | _USE | {"tried": tried(run)})
    _add_samples(target)


def _add_samples(weights: Path) -> None:
    """Draw samples and note them on the card."""
    card = weights.with_suffix(".json")
    write_card(card, read_card(card) | {"samples": draw_strip(weights)})


def files_of(name: str, run: Run, folder: Path = FOLDER) -> list[Path]:
    """Return the weights files of a recipe: of its snapshots, and of its last step."""
    return [
        folder / f"{stem}.safetensors"
        for stem in (*(f"{name}-step{s}" for s in run.snapshots), name)
    ]


def state_of(name: str, run: Run, folder: Path = FOLDER) -> State:
    """Return what is there of a recipe: all its files, whole and made by it, or what is amiss.

    Hashes and settings are compared and no times, which a clone does not keep.
    """
    files = files_of(name, run, folder)
    if not all(path.exists() and path.with_suffix(".json").exists() for path in files):
        return "missing"
    ours = json.loads(json.dumps(asdict(run)))
    try:
        cards = [read_card(path.with_suffix(".json")) for path in files]
        if any(facts["run"] != ours for facts in cards):
            return "of another recipe"
        for path in files:
            check_weights(path)
    except WeightsError:
        return "damaged"
    return "current" if _has_samples(files[-1], cards[-1]) else "without samples"


def _has_samples(weights: Path, facts: dict[str, Any]) -> bool:
    samples = facts.get("samples", {})
    if "failure" in samples:
        return True
    strip = weights.with_suffix(".png")
    return strip.exists() and hashlib.sha256(strip.read_bytes()).hexdigest() == samples.get(
        "sha256"
    )


def is_current(name: str, run: Run, folder: Path = FOLDER) -> bool:
    """Return whether there is nothing left to make of a recipe; see `state_of`."""
    return state_of(name, run, folder) == "current"
