"""Discs: images on a manifold of dimension 5, whose optimal denoiser is known.

At small noise the ideal denoiser projects on the tangent space of the manifold: five eigenvalues
near 1, the others near 0, a mean squared error of 5 sigma^2 per image. Everything that a network
keeps beyond these five directions is its own inductive bias (figure 5 of the paper).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from gahr_lib._checks import check_count, check_generator
from gahr_lib.data._arguments import check_dtype, check_size, chunks
from gahr_lib.errors import ShapeError, ValueRangeError

__all__ = ["DiscParameters", "discs", "draw_disc_parameters", "render_discs"]

# Ranges of the paper at 80 pixels, in units of the side.
MARGIN = 10 / 80  # least distance from the centre to the border
SMALLEST_RADIUS = 5 / 80

DIMENSION = 5  # of the manifold: two coordinates, a radius, two grey levels


@dataclass(frozen=True, eq=False)
class DiscParameters:
    """The five numbers that make a disc image, for each of n images.

    Parameters
    ----------
    centre
        Row and column of the centre in pixels, (n, 2). Pixel (i, j) covers the rows i to i + 1 and
        the columns j to j + 1, so the middle of the image is (size / 2, size / 2).
    radius
        Radius in pixels, (n,).
    foreground
        Grey level of the disc, (n,), in [0, 1].
    background
        Grey level around it, (n,), in [0, 1].

    Raises
    ------
    ShapeError
        If one of them is not a floating tensor, or the shapes do not fit together.
    """

    centre: Tensor
    radius: Tensor
    foreground: Tensor
    background: Tensor

    def __post_init__(self) -> None:
        radius = self.radius
        n = len(radius) if isinstance(radius, Tensor) and radius.ndim == 1 else 0
        for name, value in vars(self).items():
            expected = (n, 2) if name == "centre" else (n,)
            if not isinstance(value, Tensor) or not value.is_floating_point():
                raise ShapeError(
                    f"{name} is {value!r}; expected a floating torch tensor. "
                    "Convert it with torch.as_tensor(..., dtype=torch.float32)."
                )
            if n == 0 or tuple(value.shape) != expected:
                raise ShapeError(
                    f"{name} has shape {tuple(value.shape)}; expected a centre (n, 2), and a "
                    "radius, a foreground and a background (n,) with the same n >= 1. "
                    "For one disc, add a dimension with [None]."
                )

    @classmethod
    def from_tensor(cls, values: Tensor) -> "DiscParameters":
        """Read parameters from the columns (row, column, radius, foreground, background), (n, 5).

        Raises
        ------
        ShapeError
            If there are not five columns.
        """
        if values.ndim != 2 or values.shape[1] != DIMENSION:
            raise ShapeError(
                f"values have shape {tuple(values.shape)}; expected (n, {DIMENSION}): row, column, "
                "radius, foreground, background. For one disc, add a dimension with [None]."
            )
        return cls(values[:, :2], values[:, 2], values[:, 3], values[:, 4])

    def as_tensor(self) -> Tensor:
        """Return the columns (row, column, radius, foreground, background), (n, 5)."""
        scalars = torch.stack((self.radius, self.foreground, self.background), dim=1)
        return torch.cat((self.centre, scalars), dim=1)


def draw_disc_parameters(
    n: int, size: int = 80, *, generator: torch.Generator, dtype: torch.dtype = torch.float32
) -> DiscParameters:
    """Draw the parameters of discs: uniform centre, radius and grey levels.

    Parameters
    ----------
    n
        Number of discs.
    size
        Side of the image in pixels, 8 or more. At 80 pixels the centre lies in [10, 70] and the
        radius between 5 and the distance to the border; at other sizes both are proportional.
    generator
        The only source of randomness; the parameters are made on its device.
    dtype
        Floating type of the result. The same random numbers are drawn whatever it is.

    Returns
    -------
    DiscParameters
        Real numbers, not whole ones, so that the images form a manifold.

    Raises
    ------
    ConfigError
        If `n` is below 1, `generator` is no torch.Generator, or `dtype` is not floating.
    ShapeError
        If `size` is too small.

    References
    ----------
    Kadkhodaie, Guth, Simoncelli, Mallat, ICLR 2024, section 3.3 and figure 5.
    """
    n, size, dtype = check_count(n, "n"), check_size(size), check_dtype(dtype)
    device = check_generator(generator).device
    uniform = torch.rand(n, DIMENSION, generator=generator, device=device).to(dtype)
    centre = size * (MARGIN + (1 - 2 * MARGIN) * uniform[:, :2])
    border = torch.minimum(centre, size - centre).amin(dim=1)
    smallest = size * SMALLEST_RADIUS
    radius = smallest + (border - smallest) * uniform[:, 2]
    return DiscParameters(centre, radius, uniform[:, 3], uniform[:, 4])


def render_discs(parameters: DiscParameters, size: int = 80) -> Tensor:
    """Draw discs with an edge that falls linearly over one pixel of the distance to the circle.

    The image is a differentiable function of its five parameters (away from the corners of the
    ramp), so its Jacobian spans the tangent space of the manifold::

        values = parameters.as_tensor()[0]
        draw = lambda v: render_discs(DiscParameters.from_tensor(v[None]), 80)[0]
        tangents = torch.func.jacfwd(draw)(values)  # (1, 80, 80, 5)

    Parameters
    ----------
    parameters
        Centres, radii and grey levels of n discs.
    size
        Side of the images in pixels, 8 or more.

    Returns
    -------
    Tensor
        Images of shape (n, 1, size, size), intensities in [0, 1].

    Raises
    ------
    ShapeError
        If `size` is too small.
    ValueRangeError
        If a parameter is not finite, a radius is not positive, or a grey level not in [0, 1].
    """
    size = check_size(size)
    _check_values(parameters)
    centre = parameters.centre
    pixels = torch.arange(size, dtype=centre.dtype, device=centre.device) + 0.5
    square = (pixels - centre[..., None]) ** 2  # (n, 2, size)
    square = square[:, 0, :, None] + square[:, 1, None, :]
    # A pixel exactly at the centre would have an infinite derivative of the root; inside the disc
    # the ramp is flat, and this floor makes the product zero instead of not a number.
    distance = square.clamp(min=1e-12).sqrt()
    coverage = (parameters.radius[:, None, None] + 0.5 - distance).clamp(0, 1)
    background, foreground = parameters.background, parameters.foreground
    return torch.lerp(background[:, None, None], foreground[:, None, None], coverage)[:, None]


def discs(
    n: int, size: int = 80, *, generator: torch.Generator, dtype: torch.dtype = torch.float32
) -> Tensor:
    """Draw images of one disc on a constant background.

    Parameters
    ----------
    n
        Number of images.
    size
        Side in pixels, 8 or more.
    generator
        The only source of randomness; the images are made on its device.
    dtype
        Floating type of the result. The same random numbers are drawn whatever it is.

    Returns
    -------
    Tensor
        Images of shape (n, 1, size, size), intensities in [0, 1].

    Raises
    ------
    ConfigError
        If `n` is below 1, `generator` is no torch.Generator, or `dtype` is not floating.
    ShapeError
        If `size` is too small.

    See Also
    --------
    draw_disc_parameters, render_discs : the two steps that show the manifold's coordinates.
    """
    # Half precision would move the circles by a sixteenth of a pixel: draw first, round last.
    precision = torch.float64 if check_dtype(dtype) == torch.float64 else torch.float32
    values = draw_disc_parameters(n, size, generator=generator, dtype=precision).as_tensor()
    images = torch.empty(len(values), 1, size, size, dtype=dtype, device=values.device)
    for chunk in chunks(len(values), size**2, values.device):
        images[chunk] = render_discs(DiscParameters.from_tensor(values[chunk]), size)
    return images


def _check_values(parameters: DiscParameters) -> None:
    values = parameters.as_tensor().detach()
    if torch.compiler.is_compiling() or torch._C._functorch.is_functorch_wrapped_tensor(values):
        return  # values cannot be read while a graph is traced or a derivative is taken
    if not bool(torch.isfinite(values).all()):
        raise ValueRangeError(
            "a disc has a parameter that is NaN or infinite; expected finite numbers. "
            "Look for a division by zero where they were made."
        )
    radius, levels = values[:, 2], values[:, 3:]
    if bool((radius <= 0).any()):
        raise ValueRangeError(
            f"the smallest radius is {float(radius.amin()):.4g} pixels; expected positive ones. "
            "Clamp them, e.g. radius.clamp(min=1)."
        )
    if bool((levels < 0).any()) or bool((levels > 1).any()):
        raise ValueRangeError(
            f"grey levels span {float(levels.amin()):.4g} to {float(levels.amax()):.4g}; expected "
            "[0, 1]. If they are on the 0-255 scale, divide by 255."
        )
