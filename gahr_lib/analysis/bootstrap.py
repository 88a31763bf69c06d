"""Error bars of means over images, by resampling the images."""

from dataclasses import dataclass

import torch
from torch import Tensor

from gahr_lib._checks import check_count, check_generator
from gahr_lib.analysis.results import Result

__all__ = ["Band", "band", "resampled_means"]

_RESAMPLES = 1_000
_AT_ONCE = 2**20  # numbers drawn at a time, with how often each was drawn: some 50 MB


@dataclass(frozen=True)
class Band(Result):
    """A curve over noise levels with its 95 % bootstrap interval.

    Attributes
    ----------
    sigmas
        Noise levels, (S,).
    mean
        The mean over images, (S,).
    low, high
        The ends of the interval, (S,).
    """

    sigmas: Tensor
    mean: Tensor
    low: Tensor
    high: Tensor


def resampled_means(
    values: Tensor, *, resamples: int = _RESAMPLES, generator: torch.Generator | None = None
) -> Tensor:
    """Return the means of samples of the images, drawn with replacement.

    Parameters
    ----------
    values
        A number for each image in its last dimension, (..., B).
    resamples
        How many samples of B images, R.
    generator
        Source of the samples, on the CPU.

    Returns
    -------
    Tensor
        (..., R).

    References
    ----------
    Efron, "Bootstrap methods: another look at the jackknife", 1979.
    """
    count = values.shape[-1]
    resamples = check_count(resamples, "resamples", 2)
    if generator is not None:
        check_generator(generator)
    rows = min(resamples, max(1, _AT_ONCE // count))
    means = []
    for start in range(0, resamples, rows):
        drawn = torch.randint(count, (min(rows, resamples - start), count), generator=generator)
        times = torch.zeros(drawn.shape, dtype=torch.float64)
        times.scatter_add_(1, drawn, torch.ones_like(drawn, dtype=torch.float64))
        means.append(values.double() @ (times.T / count).to(values.device))
    return torch.cat(means, dim=-1)


def band(
    sigmas: Tensor,
    values: Tensor,
    other: Tensor | None = None,
    *,
    resamples: int = _RESAMPLES,
    generator: torch.Generator | None = None,
) -> Band:
    """Return the mean over images, less that of other images if there are any, with its interval.

    Parameters
    ----------
    sigmas
        (S,).
    values
        A number for each noise level and image, (S, B).
    other
        Those of other images, (S, B'), resampled by themselves.
    resamples, generator
        See `resampled_means`.
    """
    mean = values.double().mean(1)
    means = resampled_means(values, resamples=resamples, generator=generator)
    if other is not None:
        mean = mean - other.double().mean(1)
        means = means - resampled_means(other, resamples=resamples, generator=generator)
    edges = torch.tensor([0.025, 0.975], dtype=means.dtype, device=means.device)
    low, high = means.quantile(edges, dim=1)
    return Band(sigmas, mean, low, high)
