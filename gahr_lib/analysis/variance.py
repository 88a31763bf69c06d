"""Measures of memorisation in errors: the variance of the model, and train against test."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from gahr_lib._checks import check_count, check_images, check_sigma
from gahr_lib.analysis.bootstrap import Band, band
from gahr_lib.analysis.evaluation import psnr_curve
from gahr_lib.errors import ConfigError
from gahr_lib.metrics import mse
from gahr_lib.models import check_evaluating
from gahr_lib.noise import standard_noise

__all__ = ["model_variance", "paired_gap", "train_test_gap"]

_BATCH = 250


@torch.no_grad()
def model_variance(
    a: Callable[..., Tensor],
    b: Callable[..., Tensor],
    x: Tensor,
    sigmas: Sequence[float],
    *,
    generator: torch.Generator | None = None,
    batch_size: int = _BATCH,
) -> Band:
    """Return how much two denoisers differ on equal noisy images: half their squared difference.

    If the two were trained alike on independent sets, this is on average the variance of the
    denoiser over training sets and seeds, in the units of the error: the part of the error that the
    mean of many such denoisers would not have. The same measure for two networks of one training
    set and two seeds shows how much of it is due to training itself.

    Parameters
    ----------
    a, b
        The denoisers, called as ``denoiser(y, sigma)``.
    x
        Clean images that neither was trained on, (B, C, H, W).
    sigmas
        Noise levels, S of them.
    generator
        Source of the noise, on the CPU, and of the bootstrap.
    batch_size
        Images denoised at a time.

    Returns
    -------
    Band
        Mean squared error per pixel, in squared intensity units, at each level.

    Raises
    ------
    ShapeError, ValueRangeError, SigmaError, ConfigError
        See `psnr_curve`.
    """
    check_images(x, "x")
    for denoiser in (a, b):
        check_evaluating(denoiser)
    levels = _levels(sigmas)
    batch_size = check_count(batch_size, "batch_size")
    noise = standard_noise(x, generator=generator)
    rows = []
    for sigma in sigmas:
        noisy = [
            xb + sigma * zb
            for xb, zb in zip(x.split(batch_size), noise.split(batch_size), strict=True)
        ]
        rows.append(torch.cat([mse(a(y, sigma), b(y, sigma)) / 2 for y in noisy]))
    return band(levels, torch.stack(rows), generator=generator)


def train_test_gap(
    denoiser: Callable[..., Tensor],
    train: Tensor,
    test: Tensor,
    sigmas: Sequence[float],
    *,
    generator: torch.Generator | None = None,
) -> Band:
    """Return by how much a denoiser is better on its training images than on others.

    The two sets are different images, one of which may be harder: with few images the interval
    shows it. `paired_gap` does without.

    Parameters
    ----------
    denoiser
        Any denoiser.
    train, test
        Images that it was trained on, and others, (B, C, H, W) and (B', C, H, W).
    sigmas
        Noise levels, S of them.
    generator
        Source of the noise, on the CPU, and of the bootstrap.

    Returns
    -------
    Band
        Decibels, positive where the training images are denoised better.

    References
    ----------
    The paper, figures 1 and 15.
    """
    levels = _levels(sigmas)
    seen = psnr_curve(denoiser, train, sigmas, generator=generator)
    unseen = psnr_curve(denoiser, test, sigmas, generator=generator)
    return band(levels, seen, unseen, generator=generator)


def paired_gap(
    trained_on_it: Callable[..., Tensor],
    trained_elsewhere: Callable[..., Tensor],
    x: Tensor,
    sigmas: Sequence[float],
    *,
    generator: torch.Generator | None = None,
) -> Band:
    """Return by how much a denoiser beats its twin on images that only it was trained on.

    Both see equal images under equal noise, so that nothing but the training sets differs.

    Parameters
    ----------
    trained_on_it, trained_elsewhere
        Two denoisers, trained alike on disjoint sets.
    x
        Training images of the first, (B, C, H, W).
    sigmas
        Noise levels, S of them.
    generator
        Source of the noise, on the CPU, and of the bootstrap.

    Returns
    -------
    Band
        Decibels.
    """
    levels = _levels(sigmas)
    noise = torch.Generator().manual_seed(int(torch.randint(2**31, (), generator=generator)))
    state = noise.get_state()
    curves = []
    for denoiser in (trained_on_it, trained_elsewhere):
        noise.set_state(state)
        curves.append(psnr_curve(denoiser, x, sigmas, generator=noise))
    return band(levels, curves[0] - curves[1], generator=generator)


def _levels(sigmas: Sequence[float]) -> Tensor:
    if len(sigmas) == 0:
        raise ConfigError("sigmas is empty; expected at least one noise level.")
    for sigma in sigmas:
        check_sigma(sigma)
    return torch.tensor([float(sigma) for sigma in sigmas], dtype=torch.float64)
