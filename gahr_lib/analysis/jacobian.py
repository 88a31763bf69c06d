"""The Jacobian of a denoiser at an image: its eigenvectors are the basis in which it shrinks.

For a denoiser f and an image y, J is the matrix of partial derivatives of f at y, d x d for images
of d = C H W numbers. Everything here takes one image (1, C, H, W) and works on blocks of vectors,
so memory grows with the block and not with d^2, unless the whole matrix is asked for.
"""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd import forward_ad

from gahr_lib import bases
from gahr_lib._checks import check_count, check_images, check_sigma
from gahr_lib.errors import NotDifferentiableError, ShapeError, ValueRangeError
from gahr_lib.models import ResidualNetwork, check_evaluating

__all__ = [
    "Eigenbasis",
    "asymmetry",
    "eigenbasis",
    "homogeneity_error",
    "jacobian",
    "jacobian_product",
    "sure",
    "trace",
]

_BLOCK = 196  # vectors at a time: large enough to keep the cores busy, small enough for a laptop
_LEADING = 64  # pairs that `eigenbasis` returns if it is not told how many


@dataclass(frozen=True)
class Eigenbasis:
    """The leading eigenvalues and eigenvectors of the symmetric part of a denoiser's Jacobian.

    Attributes
    ----------
    values
        Eigenvalues, (k,), falling: the factors by which the denoiser shrinks.
    vectors
        Eigenvectors, (k, C, H, W), orthonormal images. A vector and its negative are equally right.
    asymmetry
        ``||J - J'|| / ||J + J'||`` of the whole Jacobian: how far the picture of a symmetric
        shrinkage is from this denoiser. 0 for an optimal one.
    """

    values: Tensor
    vectors: Tensor
    asymmetry: float

    def coefficients(self, images: Tensor) -> Tensor:
        """Return <image, e_k> for images (B, C, H, W), as (B, k)."""
        return bases.coefficients(self.vectors, images)

    def shrink(self, y: Tensor, *, kept: int | None = None) -> Tensor:
        """Return sum_k lambda_k <y, e_k> e_k over the first `kept` vectors, (B, C, H, W); eq. 6."""
        k = len(self.values)
        if kept is not None:
            k = check_count(kept, "kept", 0, k, remedy="Ask `eigenbasis` for more vectors.")
        return bases.synthesize(self.vectors[:k], self.values[:k] * self.coefficients(y)[:, :k])


def jacobian_product(
    denoiser: Callable[..., Tensor], y: Tensor, *, sigma: float | None = None
) -> Callable[[Tensor], Tensor]:
    """Return the map v -> J v at one image.

    A network of this library is linearised once (`ResidualNetwork.linearize`). Any other denoiser
    is differentiated in forward mode, one pass for a block of vectors.

    Parameters
    ----------
    denoiser
        A denoiser of this library, or any function ``denoiser(y, sigma)`` made of torch operations
        that treats the images of a batch one by one.
    y
        The image, (1, C, H, W).
    sigma
        The noise level, for a denoiser that needs it.

    Returns
    -------
    callable
        Maps (K, C, H, W) to (K, C, H, W).

    Raises
    ------
    ShapeError, ValueRangeError, SigmaError
        If `y` is not one image that the denoiser takes.
    ConfigError
        If the denoiser is a network in training mode.
    NotDifferentiableError
        If no derivative flows through the denoiser.
    """
    check_evaluating(denoiser)
    check_images(y)
    if len(y) != 1:
        raise ShapeError(
            f"y has {len(y)} images; expected one, since the Jacobian is taken at one image. "
            "Pass y[i:i+1]."
        )
    if sigma is not None:
        check_sigma(sigma)
    y = y.detach()
    with torch.no_grad():
        denoiser(y, sigma)  # the denoiser's own checks, before any work
    if isinstance(denoiser, ResidualNetwork):
        return denoiser.linearize(y)
    _prepare_forward_mode()

    def product(v: Tensor) -> Tensor:
        with forward_ad.dual_level():
            # A block of equal images: clone, because an expanded tensor cannot carry tangents.
            dual = forward_ad.make_dual(y.expand_as(v).clone(), v)
            try:
                tangent = forward_ad.unpack_dual(denoiser(dual, sigma)).tangent
            except (NotImplementedError, RuntimeError) as error:
                raise _not_differentiable(denoiser, str(error)) from error
        if tangent is None:
            raise _not_differentiable(denoiser, "its output does not depend on y for autograd")
        return tangent

    return product


