from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from gahr_lib.analysis.derivatives import (
    jacobian_product,
    jvp,
    symmetric_products,
    transpose_product,
    vjp,
)
from gahr_lib.errors import (
    ConfigError,
    GahrError,
    NotDifferentiableError,
    ShapeError,
    SigmaError,
    ValueRangeError,
)
from gahr_lib.models import Denoiser
from helpers import (
    BAD_IMAGES,
    DENOISERS,
    LinearDenoiser,
    intensities,
    seeded,
    small_bf_cnn,
    small_unet,
)

pytestmark = pytest.mark.usefixtures("untouched_random_state")

F64 = torch.float64
Y = intensities(1, 1, 8, 8, dtype=F64)
PRODUCTS = [jacobian_product, transpose_product, symmetric_products]


def vectors(k: int, y: Tensor, seed: int = 0) -> Tensor:
    return torch.randn(k, *y.shape[1:], generator=seeded(seed), dtype=y.dtype)


def matrix_of(denoiser: Denoiser, y: Tensor, sigma: float | None) -> Tensor:
    """The Jacobian by torch, an image at a time."""
    full = torch.autograd.functional.jacobian(lambda x: denoiser(x, sigma), y)
    return full.reshape(y.numel(), y.numel())


@pytest.mark.parametrize("name", DENOISERS)
@pytest.mark.parametrize("k", [1, 5])
def test_products_of_every_denoiser_are_those_of_the_matrix(name: str, k: int) -> None:
    denoiser, v = DENOISERS[name]().double(), vectors(k, Y)
    J = matrix_of(denoiser, Y, 0.2)
    forwards, back = v.flatten(1) @ J.T, v.flatten(1) @ J
    torch.testing.assert_close(jvp(denoiser, Y, v, sigma=0.2).flatten(1), forwards)
    torch.testing.assert_close(vjp(denoiser, Y, v, sigma=0.2).flatten(1), back)
    both = symmetric_products(denoiser, Y, sigma=0.2)(v)
    torch.testing.assert_close(both[0].flatten(1), forwards)
    torch.testing.assert_close(both[1].flatten(1), back)


@pytest.mark.parametrize("make", [small_unet, small_bf_cnn])
def test_products_of_networks_for_colour_images(make: Callable[..., Denoiser]) -> None:
    network, y = make(channels=3), intensities(1, 3, 8, 12)
    v = vectors(4, y)
    J = matrix_of(network, y, None)
    torch.testing.assert_close(jvp(network, y, v).flatten(1), v.flatten(1) @ J.T)
    torch.testing.assert_close(vjp(network, y, v).flatten(1), v.flatten(1) @ J)


@pytest.mark.parametrize("name", DENOISERS)
def test_transpose_is_the_adjoint(name: str) -> None:
    denoiser = DENOISERS[name]().double()
    u, v = vectors(3, Y, seed=1), vectors(3, Y, seed=2)
    left = (u * jvp(denoiser, Y, v, sigma=0.1)).sum(dim=(1, 2, 3))
    torch.testing.assert_close(left, (vjp(denoiser, Y, u, sigma=0.1) * v).sum(dim=(1, 2, 3)))


@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize("name", ["unet-2", "soft-wavelet"])
def test_a_product_serves_blocks_of_any_size_and_keeps_no_graph(
    product: Callable[..., Any], name: str
) -> None:
    denoiser = DENOISERS[name]().requires_grad_(True)
    y = Y.float().requires_grad_()
    times = product(denoiser, y, sigma=0.2)
    v = vectors(6, Y.float())
    whole, parts = times(v), [times(part) for part in v.split(4)]
    for a, b in (
        [(whole, parts)]
        if isinstance(whole, Tensor)
        else zip(whole, zip(*parts, strict=True), strict=True)
    ):
        torch.testing.assert_close(a, torch.cat(tuple(b)))
    assert not jvp(denoiser, y, v, sigma=0.2).requires_grad
    assert not vjp(denoiser, y, v, sigma=0.2).requires_grad
    assert all(p.grad is None for p in denoiser.parameters())
    assert y.grad is None


def test_weights_that_change_later_do_not_change_a_product() -> None:
    network = small_unet()
    times, v = jacobian_product(network, Y.float()), vectors(2, Y.float())
    before = times(v)
    with torch.no_grad():
        for p in network.parameters():
            p.mul_(2)
    torch.testing.assert_close(times(v), before)
    assert all(p.is_contiguous() for p in network.parameters())  # as they were laid out


