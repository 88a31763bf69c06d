"""Sampling from the density that a denoiser knows: Algorithm 1, one loop.

The residual f(x) - x points up the gradient of the log density of noisy images (Tweedie's formula,
eq. 3), and its size tells how much noise is left. So the loop needs no schedule of noise levels.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from types import MappingProxyType

import torch
from torch import Tensor, nn

from gahr_lib._checks import check_count
from gahr_lib.errors import ConfigError, SamplingError, ValueRangeError
from gahr_lib.models import check_evaluating

__all__ = ["SETTINGS", "SampleConfig", "SampleState", "sample", "sample_steps"]

Constraint = Callable[[Tensor, Tensor], Tensor]
"""Maps images (B, C, H, W), and their numbers in the batch (B,), to the nearest ones allowed."""


@dataclass(frozen=True)
class SampleConfig:
    """How the sampler moves.

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
            if not 0 < value <= 1:
                raise ConfigError(f"{name} is {value!r}; expected a number in (0, 1].")
        if not 0 < self.sigma_inf < self.sigma_0 < float("inf"):
            raise ConfigError(
                f"sigma_inf is {self.sigma_inf!r} and sigma_0 is {self.sigma_0!r}; expected "
                "0 < sigma_inf < sigma_0, since sampling goes from much noise to little."
            )
        if not abs(self.mean) < float("inf"):
            raise ConfigError(f"mean is {self.mean!r}; expected a finite intensity.")
        check_count(self.max_steps, "max_steps")

    def step_size(self, t: int) -> float:
        """Return h_t of step t, counted from 1."""
        return self.h0 * t / (1 + self.h0 * (t - 1)) if self.ramp else self.h0


SETTINGS: Mapping[str, SampleConfig] = MappingProxyType(
    {
        "paper": SampleConfig(h0=0.01, ramp=False, beta=0.1, sigma_0=1.0, sigma_inf=0.05),
        "ramp": SampleConfig(h0=0.01, ramp=True, beta=0.1, sigma_0=1.0, sigma_inf=0.05),
        "ascent": SampleConfig(beta=1.0),
    }
)
"""Ways to move that have a name. "paper" is what its text says, about 3,000 steps, and "ramp" what
its authors' code does, about 100; "ascent" goes straight up the score, without noise on the way."""


@dataclass(frozen=True)
class SampleState:
    """The images after a step.

    Attributes
    ----------
    step
        Steps done, from 1.
    x
        The images as they are now, (B, C, H, W).
    denoised
        What the denoiser made of them before the step, and the constraint of that if there is
        one, (B, C, H, W).
    sigma
        The noise found in each before the step, ``||denoised - x|| / sqrt(d)``, (B,), in intensity units.
    active
        Which images were still moving in this step, (B,), bool.
    """

    step: int
    x: Tensor
    denoised: Tensor
    sigma: Tensor
    active: Tensor


class NoiseStreams:
    """A stream of standard normal images for each sample, seeded one by one from a generator.

    What a sample gets does not depend on the others that are drawn beside it.

    Parameters
    ----------
    denoiser
        Whose images they are for: they get its dtype and device.
    n
        How many samples.
    shape
        (C, H, W) of the images; the denoiser's `image_shape` if None.
    generator
        Gives the seeds, on the CPU; torch's default generator if None.

    Raises
    ------
    ConfigError
        If n is not positive, or the shape is unknown.
    """

    def __init__(
        self,
        denoiser: Callable[..., Tensor],
        n: int,
        shape: tuple[int, int, int] | None = None,
        *,
        generator: torch.Generator | None = None,
    ) -> None:
        n = check_count(n, "n")
        shape = shape or getattr(denoiser, "image_shape", None)
        if shape is None:
            raise ConfigError("The denoiser knows no size of images. Pass shape=(C, H, W).")
        self.shape = shape
        module = denoiser if isinstance(denoiser, nn.Module) else nn.Module()
        self._like = next(chain(module.parameters(), module.buffers()), torch.empty(0))
        seeds = torch.randint(2**62, (n,), generator=generator).tolist()
        self._streams = [torch.Generator().manual_seed(seed) for seed in seeds]

    def __len__(self) -> int:
        return len(self._streams)

    @property
    def everyone(self) -> Tensor:
        """The numbers of all samples, (n,)."""
        return torch.arange(len(self), device=self._like.device)

    def draw(self, samples: Tensor) -> Tensor:
        """Return the next image of the streams of these samples, (B,), as (B, C, H, W)."""
        like = self._like
        noise = torch.empty(len(samples), *self.shape, dtype=like.dtype)
        for image, i in zip(noise, samples.tolist(), strict=True):
            image.normal_(generator=self._streams[i])
        return noise.to(like.device)


