"""Denoising by shrinking coefficients in an orthonormal basis: oracles and their errors.

All functions take the coefficients c_k = <x, e_k> of *clean* images, (B, K) or (K,): they say what
the best choice would reach, which is what an oracle is. Errors are sums over the coefficients, in
squared intensity units; divide by the number of pixels to compare with `gahr_lib.metrics.mse`.
"""

import torch
from torch import Tensor

from gahr_lib._checks import check_sigma
from gahr_lib.errors import ShapeError, ValueRangeError

__all__ = ["kept_error", "oracle_error", "oracle_factors", "shrinkage_error"]


def oracle_factors(clean: Tensor, sigma: float) -> Tensor:
    """Return the best factors lambda_k = c_k^2 / (c_k^2 + sigma^2), shaped as `clean` (eq. 11).

    Raises
    ------
    ShapeError, ValueRangeError, SigmaError
        If `clean` are not coefficients, or sigma is not a noise level.
    """
    _check_input(clean, sigma)
    energy = clean.square()
    # 0 / 0 arises where there is neither signal nor noise; nothing is then the same as everything.
    return torch.where(energy > 0, energy / (energy + sigma**2), torch.zeros_like(energy))


def shrinkage_error(clean: Tensor, factors: Tensor, sigma: float) -> Tensor:
    """Return the error expected of factors, sum_k (1 - lambda_k)^2 c_k^2 + lambda_k^2 sigma^2.

    Parameters
    ----------
    clean
        Coefficients of clean images, (..., K).
    factors
        The factors lambda_k, broadcast against `clean`.
    sigma
        Standard deviation of the noise.

    Returns
    -------
    Tensor
        (...), the first line of equation 11: bias of what is removed, variance of what is kept.

    Raises
    ------
    ShapeError, ValueRangeError, SigmaError
        If `clean` are not coefficients, the factors do not fit them or are not finite numbers, or
        sigma is not a noise level.
    """
    _check_input(clean, sigma)
    _check_factors(factors, clean)
    factors = factors.to(clean)  # or a single one of less precision would round sigma^2 to its own
    return ((1 - factors).square() * clean.square() + factors.square() * sigma**2).sum(-1)


def oracle_error(clean: Tensor, sigma: float) -> Tensor:
    """Return the least expected error, sum_k c_k^2 sigma^2 / (c_k^2 + sigma^2), (...); eq. 11.

    Raises
    ------
    ShapeError, ValueRangeError, SigmaError
        If `clean` are not coefficients, or sigma is not a noise level.
    """
    return shrinkage_error(clean, oracle_factors(clean, sigma), sigma)


def kept_error(clean: Tensor, sigma: float) -> Tensor:
    """Return the expected error of keeping the M largest coefficients, for M = 0 ... K.

    Parameters
    ----------
    clean
        Coefficients of clean images, (..., K).
    sigma
        Standard deviation of the noise.

    Returns
    -------
    Tensor
        (..., K + 1), entry M is M sigma^2 + sum of the K - M smallest c_k^2: the variance of what
        is kept and the tail that is lost (eq. 12). Its minimum is at most twice `oracle_error`.

    Raises
    ------
    ShapeError, ValueRangeError, SigmaError
        If `clean` are not coefficients, or sigma is not a noise level.
    """
    _check_input(clean, sigma)
    smallest_first = clean.square().sort(dim=-1).values
    tail = torch.nn.functional.pad(smallest_first.cumsum(-1), (1, 0)).flip(-1)
    kept = torch.arange(tail.shape[-1], dtype=tail.dtype, device=tail.device)
    return kept * sigma**2 + tail


def _check_input(clean: Tensor, sigma: float) -> None:
    check_sigma(sigma)
    if not isinstance(clean, Tensor) or clean.ndim == 0 or clean.numel() == 0:
        raise ShapeError(
            f"The coefficients have shape {tuple(getattr(clean, 'shape', ()))}; expected a tensor "
            "(..., K) with K > 0, as `gahr_lib.bases.coefficients` gives them."
        )
    if not clean.is_floating_point() or not bool(torch.isfinite(clean).all()):
        raise ValueRangeError(
            "The coefficients are not all finite floats; expected those of images on the [0, 1] "
            "scale. Compute them with `gahr_lib.bases.coefficients`."
        )


def _check_factors(factors: Tensor, clean: Tensor) -> None:
    if not isinstance(factors, Tensor):
        raise ShapeError(
            f"The factors are a {type(factors).__name__}; expected a torch tensor. "
            "Convert them with torch.as_tensor."
        )
    try:
        torch.broadcast_shapes(factors.shape, clean.shape)
    except RuntimeError as error:
        raise ShapeError(
            f"The factors have shape {tuple(factors.shape)}; expected one that can be broadcast "
            f"against the coefficients, {tuple(clean.shape)}. Pass one factor for each of them."
        ) from error
    if factors.is_complex() or not bool(torch.isfinite(factors).all()):
        raise ValueRangeError(
            "The factors are not all finite real numbers; expected some near [0, 1]. Look for a "
            "division by zero where they were made."
        )
