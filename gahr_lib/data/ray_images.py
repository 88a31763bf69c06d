"""A ray: one image at every brightness, the simplest set of images that is closed under scaling.

The images s x with s in [0, 1] form a manifold of dimension 1. At small noise the ideal denoiser
projects on the line through x: one eigenvalue near 1, the others near 0, a mean squared error of
sigma^2 per image. A bias-free network is homogeneous, so the ray is a set that it can represent
exactly; what it keeps beyond is its own inductive bias (figure 19 of the paper).
"""

import math
from typing import SupportsIndex

import torch
from torch import Tensor

from gahr_lib._checks import check_count, check_generator, check_images
from gahr_lib.data._arguments import check_dtype, check_size
from gahr_lib.errors import ShapeError, ValueRangeError

__all__ = ["check_template", "lit_ball", "ray"]


def ray(
    n: int,
    size: int | None = None,
    *,
    template: Tensor | None = None,
    generator: torch.Generator,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Draw copies s x of one image x, with s uniform on [0, 1].

    Parameters
    ----------
    n
        Number of images.
    size
        Side in pixels, 8 or more; that of the template, or 80 if there is none.
    template
        The image x, (1, C, H, W), intensities in [0, 1]; `lit_ball` if None.
    generator
        The only source of randomness; the images are made on its device.
    dtype
        Floating type of the result. The same random numbers are drawn whatever it is.

    Returns
    -------
    Tensor
        Images of shape (n, C, H, W), intensities in [0, 1].

    Raises
    ------
    ConfigError
        If `n` is below 1, `generator` is no torch.Generator, or `dtype` is not floating.
    ShapeError
        If `size` is too small or not that of the template, or the template is not one image.
    ValueRangeError
        If the template is not in [0, 1].

    References
    ----------
    Kadkhodaie, Guth, Simoncelli, Mallat, ICLR 2024, appendix, figure 19.
    """
    n, dtype = check_count(n, "n"), check_dtype(dtype)
    device = check_generator(generator).device
    if template is None:
        template = lit_ball(80 if size is None else size)
    else:
        check_template(template, size)
    scale = torch.rand(n, generator=generator, device=device)
    precision = torch.float64 if dtype == torch.float64 else torch.float32
    # Half precision would move the scales by 2^-12: multiply first, round last.
    image = template.to(device, precision)
    return (scale.to(precision).reshape(-1, 1, 1, 1) * image).to(dtype)


def lit_ball(size: int = 80) -> Tensor:
    """Return an image of a ball, lit from the upper left, before a wall that gets darker.

    It has what natural images have and a formula gives: smooth shading, and a contour.

    Parameters
    ----------
    size
        Side in pixels, 8 or more.

    Returns
    -------
    Tensor
        (1, 1, size, size), float64, intensities in [0, 1].

    Raises
    ------
    ShapeError
        If `size` is too small.
    """
    size = check_size(size)
    position = (torch.arange(size, dtype=torch.float64) + 0.5) / size
    row, column = torch.meshgrid(position, position, indexing="ij")
    # The unit vector at right angles to the ball: (up, left) in the picture, and towards us.
    radius = 0.3
    up, left = (0.5 - row) / radius, (0.5 - column) / radius
    square = up.square() + left.square()
    towards = (1 - square).clamp(min=0).sqrt()
    light = (0.5, 0.5, math.sqrt(0.5))
    ball = 0.1 + 0.9 * (light[0] * up + light[1] * left + light[2] * towards).clamp(0, 1)
    wall = 0.6 - 0.4 * row
    # The edge falls over one pixel, so that it has no stairs.
    coverage = ((1 - square.sqrt()) * radius * size + 0.5).clamp(0, 1)
    return torch.lerp(wall, ball, coverage)[None, None]


def check_template(template: Tensor, size: SupportsIndex | None = None) -> None:
    """Raise `ShapeError` or `ValueRangeError` unless it is one image that is not black."""
    check_images(template, "template")
    if len(template) != 1 or (size is not None and tuple(template.shape[2:]) != (size, size)):
        sides = "height x width" if size is None else f"{size}x{size}"
        raise ShapeError(
            f"template has shape {tuple(template.shape)}; expected one image (1, C, H, W) of "
            f"{sides} pixels. Pass template[i:i+1], and no size."
        )
    lowest, highest = float(template.amin()), float(template.amax())
    if lowest < 0 or highest > 1 or highest == 0:
        raise ValueRangeError(
            f"template spans {lowest:.4g} to {highest:.4g}; expected intensities in [0, 1] that "
            "are not all 0. Scale it, or choose another image."
        )
