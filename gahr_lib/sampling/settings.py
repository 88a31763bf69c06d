"""How the sampler moves: the settings of Algorithm 1, and what its loop asks of any settings."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

import torch
from torch import Tensor

from gahr_lib._checks import check_count, number
from gahr_lib.errors import ConfigError
from gahr_lib.models.base import check_switch

__all__ = ["SETTINGS", "Pace", "SampleConfig"]


class Pace(Protocol):
    """What the loop of `sample_steps` asks: a `SampleConfig`, or a `gahr_lib.schedules.Schedule`.

    A step of any kind is x <- x + h (f(x) - x) + gamma z.
    """

    @property
    def mean(self) -> float:
        """The intensity around which the starting noise lies."""

    @property
    def sigma_0(self) -> float:
        """Standard deviation of the starting noise, in intensity units."""

    @property
    def max_steps(self) -> int:
        """Where to give up."""

    def told(self, t: int) -> float | None:
        """Return the sigma that the denoiser is told at step t, counted from 1; None if none."""

    def move(self, t: int, s: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return h, gamma and whether an image is then finished, of step t.

        `s` is ``||f(x) - x|| / sqrt(d)`` of each image, (B,), and so is what comes back.
        """


@dataclass(frozen=True)
class SampleConfig:
    """The settings of Algorithm 1, which reads the noise off the denoiser's residual.

    If each step shrinks the noise by exactly 1 - beta h, a fixed step h reaches sigma_inf after
    log(sigma_inf / sigma_0) / log(1 - beta h) steps, rounded up, and one more denoises. With the
    ramp there are far fewer; `gahr_lib.schedules.expected_schedule` counts them.

    Attributes
    ----------
    h0
        The first step, the fraction of the residual that is walked, in (0, 1].
    ramp
        Let the step grow as h_t = h0 t / (1 + h0 (t - 1)), towards 1. Otherwise it stays h0.
    beta
        How much noise the steps remove on balance, in (0, 1]; 1 injects none, smaller values
        inject more and explore more.
    sigma_0
        Standard deviation of the starting noise, in intensity units.
    sigma_inf
        An image is finished when the noise left in it is below this.
    mean
        The intensity around which the starting noise lies. A bias-free network knows shapes but
        not scales, so the mean decides how bright the samples are.
    max_steps
        Give up after this many steps.
    """

    h0: float = 0.05
    ramp: bool = True
    beta: float = 0.1
    sigma_0: float = 1.0
    sigma_inf: float = 0.01
    mean: float = 0.5
    max_steps: int = 5_000

    def __post_init__(self) -> None:
        """Refuse settings for which the loop cannot end."""
        for name in ("h0", "beta"):
            value = getattr(self, name)
            if not 0 < number(value) <= 1:
                raise ConfigError(f"{name} is {value!r}; expected a number in (0, 1].")
        check_switch(self.ramp, "ramp")
        if not 0 < number(self.sigma_inf) < number(self.sigma_0) < math.inf:
            raise ConfigError(
                f"sigma_inf is {self.sigma_inf!r} and sigma_0 is {self.sigma_0!r}; expected "
                "0 < sigma_inf < sigma_0, since sampling goes from much noise to little."
            )
        if not abs(number(self.mean)) < math.inf:
            raise ConfigError(f"mean is {self.mean!r}; expected a finite intensity.")
        check_count(self.max_steps, "max_steps")

    def step_size(self, t: int) -> float:
        """Return h_t of step t, counted from 1."""
        return self.h0 * t / (1 + self.h0 * (t - 1)) if self.ramp else self.h0

    def injected(self, t: int) -> float:
        """Return gamma / s of step t: the noise that it injects per noise that it finds."""
        h = self.step_size(t)
        return ((1 - self.beta * h) ** 2 - (1 - h) ** 2) ** 0.5

    def told(self, t: int) -> None:
        """Return None: nobody tells the denoiser sigma."""

    def move(self, t: int, s: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return h, gamma and whether the image is then finished, (B,), of step t.

        `s` is the noise that the denoiser finds in each image, (B,). Where it is below sigma_inf
        the step is the last one, a full denoising.
        """
        finished = s < self.sigma_inf
        h = torch.full_like(s, self.step_size(t)).masked_fill(finished, 1)
        return h, (self.injected(t) * s).masked_fill(finished, 0), finished


SETTINGS: Mapping[str, SampleConfig] = MappingProxyType(
    {
        "paper": SampleConfig(h0=0.01, ramp=False, beta=0.1, sigma_0=1.0, sigma_inf=0.05),
        "ramp": SampleConfig(h0=0.01, ramp=True, beta=0.1, sigma_0=1.0, sigma_inf=0.05),
        "ascent": SampleConfig(beta=1.0),
    }
)
"""The settings that the book samples with, by name; ``"ascent"`` injects no noise."""
"""Ways to move that have a name. "paper" is what its text says, about 3,000 steps, and "ramp" what
its authors' code does, about 100; "ascent" goes straight up the score, without noise on the way.
DDIM and Langevin dynamics, which follow a schedule of noise levels, are in `gahr_lib.schedules`."""
