"""The measurements of images that one meets most: some pixels, block means, some frequencies."""

import math

import numpy as np
import torch
from torch import Tensor

from gahr_lib._checks import check_count, check_generator, number
from gahr_lib.errors import ConfigError, ShapeError
from gahr_lib.inverse_problems.problem import InverseProblem
from gahr_lib.sampling._noise_streams import Shape, check_shape

__all__ = [
    "block_super_resolution",
    "inpainting",
    "known_pixels",
    "random_measurements",
    "random_pixels",
    "spectral_super_resolution",
]


def known_pixels(image_shape: Shape, known: Tensor) -> InverseProblem:
    """Return the problem of filling in pixels, all channels of a pixel being known or unknown.

    Parameters
    ----------
    image_shape
        (C, H, W).
    known
        Which pixels are measured, (H, W), bool.

    Returns
    -------
    InverseProblem
        Measurements are (C, K): the intensities of the K known pixels, row by row.

    Raises
    ------
    ShapeError, ConfigError
        If `known` is not such a mask, or no pixel is known.
    """
    c, height, width = check_shape(image_shape)
    if not isinstance(known, Tensor) or known.shape != (height, width):
        raise ShapeError(
            f"The mask has shape {tuple(getattr(known, 'shape', ()))}; expected ({height}, "
            f"{width}), that of a channel. Pass the same mask for all channels."
        )
    if known.dtype != torch.bool or not bool(known.any()):
        raise ConfigError(
            f"The mask has dtype {known.dtype} and {int((known != 0).sum())} known pixels; "
            "expected bool, with at least one. Pass mask.bool(), True where a pixel is known."
        )
    places = known.detach().flatten().nonzero().flatten()

    def measure(x: Tensor) -> Tensor:
        return x.flatten(2)[..., places.to(x.device)]

    def adjoint(m: Tensor) -> Tensor:
        blank = m.new_zeros(len(m), c, height * width)
        return blank.index_copy(2, places.to(m.device), m).unflatten(2, (height, width))

    return InverseProblem(measure, adjoint, image_shape)


def inpainting(
    image_shape: Shape, *, top: int, left: int, height: int, width: int
) -> InverseProblem:
    """Return the problem of filling in a rectangle; all other pixels are known.

    Parameters
    ----------
    image_shape
        (C, H, W).
    top, left
        The row and the column of the rectangle's first pixel, from 0.
    height, width
        Its sides, in pixels.

    Returns
    -------
    InverseProblem
        Measurements are (C, K): the intensities of the known pixels, row by row.

    Raises
    ------
    ShapeError, ConfigError
        If the rectangle is not inside the image, or fills it.
    """
    _, rows, columns = check_shape(image_shape)
    top = check_count(top, "top", 0, rows - 1)
    left = check_count(left, "left", 0, columns - 1)
    height = check_count(height, "height", 1, rows - top)
    width = check_count(width, "width", 1, columns - left)
    known = torch.ones(rows, columns, dtype=torch.bool)
    known[top : top + height, left : left + width] = False
    return known_pixels(image_shape, known)


def random_pixels(
    image_shape: Shape, fraction: float, *, generator: torch.Generator | None = None
) -> InverseProblem:
    """Return the problem of filling in all but a random subset of pixels.

    Parameters
    ----------
    image_shape
        (C, H, W).
    fraction
        How many of the pixels are known, in (0, 1]; rounded to a whole number, at least one.
    generator
        Chooses them, on the CPU; torch's default generator if None.

    Returns
    -------
    InverseProblem
        Measurements are (C, K): the intensities of the known pixels, row by row.

    Raises
    ------
    ShapeError, ConfigError
        If the shape or the fraction is impossible.
    """
    _, height, width = check_shape(image_shape)
    known = torch.zeros(height * width, dtype=torch.bool)
    known[_random_subset(height * width, fraction, generator)] = True
    return known_pixels(image_shape, known.reshape(height, width))


def block_super_resolution(image_shape: Shape, factor: int) -> InverseProblem:
    """Return the problem of undoing block averages.

    Blocks at the right and at the bottom are smaller where the factor does not divide a side.

    Parameters
    ----------
    image_shape
        (C, H, W).
    factor
        Side of the blocks, in pixels.

    Returns
    -------
    InverseProblem
        Measurements are (C, H', W'), H' and W' the numbers of blocks: the mean of each block times
        the root of its number of pixels, so that the measuring vectors have norm 1.

    Raises
    ------
    ShapeError, ConfigError
        If the shape is impossible, or the factor larger than the image.
    """
    _, height, width = check_shape(image_shape)
    factor = check_count(factor, "factor", 1, max(height, width))

    def indicators(side: int) -> Tensor:
        inside = torch.arange(side) // factor == torch.arange(-(-side // factor))[:, None]
        return inside / inside.sum(1, keepdim=True).double().sqrt()

    return _separable(image_shape, indicators(height), indicators(width))


