"""How well a denoiser removes noise, level by level."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from gahr_lib._checks import check_count, check_images, check_sigma
from gahr_lib.errors import ConfigError
from gahr_lib.metrics import psnr
from gahr_lib.models import check_evaluating
from gahr_lib.noise import standard_noise

__all__ = ["psnr_curve"]


@torch.no_grad()
def psnr_curve(
    denoiser: Callable[..., Tensor],
    x: Tensor,
    sigmas: Sequence[float],
    *,
    generator: torch.Generator | None = None,
    batch_size: int = 250,
) -> Tensor:
    """Return the output PSNR of every image at every noise level.

    Every level has the same noise but for its scale, so that a curve is smooth in sigma and two
    denoisers, or two sets of images, are compared on equal noise if their generators are equal.

    Parameters
    ----------
    denoiser
        Any denoiser; it is called as ``denoiser(y, sigma)``.
    x
        Clean images, (B, C, H, W).
    sigmas
        Noise levels, S of them.
    generator
        Source of the noise.
    batch_size
        Images denoised at a time.

    Returns
    -------
    Tensor
        (S, B), in decibels. ``.mean(dim=1)`` is the curve of the paper's figure 1.

    Raises
    ------
    ShapeError, ValueRangeError, SigmaError
        If `x` is not a batch of images, or a noise level is none.
    ConfigError
        If there are no noise levels, the batch size is not positive, `generator` is no
        torch.Generator, or the denoiser is a network in training mode.
    """
    check_evaluating(denoiser)
    check_images(x, "x")
    batch_size = check_count(batch_size, "batch_size")
    try:
        levels = len(sigmas)
    except TypeError:  # a number, or a tensor () of one
        levels = 0
    if levels == 0:
        raise ConfigError(
            f"sigmas is {sigmas!r}; expected a sequence of at least one noise level. "
            "Pass sigmas=[0.1], for instance."
        )
    for sigma in sigmas:
        check_sigma(sigma)
    noise = standard_noise(x, generator=generator)
    rows = []
    for sigma in sigmas:
        batches = zip(x.split(batch_size), noise.split(batch_size), strict=True)
        rows.append(torch.cat([psnr(denoiser(xb + sigma * zb, sigma), xb) for xb, zb in batches]))
    return torch.stack(rows)
