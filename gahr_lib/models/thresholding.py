"""Thresholding of coefficients in an orthonormal basis, as a denoiser."""

import math
from typing import Literal

import torch
from torch import Tensor

from gahr_lib import bases
from gahr_lib._checks import check_images, number, sigma_per_image
from gahr_lib.errors import ConfigError, ShapeError, ValueRangeError
from gahr_lib.models._shrinkage import usual_threshold
from gahr_lib.models.base import Denoiser

__all__ = ["BasisThresholding"]


class BasisThresholding(Denoiser):
    """Keep the coefficients that stand out of the noise, remove the others.

    Parameters
    ----------
    basis
        A complete orthonormal basis, (d, C, H, W) with d = C H W, such as `dct_basis` returns.
    rule
        "hard" keeps coefficients beyond the threshold as they are; "soft" also moves them towards
        zero by the threshold, which makes the denoiser continuous.
    threshold
        In units of sigma; None for 1.5 if soft and 3 if hard.

    Raises
    ------
    ShapeError
        If the basis is not complete.
    ValueRangeError
        If it is not orthonormal.
    ConfigError
        If the rule is unknown or the threshold negative.

    References
    ----------
    Donoho and Johnstone, "Ideal spatial adaptation by wavelet shrinkage", 1994.
    """

    needs_sigma = True
    basis: Tensor

    def __init__(
        self,
        basis: Tensor,
        *,
        rule: Literal["hard", "soft"] = "hard",
        threshold: float | None = None,
    ) -> None:
        super().__init__()
        check_images(basis, "basis")
        if len(basis) != basis[0].numel():
            raise ShapeError(
                f"The basis has {len(basis)} vectors of {basis[0].numel()} numbers; expected as "
                "many vectors as numbers, a complete basis of the images."
            )
        _check_orthonormal(basis)
        usual = usual_threshold(rule)
        if threshold is None:
            threshold = usual
        if not 0 <= number(threshold) < math.inf:
            raise ConfigError(f"threshold is {threshold!r}; expected a number of sigmas >= 0.")
        self.register_buffer("basis", basis)
        self.channels = basis.shape[1]
        self.rule = rule
        self.threshold = threshold

    def denoise(self, y: Tensor, sigma: float | Tensor | None) -> Tensor:
        """Return the images rebuilt from the coefficients that were kept."""
        assert sigma is not None  # needs_sigma: the call has checked it
        c = bases.coefficients(self.basis, y)
        t = self.threshold * sigma_per_image(sigma, y).flatten(1)
        kept = torch.where(c.abs() > t, c, torch.zeros_like(c))
        if self.rule == "soft":
            kept = kept - t * kept.sign()
        return bases.synthesize(self.basis, kept)


def _check_orthonormal(basis: Tensor) -> None:
    """Raise `ValueRangeError` unless a complete basis gives coefficients back as they were."""
    vectors = basis.detach().flatten(1)
    # A few random coefficients tell, and cost less than the products of all pairs of vectors.
    random = torch.randn(8, len(vectors), generator=torch.Generator().manual_seed(0)).to(vectors)
    error = float((random @ vectors @ vectors.T - random).abs().max())
    if not error < max(1e-3, 100 * torch.finfo(vectors.dtype).eps):
        raise ValueRangeError(
            f"The basis gives coefficients back with errors up to {error:.2g}; expected vectors of "
            "norm 1, each at a right angle to all others. Make them so with torch.linalg.qr."
        )
