"""All denoisers that are a formula, and a network, on the same noisy images."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from gahr_lib.analysis.evaluation import psnr_curve
from gahr_lib.analysis.results import Result
from gahr_lib.data import fashion
from gahr_lib.jobs.measurements import card_noise
from gahr_lib.models import (
    DCTShrinkage,
    Denoiser,
    EmpiricalOptimum,
    EquivariantLocalScore,
    LocalScore,
    PatchPosterior,
    StationaryWiener,
    WaveletShrinkage,
    Wiener,
)
from gahr_lib.zoo.networks import load_denoiser

__all__ = ["SIDES", "ClosedForms", "best_sides", "compare_closed_forms"]

SIDES = (1, 3, 5, 9, 15)  # patches from which the best is chosen at every noise level
_TUNING = 10  # images on which it is chosen, of half B: neither training nor test images


@dataclass(frozen=True)
class ClosedForms(Result):
    """PSNR of D denoisers on B test images of clothes, at S noise levels.

    Attributes
    ----------
    input_psnr
        In dB, (S,).
    names
        Of the denoisers, D of them.
    n_train
        How many training images each has seen, (D,); 0 for those that see none.
    psnr
        Output PSNR of every image in dB, (D, S, B).
    sides
        Side of the patches in pixels of those that compare patches, (D, S); 0 for the others.
    """

    input_psnr: Tensor
    names: list[str]
    n_train: Tensor
    psnr: Tensor
    sides: Tensor


def best_sides(
    make: Callable[[int], Denoiser], images: Tensor, sigmas: Sequence[float]
) -> dict[float, int]:
    """Return the side of patches of `SIDES` with which a denoiser does best, level by level.

    Parameters
    ----------
    make
        Returns the denoiser with patches of a given side.
    images
        Clean images to choose by, (B, 1, H, W); not those on which the denoiser is judged later.
    sigmas
        Noise levels.
    """
    rows = [
        psnr_curve(make(side), images, sigmas, generator=card_noise()).mean(dim=1) for side in SIDES
    ]
    best = torch.stack(rows).argmax(dim=0).tolist()
    return {sigma: SIDES[i] for sigma, i in zip(sigmas, best, strict=True)}


def compare_closed_forms(
    input_psnr: Sequence[float],
    *,
    images: int = 40,
    n_train: int = 30_000,
    n_local: int = 2_000,
    n_everywhere: int = 200,
) -> ClosedForms:
    """Measure every closed-form denoiser, and the network of 30,000 images, on test images.

    Parameters
    ----------
    input_psnr
        Noise levels as PSNR of the noisy image, in dB.
    images
        How many test images of Fashion-MNIST.
    n_train
        From how many images of half A the Wiener filters and the empirical optimum are made.
    n_local
        From how many the local scores and the patch posterior are, which take longer.
    n_everywhere
        From how many the equivariant local scores are, which compare patches at all places.
    """
    levels = torch.tensor([float(value) for value in input_psnr])
    sigmas = (10 ** (-levels / 20)).tolist()
    test = fashion("test", n=images)
    tuning = fashion("train", half="B", n=_TUNING)
    train = fashion("train", half="A", n=max(n_train, n_local, n_everywhere))
    denoisers: dict[str, tuple[Denoiser, int, Mapping[float, int]]] = {
        "cosines": (DCTShrinkage(), 0, {}),
        "wavelets": (WaveletShrinkage(), 0, {}),
        "wavelets, cycle spun": (WaveletShrinkage(cycle_spins=4), 0, {}),
        "stationary Wiener": (StationaryWiener.from_images(train[:n_train]), n_train, {}),
        "Wiener": (Wiener.from_images(train[:n_train]), n_train, {}),
        "empirical optimum": (EmpiricalOptimum(train[:n_train]), n_train, {}),
    }
    patchwise: dict[str, tuple[Callable[..., Any], int]] = {
        "local scores": (LocalScore, n_local),
        "equivariant local scores": (EquivariantLocalScore, n_everywhere),
        "patch posterior": (PatchPosterior, n_local),
    }
    for name, (kind, n) in patchwise.items():
        sides = best_sides(partial(kind, train[:n]), tuning, sigmas)
        denoisers[name] = (kind(train[:n], sides), n, sides)
    denoisers["network"] = (load_denoiser("fashion", n_train=30_000), 30_000, {})
    return ClosedForms(
        levels,
        list(denoisers),
        torch.tensor([n for _, n, _ in denoisers.values()]),
        torch.stack(
            [psnr_curve(f, test, sigmas, generator=card_noise()) for f, _, _ in denoisers.values()]
        ),
        torch.tensor([[table.get(s, 0) for s in sigmas] for _, _, table in denoisers.values()]),
    )
