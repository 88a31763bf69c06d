"""Schedules of noise levels, for denoisers that must be told sigma: DDIM and Langevin dynamics.

Algorithm 1 asks the denoiser how much noise is left. That means nothing if the denoiser has to be
told sigma first, as those in closed form: its residual depends on what it was told. A schedule
says sigma, h and gamma of each step x <- x + h (f(x, sigma) - x) + gamma z, and takes the place of
the settings in the sampler's own loop: sample(denoiser, n, config=ddim()).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from gahr_lib._checks import check_count, check_sigma, number
from gahr_lib.errors import ConfigError, SigmaError
from gahr_lib.sampling import SampleConfig

__all__ = ["Move", "Schedule", "ddim", "expected_schedule", "falling_sigmas", "langevin"]


@dataclass(frozen=True)
class Move:
    """A step of a schedule: x <- x + h (f(x, sigma) - x) + gamma z.

    Attributes
    ----------
    sigma
        The noise level that the denoiser is told, in intensity units, above 0.
    h
        The fraction of the residual that is walked, in (0, 1].
    gamma
        Standard deviation of the noise that is injected, in intensity units.
    """

    sigma: float
    h: float
    gamma: float = 0.0

    def __post_init__(self) -> None:
        """Refuse moves that lead nowhere."""
        check_sigma(self.sigma)
        check_sigma(self.gamma, name="gamma")
        if not self.sigma > 0:
            raise SigmaError("sigma is 0; expected noise to remove. Leave this move out.")
        if not 0 < number(self.h) <= 1:
            raise ConfigError(f"h is {self.h!r}; expected a fraction of the residual in (0, 1].")


@dataclass(frozen=True)
class Schedule:
    """Steps that all images take, one after the other: a `config` of the sampler.

    Attributes
    ----------
    moves
        The steps, of which the first says with how much noise the images start.
    mean
        The intensity around which the starting noise lies.
    """

    moves: tuple[Move, ...]
    mean: float = 0.5

    def __post_init__(self) -> None:
        """Refuse schedules without a start."""
        if not self.moves:
            raise ConfigError(
                "The schedule is empty; expected at least one move. Make it with ddim."
            )
        if not abs(number(self.mean)) < math.inf:
            raise ConfigError(f"mean is {self.mean!r}; expected a finite intensity.")

    @property
    def sigma_0(self) -> float:
        """Standard deviation of the starting noise, in intensity units."""
        return self.moves[0].sigma

    @property
    def max_steps(self) -> int:
        """The number of steps."""
        return len(self.moves)

    def told(self, t: int) -> float:
        """Return the sigma that the denoiser is told at step t, counted from 1."""
        return self.moves[t - 1].sigma

    def move(self, t: int, s: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return h, gamma and whether it was the last, (B,), of step t, whatever `s` (B,) is."""
        move, last = self.moves[t - 1], t == len(self.moves)
        h, gamma = (torch.full_like(s, value) for value in (move.h, move.gamma))
        return h, gamma, torch.full_like(s, last, dtype=torch.bool)


def falling_sigmas(
    n: int = 50, *, sigma_0: float = 1.0, sigma_inf: float = 0.01
) -> tuple[float, ...]:
    """Return noise levels that fall from one to another by equal ratios.

    Parameters
    ----------
    n
        How many, at least 2.
    sigma_0, sigma_inf
        The first and the last, in intensity units.

    Raises
    ------
    ConfigError
        If n is less than 2, or not 0 < sigma_inf < sigma_0.
    """
    n = check_count(n, "n", 2)
    if not 0 < number(sigma_inf) < number(sigma_0) < math.inf:
        raise ConfigError(
            f"sigma_inf is {sigma_inf!r} and sigma_0 is {sigma_0!r}; expected "
            "0 < sigma_inf < sigma_0, since sampling goes from much noise to little."
        )
    return tuple(sigma_0 * (sigma_inf / sigma_0) ** (i / (n - 1)) for i in range(n))