class Cubed(torch.autograd.Function):
    """x^3, with a derivative in reverse mode only."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return 3 * x**2 * gradient


def test_operations_without_a_forward_mode_are_differentiated_in_reverse() -> None:
    v = vectors(3, Y)
    expected = 3 * Y**2 * v
    torch.testing.assert_close(jvp(lambda y, sigma: Cubed.apply(y), Y, v), expected)
    torch.testing.assert_close(vjp(lambda y, sigma: Cubed.apply(y), Y, v), expected)


class Detached(Denoiser):
    def denoise(self, y: Tensor, sigma: float | Tensor | None) -> Tensor:
        return y.detach() / 2


class ThroughNumpy(Denoiser):
    def denoise(self, y: Tensor, sigma: float | Tensor | None) -> Tensor:
        return torch.from_numpy(y.numpy() / 2)


@pytest.mark.parametrize("denoiser", [Detached(), ThroughNumpy()])
@pytest.mark.parametrize("product", PRODUCTS)
def test_a_denoiser_without_a_derivative_is_named(
    denoiser: Denoiser, product: Callable[..., Any]
) -> None:
    with pytest.raises(
        NotDifferentiableError, match=rf"{type(denoiser).__name__}.*Write it in torch"
    ):
        product(denoiser, Y)(vectors(2, Y))


class OneAtATime(Denoiser):
    """A denoiser with an error of its own, which has nothing to do with derivatives."""

    def denoise(self, y: Tensor, sigma: float | Tensor | None) -> Tensor:
        if len(y) > 1:
            raise RuntimeError("one image at a time")
        return y / 2


@pytest.mark.parametrize("product", PRODUCTS)
def test_an_error_of_the_denoisers_own_is_not_explained_by_derivatives(
    product: Callable[..., Any],
) -> None:
    times = product(OneAtATime(), Y)
    times(vectors(1, Y))
    with pytest.raises(RuntimeError, match="one image at a time") as caught:
        times(vectors(2, Y))
    assert not isinstance(caught.value, GahrError)


@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize("name", ["unet-2", "transformer", "on-device", "soft-wavelet"])
def test_the_map_takes_no_vectors_of_another_kind(product: Callable[..., Any], name: str) -> None:
    times = product(DENOISERS[name](), Y.float(), sigma=0.1)
    for v in (torch.zeros(2, 1, 1, 1), torch.zeros(2, 1, 8, 9), torch.zeros(1, 8, 8)):
        with pytest.raises(ShapeError, match=r"expected a block of vectors .*\(K, 1, 8, 8\)"):
            times(v)
    with pytest.raises(ValueRangeError, match="float64; expected that of the image"):
        times(vectors(2, Y))


@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize("bad", BAD_IMAGES)
def test_bad_images_are_refused(product: Callable[..., Any], bad: str) -> None:
    images, error, words = BAD_IMAGES[bad]
    with pytest.raises(error, match=words):
        product(small_unet(), images)


@pytest.mark.parametrize("product", PRODUCTS)
def test_other_bad_input_is_refused(product: Callable[..., Any]) -> None:
    with pytest.raises(ShapeError, match="2 images; expected one"):
        product(small_unet(), intensities(2, 1, 8, 8))
    with pytest.raises(ConfigError, match="training mode"):
        product(small_unet().train(), Y.float())
    with pytest.raises(SigmaError, match="is not blind"):
        product(DENOISERS["hard-dct"](), Y.float())
    with pytest.raises(SigmaError, match="not negative"):
        product(small_unet(), Y.float(), sigma=-1.0)
    with pytest.raises(ValueRangeError, match="float64"):
        product(small_unet(), Y)


@pytest.mark.parametrize("function", [jvp, vjp])
@pytest.mark.parametrize("v", [torch.zeros(1, 8, 8), torch.zeros(2, 1, 8, 9), [[0.0]]])
def test_vectors_have_to_have_the_size_of_the_image(
    function: Callable[..., Any], v: object
) -> None:
    with pytest.raises(GahrError, match=r"expected a block of vectors .*\(K, 1, 8, 8\)"):
        function(LinearDenoiser(torch.eye(64, dtype=F64)), Y, v)
