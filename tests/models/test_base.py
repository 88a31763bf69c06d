"""The contract, kept by one denoiser of each kind; and what a network's linearisation is."""

import inspect
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gahr_lib import models
from gahr_lib.analysis import eigenbasis, psnr_curve
from gahr_lib.analysis.jacobian import jacobian, vjp
from gahr_lib.errors import ConfigError, ShapeError, SigmaError
from gahr_lib.models import Denoiser, OracleShrinkage, check_evaluating
from gahr_lib.noise import add_noise
from helpers import DENOISERS, LinearDenoiser, intensities, seeded, small_bf_cnn, small_unet

pytestmark = pytest.mark.usefixtures("untouched_random_state")

BUILT = {name: make() for name, make in DENOISERS.items()}
NETWORKS = {"unet": small_unet(2), "bf-cnn": small_bf_cnn(5)}
WITH_BIASES = {
    "unet": partial(small_unet, 2, bias=True),
    "bf-cnn": partial(small_bf_cnn, bias=True),
}
MAKERS = [small_unet, small_bf_cnn, *WITH_BIASES.values()]
LEAST_SIGMA = {"bayes-discs": 1e-3}  # below, its search for the disc finds no hold


def test_there_is_one_of_each_kind() -> None:
    exported = {getattr(models, name) for name in models.__all__}
    kinds = {
        kind
        for kind in exported
        if isinstance(kind, type) and issubclass(kind, Denoiser) and not inspect.isabstract(kind)
    }
    assert kinds - {type(denoiser) for denoiser in BUILT.values()} == {OracleShrinkage}


