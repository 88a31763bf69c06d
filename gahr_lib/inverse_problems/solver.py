"""Sampling images that have a given measurement: Algorithm 1 with a constraint."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from gahr_lib._checks import check_count
from gahr_lib.errors import ShapeError
from gahr_lib.inverse_problems.problem import InverseProblem
from gahr_lib.sampling import SampleState, sample_steps
from gahr_lib.sampling.settings import Pace

__all__ = ["solve", "solve_steps"]


def solve_steps(
    denoiser: Callable[..., Tensor],
    problem: InverseProblem,
    measurement: Tensor,
    *,
    n: int | None = None,
    config: Pace | None = None,
    generator: torch.Generator | None = None,
) -> Iterator[SampleState]:
    """Draw images that have a measurement, and yield the state after each step of the loop.

    It is `sample_steps`, Algorithm 1, with the residual r = (I - M M^T)(f(x) - x) + M (m - M^T x).
    The noise starts around the mean intensity where nothing was measured, and around M m elsewhere.
    The noise left is s = ``||r|| / sqrt(d)`` as before: what is measured shows its own exactly, and
    for the rest the denoiser says.

    Images have the measurement exactly, but are samples of the posterior only as far as the noise
    falls slowly: while it is strong it hides the measurement, and what has settled by then stays.

    Parameters
    ----------
    denoiser
        As in `sample_steps`: a blind one, unless `config` is a schedule.
    problem
        What was measured.
    measurement
        One for each image to draw, (n, ...), or one for all,
        (1, ...).
    n
        How many images; as many as there are measurements if None.
    config, generator
        As in `sample_steps`.

    Yields
    ------
    SampleState
        After each step; in the last one all images are finished and have the measurement.

    Raises
    ------
    ShapeError, ValueRangeError
        If the measurement is not one of this problem, or there is another number of them than n.
    ConfigError, SigmaError, SamplingError
        As in `sample_steps`.

    References
    ----------
    Kadkhodaie and Simoncelli, "Stochastic solutions for linear inverse problems using the prior
    implicit in a denoiser", NeurIPS 2021, algorithm 2.
    """
    constraint = problem.constraint(measurement)
    n = len(measurement) if n is None else check_count(n, "n")
    if len(measurement) not in (1, n):
        raise ShapeError(
            f"There are {len(measurement)} measurements for n = {n} images; expected one for each, "
            "or one for all. Leave n out, or pass measurement[:1]."
        )
    yield from sample_steps(
        denoiser,
        n,
        shape=problem.image_shape,
        config=config,
        generator=generator,
        constraint=constraint,
    )


def solve(
    denoiser: Callable[..., Tensor],
    problem: InverseProblem,
    measurement: Tensor,
    *,
    n: int | None = None,
    config: Pace | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Draw images that have a measurement; the last state of `solve_steps`, which see.

    Returns
    -------
    Tensor
        (n, C, H, W), not clipped to [0, 1]; their measurement is the given one up to rounding.
    """
    *_, last = solve_steps(denoiser, problem, measurement, n=n, config=config, generator=generator)
    return last.x
