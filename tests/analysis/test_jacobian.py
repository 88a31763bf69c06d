import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from gahr_lib.analysis.jacobian import (
    asymmetry,
    eigenbasis,
    homogeneity_error,
    jacobian,
    jacobian_product,
    sure,
    trace,
)
from gahr_lib.bases import dct_basis
from gahr_lib.errors import (
    ConfigError,
    NotDifferentiableError,
    ShapeError,
    SigmaError,
    ValueRangeError,
)
from gahr_lib.metrics import mse
from gahr_lib.models import BasisThresholding, Denoiser
from gahr_lib.noise import add_noise
from helpers import LinearDenoiser, intensities, seeded, small_bf_cnn, small_unet, symmetric

pytestmark = pytest.mark.usefixtures("untouched_random_state")

F64 = torch.float64
Y = intensities(1, 1, 8, 8, dtype=F64)
NETWORKS = {
    "unet": small_unet(2).double(),
    "bf-cnn": small_bf_cnn().double(),
}


def soft(threshold: float = 1.0) -> BasisThresholding:
    return BasisThresholding(dct_basis(4, 4), rule="soft", threshold=threshold).double()


def wiener_like(seed: int = 0) -> tuple[LinearDenoiser, Tensor, Tensor]:
    """A symmetric shrinkage of 4x4 images, with its eigenvalues (falling) and eigenvectors."""
    values = torch.linspace(1.2, 0.05, 16, dtype=F64)
    matrix, vectors = symmetric(values, seed)
    return LinearDenoiser(matrix), values, vectors.T.reshape(16, 1, 4, 4)


def balanced_noise(d: int, sigma: float) -> Tensor:
    """2 d vectors whose mean is exactly 0 and whose covariance is exactly sigma^2 I."""
    units = torch.eye(d, dtype=F64) * math.sqrt(d) * sigma
    return torch.cat([units, -units])


# The Jacobian


@pytest.mark.parametrize("name", NETWORKS)
def test_jacobian_of_a_network_is_that_of_torch(name: str) -> None:
    expected = torch.func.jacrev(NETWORKS[name])(Y).reshape(64, 64)
    torch.testing.assert_close(jacobian(NETWORKS[name], Y), expected)


@pytest.mark.parametrize("name", NETWORKS)
def test_jacobian_of_a_network_agrees_with_finite_differences(name: str) -> None:
    step = 1e-6
    columns = []
    for i in range(64):
        shift = torch.zeros(64, dtype=F64)
        shift[i] = step
        shift = shift.reshape(Y.shape)
        difference = NETWORKS[name](Y + shift) - NETWORKS[name](Y - shift)
        columns.append(difference.flatten() / (2 * step))
    expected = torch.stack(columns, dim=1)
    torch.testing.assert_close(jacobian(NETWORKS[name], Y), expected, atol=1e-7, rtol=1e-6)


def test_jacobian_of_a_linear_denoiser_is_its_matrix() -> None:
    matrix = torch.randn(16, 16, generator=seeded(), dtype=F64)
    denoiser = LinearDenoiser(matrix, offset=0.3)
    torch.testing.assert_close(jacobian(denoiser, Y[..., :4, :4]), matrix)


def test_jacobian_of_any_function_is_taken_in_forward_mode() -> None:
    network = NETWORKS["unet"]
    as_function = jacobian(lambda y, sigma=None: network(y), Y)
    torch.testing.assert_close(as_function, jacobian(network, Y))


def test_jacobian_of_soft_thresholding_keeps_the_coefficients_beyond_the_threshold() -> None:
    denoiser, y = soft(), Y[..., :4, :4]
    basis = denoiser.basis.flatten(1)
    kept = ((basis @ y.flatten()).abs() > 0.2).to(F64)
    assert 0 < kept.sum() < 16
    torch.testing.assert_close(jacobian(denoiser, y, sigma=0.2), basis.T @ (kept[:, None] * basis))


def test_jacobian_of_colour_images_counts_all_channels() -> None:
    network = small_unet(1, channels=3).double()
    y = intensities(1, 3, 4, 4, dtype=F64)
    expected = torch.func.jacrev(network)(y).reshape(48, 48)
    torch.testing.assert_close(jacobian(network, y), expected)


@pytest.mark.parametrize("block", [1, 7, 64, 10_000])
def test_jacobian_and_trace_do_not_depend_on_the_block(block: int) -> None:
    network = NETWORKS["unet"]
    torch.testing.assert_close(jacobian(network, Y, block=block), jacobian(network, Y))
    assert trace(network, Y, block=block) == pytest.approx(trace(network, Y))


