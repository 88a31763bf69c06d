"""Two properties that a denoiser may have: a symmetric Jacobian, and homogeneity."""

from collections.abc import Callable

import torch
from torch import Tensor

from gahr_lib._checks import number
from gahr_lib.analysis.derivatives import symmetric_products
from gahr_lib.analysis.matrix import BLOCK
from gahr_lib.analysis.probes import PROBES, Estimate, root_ratio_estimate, signs
from gahr_lib.errors import ShapeError, ValueRangeError
from gahr_lib.models import check_evaluating

__all__ = ["asymmetry", "estimate_asymmetry", "homogeneity_error"]


def asymmetry(matrix: Tensor) -> float:
    """Return ``||J - J'|| / ||J + J'||``, Frobenius norms: 0 if symmetric, 1 if only one triangle.

    A matrix of zeros is symmetric.

    Raises
    ------
    ShapeError
        If the matrix is not square.
    """
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ShapeError(f"The matrix has shape {tuple(matrix.shape)}; expected a square one.")
    return _relative(matrix - matrix.T, matrix + matrix.T)


@torch.no_grad()
def estimate_asymmetry(
    denoiser: Callable[..., Tensor],
    y: Tensor,
    *,
    sigma: float | None = None,
    probes: int = PROBES,
    block: int = BLOCK,
    generator: torch.Generator | None = None,
) -> Estimate:
    """Estimate ``||J - J'|| / ||J + J'||`` without the matrix, for images too large for it.

    For a vector z of independent signs, ``||A z||^2`` is the squared Frobenius norm of A on
    average.

    Parameters
    ----------
    denoiser, y, sigma, block
        See `jacobian`.
    probes
        How many vectors of signs, 2 or more.
    generator
        Their source; the same vectors every time if None.

    Returns
    -------
    Estimate
        The square root of the ratio of the two means, and its standard error.

    Raises
    ------
    ConfigError
        If there are fewer than 2 probes, the block is not positive, or `generator` is no
        torch.Generator; and what `jacobian_product` raises.

    References
    ----------
    The estimator is that of Hutchinson, 1990, for the traces of (J - J')'(J - J') and
    (J + J')'(J + J').
    """
    both = symmetric_products(denoiser, y, sigma=sigma)
    skew, whole = [], []
    for z in signs(y, probes, block, generator):
        forwards, back = both(z)
        skew.append((forwards - back).flatten(1).square().sum(1))
        whole.append((forwards + back).flatten(1).square().sum(1))
    return root_ratio_estimate(torch.cat(skew), torch.cat(whole))


@torch.no_grad()
def homogeneity_error(
    denoiser: Callable[..., Tensor], y: Tensor, scale: float, *, sigma: float | None = None
) -> float:
    """Return ``||f(c y) - c f(y)|| / ||c f(y)||``, which is 0 for a bias-free ReLU network (eq. 6).

    It is 0 too where both f(y) and f(c y) are 0, and infinite where only f(y) is.

    Parameters
    ----------
    denoiser, y, sigma
        See `jacobian_product`; `y` may hold several images, and sigma is not scaled.
    scale
        The factor c > 0.

    Raises
    ------
    ValueRangeError
        If the factor is not finite and above 0.
    ConfigError
        If the denoiser is a network in training mode.
    """
    if not 0 < number(scale) < float("inf"):
        raise ValueRangeError(f"scale is {scale!r}; expected a finite factor above 0.")
    check_evaluating(denoiser)
    scaled = scale * denoiser(y, sigma)
    return _relative(denoiser(scale * y, sigma) - scaled, scaled)


def _relative(difference: Tensor, whole: Tensor) -> float:
    """Return the ratio of two norms; 0 if there is no difference, even between nothings."""
    size = difference.norm()
    return 0.0 if size == 0 else float(size / whole.norm())
