"""Making the networks of the package from their recipes: train, measure, write weights and card."""

import hashlib
import platform
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from gahr_lib.analysis.evaluation import psnr_curve
from gahr_lib.analysis.jacobian import asymmetry, homogeneity_error, jacobian
from gahr_lib.data import fashion
from gahr_lib.errors import ConfigError
from gahr_lib.models import ResidualNetwork, build_network
from gahr_lib.noise import add_noise
from gahr_lib.training import TrainState, train
from gahr_lib.zoo.networks import FOLDER, save_network
from gahr_lib.zoo.recipes import Recipe

__all__ = ["CARD_SIGMAS", "build", "measure", "training_images"]

CARD_SIGMAS = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
_CHECKPOINT_SECONDS = 60


def training_images(recipe: Recipe) -> Tensor:
    """Return the images that a recipe trains on, (n_train, C, H, W)."""
    if recipe.data != "fashion":
        raise ConfigError(f"The data set is {recipe.data!r}; expected 'fashion'.")
    return fashion("train", half=recipe.half, n=recipe.n_train)


def build(
    recipe: Recipe, *, folder: str | Path = FOLDER, runs: str | Path = "runs"
) -> Iterator[TrainState]:
    """Train a recipe's network, yielding each state; write the weights and cards of what it keeps.

    That is the network after the last step, and as it was at the recipe's snapshots. A checkpoint
    is written every minute to `runs`; the same call after an interruption goes on from it.
    Bit-for-bit equal weights need the same machine, PyTorch and one thread.

    Parameters
    ----------
    recipe
        What to make.
    folder
        Where weights and card go.
    runs
        Where the checkpoint goes.

    Yields
    ------
    TrainState
        After each step.
    """
    generator = torch.Generator().manual_seed(recipe.seed)
    network = build_network(recipe.network, generator=generator)
    images = training_images(recipe)
    checkpoint = Path(runs) / f"{recipe.name}.pt"
    resume = checkpoint if checkpoint.exists() else None
    saved = time.monotonic()
    for state in train(network, images, recipe.training, generator=generator, resume=resume):
        if state.step in (*recipe.snapshots, recipe.training.steps):
            denoiser = state.denoiser()
            facts = {
                "step": state.step,
                "image_shape": list(images.shape[1:]),
                "data_sha256": _sha256(images),
                "training_seconds": round(state.seconds),
                "software": {"torch": torch.__version__, "python": platform.python_version()},
                "measured": measure(denoiser, recipe.half, recipe.n_train),
                "licence": "MIT",
                "intended_use": "Teaching and research on how denoisers generalize.",
            }
            save_network(denoiser, recipe, facts, folder)
        elif time.monotonic() - saved > _CHECKPOINT_SECONDS:
            state.save(checkpoint)
            saved = time.monotonic()
        yield state
    checkpoint.unlink(missing_ok=True)


def measure(
    denoiser: ResidualNetwork, half: Literal["A", "B"], n_train: int = 30_000
) -> dict[str, Any]:
    """Return what a card says of a network: PSNR on three sets, homogeneity and asymmetry.

    Parameters
    ----------
    denoiser
        A network trained on Fashion-MNIST.
    half
        The half of its training images.
    n_train
        How many of its images it was trained on.

    Returns
    -------
    dict
        ``sigmas``; ``psnr`` in dB of 500 images that it was trained on (fewer images are seen
        several times, under other noise), 500 of the other half, which it has never seen, and 1,000
        test images; and, at one noisy test image, what eq. 6 assumes. The three rows are of
        different images, some of which are harder than others, so their differences alone do not
        measure how well the network generalizes: compare the two networks on the same images.
    """
    other: Literal["A", "B"] = "B" if half == "A" else "A"
    seen = fashion("train", half=half, n=min(500, n_train))
    sets = {
        "train": seen.repeat(-(-500 // len(seen)), 1, 1, 1)[:500],
        "other_half": fashion("train", half=other, n=500),
        "test": fashion("test", n=1000),
    }
    table = {}
    for name, images in sets.items():
        curve = psnr_curve(denoiser, images, CARD_SIGMAS, generator=_noise_generator())
        table[name] = [round(value, 3) for value in curve.mean(dim=1).tolist()]
    y = add_noise(sets["test"][:1], 0.1, generator=_noise_generator())
    return {
        "sigmas": list(CARD_SIGMAS),
        "psnr": table,
        "homogeneity_error": homogeneity_error(denoiser, y, 0.3),
        "asymmetry": round(asymmetry(jacobian(denoiser, y)), 4),
    }


def _noise_generator() -> torch.Generator:
    """Return the generator of a card's noise: the same for every network, so that cards compare."""
    return torch.Generator().manual_seed(0)


def _sha256(images: Tensor) -> str:
    """Return the SHA-256 of images as bytes 0 to 255, the form in which data sets are published."""
    return hashlib.sha256((images * 255).round().to(torch.uint8).numpy().tobytes()).hexdigest()
