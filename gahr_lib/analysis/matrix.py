"""The Jacobian of a denoiser as a matrix: all of it, or the rows and columns of chosen pixels."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gahr_lib._checks import check_count
from gahr_lib.analysis.derivatives import jacobian_product, transpose_product
from gahr_lib.analysis.results import Result
from gahr_lib.errors import ShapeError

__all__ = ["BLOCK", "Filters", "Pixel", "columns", "filters", "jacobian"]

BLOCK = 112  # vectors at a time: enough to keep the cores busy, and they stay near the caches

Pixel = tuple[int, int] | tuple[int, int, int]


@dataclass(frozen=True)
class Filters(Result):
    """The adaptive filters of a denoiser at chosen pixels.

    Attributes
    ----------
    rows
        Row i of J as an image, (K, C, H, W): the weights with which the noisy pixels around make
        the denoised pixel i.
    columns
        Column i of J, (K, C, H, W): where in the denoised image the noisy pixel i goes.
    """

    rows: Tensor
    columns: Tensor


@torch.no_grad()
def jacobian(
    denoiser: Callable[..., Tensor],
    y: Tensor,
    *,
    sigma: float | None = None,
    block: int = BLOCK,
) -> Tensor:
    """Return the whole Jacobian at one image.

    Parameters
    ----------
    denoiser, y, sigma
        See `jacobian_product`.
    block
        How many columns are computed at a time.

    Returns
    -------
    Tensor
        (d, d) with d = C H W; entry (i, j) is the derivative of output i by input j.
    """
    return torch.cat([part.flatten(1) for _, part in columns(denoiser, y, sigma, block)]).T


@torch.no_grad()
def filters(
    denoiser: Callable[..., Tensor],
    y: Tensor,
    pixels: Sequence[Pixel],
    *,
    sigma: float | None = None,
) -> Filters:
    """Return the rows and columns of the Jacobian that belong to chosen pixels.

    Parameters
    ----------
    denoiser, y, sigma
        See `jacobian_product`.
    pixels
        (row, column) of each, for the first channel, or (channel, row, column).

    Returns
    -------
    Filters
        ``rows`` and ``columns``, (K, C, H, W) each. They are equal where J is symmetric.

    Raises
    ------
    ShapeError
        If there are no pixels, or one is not in the image.

    References
    ----------
    Mohan, Kadkhodaie, Simoncelli and Fernandez-Granda, "Robust and interpretable blind image
    denoising via bias-free convolutional neural networks", ICLR 2020, section 5.
    """
    product = jacobian_product(denoiser, y, sigma=sigma)
    if not len(pixels):
        raise ShapeError("pixels is empty; expected at least one, such as [(14, 14)].")
    units = y.new_zeros(len(pixels), *y.shape[1:])
    for unit, pixel in zip(units, pixels, strict=True):
        place = (0, *pixel) if len(pixel) == 2 else tuple(pixel)
        if len(place) != 3 or not all(0 <= i < n for i, n in zip(place, unit.shape, strict=True)):
            raise ShapeError(
                f"There is no pixel {pixel} in an image of shape {tuple(unit.shape)}; expected "
                "(row, column) or (channel, row, column), counted from 0."
            )
        unit[place] = 1
    return Filters(transpose_product(denoiser, y, sigma=sigma)(units), product(units))


def columns(
    denoiser: Callable[..., Tensor], y: Tensor, sigma: float | None, block: int
) -> Iterator[tuple[int, Tensor]]:
    """Yield (first index, J e_i for a block of unit vectors i), block by block."""
    block = check_count(block, "block")
    product = jacobian_product(denoiser, y, sigma=sigma)
    d = y.numel()
    for start in range(0, d, block):
        units = y.new_zeros(min(block, d - start), d)
        places = torch.arange(len(units), device=y.device)
        units[places, start + places] = 1
        yield start, product(units.reshape(-1, *y.shape[1:]))