@pytest.mark.parametrize("name", BUILT)
@settings(max_examples=15)
@given(batch=st.integers(1, 4), sigma=st.floats(0, 2), seed=st.integers(0, 2**32))
def test_every_denoiser_keeps_the_contract(name: str, batch: int, sigma: float, seed: int) -> None:
    denoiser = BUILT[name]
    sigma = max(sigma, LEAST_SIGMA.get(name, 0))
    y = add_noise(intensities(batch, 1, 8, 8, seed=seed), sigma, generator=seeded(seed))
    y_before = y.clone()
    state_before = {key: value.clone() for key, value in denoiser.state_dict().items()}
    denoised = denoiser(y, sigma)
    assert denoised.shape == y.shape
    assert denoised.dtype == y.dtype
    assert torch.isfinite(denoised).all()
    assert torch.equal(denoiser(y, sigma), denoised), "it is deterministic"
    assert torch.equal(y, y_before), "the input is left as it was"
    for key, value in denoiser.state_dict().items():
        assert torch.equal(value, state_before[key]), "looking does not change it"
    alone = torch.cat([denoiser(y[i : i + 1], sigma) for i in range(batch)])
    torch.testing.assert_close(denoised, alone, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("name", BUILT)
def test_a_denoiser_of_double_precision_gives_double_precision(name: str) -> None:
    denoiser = DENOISERS[name]().double()
    y = intensities(2, 1, 8, 8, dtype=torch.float64)
    denoised = denoiser(y, 0.1)
    assert denoised.dtype == torch.float64
    torch.testing.assert_close(denoised.float(), BUILT[name](y.float(), 0.1), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", BUILT)
def test_every_image_may_have_its_own_noise_level(name: str) -> None:
    y, sigma = intensities(3, 1, 8, 8, seed=3), torch.tensor([0.05, 0.6, 0.2])
    together = BUILT[name](y, sigma)
    alone = [BUILT[name](y[i : i + 1], float(sigma[i])) for i in range(3)]
    torch.testing.assert_close(together, torch.cat(alone), atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("name", BUILT)
def test_every_denoiser_goes_through_the_same_tools(name: str) -> None:
    denoiser, x = BUILT[name], intensities(3, 1, 8, 8, seed=4)
    curve = psnr_curve(denoiser, x, [0.1, 0.5], generator=seeded())
    assert curve.shape == (2, 3)
    assert torch.isfinite(curve).all()
    y = add_noise(x[:1], 0.3, generator=seeded(1))
    matrix = jacobian(denoiser, y, sigma=0.3)
    basis = eigenbasis(denoiser, y, sigma=0.3)
    assert float(basis.values.sum()) == pytest.approx(float(matrix.trace()), abs=1e-2)
    product = vjp(denoiser, y, x, sigma=0.3)
    torch.testing.assert_close(product.flatten(1), x.flatten(1) @ matrix, atol=2e-3, rtol=1e-3)
    if name == "bayes-discs":
        return  # its derivative is the posterior covariance, that of its estimate is noise
    step = 1e-3 * intensities(1, 1, 8, 8, seed=5, dtype=torch.float64)
    precise = DENOISERS[name]().double()
    moved = precise(y.double() + step, 0.3) - precise(y.double() - step, 0.3)
    expected = 2 * (jacobian(precise, y.double(), sigma=0.3) @ step.flatten())
    torch.testing.assert_close(moved.flatten(), expected, atol=2e-4, rtol=0.05)


@pytest.mark.parametrize("name", NETWORKS)
def test_blind_networks_ignore_sigma(name: str) -> None:
    y = intensities(2, 1, 8, 8)
    denoised = NETWORKS[name](y)
    assert torch.equal(denoised, NETWORKS[name](y, 0.3))
    assert torch.equal(denoised, NETWORKS[name](y, torch.tensor([0.1, 0.7])))


@pytest.mark.parametrize("name", ["hard-dct", "soft-wavelet"])
def test_a_denoiser_that_needs_sigma_says_so(name: str) -> None:
    assert BUILT[name].needs_sigma
    with pytest.raises(SigmaError, match=r"is not blind.*denoiser\(y, sigma\)"):
        BUILT[name](intensities(1, 1, 8, 8))


@pytest.mark.parametrize("name", ["unet-1", "unet-2", "bf-cnn", "unet-with-biases"])
def test_the_contract_holds_where_nothing_says_sigma(name: str) -> None:
    assert not BUILT[name].needs_sigma


def test_there_is_no_denoiser_without_a_formula() -> None:
    with pytest.raises(TypeError, match="abstract"):
        Denoiser()  # type: ignore[abstract]


def test_a_denoiser_of_ones_own_is_checked_like_the_others() -> None:
    half = LinearDenoiser(torch.eye(16) / 2)
    y = intensities(3, 1, 4, 4)
    torch.testing.assert_close(half(y), y / 2)
    with pytest.raises(ShapeError):
        half(y[0])


@pytest.mark.parametrize("name", NETWORKS)
def test_the_denoised_image_is_the_noisy_one_minus_the_residual(name: str) -> None:
    network, y = NETWORKS[name], intensities(2, 1, 8, 8)
    torch.testing.assert_close(network(y), y - network.residual(y))


@pytest.mark.parametrize("name", NETWORKS)
@settings(max_examples=15)
@given(log_scale=st.floats(-3, 1.5), seed=st.integers(0, 99))
def test_bias_free_networks_are_homogeneous(name: str, log_scale: float, seed: int) -> None:
    network, c = NETWORKS[name], math.exp(log_scale)
    y = intensities(1, 1, 8, 8, seed=seed)
    torch.testing.assert_close(network(c * y), c * network(y), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("make", MAKERS)
def test_linearization_is_the_derivative(make: Callable[..., Any]) -> None:
    network = make().double()
    y = intensities(1, 1, 8, 8, dtype=torch.float64)
    v = torch.randn(3, 1, 8, 8, generator=seeded(), dtype=torch.float64)
    for direction, product in zip(v, network.linearize(y)(v), strict=True):
        _, expected = torch.autograd.functional.jvp(network, y, direction[None])
        torch.testing.assert_close(product[None], expected)


@pytest.mark.parametrize("make", MAKERS)
def test_where_a_picture_is_black_units_are_off_as_in_torch(make: Callable[..., Any]) -> None:
    network = make().double()
    y = intensities(1, 1, 16, 16, dtype=torch.float64)
    y[..., 4:] = 0  # noiseless black: the units there are exactly at the kink of the ReLU
    expected = torch.func.jacrev(network)(y).reshape(256, 256)
    units = torch.eye(256, dtype=torch.float64).reshape(256, 1, 16, 16)
    torch.testing.assert_close(network.linearize(y)(units).reshape(256, 256).T, expected)


@pytest.mark.parametrize("name", NETWORKS)
def test_linearization_at_an_image_gives_back_the_denoised_image(name: str) -> None:
    network, y = NETWORKS[name], intensities(1, 1, 8, 8)
    torch.testing.assert_close(network.linearize(y)(y), network(y), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", NETWORKS)
def test_linearization_is_linear_and_stays_at_its_image(name: str) -> None:
    network, y = NETWORKS[name], intensities(1, 1, 8, 8)
    product = network.linearize(y)
    u, v = intensities(2, 1, 8, 8, seed=1), intensities(2, 1, 8, 8, seed=2)
    expected = product(u)
    network.linearize(v[:1])(v)  # another one in between changes nothing
    torch.testing.assert_close(
        product(3 * u - v), 3 * product(u) - product(v), atol=1e-4, rtol=1e-4
    )
    assert torch.equal(product(u), expected)


@pytest.mark.parametrize("name", WITH_BIASES)
def test_networks_with_biases_are_not_homogeneous(name: str) -> None:
    network, y = WITH_BIASES[name](), intensities(1, 1, 8, 8)
    for c in (0.25, 2.0):
        assert (network(c * y) - c * network(y)).norm() > 5e-3 * (c * network(y)).norm()
    assert (network.linearize(y)(y) - network(y)).norm() > 5e-3 * network(y).norm()


@pytest.mark.parametrize("name", WITH_BIASES)
def test_jacobian_of_a_network_with_biases_is_that_of_torch(name: str) -> None:
    network = WITH_BIASES[name]().double()
    y = intensities(1, 1, 8, 8, dtype=torch.float64)
    expected = torch.func.jacrev(network)(y).reshape(64, 64)
    torch.testing.assert_close(jacobian(network, y), expected, atol=1e-13, rtol=1e-10)
    # Along a step that turns no unit on or off, the network is its linearisation and a constant.
    step = 1e-7 * intensities(1, 1, 8, 8, seed=1, dtype=torch.float64)
    product = network.linearize(y)(step)
    torch.testing.assert_close(network(y + step) - network(y), product, atol=1e-15, rtol=1e-6)


@pytest.mark.parametrize("name", WITH_BIASES)
def test_linearization_without_biases_is_linear_and_leaves_the_network_its_own(name: str) -> None:
    network, y = WITH_BIASES[name](), intensities(1, 1, 8, 8)
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    denoised, product = network(y), network.linearize(y)
    u, v = intensities(2, 1, 8, 8, seed=1), intensities(2, 1, 8, 8, seed=2)
    expected = 3 * product(u) - product(v)
    torch.testing.assert_close(product(3 * u - v), expected, atol=1e-4, rtol=1e-4)
    assert not product(torch.zeros(1, 1, 8, 8)).any()
    assert torch.equal(network(y), denoised)
    after = network.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[key], before[key]) for key in before)
    twin = network._without_biases()
    shared = {name: tensor.data_ptr() for name, tensor in network.state_dict().items()}
    for key, tensor in twin.state_dict().items():
        assert tensor.data_ptr() == shared[key], "the twin has no weights of its own"
    assert {key for key in before if not key.endswith(".bias")} == twin.state_dict().keys()


def test_linearization_takes_one_image() -> None:
    with pytest.raises(ShapeError, match=r"2 images; expected one.*y\[i:i\+1\]"):
        small_unet().linearize(intensities(2, 1, 8, 8))


def test_a_network_in_training_mode_is_not_linearized() -> None:
    network = small_unet().train()
    with pytest.raises(ConfigError, match=r"training mode.*denoiser\.eval\(\)"):
        network.linearize(intensities(1, 1, 8, 8))


@pytest.mark.parametrize("denoiser", [small_unet(), LinearDenoiser(torch.eye(4)), lambda y: y])
def test_only_networks_in_training_mode_are_stopped(denoiser: object) -> None:
    check_evaluating(denoiser)
