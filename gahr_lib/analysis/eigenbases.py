"""The eigenvectors of a denoiser's Jacobian: the basis in which it shrinks an image."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from gahr_lib import bases
from gahr_lib._checks import check_count, check_generator, check_images, number
from gahr_lib.analysis.derivatives import symmetric_products
from gahr_lib.analysis.lanczos import lanczos_steps
from gahr_lib.analysis.matrix import jacobian
from gahr_lib.analysis.results import Result
from gahr_lib.analysis.symmetry import asymmetry, estimate_asymmetry
from gahr_lib.errors import ConfigError, NotDifferentiableError, ShapeError, ValueRangeError

__all__ = ["Eigenbasis", "EigenbasisStep", "effective_rank", "eigenbasis", "eigenbasis_steps"]

_LEADING = 64  # pairs that `eigenbasis` returns if it is not told how many, if there are so many
DENSE = 1_024  # up to so many numbers in an image, the whole matrix is soon decomposed
_PROBES = 8  # few beside the products that find the vectors


@dataclass(frozen=True)
class Eigenbasis(Result):
    """The leading eigenvalues and eigenvectors of the symmetric part of a denoiser's Jacobian.

    Attributes
    ----------
    values
        Eigenvalues, (k,), falling: the factors by which the denoiser shrinks.
    vectors
        Eigenvectors, (k, C, H, W), orthonormal images. A vector and its negative are equally right.
    asymmetry
        ``||J - J'|| / ||J + J'||`` of the whole Jacobian: how far the picture of a symmetric
        shrinkage is from this denoiser. 0 for an optimal one; networks reach 0.4.
    asymmetry_error
        The standard error of `asymmetry`, which the iterative method estimates from eight probes;
        `estimate_asymmetry` takes more. 0 where the whole matrix was there.
    residuals
        ``||S e_k - lambda_k e_k||`` of each pair, (k,), S = (J + J') / 2: S has an eigenvalue at
        most that far from `values`, and usually far nearer.
    """

    values: Tensor
    vectors: Tensor
    asymmetry: float
    asymmetry_error: float
    residuals: Tensor

    def coefficients(self, images: Tensor) -> Tensor:
        """Return <image, e_k> for images (B, C, H, W), as (B, k)."""
        return bases.coefficients(self.vectors, images)

    def project(self, images: Tensor, *, kept: int | None = None) -> Tensor:
        """Return sum_k <image, e_k> e_k over the first `kept` vectors, (B, C, H, W)."""
        k = self._count(kept)
        return bases.synthesize(self.vectors[:k], self.coefficients(images)[:, :k])

    def shrink(self, y: Tensor, *, kept: int | None = None) -> Tensor:
        """Return sum_k lambda_k <y, e_k> e_k over the first `kept` vectors, (B, C, H, W); eq. 6."""
        k = self._count(kept)
        return bases.synthesize(self.vectors[:k], self.values[:k] * self.coefficients(y)[:, :k])

    def _count(self, kept: int | None) -> int:
        k = len(self.values)
        if kept is None:
            return k
        return check_count(kept, "kept", 0, k, remedy="Ask `eigenbasis` for more vectors.")


@dataclass(frozen=True)
class EigenbasisStep:
    """How far an iterative search for an eigenbasis is.

    Attributes
    ----------
    products
        How many vectors were multiplied by S so far.
    residual
        The largest of the residuals, as a fraction of the largest eigenvalue; infinite as long as
        they are not known.
    basis
        What was found; None before the last step.
    """

    products: int
    residual: float
    basis: Eigenbasis | None = None


@torch.no_grad()
def eigenbasis(
    denoiser: Callable[..., Tensor],
    y: Tensor,
    k: int | Literal["leading"] | None = "leading",
    *,
    sigma: float | None = None,
    method: Literal["auto", "dense", "iterative"] = "auto",
    tolerance: float = 1e-3,
    generator: torch.Generator | None = None,
) -> Eigenbasis:
    """Return the leading eigenvectors of a denoiser at an image: its adaptive basis.

    The Jacobian of an optimal denoiser is symmetric (eq. 9); that of a network need not
    be. The basis is that of its symmetric part S = (J + J') / 2, and the result says how large the
    rest is: where it is not small, `Eigenbasis.shrink` is not the network's output.

    Parameters
    ----------
    denoiser, y, sigma
        See `jacobian_product`.
    k
        How many pairs, at most d = C H W; all d of them if None. "leading" stands for 64, or for
        all of an image of fewer numbers.
    method
        "dense" computes and decomposes the whole matrix. "iterative" needs products with it alone
        (`eigenbasis_steps`): it keeps some 8 k images and no matrix. "auto" is dense for images
        of up to 1,024 numbers, or for more than a tenth of all pairs.
    tolerance
        Of the iterative method: the largest residual, as a fraction of the largest eigenvalue. The
        error of an eigenvalue is about the square of its residual divided by the distance to the
        eigenvalues that were not asked for, so much smaller.
    generator
        Source of the iteration's random vectors; the same ones every time if None.

    Returns
    -------
    Eigenbasis
        ``values`` (k,) and ``vectors`` (k, C, H, W).

    Raises
    ------
    ConfigError
        If k is a number that is not between 1 and d, the method is unknown, or `generator` is no
        torch.Generator.
    ValueRangeError
        If the tolerance is not below 1, or too small for the image's precision.
    NotDifferentiableError
        If no derivative flows through the denoiser, or it is not finite at `y`.
    ConvergenceError
        If the iterative method does not reach the tolerance.

    References
    ----------
    The paper, section 3.1, equation 6 and figure 3.
    """
    check_images(y)
    d = y[0].numel()
    k = _count(k, d)
    if method not in ("auto", "dense", "iterative"):
        raise ConfigError(f"method is {method!r}; expected 'auto', 'dense' or 'iterative'.")
    _check_tolerance(tolerance, y)
    if method == "auto":
        method = "dense" if d <= DENSE or k > d // 10 else "iterative"
    if method == "dense":
        return _dense(denoiser, y, k, sigma)
    return _iterative(denoiser, y, k, sigma, tolerance, generator)


@torch.no_grad()
def eigenbasis_steps(
    denoiser: Callable[..., Tensor],
    y: Tensor,
    k: int | Literal["leading"] | None = "leading",
    *,
    sigma: float | None = None,
    tolerance: float = 1e-3,
    generator: torch.Generator | None = None,
) -> Iterator[EigenbasisStep]:
    """Find what `eigenbasis` does with the iterative method, a few products at a time.

    A caller can show how far it is, or do without the rest. Parameters and errors are those of
    `eigenbasis`; an error comes with the first step.

    Yields
    ------
    EigenbasisStep
        After each block of products; the last one has the basis.
    """
    check_images(y)
    k = _count(k, y[0].numel())
    _check_tolerance(tolerance, y)
    both = symmetric_products(denoiser, y, sigma=sigma)

    def product(v: Tensor) -> Tensor:
        forwards, back = both(v.reshape(-1, *y.shape[1:]))
        return _finite((forwards + back) / 2, denoiser).flatten(1)

    if generator is None:
        generator = torch.Generator().manual_seed(0)
    check_generator(generator)
    like = y.detach().flatten()
    for step in lanczos_steps(product, like, k, tolerance=tolerance, generator=generator):
        if (found := step.pairs) is None:
            yield EigenbasisStep(step.products, step.residual)
            continue
        vectors = found.vectors.reshape(k, *y.shape[1:])
        skew = estimate_asymmetry(denoiser, y, sigma=sigma, probes=_PROBES, generator=generator)
        basis = Eigenbasis(found.values, vectors, skew.value, skew.standard_error, found.residuals)
        yield EigenbasisStep(step.products, step.residual, basis)


def _count(k: int | Literal["leading"] | None, d: int) -> int:
    if k is None:
        return d
    if k == "leading":
        return min(_LEADING, d)
    return check_count(k, "k", most=d, remedy="Pass k=None for all eigenvectors.")


def _check_tolerance(tolerance: float, y: Tensor) -> None:
    least = 100 * torch.finfo(y.dtype).eps
    if not least <= number(tolerance) < 1:
        raise ValueRangeError(
            f"tolerance is {tolerance!r}; expected a number below 1 and not below {least:.1e}, "
            f"which rounding allows in {y.dtype}."
        )


def _dense(denoiser: Callable[..., Tensor], y: Tensor, k: int, sigma: float | None) -> Eigenbasis:
    matrix = _finite(jacobian(denoiser, y, sigma=sigma), denoiser)
    symmetric = (matrix + matrix.T) / 2
    values, vectors = torch.linalg.eigh(symmetric)  # rising
    values, vectors = values[-k:].flip(0), vectors[:, -k:].flip(1).T
    residuals = (vectors @ symmetric - values[:, None] * vectors).norm(dim=1)
    images = vectors.reshape(k, *y.shape[1:]).contiguous()
    return Eigenbasis(values, images, asymmetry(matrix), 0.0, residuals)


def _iterative(
    denoiser: Callable[..., Tensor],
    y: Tensor,
    k: int,
    sigma: float | None,
    tolerance: float,
    generator: torch.Generator | None,
) -> Eigenbasis:
    steps = eigenbasis_steps(denoiser, y, k, sigma=sigma, tolerance=tolerance, generator=generator)
    return next(step.basis for step in steps if step.basis is not None)


def _finite(products: Tensor, denoiser: object) -> Tensor:
    if not bool(torch.isfinite(products).all()):
        raise NotDifferentiableError(
            f"The derivative of {type(denoiser).__name__} is infinite or NaN at this image; "
            "expected a finite one. Look for a square root or a norm at 0 in it, or move the image."
        )
    return products


def effective_rank(values: Tensor) -> float:
    """Return the participation ratio of eigenvalues, (sum lambda)^2 / sum lambda^2.

    It is m for m equal eigenvalues and none besides. The trace, sum lambda, is the paper's soft
    rank (eq. 10, `trace`); the two agree where all eigenvalues are 0 or 1. Values that are missing
    count as 0.

    Parameters
    ----------
    values
        Eigenvalues, (k,): all of a Jacobian's, or at least those that are not small.

    Returns
    -------
    float
        Between 1 and k if no eigenvalue is negative and one is not 0; 0 if all are.

    Raises
    ------
    ShapeError
        If `values` is not a vector of one number or more.

    References
    ----------
    Gao, Trautmann, Yu, Santhanam, Ryu, Shenoy and Ganguli, "A theory of multineuronal
    dimensionality, dynamics and measurement", 2017, for variances; equation 10 of the paper for the
    trace.
    """
    if values.ndim != 1 or not len(values):
        raise ShapeError(
            f"values has shape {tuple(values.shape)}; expected (k,), k eigenvalues. "
            "Pass basis.values."
        )
    squares = float(values.square().sum())
    return float(values.sum()) ** 2 / squares if squares else 0.0
