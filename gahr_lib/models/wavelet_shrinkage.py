"""Thresholding of wavelet coefficients."""

from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gahr_lib._checks import check_count
from gahr_lib.bases import check_wavelet
from gahr_lib.errors import ShapeError
from gahr_lib.models._shrinkage import Shrinkage

__all__ = ["WaveletShrinkage"]


class WaveletShrinkage(Shrinkage):
    """Keep the wavelet coefficients that stand out of the noise, shrink or remove the others.

    f(y) = sum_k rho(<y, e_k>) e_k in an orthonormal wavelet basis of images continued periodically,
    where rho keeps (hard) or keeps and moves towards zero (soft) what exceeds ``threshold`` sigma.
    The scaling coefficients, averages over the coarsest squares, stay as they are. Unlike
    `BasisThresholding`, it takes images of any suitable size and never forms the d x d basis.

    Parameters
    ----------
    wavelet
        The name of an orthogonal wavelet of PyWavelets: "haar", "db2", "sym4", ...
    rule
        "soft" or "hard".
    threshold
        In units of sigma; "universal" for sqrt(2 log(H W)); None for 1.5 if soft and 3 if hard.
    cycle_spins
        n averages the results over n x n circular shifts of the image, by 0 ... n - 1 pixels in
        both directions; 2 ** levels makes the denoiser translation invariant.
    levels
        How often the image is halved; as often as its sides allow if None.

    Raises
    ------
    ConfigError
        If an argument is not one of those above.

    Notes
    -----
    A call raises `ShapeError` if the sides of the images are not multiples of 2 ** levels.

    References
    ----------
    Donoho and Johnstone, "Ideal spatial adaptation by wavelet shrinkage", 1994; Coifman and Donoho,
    "Translation-invariant de-noising", 1995; Mallat, "A Wavelet Tour of Signal Processing", 3rd
    edition, sections 7.7 and 11.3.
    """

    def __init__(
        self,
        wavelet: str = "db2",
        *,
        rule: Literal["hard", "soft"] = "soft",
        threshold: float | Literal["universal"] | None = None,
        cycle_spins: int = 1,
        levels: int | None = None,
    ) -> None:
        super().__init__(rule, threshold, cycle_spins)
        self.wavelet = check_wavelet(wavelet)
        self.levels = None if levels is None else check_count(levels, "levels")

    def check_input(self, y: Tensor, name: str = "y") -> None:
        """Raise `ShapeError` or `ValueRangeError` unless the sides of `y` can be halved."""
        super().check_input(y, name)
        height, width = y.shape[-2:]
        if _halvings(height, width) < (self.levels or 1):
            raise ShapeError(
                f"{name} has {height}x{width} pixels; expected sides that are multiples of "
                f"{2 ** (self.levels or 1)}, because the transform halves them. Crop or pad the "
                "images, or ask for fewer levels."
            )

    def analyze(self, images: Tensor) -> Tensor:
        """Return wavelet coefficients, (B, C, H, W), the coarsest in the top left corner.

        Each level fills the corner left by the finer one with averages, and the three other
        quarters with details: along rows, along columns, and along both.
        """
        coefficients = images
        for height, width in self._corners(images):
            corner = coefficients[..., :height, :width]
            corner = _matrix(self.wavelet, height, images) @ corner
            corner = corner @ _matrix(self.wavelet, width, images).mT
            coefficients = _put(coefficients, corner)
        return coefficients

    def synthesize(self, coefficients: Tensor) -> Tensor:
        """Return the images that have these coefficients; inverse of `analyze`."""
        images = coefficients
        for height, width in reversed(self._corners(coefficients)):
            corner = _matrix(self.wavelet, height, images).mT @ images[..., :height, :width]
            images = _put(images, corner @ _matrix(self.wavelet, width, images))
        return images

    def coarse(self, coefficients: Tensor) -> Tensor:
        """Return where the scaling coefficients are, (H, W), bool."""
        height, width = self._corners(coefficients)[-1]
        mask = torch.zeros(coefficients.shape[-2:], dtype=torch.bool, device=coefficients.device)
        mask[: height // 2, : width // 2] = True
        return mask

    def _corners(self, images: Tensor) -> list[tuple[int, int]]:
        height, width = images.shape[-2:]
        levels = _halvings(height, width) if self.levels is None else self.levels
        return [(height >> level, width >> level) for level in range(levels)]


def _halvings(height: int, width: int) -> int:
    """Return how often both sides can be halved."""
    return min((side & -side).bit_length() - 1 for side in (height, width))


def _put(array: Tensor, corner: Tensor) -> Tensor:
    """Return the array with its top left corner replaced."""
    height, width = corner.shape[-2:]
    upper = torch.cat((corner, array[..., :height, width:]), dim=-1)
    return torch.cat((upper, array[..., height:, :]), dim=-2)


def _matrix(wavelet: str, side: int, like: Tensor) -> Tensor:
    return torch.from_numpy(_transform(wavelet, side)).to(like.device, like.dtype)


@lru_cache(maxsize=64)
def _transform(wavelet: str, side: int) -> NDArray[np.float64]:
    """Return one level of the transform of a periodic line: side / 2 averages, then details."""
    import pywt

    # Row i of the transforms of the unit vectors holds the coefficients of unit i.
    averages, details = pywt.dwt(np.eye(side), wavelet, "periodization", axis=1)
    return np.ascontiguousarray(np.concatenate((averages, details), axis=1).T)
