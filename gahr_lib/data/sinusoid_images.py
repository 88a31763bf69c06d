"""Sinusoids of one frequency: a cone of dimension 2.

An image is A cos(w . p + phi) = a cos(w . p) + b sin(w . p) with random amplitude and phase, so
images lie in a plane, and scaling one gives another. At small noise the ideal denoiser projects on
that plane: two eigenvalues near 1, the others near 0, a mean squared error of 2 sigma^2 per image
(figure 20 of the paper).

Intensities lie around 0, in [-1/2, 1/2], not in [0, 1]: an offset would take the images off the
cone, and a network without biases could not take it away again. Their range is 1, as that of all
images, so PSNRs compare; 0 is a mid grey, so add 1/2 to look at them.
"""

import math

import torch
from torch import Tensor

from gahr_lib._checks import check_count, check_generator, check_whole
from gahr_lib.data._arguments import check_dtype, check_size
from gahr_lib.errors import ConfigError, ValueRangeError

__all__ = ["check_amplitudes", "sinusoid_plane", "sinusoids"]


def sinusoids(
    n: int,
    size: int = 80,
    *,
    frequency: tuple[int, int] = (2, 3),
    amplitudes: tuple[float, float] = (0.0, 0.5),
    generator: torch.Generator,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Draw sinusoids of one frequency with uniform amplitude and uniform phase.

    Parameters
    ----------
    n
        Number of images.
    size
        Side in pixels, 8 or more.
    frequency
        Cycles per image, along the rows' numbers and along the columns'; see `sinusoid_plane`.
    amplitudes
        The least and the largest amplitude, in intensity units.
    generator
        The only source of randomness; the images are made on its device.
    dtype
        Floating type of the result. The same random numbers are drawn whatever it is.

    Returns
    -------
    Tensor
        Images of shape (n, 1, size, size), intensities in [-1/2, 1/2].

    Raises
    ------
    ConfigError
        If `n` is below 1, `generator` is no torch.Generator, `dtype` is not floating, or the
        frequency is not one.
    ShapeError
        If `size` is too small.
    ValueRangeError
        If the amplitudes do not rise from 0 or more to 1/2 or less.

    References
    ----------
    Kadkhodaie, Guth, Simoncelli, Mallat, ICLR 2024, appendix, figure 20.
    """
    n, dtype = check_count(n, "n"), check_dtype(dtype)
    low, high = check_amplitudes(amplitudes)
    device = check_generator(generator).device
    precision = torch.float64 if dtype == torch.float64 else torch.float32
    plane = sinusoid_plane(size, frequency).to(device, precision)
    uniform = torch.rand(n, 2, generator=generator, device=device).to(precision)
    amplitude = low + (high - low) * uniform[:, 0]
    phase = 2 * math.pi * uniform[:, 1]
    of_cosine, of_sine = (
        (amplitude * weight)[:, None, None, None] for weight in (phase.cos(), -phase.sin())
    )
    # Not a matrix product, whose rounding depends on how many images there are.
    return (of_cosine * plane[0] + of_sine * plane[1]).to(dtype)


def sinusoid_plane(size: int = 80, frequency: tuple[int, int] = (2, 3)) -> Tensor:
    """Return the cosine and the sine that span all sinusoids of a frequency.

    Parameters
    ----------
    size
        Side in pixels, 8 or more.
    frequency
        Cycles per image, along the rows' numbers and along the columns': two whole numbers of at
        most half the side. (0, 0) and those at which the sine vanishes on the pixels are refused.

    Returns
    -------
    Tensor
        (2, 1, size, size), float64: orthogonal, of squared norm size^2 / 2 each.

    Raises
    ------
    ShapeError
        If `size` is too small.
    ConfigError
        If the frequency is not one of those above.
    """
    size = check_size(size)
    try:
        rows, columns = (check_whole(cycles, "frequency") for cycles in frequency)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"frequency is {frequency!r}; expected two whole numbers of cycles per image. "
            "Pass frequency=(2, 3), for instance."
        ) from error
    if max(abs(rows), abs(columns)) > size / 2 or (2 * rows % size, 2 * columns % size) == (0, 0):
        raise ConfigError(
            f"frequency is {frequency!r}; expected cycles per image of at most {size // 2}, half "
            "the side, and a sine that does not vanish. Pass frequency=(2, 3), for instance."
        )
    pixels = torch.arange(size)
    # Whole numbers modulo the side keep the angle exact at any frequency.
    turns = (rows * pixels[:, None] + columns * pixels) % size
    angle = 2 * math.pi / size * turns.to(torch.float64)
    return torch.stack((angle.cos(), angle.sin()))[:, None]


def check_amplitudes(amplitudes: tuple[float, float]) -> tuple[float, float]:
    """Return the least and the largest amplitude, or raise `ValueRangeError`."""
    try:
        low, high = (float(amplitude) for amplitude in amplitudes)
        right = 0 <= low < high <= 0.5
    except (TypeError, ValueError):
        right = False
    if not right:
        raise ValueRangeError(
            f"amplitudes is {amplitudes!r}; expected a least and a larger one, between 0 and 1/2. "
            "Pass amplitudes=(0, 0.5), for instance."
        )
    return low, high
