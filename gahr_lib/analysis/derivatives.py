"""Products of a denoiser's Jacobian, and of its transpose, with blocks of vectors.

For a denoiser f and an image y, J is the matrix of partial derivatives of f at y. It is never
written down here: J v says how the denoised image moves when the noisy one moves along v, and J' u
which pixels of the noisy image a weighted sum u of denoised pixels listens to.
"""

import copy
import warnings
from collections.abc import Callable

import torch
from torch import Tensor
from torch.autograd import forward_ad

from gahr_lib._checks import check_images, check_sigma, check_vectors
from gahr_lib.errors import NotDifferentiableError, ShapeError
from gahr_lib.models import ResidualNetwork, check_evaluating

__all__ = [
    "Product",
    "jacobian_product",
    "jvp",
    "symmetric_products",
    "transpose_product",
    "vjp",
]

Product = Callable[[Tensor], Tensor]


def jacobian_product(
    denoiser: Callable[..., Tensor], y: Tensor, *, sigma: float | None = None
) -> Product:
    """Return the map v -> J v at one image.

    A network of this library is linearised once (`ResidualNetwork.linearize`). Any other denoiser
    is differentiated in forward mode, one pass for a block of vectors; or, where one of its
    operations knows no forward mode, twice in reverse mode.

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
        Maps (K, C, H, W) to (K, C, H, W), for a K that may change from call to call. Memory grows
        with K.

    Raises
    ------
    ShapeError, ValueRangeError, SigmaError
        If `y` is not one image that the denoiser takes; and by the map, if the vectors are not of
        its size and dtype.
    ConfigError
        If the denoiser is a network in training mode.
    NotDifferentiableError
        If no derivative flows through the denoiser.
    """
    y = _checked(denoiser, y, sigma)
    if isinstance(denoiser, ResidualNetwork):
        return _linearized(denoiser, y)
    _prepare_forward_mode()

    def product(v: Tensor) -> Tensor:
        check_vectors(v, y)
        with forward_ad.dual_level():
            # A block of equal images: clone, because an expanded tensor cannot carry tangents.
            block = y.expand_as(v).clone()
            dual = forward_ad.make_dual(block, v)
            try:
                tangent = forward_ad.unpack_dual(denoiser(dual, sigma)).tangent
            except torch.OutOfMemoryError:
                raise
            except NotImplementedError:
                return _twice_backward(denoiser, y, v, sigma)
            except RuntimeError as error:
                _raise_what_is_its_own(lambda: denoiser(block, sigma))
                raise _not_differentiable(denoiser, str(error)) from error
        if tangent is None:
            raise _not_differentiable(denoiser, "its output does not depend on y for autograd")
        return tangent

    return product


def transpose_product(
    denoiser: Callable[..., Tensor], y: Tensor, *, sigma: float | None = None
) -> Product:
    """Return the map u -> J' u at one image, in reverse mode: one backward pass for a block.

    Parameters, results and errors are those of `jacobian_product`.
    """
    y = _checked(denoiser, y, sigma)
    linear = _linearized(denoiser, y) if isinstance(denoiser, ResidualNetwork) else None

    def product(u: Tensor) -> Tensor:
        check_vectors(u, y, "u")
        if linear is not None:
            return _backward(denoiser, linear, torch.zeros_like(u), u)
        # The images of a batch are independent, so one backward pass serves them all.
        block = y.expand_as(u).clone()
        return _backward(denoiser, lambda x: denoiser(x, sigma), block, u)

    return product