def ddim(sigmas: Sequence[float] | None = None, *, mean: float = 0.5) -> Schedule:
    """Return the schedule of DDIM in its variance-exploding form, which injects no noise.

    h = 1 - sigma_next / sigma: Euler steps of the probability-flow equation
    dx / dsigma = -(f(x, sigma) - x) / sigma. The last step, to noise 0, denoises fully. If a blind
    denoiser's residual has size sigma, equal ratios of noise levels give the path of Algorithm 1
    with that fixed h and beta = 1.

    Parameters
    ----------
    sigmas
        Noise levels, falling, in intensity units; sampling starts at the first. Those of
        `falling_sigmas` if None.
    mean
        The intensity around which the starting noise lies.

    Raises
    ------
    SigmaError
        If they do not fall, or are not above 0.
    ConfigError
        If the mean is not finite.

    References
    ----------
    Song, Meng and Ermon, "Denoising diffusion implicit models", ICLR 2021, equation 14; Karras
    et al., "Elucidating the design space of diffusion-based generative models", NeurIPS 2022.
    """
    levels = [*_check_falling(sigmas), 0.0]
    moves = (Move(sigma, 1 - following / sigma) for sigma, following in pairwise(levels))
    return Schedule(tuple(moves), mean)


def langevin(
    sigmas: Sequence[float] | None = None,
    *,
    step: float = 0.1,
    repeats: int = 10,
    mean: float = 0.5,
) -> Schedule:
    """Return the schedule of annealed Langevin dynamics, and a full denoising at its end.

    At each noise level x <- x + eps s(x) + sqrt(2 eps) z, with the score s = (f(x) - x) / sigma^2
    of equation 3 and eps = step sigma^2: h = step and gamma = sqrt(2 step) sigma. At a small step
    x comes to have the density of images with noise sigma; white noise comes out too strong by a
    factor of 1 / sqrt(1 - step / 2).

    Parameters
    ----------
    sigmas
        Noise levels, falling, in intensity units; sampling starts at the first. Those of
        `falling_sigmas` if None. One level alone is Langevin dynamics at fixed noise.
    step
        eps / sigma^2, in (0, 1].
    repeats
        Steps at each noise level.
    mean
        The intensity around which the starting noise lies.

    Raises
    ------
    SigmaError
        If the noise levels do not fall, or are not above 0.
    ConfigError
        If `step` or `repeats` is out of range, or the mean is not finite.

    References
    ----------
    Song and Ermon, "Generative modeling by estimating gradients of the data distribution",
    NeurIPS 2019, algorithm 1.
    """
    levels = _check_falling(sigmas)
    repeats = check_count(repeats, "repeats")
    if not 0 < number(step) <= 1:
        raise ConfigError(f"step is {step!r}; expected a fraction of sigma^2 in (0, 1].")
    moves = (Move(sigma, step, math.sqrt(2 * step) * sigma) for sigma in levels)
    repeated = (move for move in moves for _ in range(repeats))
    return Schedule((*repeated, Move(levels[-1], 1.0)), mean)


def expected_schedule(config: SampleConfig | None = None) -> Schedule:
    """Return the steps of Algorithm 1 if each shrinks the noise by exactly 1 - beta h.

    A denoiser that must be told sigma can follow it. Its length is the number of steps to expect
    of a blind one: 2,995 for the paper's settings and 97 with the ramp, and one more that denoises.

    Parameters
    ----------
    config
        The settings of Algorithm 1; its defaults if None.

    Raises
    ------
    ConfigError
        If the settings take more than their `max_steps`.
    """
    config = config or SampleConfig()

    def moves() -> Iterator[Move]:
        sigma = config.sigma_0
        for t in range(1, config.max_steps + 1):
            if sigma < config.sigma_inf:
                if sigma:
                    yield Move(sigma, 1.0)
                return
            h = config.step_size(t)
            yield Move(sigma, h, config.injected(t) * sigma)
            sigma *= 1 - config.beta * h
        raise ConfigError(
            f"After {config.max_steps} steps the noise would still be {sigma:.3g}; expected less "
            f"than sigma_inf = {config.sigma_inf}. Raise sigma_inf, beta or max_steps."
        )

    return Schedule(tuple(moves()), config.mean)


def _check_falling(sigmas: Sequence[float] | None) -> list[float]:
    levels = [number(sigma) for sigma in (falling_sigmas() if sigmas is None else sigmas)]
    if not levels or not math.isfinite(levels[0]) or not levels[-1] > 0:
        raise SigmaError(
            f"The noise levels are {levels}; expected at least one, all finite and above 0. "
            "Make them with falling_sigmas."
        )
    if not all(following < sigma for sigma, following in pairwise(levels)):
        raise SigmaError(
            "The noise levels do not fall; expected each below the one before. "
            "Sort them from large to small, or make them with falling_sigmas."
        )
    return levels
