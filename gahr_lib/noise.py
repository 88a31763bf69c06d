"""Gaussian noise, and the noise levels at which networks are trained."""

import torch
from torch import Tensor

from gahr_lib._checks import check_generator, check_images, sigma_per_image
from gahr_lib.errors import ValueRangeError

__all__ = ["add_noise", "standard_noise"]


def standard_noise(like: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
    """Return noise of variance 1 with the shape, dtype and device of `like`.

    It is drawn where the generator lives and then moved, so that one generator on the CPU gives
    the same noise on every device.

    Raises
    ------
    ValueRangeError
        If `like` is no tensor of floats.
    ConfigError
        If `generator` is no torch.Generator.
    """
    if not isinstance(like, Tensor) or not like.is_floating_point():
        raise ValueRangeError(
            f"The noise shall be like {getattr(like, 'dtype', like)!r}; expected a tensor of "
            "floats. Pass the images, as intensities in [0, 1]."
        )
    device = like.device if generator is None else check_generator(generator).device
    noise = torch.randn(like.shape, generator=generator, dtype=like.dtype, device=device)
    return noise.to(like.device)


def add_noise(
    x: Tensor, sigma: float | Tensor, *, generator: torch.Generator | None = None
) -> Tensor:
    """Return y = x + sigma z, with z of independent standard normal entries (the paper, section 2).

    Parameters
    ----------
    x
        Clean images, (B, C, H, W), floating intensities in [0, 1].
    sigma
        Standard deviation of the noise in intensity units: a number, or (B,).
    generator
        Source of the noise; torch's default generator if None.

    Returns
    -------
    Tensor
        The noisy images, (B, C, H, W). They are not clipped.

    Raises
    ------
    ShapeError, ValueRangeError, SigmaError
        If `x` is not a batch of images, or `sigma` is not a noise level.
    ConfigError
        If `generator` is no torch.Generator.
    """
    check_images(x, "x")
    return x + sigma_per_image(sigma, x) * standard_noise(x, generator=generator)
