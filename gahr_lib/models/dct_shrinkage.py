"""Thresholding of cosine coefficients, of the whole image or of blocks."""

from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gahr_lib._checks import check_count
from gahr_lib.errors import ShapeError
from gahr_lib.models._shrinkage import Shrinkage

__all__ = ["DCTShrinkage"]


class DCTShrinkage(Shrinkage):
    """Keep the cosine coefficients that stand out of the noise, shrink or remove the others.

    f(y) = sum_k rho(<y, e_k>) e_k in the orthonormal cosine basis (DCT-II) of the image or of each
    of its square blocks, where rho keeps (hard) or keeps and moves towards zero (soft) what exceeds
    ``threshold`` sigma. The means, of the image or of the blocks, stay as they are.

    Parameters
    ----------
    rule
        "soft" or "hard".
    threshold
        In units of sigma; "universal" for sqrt(2 log(H W)); None for 1.5 if soft and 3 if hard.
    block
        Side of the blocks, in pixels, 2 or more; the whole image if None.
    cycle_spins
        n averages the results over n x n circular shifts of the image, by 0 ... n - 1 pixels in
        both directions. With n = block these are all overlapping blocks, those across the joined
        borders included.

    Raises
    ------
    ConfigError
        If an argument is not one of those above.

    Notes
    -----
    A call raises `ShapeError` if the sides of the images are not multiples of the block.

    References
    ----------
    Donoho and Johnstone, "Ideal spatial adaptation by wavelet shrinkage", 1994, for the rules;
    Yu and Sapiro, "DCT image denoising: a simple and effective image denoising algorithm", 2011,
    for overlapping blocks.
    """

    def __init__(
        self,
        *,
        rule: Literal["hard", "soft"] = "soft",
        threshold: float | Literal["universal"] | None = None,
        block: int | None = None,
        cycle_spins: int = 1,
    ) -> None:
        super().__init__(rule, threshold, cycle_spins)
        self.block = None if block is None else check_count(block, "block", 2)

    def check_input(self, y: Tensor, name: str = "y") -> None:
        """Raise `ShapeError` or `ValueRangeError` unless blocks cover the images `y`."""
        super().check_input(y, name)
        height, width = y.shape[-2:]
        if self.block is not None and (height % self.block or width % self.block):
            raise ShapeError(
                f"{name} has {height}x{width} pixels; expected sides that are multiples of the "
                f"block, {self.block}. Crop or pad the images, or choose another block."
            )

    def analyze(self, images: Tensor) -> Tensor:
        """Return cosine coefficients, (B, C, rows of blocks, columns of blocks, height, width)."""
        height, width = (self.block or side for side in images.shape[-2:])
        blocks = images.unflatten(-1, (-1, width)).unflatten(-3, (-1, height)).transpose(-3, -2)
        return _matrix(height, images) @ blocks @ _matrix(width, images).mT

    def synthesize(self, coefficients: Tensor) -> Tensor:
        """Return the images that have these coefficients; inverse of `analyze`."""
        height, width = coefficients.shape[-2:]
        blocks = _matrix(height, coefficients).mT @ coefficients @ _matrix(width, coefficients)
        return blocks.transpose(-3, -2).flatten(-2).flatten(-3, -2)

    def coarse(self, coefficients: Tensor) -> Tensor:
        """Return where the means are, (height, width) of a block, bool."""
        mask = torch.zeros(coefficients.shape[-2:], dtype=torch.bool, device=coefficients.device)
        mask[0, 0] = True
        return mask


def _matrix(side: int, like: Tensor) -> Tensor:
    return torch.from_numpy(_transform(side)).to(like.device, like.dtype)


@lru_cache(maxsize=64)
def _transform(side: int) -> NDArray[np.float64]:
    """Return the matrix of the orthonormal DCT-II of a line."""
    from scipy.fft import dct

    return np.ascontiguousarray(dct(np.eye(side), axis=0, norm="ortho"))