def test_jacobian_product_maps_vectors() -> None:
    product = jacobian_product(NETWORKS["unet"], Y)
    v = torch.randn(5, 1, 8, 8, generator=seeded(), dtype=F64)
    matrix = jacobian(NETWORKS["unet"], Y)
    torch.testing.assert_close(product(v).flatten(1), v.flatten(1) @ matrix.T)


def test_jacobian_product_of_a_function_maps_blocks_of_any_size() -> None:
    denoiser, *_ = wiener_like()
    product = jacobian_product(denoiser, Y[..., :4, :4])
    for k in (1, 3):
        v = torch.randn(k, 1, 4, 4, generator=seeded(k), dtype=F64)
        torch.testing.assert_close(product(v), denoiser(v))


@pytest.mark.parametrize("name", NETWORKS)
def test_a_bias_free_network_is_its_jacobian_times_the_image(name: str) -> None:
    network = NETWORKS[name]
    torch.testing.assert_close(jacobian(network, Y) @ Y.flatten(), network(Y).flatten())


def test_nothing_carries_a_graph_even_if_weights_want_gradients() -> None:
    network = small_unet().requires_grad_(True)
    y = Y.float().requires_grad_()
    assert not jacobian(network, y).requires_grad
    basis = eigenbasis(network, y, k=2)
    assert not basis.values.requires_grad
    assert not basis.vectors.requires_grad
    assert isinstance(sure(network, y, 0.1), float)
    assert isinstance(homogeneity_error(network, y, 2.0), float)
    assert all(p.grad is None for p in network.parameters())


def test_network_and_image_are_left_as_they_were() -> None:
    network, y = small_unet(), Y.float()
    state = {name: value.clone() for name, value in network.state_dict().items()}
    eigenbasis(network, y, k=2)
    sure(network, y, 0.1)
    homogeneity_error(network, y, 2.0)
    assert torch.equal(y, Y.float())
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())


# The eigenbasis


def test_eigenvalues_of_a_symmetric_linear_denoiser_are_its_own() -> None:
    denoiser, values, vectors = wiener_like()
    found = eigenbasis(denoiser, Y[..., :4, :4], k=None)
    torch.testing.assert_close(found.values, values)
    signs = (found.vectors * vectors).sum(dim=(1, 2, 3), keepdim=True)
    torch.testing.assert_close(signs.abs(), torch.ones_like(signs))
    torch.testing.assert_close(found.vectors, signs * vectors)
    assert found.asymmetry < 1e-14


def test_the_leading_vectors_are_the_first_of_all() -> None:
    denoiser, *_ = wiener_like()
    every = eigenbasis(denoiser, Y[..., :4, :4], k=None)
    leading = eigenbasis(denoiser, Y[..., :4, :4], k=5)
    assert leading.values.shape == (5,)
    assert leading.vectors.shape == (5, 1, 4, 4)
    torch.testing.assert_close(leading.values, every.values[:5])
    torch.testing.assert_close(leading.vectors, every.vectors[:5])
    assert leading.asymmetry == every.asymmetry


@pytest.mark.parametrize("name", NETWORKS)
def test_eigenbasis_of_a_network_is_that_of_the_symmetric_part(name: str) -> None:
    matrix = torch.func.jacrev(NETWORKS[name])(Y).reshape(64, 64).numpy()
    values, _ = np.linalg.eigh((matrix + matrix.T) / 2)
    basis = eigenbasis(NETWORKS[name], Y, k=None)
    np.testing.assert_allclose(basis.values.numpy(), values[::-1], atol=1e-10)
    vectors = basis.vectors.flatten(1).numpy()
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(64), atol=1e-10)
    rebuilt = vectors.T @ np.diag(basis.values.numpy()) @ vectors
    np.testing.assert_allclose(rebuilt, (matrix + matrix.T) / 2, atol=1e-10)
    expected = np.linalg.norm(matrix - matrix.T) / np.linalg.norm(matrix + matrix.T)
    assert basis.asymmetry == pytest.approx(expected)


def test_shrinking_in_the_whole_basis_is_denoising() -> None:
    denoiser, *_ = wiener_like()
    y = Y[..., :4, :4]
    basis = eigenbasis(denoiser, y, k=None)
    torch.testing.assert_close(basis.shrink(y), denoiser(y))