def spectral_super_resolution(image_shape: Shape, fraction: float) -> InverseProblem:
    """Return the problem of finding high frequencies from the low ones.

    Parameters
    ----------
    image_shape
        (C, H, W).
    fraction
        How many of the frequencies of each side are known, the lowest, in (0, 1]; rounded up.

    Returns
    -------
    InverseProblem
        Measurements are (C, H', W'), the orthonormal cosine coefficients (DCT-II) of the lowest
        H' vertical and W' horizontal frequencies. A cosine transform continues an image by its
        mirror image, so its borders, unlike those in a Fourier transform, are no edges.

    Raises
    ------
    ShapeError, ConfigError
        If the shape or the fraction is impossible.
    """
    _, height, width = check_shape(image_shape)
    _check_fraction(fraction)
    rows, columns = (_cosines(side)[: math.ceil(fraction * side)] for side in (height, width))
    return _separable(image_shape, rows, columns)


def random_measurements(
    image_shape: Shape, fraction: float, *, generator: torch.Generator | None = None
) -> InverseProblem:
    """Return the problem of compressive sensing: inner products with random orthonormal vectors.

    Each intensity gets a random sign, each channel is cosine transformed (orthonormal DCT-II), and
    a random subset of all coefficients is kept. Signs and transform are orthonormal, so M^T M = I
    exactly; like a random rotation they spread every image over all coefficients, but M is never
    formed, and a measurement takes about d (H + W) products.

    Parameters
    ----------
    image_shape
        (C, H, W).
    fraction
        How many of the d = C H W numbers are measured, in (0, 1]; rounded, at least one.
    generator
        Chooses signs and subset, on the CPU; torch's default generator if None.

    Returns
    -------
    InverseProblem
        Measurements are (K,).

    Raises
    ------
    ShapeError, ConfigError
        If the shape or the fraction is impossible.

    References
    ----------
    Do, Gan, Nguyen and Tran, "Fast and efficient compressive sensing using structurally random
    matrices", IEEE Transactions on Signal Processing 2012.
    """
    shape = c, height, width = check_shape(image_shape)
    d = c * height * width
    kept = _random_subset(d, fraction, generator)
    signs = 2.0 * torch.randint(2, shape, generator=generator) - 1
    rows, columns = _cosines(height), _cosines(width)

    def measure(x: Tensor) -> Tensor:
        transformed = rows.to(x) @ (signs.to(x) * x) @ columns.to(x).T
        return transformed.flatten(1)[:, kept.to(x.device)]

    def adjoint(m: Tensor) -> Tensor:
        transformed = m.new_zeros(len(m), d).index_copy(1, kept.to(m.device), m)
        return signs.to(m) * (rows.to(m).T @ transformed.unflatten(1, shape) @ columns.to(m))

    return InverseProblem(measure, adjoint, image_shape)


def _separable(image_shape: Shape, rows: Tensor, columns: Tensor) -> InverseProblem:
    """Return the problem that measures rows x columns^T of each channel x."""

    def measure(x: Tensor) -> Tensor:
        return rows.to(x) @ x @ columns.to(x).T

    def adjoint(m: Tensor) -> Tensor:
        return rows.to(m).T @ m @ columns.to(m)

    return InverseProblem(measure, adjoint, image_shape)


def _cosines(side: int) -> Tensor:
    """Return the orthonormal DCT-II of a line as a matrix, low frequencies first."""
    from scipy.fft import dct

    return torch.from_numpy(np.ascontiguousarray(dct(np.eye(side), axis=0, norm="ortho")))


def _random_subset(size: int, fraction: float, generator: torch.Generator | None) -> Tensor:
    _check_fraction(fraction)
    if generator is not None:
        check_generator(generator)
    kept = max(1, round(fraction * size))
    return torch.randperm(size, generator=generator)[:kept].sort().values


def _check_fraction(fraction: float) -> None:
    if not 0 < number(fraction) <= 1:
        raise ConfigError(f"fraction is {fraction!r}; expected a number in (0, 1].")
