"""Samples of a network and of closed-form machines from equal noise, along equal steps."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from gahr_lib.analysis.results import Result
from gahr_lib.data import fashion
from gahr_lib.jobs.measurements import card_noise
from gahr_lib.models import (
    Denoiser,
    EmpiricalOptimum,
    EquivariantLocalScore,
    LocalScore,
    PatchPosterior,
    Wiener,
)
from gahr_lib.sampling import sample
from gahr_lib.schedules import ddim, falling_sigmas
from gahr_lib.zoo.experiments.disputes import agreement
from gahr_lib.zoo.networks import load_denoiser

__all__ = ["SIDES_BY_SIGMA", "Mosaics", "draw_mosaics"]

SIDES_BY_SIGMA: Mapping[str, Mapping[float, int]] = MappingProxyType(
    {
        "patches": {0.05: 3, 0.1: 3, 0.2: 5, 0.4: 9, 0.8: 15},
        "local": {0.05: 3, 0.1: 3, 0.2: 5, 0.4: 9, 0.8: 15},
        "equivariant": {0.05: 3, 0.1: 5, 0.2: 7, 0.4: 13, 0.8: 19},
    }
)
"""The sides of patches, in pixels, with which machines best explained what the network of 1,000
images drew from other noises, out of a few tables."""

_STEPS = falling_sigmas(25, sigma_0=1.0, sigma_inf=0.02)
_MEAN = 0.3  # about that of the images, with which the noise is filled up


@dataclass(frozen=True)
class Mosaics(Result):
    """Samples of a network of half A and of machines made of its training images.

    Attributes
    ----------
    n_train
        Images in the training set.
    names
        Who drew them, M: the network first, its twin of half B second.
    samples
        As bytes, intensities 0 to 255, cut off outside, (M, n, 1, 28, 28).
    r2
        Coefficient of determination of the network's sample by that of the others, before that,
        (M, n).
    """

    n_train: int
    names: list[str]
    samples: Tensor
    r2: Tensor


@torch.no_grad()
def draw_mosaics(n_train: int = 1_000, n: int = 8, *, equivariant: int = 100) -> Mosaics:
    """Let a network and machines walk the same way from the same noise.

    Parameters
    ----------
    n_train
        Size of the training set.
    n
        How many samples of each.
    equivariant
        The most training images whose patches are compared at all places; 0 leaves out the machine
        that does so, which takes a minute.

    References
    ----------
    Kamb and Ganguli, arXiv 2412.20292, who compare samples in this way.
    """
    training = fashion("train", half="A", n=n_train)
    sides = SIDES_BY_SIGMA
    denoisers: dict[str, Denoiser] = {
        "network": load_denoiser("fashion", n_train=n_train),
        "twin": load_denoiser("fashion", n_train=n_train, half="B"),
        "patches": PatchPosterior(training, sides["patches"]),
        "local": LocalScore(training, sides["local"]),
        "wiener": Wiener.from_images(training),
        "optimum": EmpiricalOptimum(training),
    }
    if equivariant:
        denoisers["equivariant"] = EquivariantLocalScore(
            training[:equivariant], sides["equivariant"]
        )
    drawn = [draw(denoiser, n) for denoiser in denoisers.values()]
    return Mosaics(
        n_train,
        list(denoisers),
        (torch.stack(drawn).clamp(0, 1) * 255).round().byte(),
        torch.stack([agreement(drawn[0], other) for other in drawn]),
    )


def draw(denoiser: Denoiser, n: int) -> Tensor:
    """Return samples of a denoiser along the steps that all walk, (n, 1, 28, 28)."""
    config = ddim(_STEPS, mean=_MEAN)
    return sample(denoiser, n, shape=(1, 28, 28), config=config, generator=card_noise())
