"""Training sets of one image to thousands: where the networks stop to memorise."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from gahr_lib.analysis.bootstrap import Band, band
from gahr_lib.analysis.evaluation import psnr_curve
from gahr_lib.analysis.results import Result
from gahr_lib.analysis.variance import model_variance
from gahr_lib.data import fashion
from gahr_lib.jobs.measurements import card_noise, repeated
from gahr_lib.zoo.networks import load_denoiser
from gahr_lib.zoo.scales import BOOK, Scale

__all__ = ["SIGMAS", "Ladder", "Seeds", "climb", "compare_seeds", "seen_images"]

SIGMAS = tuple(10 ** (-decibels / 20) for decibels in range(0, 40, 2))
"""Noise levels from 0 to 38 dB of input PSNR, at which ladders are measured."""


@dataclass(frozen=True)
class Ladder(Result):
    """How the pairs of networks do on images that they know and on others.

    All but the first two are (L, S, 3): for L sizes and S levels, the mean and its 95 % interval,
    lower and upper end, by resampling images.

    Attributes
    ----------
    n_train
        Sizes of the training sets, (L,).
    sigmas
        Noise levels, (S,).
    train, test
        PSNR in dB, on images of the network's own training set and on test images; of both halves
        together. NaN where nobody knows the training set.
    gap
        By how many dB a network beats its twin of the other half on images that only it knows; NaN
        where nobody knows these.
    variance
        Half the mean squared difference of the twins on test images.
    """

    n_train: Tensor
    sigmas: Tensor
    train: Tensor
    test: Tensor
    gap: Tensor
    variance: Tensor


@dataclass(frozen=True)
class Seeds(Result):
    """What remains of the variance if the training set is the same and the seed is another.

    Attributes
    ----------
    n_train
        Sizes of the training sets, (L,).
    sigmas
        Noise levels, (S,).
    same_data, other_data
        Half the mean squared difference of two networks on test images, (L, S, 3) as in `Ladder`:
        of one training set and two seeds; of two training sets and two seeds.
    """

    n_train: Tensor
    sigmas: Tensor
    same_data: Tensor
    other_data: Tensor


def climb(
    n_train: Sequence[int], sigmas: Sequence[float], *, images: int = 500, scale: Scale = BOOK
) -> Ladder:
    """Measure the pairs of networks, size by size.

    Parameters
    ----------
    n_train
        Sizes of training sets of which the scale has a network of each half.
    sigmas
        Noise levels.
    images
        How many of each set; smaller training sets are seen several times, under other noise.
    scale
        Whose networks and images.

    References
    ----------
    The paper, figures 1 and 15; gap and variance are ours.
    """
    test = scale.images(images)
    unknown = torch.full((len(sigmas), 3), torch.nan)
    rows: dict[str, list[Tensor]] = {name: [] for name in ("train", "test", "gap", "variance")}
    for n in n_train:
        a, b = (scale.network(n_train=n, half=half) for half in ("A", "B"))
        own, twin = [], []
        halves: tuple[tuple[Literal["A", "B"], Any, Any], ...] = (("A", a, b), ("B", b, a))
        for half, ours, theirs in halves if scale.knows_training_sets else ():
            seen = seen_images(n, half, images)
            own.append(psnr_curve(ours, seen, sigmas, generator=card_noise()))
            twin.append(psnr_curve(theirs, seen, sigmas, generator=card_noise()))
        unseen = [psnr_curve(network, test, sigmas, generator=card_noise()) for network in (a, b)]
        known = torch.cat(own, dim=1) if own else None
        rows["train"].append(unknown if known is None else _interval(known, sigmas))
        # Both networks see equal test images: the interval is over these, not over twice as many.
        rows["test"].append(_interval(torch.stack(unseen).mean(0), sigmas))
        gap = None if known is None else known - torch.cat(twin, dim=1)
        rows["gap"].append(unknown if gap is None else _interval(gap, sigmas))
        rows["variance"].append(_variance(a, b, test, sigmas))
    stacked = {name: torch.stack(row) for name, row in rows.items()}
    return Ladder(torch.tensor(list(n_train)), torch.tensor(list(sigmas)), **stacked)


def compare_seeds(n_train: Sequence[int], sigmas: Sequence[float], *, images: int = 500) -> Seeds:
    """Compare networks of one half and two seeds with networks of two halves.

    Parameters
    ----------
    n_train, sigmas, images
        See `climb`; the package has second seeds for 100, 1,000 and 30,000.
    """
    test = fashion("test", n=images)
    same, other = [], []
    for n in n_train:
        a, b = (load_denoiser("fashion", n_train=n, half=half) for half in ("A", "B"))
        again = load_denoiser("fashion", n_train=n, variant="seed2")
        same.append(_variance(a, again, test, sigmas))
        other.append(_variance(a, b, test, sigmas))
    return Seeds(
        torch.tensor(list(n_train)),
        torch.tensor(list(sigmas)),
        torch.stack(same),
        torch.stack(other),
    )


def seen_images(n_train: int, half: Literal["A", "B"], n: int) -> Tensor:
    """Return n images of a training set, again and again if it has fewer, (n, 1, 28, 28)."""
    return repeated(fashion("train", half=half, n=min(n, n_train)), n)


def _interval(curves: Tensor, sigmas: Sequence[float]) -> Tensor:
    """Return mean, lower and upper end over images, (S, 3), of curves, (S, B)."""
    return _ends(band(torch.tensor(list(sigmas)), curves, generator=card_noise()))


def _variance(
    a: torch.nn.Module, b: torch.nn.Module, test: Tensor, sigmas: Sequence[float]
) -> Tensor:
    return _ends(model_variance(a, b, test, sigmas, generator=card_noise()))


def _ends(found: Band) -> Tensor:
    return torch.stack([found.mean, found.low, found.high], dim=1).float()