@pytest.mark.parametrize("kept", [0, 1, 7, 16])
def test_shrinking_in_part_of_the_basis_is_a_sum_of_its_terms(kept: int) -> None:
    denoiser, values, vectors = wiener_like()
    images = intensities(2, 1, 4, 4, dtype=F64)
    expected = torch.zeros_like(images)
    for value, vector in zip(values[:kept], vectors[:kept], strict=True):
        expected += value * (images * vector).sum(dim=(1, 2, 3), keepdim=True) * vector
    shrunk = eigenbasis(denoiser, Y[..., :4, :4], k=None).shrink(images, kept=kept)
    torch.testing.assert_close(shrunk, expected)


def test_coefficients_are_inner_products_with_the_vectors() -> None:
    denoiser, *_ = wiener_like()
    basis = eigenbasis(denoiser, Y[..., :4, :4], k=3)
    images = intensities(2, 1, 4, 4, dtype=F64)
    expected = torch.einsum("bchw,kchw->bk", images, basis.vectors)
    torch.testing.assert_close(basis.coefficients(images), expected)


@pytest.mark.parametrize("kept", [-1, 4])
def test_more_vectors_than_there_are_cannot_be_kept(kept: int) -> None:
    denoiser, *_ = wiener_like()
    basis = eigenbasis(denoiser, Y[..., :4, :4], k=3)
    with pytest.raises(ConfigError, match="from 0 to 3"):
        basis.shrink(Y[..., :4, :4], kept=kept)


@pytest.mark.parametrize("k", [0, 17, 64, 65, -1, 2.0, True, "all"])
def test_impossible_numbers_of_vectors_are_refused(k: object) -> None:
    denoiser, *_ = wiener_like()
    with pytest.raises(ConfigError, match=r"from 1 to 16.*k=None for all"):
        eigenbasis(denoiser, Y[..., :4, :4], k=k)  # type: ignore[arg-type]


def test_the_default_number_of_vectors_fits_small_images() -> None:
    denoiser, *_ = wiener_like()
    small = eigenbasis(denoiser, Y[..., :4, :4])
    assert torch.equal(small.values, eigenbasis(denoiser, Y[..., :4, :4], k=None).values)
    assert eigenbasis(denoiser, Y[..., :4, :4], k=np.int64(3)).vectors.shape == (3, 1, 4, 4)


# Asymmetry, trace, homogeneity


def test_zero_is_symmetric_and_homogeneous() -> None:
    assert asymmetry(torch.zeros(3, 3)) == 0
    assert homogeneity_error(lambda y, sigma=None: torch.zeros_like(y), Y, 2.0) == 0
    assert homogeneity_error(lambda y, sigma=None: (y - 1).relu(), Y.clamp(0, 1), 2.0) == math.inf


def test_asymmetry_of_a_symmetric_matrix_is_zero_and_of_a_triangle_one() -> None:
    assert asymmetry(torch.tensor([[1.0, 2.0], [2.0, -3.0]])) == 0
    assert asymmetry(torch.tensor([[0.0, 2.0], [0.0, 0.0]])) == pytest.approx(1)


def test_asymmetry_of_a_rotation_is_the_tangent_of_its_angle() -> None:
    c, s = math.cos(0.3), math.sin(0.3)
    assert asymmetry(torch.tensor([[c, -s], [s, c]])) == pytest.approx(math.tan(0.3))


@pytest.mark.parametrize("shape", [(4,), (2, 3), (2, 2, 2)])
def test_asymmetry_needs_a_square_matrix(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="expected a square one"):
        asymmetry(torch.ones(shape))


@pytest.mark.parametrize("name", NETWORKS)
def test_trace_is_that_of_the_jacobian(name: str) -> None:
    expected = torch.func.jacrev(NETWORKS[name])(Y).reshape(64, 64).trace()
    assert trace(NETWORKS[name], Y) == pytest.approx(float(expected))


def test_trace_of_soft_thresholding_counts_what_is_kept() -> None:
    denoiser, y = soft(), Y[..., :4, :4]
    kept = ((denoiser.basis.flatten(1) @ y.flatten()).abs() > 0.2).sum()
    assert trace(denoiser, y, sigma=0.2) == pytest.approx(int(kept))


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("scale", [0.01, 0.5, 20.0])
def test_bias_free_networks_are_homogeneous(name: str, scale: float) -> None:
    assert homogeneity_error(NETWORKS[name], Y, scale) < 1e-13


def test_homogeneity_error_of_an_offset() -> None:
    # f(c y) - c f(y) = (1 - c) offset
    denoiser = LinearDenoiser(torch.eye(16, dtype=F64) / 2, offset=0.4)
    y = intensities(3, 1, 4, 4, dtype=F64)
    expected = 1.5 * 0.4 * math.sqrt(48) / float((2.5 * (y / 2 + 0.4)).norm())
    assert homogeneity_error(denoiser, y, 2.5) == pytest.approx(expected)