def symmetric_products(
    denoiser: Callable[..., Tensor], y: Tensor, *, sigma: float | None = None
) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    """Return the map v -> (J v, J' v) at one image.

    For a network both come from one pass forwards and one back through its linearisation, whose
    graph is the same for J and J'. Parameters and errors are those of `jacobian_product`.
    """
    if not isinstance(denoiser, ResidualNetwork):
        product = jacobian_product(denoiser, y, sigma=sigma)
        transposed = transpose_product(denoiser, y, sigma=sigma)
        return lambda v: (product(v), transposed(v))
    linear = _linearized(denoiser, _checked(denoiser, y, sigma))

    def both(v: Tensor) -> tuple[Tensor, Tensor]:
        check_vectors(v, y)
        with torch.enable_grad():
            leaf = v.detach().requires_grad_()
            image = linear(leaf)
            (back,) = torch.autograd.grad(image, leaf, v)
        return image.detach(), back

    return both


def jvp(
    denoiser: Callable[..., Tensor], y: Tensor, v: Tensor, *, sigma: float | None = None
) -> Tensor:
    """Return J v for a block of vectors v, (K, C, H, W); see `jacobian_product`."""
    product = jacobian_product(denoiser, y, sigma=sigma)
    with torch.no_grad():
        return product(_constant(v, y))


def vjp(
    denoiser: Callable[..., Tensor], y: Tensor, u: Tensor, *, sigma: float | None = None
) -> Tensor:
    """Return J' u for a block of vectors u, (K, C, H, W); see `transpose_product`."""
    product = transpose_product(denoiser, y, sigma=sigma)
    return product(_constant(u, y))


def _checked(denoiser: Callable[..., Tensor], y: Tensor, sigma: float | None) -> Tensor:
    """Return `y` without a graph, after every check, the denoiser's own among them."""
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
        denoiser(y, sigma)
    return y


def _constant(v: Tensor, y: Tensor) -> Tensor:
    """Return vectors without their graph, moved to `y`; anything else as it is, to be refused."""
    return v.detach().to(y) if isinstance(v, Tensor) else v


def _linearized(network: ResidualNetwork, y: Tensor) -> Product:
    """Return v -> J v of a copy of the network, whose weights are laid out for speed."""
    # The weights of the copy ask for no gradients, so reverse passes keep nothing for them.
    own = copy.deepcopy(network).requires_grad_(False)
    if y.device.type == "cpu":
        own.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's omission
    return own.linearize(y)


def _backward(denoiser: object, function: Product, x: Tensor, u: Tensor) -> Tensor:
    with torch.enable_grad():
        x.requires_grad_()
        try:
            (back,) = torch.autograd.grad(function(x), x, u)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            _raise_what_is_its_own(lambda: function(x.detach()))
            raise _not_differentiable(denoiser, str(error)) from error
    return back


def _twice_backward(
    denoiser: Callable[..., Tensor], y: Tensor, v: Tensor, sigma: float | None
) -> Tensor:
    """Return J v as the derivative, along v, of the linear map u -> J' u."""
    with torch.enable_grad():
        x, u = y.expand_as(v).clone().requires_grad_(), torch.zeros_like(v, requires_grad=True)
        try:
            (back,) = torch.autograd.grad(denoiser(x, sigma), x, u, create_graph=True)
            (product,) = torch.autograd.grad(back, u, v)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            _raise_what_is_its_own(lambda: denoiser(x.detach(), sigma))
            raise _not_differentiable(denoiser, str(error)) from error
    return product


def _prepare_forward_mode() -> None:
    """Let torch load its forward-mode formulas, which it compiles with a function it deprecates."""
    with warnings.catch_warnings(), forward_ad.dual_level():
        warnings.filterwarnings("ignore", "`torch.jit.script` is deprecated", DeprecationWarning)
        forward_ad.make_dual(torch.zeros(1), torch.zeros(1))


def _raise_what_is_its_own(forwards: Callable[[], Tensor]) -> None:
    """Compute again without derivatives: an error that has nothing to do with them comes again."""
    with torch.no_grad():
        forwards()


def _not_differentiable(denoiser: object, reason: str) -> NotDifferentiableError:
    return NotDifferentiableError(
        f"No derivative flows through {type(denoiser).__name__}: {reason}. Write it in torch "
        "operations, without detach() or numpy() on the way."
    )