def _prepare_forward_mode() -> None:
    """Let torch load its forward-mode formulas, which it compiles with a function it deprecates."""
    with warnings.catch_warnings(), forward_ad.dual_level():
        warnings.filterwarnings("ignore", "`torch.jit.script` is deprecated", DeprecationWarning)
        forward_ad.make_dual(torch.zeros(1), torch.zeros(1))


def _not_differentiable(denoiser: object, reason: str) -> NotDifferentiableError:
    return NotDifferentiableError(
        f"No derivative flows through {type(denoiser).__name__}: {reason}. Write it in torch "
        "operations, without detach() or numpy() on the way."
    )


@torch.no_grad()
def jacobian(
    denoiser: Callable[..., Tensor],
    y: Tensor,
    *,
    sigma: float | None = None,
    block: int = _BLOCK,
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
    columns = [product.flatten(1) for _, product in _columns(denoiser, y, sigma, block)]
    return torch.cat(columns).T


def eigenbasis(
    denoiser: Callable[..., Tensor],
    y: Tensor,
    k: int | None = _LEADING,
    *,
    sigma: float | None = None,
) -> Eigenbasis:
    """Return the leading eigenvectors of a denoiser at an image: its adaptive basis.

    The Jacobian of an optimal denoiser is symmetric (eq. 9); that of a network need not
    be. The basis is that of its symmetric part (J + J') / 2, and the result says how large the rest
    is: where it is not small, `Eigenbasis.shrink` is not the network's output.

    Parameters
    ----------
    denoiser, y, sigma
        See `jacobian_product`.
    k
        How many pairs, at most d = C H W; all d of them if None. The default, 64, is also taken for
        an image of fewer numbers, and gives all d.

    Returns
    -------
    Eigenbasis
        ``values`` (k,) and ``vectors`` (k, C, H, W).

    Raises
    ------
    ConfigError
        If k is not between 1 and d, nor the default.

    References
    ----------
    The paper, section 3.1, equation 6 and figure 3.
    """
    check_images(y)
    d = y[0].numel()
    if k is None or (k == _LEADING and d < k):
        k = d
    k = check_count(k, "k", most=d, remedy="Pass k=None for all eigenvectors.")
    matrix = jacobian(denoiser, y, sigma=sigma)
    values, vectors = torch.linalg.eigh((matrix + matrix.T) / 2)  # rising
    leading = vectors[:, -k:].flip(1).T.reshape(k, *y.shape[1:])
    return Eigenbasis(values[-k:].flip(0), leading.contiguous(), asymmetry(matrix))


def asymmetry(matrix: Tensor) -> float:
    """Return ``||J - J'|| / ||J + J'||``, Frobenius norms: 0 if symmetric, 1 if only one triangle.

    A matrix of zeros is symmetric.
    """
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ShapeError(f"The matrix has shape {tuple(matrix.shape)}; expected a square one.")
    return _relative(matrix - matrix.T, matrix + matrix.T)


@torch.no_grad()
def trace(
    denoiser: Callable[..., Tensor],
    y: Tensor,
    *,
    sigma: float | None = None,
    block: int = _BLOCK,
) -> float:
    """Return the trace of the Jacobian, the number of directions that the denoiser keeps.

    For an optimal denoiser, its mean over images is MSE / sigma^2 (eq. 10): a soft rank.

    Parameters
    ----------
    denoiser, y, sigma, block
        See `jacobian`.
    """
    total = 0.0
    for start, product in _columns(denoiser, y, sigma, block):
        rows = torch.arange(len(product))
        total += float(product.flatten(1)[rows, start + rows].sum())
    return total


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
    """
    if not 0 < scale < float("inf"):
        raise ValueRangeError(f"scale is {scale!r}; expected a finite factor above 0.")
    check_evaluating(denoiser)
    scaled = scale * denoiser(y, sigma)
    return _relative(denoiser(scale * y, sigma) - scaled, scaled)


def _relative(difference: Tensor, whole: Tensor) -> float:
    """Return the ratio of two norms; 0 if there is no difference, even between nothings."""
    size = difference.norm()
    return 0.0 if size == 0 else float(size / whole.norm())


def _columns(
    denoiser: Callable[..., Tensor], y: Tensor, sigma: float | None, block: int
) -> Iterator[tuple[int, Tensor]]:
    """Yield (first index, J e_i for a block of unit vectors i), block by block."""
    block = check_count(block, "block")
    product = jacobian_product(denoiser, y, sigma=sigma)
    d = y.numel()
    for start in range(0, d, block):
        units = y.new_zeros(min(block, d - start), d)
        units[torch.arange(len(units)), start + torch.arange(len(units))] = 1
        yield start, product(units.reshape(-1, *y.shape[1:]))
