"""The trace of a denoiser's Jacobian, and the error estimate that it makes possible."""

from collections.abc import Callable

import torch
from torch import Tensor

from gahr_lib._checks import check_sigma
from gahr_lib.analysis.derivatives import jacobian_product
from gahr_lib.analysis.matrix import BLOCK, columns
from gahr_lib.analysis.probes import PROBES, Estimate, mean_estimate, signs

__all__ = ["estimate_trace", "sure", "trace"]


@torch.no_grad()
def trace(
    denoiser: Callable[..., Tensor],
    y: Tensor,
    *,
    sigma: float | None = None,
    block: int = BLOCK,
) -> float:
    """Return the trace of the Jacobian, the number of directions that the denoiser keeps.

    For an optimal denoiser, its mean over images is MSE / sigma^2 (eq. 10): a soft rank.

    Parameters
    ----------
    denoiser, y, sigma, block
        See `jacobian`.
    """
    total = 0.0
    for start, product in columns(denoiser, y, sigma, block):
        total += float(product.flatten(1).diagonal(start).sum())
    return total


@torch.no_grad()
def estimate_trace(
    denoiser: Callable[..., Tensor],
    y: Tensor,
    *,
    sigma: float | None = None,
    probes: int = PROBES,
    block: int = BLOCK,
    generator: torch.Generator | None = None,
) -> Estimate:
    """Estimate the trace of the Jacobian as the mean of z' J z over vectors z of random signs.

    Parameters
    ----------
    denoiser, y, sigma, block
        See `jacobian`.
    probes
        How many vectors, 2 or more; the standard error falls with the square root of it.
    generator
        Their source; the same vectors every time if None.

    Returns
    -------
    Estimate
        The trace and its standard error.

    References
    ----------
    Hutchinson, "A stochastic estimator of the trace of the influence matrix for Laplacian smoothing
    splines", 1990.
    """
    product = jacobian_product(denoiser, y, sigma=sigma)
    forms = [(z * product(z)).flatten(1).sum(1) for z in signs(y, probes, block, generator)]
    return mean_estimate(torch.cat(forms))


def sure(denoiser: Callable[..., Tensor], y: Tensor, sigma: float) -> float:
    """Return Stein's unbiased estimate of the MSE per pixel, from the noisy image alone.

    Parameters
    ----------
    denoiser, y
        See `jacobian_product`.
    sigma
        The true noise level, which the estimate needs even where the denoiser does not.

    Returns
    -------
    float
        ``(2 sigma^2 tr J + ||y - f(y)||^2 - sigma^2 d) / d``, in squared intensity units. Its
        mean over noise is the MSE; a single estimate may be negative.

    References
    ----------
    Equation 7; Stein, "Estimation of the mean of a multivariate normal distribution", 1981.
    """
    check_sigma(sigma)
    tr = trace(denoiser, y, sigma=sigma)
    with torch.no_grad():
        residual = (y - denoiser(y, sigma)).square().sum()
    d = y.numel()
    return float(2 * sigma**2 * tr + residual - sigma**2 * d) / d
