"""The loop of Algorithm 1, the only one there is: settings, schedules and measurements steer it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from gahr_lib.errors import SamplingError, ShapeError, SigmaError, ValueRangeError
from gahr_lib.models import ResidualNetwork, check_evaluating
from gahr_lib.sampling._noise_streams import NoiseStreams, Shape
from gahr_lib.sampling.settings import Pace, SampleConfig

__all__ = ["Constraint", "SampleState", "sample", "sample_steps"]

Constraint = Callable[[Tensor, Tensor], Tensor]
"""Maps images (B, C, H, W), and their numbers in the batch (B,), to the nearest ones allowed."""


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
        The noise found in each before the step, ``||denoised - x|| / sqrt(d)``, (B,), in intensity
        units.
    active
        Which images were still moving in this step, (B,), bool.
    """

    step: int
    x: Tensor
    denoised: Tensor
    sigma: Tensor
    active: Tensor


def sample_steps(
    denoiser: Callable[..., Tensor],
    n: int,
    *,
    shape: Shape | None = None,
    config: Pace | None = None,
    generator: torch.Generator | None = None,
    constraint: Constraint | None = None,
) -> Iterator[SampleState]:
    """Draw images and yield the state after each step of Algorithm 1.

    Each image has a noise stream of its own, seeded from `generator`: it does not depend on which
    other images are in the batch, and two denoisers with equal generators see equal noise. Each
    stops by itself when its noise is below sigma_inf; the last step of an image denoises it fully.

    A schedule in the place of the settings tells the denoiser sigma, and all images follow it to
    its end. They start from the same noise, times its first sigma.

    Nothing happens before the first step is asked for; an error in the arguments comes with it.

    Parameters
    ----------
    denoiser
        In evaluation mode. A blind one, called as denoiser(x); if `config` is a schedule, any,
        called as denoiser(x, sigma).
    n
        How many images.
    shape
        (C, H, W) of the images; the denoiser's `image_shape` if None.
    config
        How to move: a `SampleConfig`, its defaults if None; or a schedule, from
        `gahr_lib.schedules`, for denoisers that must be told sigma.
    generator
        Source of all randomness; torch's default generator if None.
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
        If n is not positive, the shape is unknown, `generator` is no torch.Generator, or the
        denoiser is in training mode.
    ShapeError
        If the shape is not one of images, or the denoiser returns another one.
    SigmaError
        If the denoiser must be told sigma, and the settings do not tell it.
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
                f = constraint(_denoise(denoiser, x[moving], config.told(t)), moving)
            except ValueRangeError as error:
                raise _diverged(t, config) from error
        r = f - x[moving]
        s = r.flatten(1).norm(dim=1) / r[0].numel() ** 0.5  # noise left, as the denoiser sees it
        if not bool(torch.isfinite(s).all()):
            raise _diverged(t, config)
        h, gamma, finished = config.move(t, s)
        h, gamma = h.reshape(-1, 1, 1, 1), gamma.reshape(-1, 1, 1, 1)
        stepped = torch.where(h == 1, f, x[moving] + h * r)
        if bool(gamma.any()):
            stepped = stepped + gamma * noise.draw(moving)
        # New tensors, not changes in place: the states already handed out must keep their values.
        x = x.index_copy(0, moving, stepped)
        denoised = denoised.index_copy(0, moving, f)
        sigma = sigma.index_copy(0, moving, s)
        yield SampleState(t, x, denoised, sigma, active)
        active = active.index_copy(0, moving, ~finished)
        if not bool(active.any()):
            return
    raise SamplingError(
        f"After {config.max_steps} steps {int(active.sum())} of {len(x)} images still have noise "
        "above sigma_inf. Raise sigma_inf, beta or max_steps."
    )


def sample(
    denoiser: Callable[..., Tensor],
    n: int = 1,
    *,
    shape: Shape | None = None,
    config: Pace | None = None,
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


def _denoise(denoiser: Callable[..., Tensor], x: Tensor, sigma: float | None) -> Tensor:
    if isinstance(denoiser, ResidualNetwork):
        # Convolutions of a batch are a quarter faster if the channels of a pixel lie side by side.
        x = x.to(memory_format=torch.channels_last)
    if sigma is None and getattr(denoiser, "needs_sigma", False):
        raise SigmaError(
            f"{type(denoiser).__name__} is not blind, and Algorithm 1 does not tell it the noise "
            "level. Sample along a schedule: config=gahr_lib.schedules.ddim()."
        )
    f = denoiser(x) if sigma is None else denoiser(x, sigma)
    if f.shape != x.shape:
        raise ShapeError(
            f"The denoiser maps images {tuple(x.shape)} to {tuple(f.shape)}; expected the shape of "
            "its input. Check its channels."
        )
    return f


def _diverged(step: int, config: Pace) -> SamplingError:
    return SamplingError(
        f"An image leaves all bounds at step {step}. Take smaller steps, start with less noise "
        f"(sigma_0 is {config.sigma_0}), or check that the denoiser returns denoised images, not "
        "residuals."
    )
