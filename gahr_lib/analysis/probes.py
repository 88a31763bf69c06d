"""What random vectors of signs tell about a matrix that is too large to write down."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from gahr_lib._checks import check_count, check_generator
from gahr_lib.analysis.results import Result

__all__ = ["PROBES", "Estimate", "mean_estimate", "root_ratio_estimate", "signs"]

PROBES = 64


@dataclass(frozen=True)
class Estimate(Result):
    """A number estimated from random probes.

    Attributes
    ----------
    value
        The estimate.
    standard_error
        Its standard error: in two of three cases the truth is no farther from it than that.
    """

    value: float
    standard_error: float


def signs(
    y: Tensor, probes: int, block: int, generator: torch.Generator | None
) -> Iterator[Tensor]:
    """Yield blocks of vectors of independent signs like `y`, `probes` in all.

    Without a generator they are the same every time.
    """
    probes, block = check_count(probes, "probes", 2), check_count(block, "block")
    if generator is None:
        generator = torch.Generator().manual_seed(0)
    check_generator(generator)
    for start in range(0, probes, block):
        shape = (min(block, probes - start), *y.shape[1:])
        bits = torch.randint(2, shape, generator=generator, device=generator.device)
        yield (2 * bits - 1).to(y)


def mean_estimate(values: Tensor) -> Estimate:
    """Return the mean of independent values, (n,), n at least 2."""
    values = values.double()
    return Estimate(float(values.mean()), float(values.std()) / len(values) ** 0.5)


def root_ratio_estimate(a: Tensor, b: Tensor) -> Estimate:
    """Return sqrt(mean(a) / mean(b)) for independent pairs of values >= 0, (n,) each.

    The standard error is that to first order; the estimate is 0 if all of `a` is.
    """
    a, b = a.double(), b.double()
    if not a.any():
        return Estimate(0.0, 0.0)
    if not b.any():
        return Estimate(float("inf"), float("nan"))
    value = float((a.mean() / b.mean()).sqrt())
    # To first order a ratio r deviates by (a - r b) / b, and its root by half of that over itself.
    deviation = (a - value**2 * b) / (2 * value * b.mean())
    return Estimate(value, float(deviation.std()) / len(a) ** 0.5)