@pytest.mark.parametrize("scale", [0, -1, float("inf"), float("nan")])
def test_impossible_scales_are_refused(scale: float) -> None:
    with pytest.raises(ValueRangeError, match="finite factor above 0"):
        homogeneity_error(NETWORKS["unet"], Y, scale)


# SURE


def test_sure_is_its_formula() -> None:
    denoiser, values, _ = wiener_like()
    y = Y[..., :4, :4]
    residual = float((y - denoiser(y)).square().sum())
    expected = (2 * 0.09 * float(values.sum()) + residual - 0.09 * 16) / 16
    assert sure(denoiser, y, 0.3) == pytest.approx(expected)


def test_the_mean_of_sure_over_noise_is_the_error_of_a_linear_shrinkage() -> None:
    # Both are quadratic in the noise, so that the mean over balanced noise is the expectation.
    denoiser, values, vectors = wiener_like()
    x, sigma = Y[..., :4, :4], 0.3
    ys = x + balanced_noise(16, sigma).reshape(-1, 1, 4, 4)
    c = (x * vectors).sum(dim=(1, 2, 3))
    expected = float(((1 - values) ** 2 * c**2 + values**2 * sigma**2).sum() / 16)
    assert np.mean([sure(denoiser, y[None], sigma) for y in ys]) == pytest.approx(expected)
    assert float(mse(denoiser(ys), x).mean()) == pytest.approx(expected)


def test_the_mean_of_sure_over_noise_is_the_error_of_soft_thresholding() -> None:
    denoiser, x, sigma = soft(1.5), Y[..., :4, :4], 0.2
    ys = add_noise(x.expand(400, -1, -1, -1), sigma, generator=seeded())
    estimates = torch.tensor([sure(denoiser, y[None], sigma) for y in ys])
    difference = estimates - mse(denoiser(ys, sigma), x)
    assert abs(float(difference.mean())) < 4 * float(difference.std()) / 20


def test_sure_of_the_identity_is_the_noise() -> None:
    assert sure(LinearDenoiser(torch.eye(16)), intensities(1, 1, 4, 4), 0.2) == pytest.approx(0.04)


# What cannot be differentiated, and other bad input


class Detached(Denoiser):
    def denoise(self, y: Tensor, sigma: float | Tensor | None) -> Tensor:
        return y.detach() / 2


class ThroughNumpy(Denoiser):
    def denoise(self, y: Tensor, sigma: float | Tensor | None) -> Tensor:
        return torch.from_numpy(np.sqrt(np.abs(y.numpy())))


@pytest.mark.parametrize("denoiser", [Detached(), ThroughNumpy()])
def test_a_denoiser_without_a_derivative_is_named(denoiser: Denoiser) -> None:
    with pytest.raises(
        NotDifferentiableError, match=rf"{type(denoiser).__name__}.*Write it in torch"
    ):
        jacobian(denoiser, Y)


@pytest.mark.parametrize("function", [jacobian, jacobian_product, eigenbasis, trace])
def test_the_jacobian_is_taken_at_one_image(function: Callable[..., Any]) -> None:
    with pytest.raises(ShapeError, match=r"3 images; expected one.*y\[i:i\+1\]"):
        function(NETWORKS["unet"], intensities(3, 1, 8, 8, dtype=F64))


@pytest.mark.parametrize("function", [jacobian, jacobian_product, trace])
def test_a_denoiser_that_needs_sigma_is_not_differentiated_without(
    function: Callable[..., Any],
) -> None:
    with pytest.raises(SigmaError, match="is not blind"):
        function(soft(), Y[..., :4, :4])


@pytest.mark.parametrize("function", [jacobian, trace])
@pytest.mark.parametrize("block", [0, -1, 1.5])
def test_impossible_blocks_are_refused(function: Callable[..., Any], block: object) -> None:
    with pytest.raises(ConfigError, match=r"block is .*whole number of at least 1"):
        function(NETWORKS["unet"], Y, block=block)


@pytest.mark.parametrize(
    "look",
    [
        lambda network, y: jacobian(network, y),
        lambda network, y: eigenbasis(network, y, k=1),
        lambda network, y: trace(network, y),
        lambda network, y: sure(network, y, 0.1),
        lambda network, y: homogeneity_error(network, y, 2.0),
    ],
)
def test_a_network_in_training_mode_is_refused_and_not_changed(look: Callable[..., Any]) -> None:
    network = small_unet().train()
    state = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.raises(ConfigError, match="training mode"):
        look(network, Y.float())
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
