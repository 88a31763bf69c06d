"""Rows and columns of a Jacobian in numbers, and in as few bytes as a page has room for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from torch import Tensor

from gahr_lib.analysis.jacobian import jacobian
from gahr_lib.errors import ConfigError
from gahr_lib.widgets import _front_end

__all__ = ["Answer", "Filters", "answers", "distinct", "largest_reach", "measure", "pack", "window"]


@dataclass(frozen=True)
class Filters:
    """What is said of the d rows of a matrix, each a filter around a pixel of its own; (d,) each.

    Attributes
    ----------
    total
        Sum of the weights.
    radius
        The least distance in pixels, from centre to centre, within which half of the energy lies,
        the sum of the squared weights; NaN for a filter without any.
    outside
        Share of the energy outside the window that is stored; 0 for a filter without any.
    """

    total: Tensor
    radius: Tensor
    outside: Tensor

    def packed(self) -> bytes:
        """Return the three of each filter in turn, as 32-bit floats."""
        return _front_end.floats(torch.stack([self.total, self.radius, self.outside], dim=1))


@dataclass(frozen=True)
class Answer:
    """A denoiser at one noisy image: its Jacobian, (d, d), and its answer, (d,)."""

    jacobian: Tensor
    values: Tensor


@torch.no_grad()
def answers(
    denoiser: Callable[..., Tensor], images: Tensor, noise: Tensor, sigmas: tuple[float, ...]
) -> list[Answer]:
    """Return what a denoiser makes of each image at each noise level, image by image."""
    found = []
    for x, z in zip(images[:, None], noise[:, None], strict=True):
        for sigma in sigmas:
            y = x + sigma * z
            J = jacobian(denoiser, y, sigma=sigma).float().cpu().contiguous()
            found.append(Answer(J, denoiser(y, sigma).flatten().float().cpu()))
    return found


def distinct(
    own: Sequence[Answer], references: Sequence[Answer], levels: int
) -> tuple[list[Tensor], list[int]]:
    """Return all Jacobians to store, and where among them those of the references are.

    Both come image by image, each at as many noise `levels`. A reference's Jacobian that is the
    same as at the first image, as those of linear denoisers are, is not stored again.
    """
    matrices = [answer.jacobian for answer in own]
    places: list[int] = []
    for pair, answer in enumerate(references):
        first = pair % levels
        J, other = answer.jacobian, references[first].jacobian
        tolerance = 1e-5 * max(float(J.abs().max()), 1e-12)
        if pair != first and float((J - other).abs().max()) <= tolerance:
            places.append(places[first])
        else:
            places.append(len(matrices))
            matrices.append(J)
    return matrices, places


def window(height: int, width: int, reach: int) -> Tensor:
    """Return the (d, d) truth of: these pixels are at most `reach` rows and columns apart."""
    rows, columns = _places(height, width)
    far = torch.maximum((rows[:, None] - rows).abs(), (columns[:, None] - columns).abs())
    return far <= reach


def largest_reach(height: int, width: int, matrices: int, room: int) -> int:
    """Return the largest reach of windows whose weights, one byte each, have room.

    Parameters
    ----------
    height, width
        Sides of the image. Windows end where it ends.
    matrices
        How many matrices there are, each with a window for every pixel.
    room
        Bytes for all of them.

    Raises
    ------
    ConfigError
        If there is no room for even a pixel and its neighbours.
    """

    def needed(reach: int) -> int:
        # Of n pixels in a line, 2 (n - k) ordered pairs are k apart.
        pairs = (n + 2 * sum(n - k for k in range(1, min(reach, n - 1) + 1)) for n in sides)
        return matrices * prod(pairs)

    sides = (height, width)
    if isinstance(room, bool) or not isinstance(room, int) or room < needed(1):
        raise ConfigError(
            f"filters_bytes is {room!r}; expected at least {needed(1)}, for {matrices} Jacobians "
            "with the weights of each pixel and its neighbours. Show fewer images or noise levels."
        )
    return max(reach for reach in range(1, max(2, *sides)) if needed(reach) <= room)


def measure(matrix: Tensor, height: int, width: int, reach: int) -> Filters:
    """Return what is said of the rows of a (d, d) matrix."""
    energy = matrix.double().square()
    total = energy.sum(dim=1)
    rows, columns = _places(height, width)
    squares = (rows[:, None] - rows).square() + (columns[:, None] - columns).square()
    rings = energy.new_zeros(len(energy), int(squares.max()) + 1)
    within = rings.scatter_add(1, squares, energy).cumsum(dim=1)
    # A hair less than half, so that exact halves are not missed by rounding.
    enough = within >= (0.5 - 1e-9) * total[:, None]
    radius = enough.int().argmax(dim=1).double().sqrt()
    outside = energy.masked_fill(window(height, width, reach), 0).sum(dim=1)
    nothing = total == 0
    return Filters(
        total=matrix.double().sum(dim=1),
        radius=radius.masked_fill(nothing, torch.nan),
        outside=(outside / total).masked_fill(nothing, 0),
    )


def pack(matrices: Sequence[Tensor], height: int, width: int, reach: int) -> tuple[bytes, bytes]:
    """Return the weights of matrices within windows in 8 bits each, every row with its own scale.

    Parameters
    ----------
    matrices
        (d, d) each, row i the filter of pixel i.
    height, width, reach
        As `window` takes them.

    Returns
    -------
    codes, scales : bytes
        As `quantize` makes them of rows that are zero outside their windows; codes outside are left
        out. They come matrix by matrix, row by row, and in a window from left to right and down.
    """
    inside = window(height, width, reach)
    codes, scales = [], []
    for matrix in matrices:
        some, scale = _front_end.quantize((matrix * inside).reshape(-1, 1, height, width))
        codes.append(np.frombuffer(some, np.int8)[inside.flatten().numpy()].tobytes())
        scales.append(scale)
    return b"".join(codes), b"".join(scales)


def _places(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Return the row and the column of each pixel, (d,) each."""
    pixels = torch.arange(height * width)
    return pixels // width, pixels % width