def sample_steps(
    denoiser: Callable[..., Tensor],
    n: int,
    *,
    shape: tuple[int, int, int] | None = None,
    config: SampleConfig | None = None,
    generator: torch.Generator | None = None,
    constraint: Constraint | None = None,
) -> Iterator[SampleState]:
    """Draw images and yield the state after each step of Algorithm 1.

    Each image has a noise stream of its own, seeded from `generator`: it does not depend on which
    other images are in the batch, and two denoisers with equal generators see equal noise. Each
    stops by itself when its noise is below sigma_inf; the last step of an image denoises it fully.

    Parameters
    ----------
    denoiser
        A blind denoiser, in evaluation mode.
    n
        How many images.
    shape
        (C, H, W) of the images; the denoiser's `image_shape` if None.
    config
        How to move; the defaults if None.
    generator
        Source of all randomness, on the CPU; torch's default generator if None.
    constraint
        Moves denoised images to the nearest ones allowed, given their numbers in 0 ... n - 1: all
        samples end there. `gahr_lib.inverse_problems` makes one of a measurement.

    Yields
    ------
    SampleState
        After each step; in the last one all are finished.

    Raises
    ------
    ConfigError
        If n is not positive, the shape is unknown, or the denoiser is in training mode.
    SamplingError
        If the noise is not below sigma_inf after `max_steps`, or an image leaves all bounds.

    References
    ----------
    Kadkhodaie and Simoncelli, "Stochastic solutions for linear inverse problems using the prior
    implicit in a denoiser", NeurIPS 2021; the paper, Algorithm 1.
    """
    check_evaluating(denoiser)
    config = config or SampleConfig()
    constraint = constraint or (lambda images, _: images)
    noise = NoiseStreams(denoiser, n, shape, generator=generator)
    z = noise.draw(noise.everyone)
    x = constraint(torch.full_like(z, config.mean), noise.everyone) + config.sigma_0 * z
    denoised, sigma = torch.zeros_like(x), x.new_full((len(x),), float("inf"))
    active = torch.ones(len(x), dtype=torch.bool, device=x.device)
    for t in range(1, config.max_steps + 1):
        moving = active.nonzero().flatten()
        with torch.no_grad():
            try:
                f = constraint(denoiser(x[moving]), moving)
            except ValueRangeError as error:
                raise _diverged(t, config) from error
        r = f - x[moving]
        s = root_mean_square(r)  # noise left, as the denoiser sees it
        if not bool(torch.isfinite(s).all()):
            raise _diverged(t, config)
        h = config.step_size(t)
        gamma = ((1 - config.beta * h) ** 2 - (1 - h) ** 2) ** 0.5 * s
        stepped = x[moving] + h * r + gamma.reshape(-1, 1, 1, 1) * noise.draw(moving)
        finished = s < config.sigma_inf
        # New tensors, not changes in place: the states already handed out must keep their values.
        x = x.index_copy(0, moving, torch.where(finished[:, None, None, None], f, stepped))
        denoised = denoised.index_copy(0, moving, f)
        sigma = sigma.index_copy(0, moving, s)
        yield SampleState(t, x, denoised, sigma, active)
        active = active.index_copy(0, moving, ~finished)
        if not bool(active.any()):
            return
    raise SamplingError(
        f"After {config.max_steps} steps {int(active.sum())} of {len(x)} images still have noise "
        f"above sigma_inf = {config.sigma_inf}. Raise sigma_inf, beta or max_steps."
    )


def root_mean_square(images: Tensor) -> Tensor:
    """Return the root of the mean square of each image's numbers, (B,)."""
    return images.flatten(1).norm(dim=1) / images[0].numel() ** 0.5


def _diverged(step: int, config: SampleConfig) -> SamplingError:
    return SamplingError(
        f"An image leaves all bounds at step {step}. Lower h0 ({config.h0}) or sigma_0 "
        f"({config.sigma_0}), or check that the denoiser returns denoised images, not residuals."
    )


def sample(
    denoiser: Callable[..., Tensor],
    n: int = 1,
    *,
    shape: tuple[int, int, int] | None = None,
    config: SampleConfig | None = None,
    generator: torch.Generator | None = None,
    constraint: Constraint | None = None,
) -> Tensor:
    """Draw images; the last state of `sample_steps`, which see for the arguments and errors.

    Returns
    -------
    Tensor
        (n, C, H, W), not clipped to [0, 1].
    """
    *_, last = sample_steps(
        denoiser, n, shape=shape, config=config, generator=generator, constraint=constraint
    )
    return last.x
