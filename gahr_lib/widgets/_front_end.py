"""The browser side of the explorers, and the bytes that they send to it."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_FOLDER = Path(__file__).parent


def source(*names: str) -> str:
    """Return files of this folder joined into one text.

    An anywidget's module is a single text that cannot import its neighbours, in a page least of
    all. So what explorers share is put in front of each of them, and nothing needs a build step.
    """
    return "\n".join((_FOLDER / name).read_text(encoding="utf-8") for name in names)


def module(*names: str) -> str:
    """Return the module of an explorer: its own files after those that all explorers share."""
    return source("draw.js", "explorer_frame.js", *names)


def floats(values: Tensor) -> bytes:
    """Return numbers as little-endian 32-bit floats, the order that browsers have."""
    array: NDArray[np.float32] = values.detach().cpu().numpy().astype("<f4")
    return array.tobytes()


def integers(values: Tensor) -> bytes:
    """Return whole numbers from 0 to 65,535 as little-endian 16-bit integers."""
    array: NDArray[np.uint16] = values.detach().cpu().numpy().astype("<u2")
    return array.tobytes()


def quantize(vectors: Tensor) -> tuple[bytes, bytes]:
    """Return vectors in 8 bits a number, each vector with its own scale.

    Parameters
    ----------
    vectors
        (K, C, H, W).

    Returns
    -------
    codes, scales : bytes
        K C H W signed bytes c, and K floats s, the largest number of each vector: a number is
        s c |c| / 127^2. Codes lie closer near zero, where most numbers are of a vector that has its
        weight in few places; the error of a number v is at most (sqrt(s |v|) + s / 508) / 127.
    """
    flat = vectors.detach().flatten(1)
    scales = flat.abs().amax(dim=1).clamp_min(torch.finfo(flat.dtype).tiny)
    codes = (127 * flat.sign() * (flat.abs() / scales[:, None]).sqrt()).round().to(torch.int8)
    return codes.cpu().numpy().tobytes(), floats(scales)


def separate(basis: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Write the vectors of a basis of images as products of columns and rows.

    A cosine or wavelet of two variables is a product of two of one variable, and few of those are
    different: 28 cosines make all 784 of a 28x28 image.

    Parameters
    ----------
    basis
        (K, 1, H, W), each vector of norm 1 and of rank 1.

    Returns
    -------
    columns : Tensor
        (P, H).
    rows : Tensor
        (Q, W).
    pairs : Tensor
        (K, 2): vector k is ``signs[k] * outer(columns[pairs[k, 0]], rows[pairs[k, 1]])``.
    signs : Tensor
        (K,), 1 or -1.
    """
    columns: list[Tensor] = []
    rows: list[Tensor] = []
    pairs, signs = [], []
    for matrix in basis[:, 0].double():
        # A row and a column through the largest number are proportional to the two factors.
        top, left = divmod(int(matrix.abs().argmax()), matrix.shape[1])
        column, row = matrix[:, left], matrix[top]
        pair = _find(columns, column / column.norm()), _find(rows, row / row.norm())
        product = columns[pair[0]][top] * rows[pair[1]][left]
        pairs.append(pair)
        signs.append(1.0 if product * matrix[top, left] > 0 else -1.0)
    return torch.stack(columns), torch.stack(rows), torch.tensor(pairs), torch.tensor(signs)


def _find(known: list[Tensor], vector: Tensor) -> int:
    """Return the place of a vector or its negative in a list of unit vectors, adding it if new."""
    for place, other in enumerate(known):
        if abs(float(other @ vector)) > 1 - 1e-6:
            return place
    known.append(vector)
    return len(known) - 1
