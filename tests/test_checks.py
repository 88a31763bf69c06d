"""Bad input of every public function that takes images or noise levels, and what it is told."""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from gahr_lib import (
    _checks,
    bases,
    errors,
    inverse_problems,
    metrics,
    models,
    noise,
    sampling,
    training,
)
from gahr_lib._checks import check_count
from gahr_lib.analysis import evaluation, jacobian, shrinkage
from gahr_lib.analysis.bootstrap import resampled_means
from gahr_lib.errors import ConfigError, GahrError, ShapeError, SigmaError, ValueRangeError
from helpers import (
    BAD_IMAGES,
    BAD_SIGMAS,
    DENOISERS,
    intensities,
    seeded,
    small_bf_cnn,
    small_unet,
)

pytestmark = pytest.mark.usefixtures("untouched_random_state")

GOOD = intensities(1, 1, 8, 8)
CONFIG = training.TrainConfig(steps=1, batch_size=1)

TAKE_IMAGES: dict[str, Callable[[Any], object]] = {
    "add_noise": lambda x: noise.add_noise(x, 0.1, generator=seeded()),
    "mse": lambda x: metrics.mse(x, GOOD),
    "mse, the other way": lambda x: metrics.mse(GOOD, x),
    "psnr": lambda x: metrics.psnr(x, GOOD),
    "cosine_similarity": lambda x: metrics.cosine_similarity(x, GOOD),
    "coefficients": lambda x: bases.coefficients(bases.dct_basis(8, 8), x),
    "psnr_curve": lambda x: evaluation.psnr_curve(small_unet(), x, [0.1], generator=seeded()),
    "jacobian": lambda x: jacobian.jacobian(small_unet(), x),
    "jacobian_product": lambda x: jacobian.jacobian_product(small_unet(), x),
    "transpose_product": lambda x: jacobian.transpose_product(small_unet(), x),
    "filters": lambda x: jacobian.filters(small_unet(), x, [(0, 0)]),
    "estimate_trace": lambda x: jacobian.estimate_trace(small_unet(), x, probes=2),
    "estimate_asymmetry": lambda x: jacobian.estimate_asymmetry(small_unet(), x, probes=2),
    "eigenbasis": lambda x: jacobian.eigenbasis(small_unet(), x, k=2),
    "trace": lambda x: jacobian.trace(small_unet(), x),
    "sure": lambda x: jacobian.sure(small_unet(), x, 0.1),
    "homogeneity_error": lambda x: jacobian.homogeneity_error(small_unet(), x, 2.0),
    "linearize": lambda x: small_unet().linearize(x),
    "train": lambda x: next(training.train(small_unet(), x, CONFIG, generator=seeded())),
    "train on a function": lambda x: next(
        training.train(small_unet(), lambda n, g: x, CONFIG, generator=seeded())
    ),
    "BasisThresholding": lambda x: models.BasisThresholding(x),
    **{name: (lambda x, make=make: make()(x, 0.1)) for name, make in DENOISERS.items()},
}

TAKE_ONE_SIGMA: dict[str, Callable[[Any], object]] = {
    "input_psnr": lambda s: metrics.input_psnr(s),
    "psnr_curve": lambda s: evaluation.psnr_curve(small_unet(), GOOD, [s], generator=seeded()),
    "sure": lambda s: jacobian.sure(small_unet(), GOOD, s),
    "oracle_factors": lambda s: shrinkage.oracle_factors(torch.ones(7), s),
    "oracle_error": lambda s: shrinkage.oracle_error(torch.ones(7), s),
    "kept_error": lambda s: shrinkage.kept_error(torch.ones(7), s),
    "shrinkage_error": lambda s: shrinkage.shrinkage_error(torch.ones(7), torch.ones(7), s),
    "a denoiser that needs it": lambda s: DENOISERS["hard-dct"]()(GOOD, s),
}


@pytest.mark.parametrize("bad", BAD_IMAGES)
@pytest.mark.parametrize("function", TAKE_IMAGES)
def test_bad_images_raise_a_typed_error_that_helps(function: str, bad: str) -> None:
    images, error, words = BAD_IMAGES[bad]
    with pytest.raises(error, match=words) as caught:
        TAKE_IMAGES[function](images)
    assert "expected" in str(caught.value)


@pytest.mark.parametrize("bad", BAD_SIGMAS)
@pytest.mark.parametrize("function", TAKE_ONE_SIGMA)
def test_bad_noise_levels_raise_a_typed_error(function: str, bad: str) -> None:
    with pytest.raises(SigmaError):
        TAKE_ONE_SIGMA[function](BAD_SIGMAS[bad][0])


@pytest.mark.parametrize("bad", sorted(set(BAD_SIGMAS) - {"missing"}))
@pytest.mark.parametrize("name", ["unet-2", "bf-cnn"])
def test_even_a_blind_denoiser_refuses_a_bad_noise_level(name: str, bad: str) -> None:
    sigma, words = BAD_SIGMAS[bad]
    with pytest.raises(SigmaError, match=words):
        DENOISERS[name]()(GOOD, sigma)


@pytest.mark.parametrize("denoiser", ["unet-2", "bf-cnn", "soft-wavelet"])
def test_the_wrong_number_of_channels_is_refused(denoiser: str) -> None:
    with pytest.raises(ShapeError, match=r"3 channels; expected 1.*grey"):
        DENOISERS[denoiser]()(intensities(1, 3, 8, 8), 0.1)


@pytest.mark.parametrize("size", [(6, 8), (8, 6), (7, 7), (30, 30)])
@pytest.mark.parametrize(
    "function", ["unet-2", "linearize", "jacobian", "eigenbasis", "train", "train on a function"]
)
def test_sides_that_the_network_cannot_halve_are_refused(
    function: str, size: tuple[int, int]
) -> None:
    with pytest.raises(ShapeError, match="multiples of 4 pixels"):
        TAKE_IMAGES[function](intensities(1, 1, *size))


@pytest.mark.parametrize("function", ["unet-2", "bf-cnn", "hard-dct", "eigenbasis", "train"])
def test_images_of_another_precision_than_the_denoiser_are_refused(function: str) -> None:
    with pytest.raises(ValueRangeError, match=r"float64; expected .* torch.float32\. Convert"):
        TAKE_IMAGES[function](GOOD.double())


def test_noisy_images_far_beyond_the_range_are_images() -> None:
    _checks.check_images(GOOD * 60)
    _checks.check_images(GOOD * -60)


def test_the_message_says_what_the_caller_calls_the_images() -> None:
    with pytest.raises(ShapeError, match=r"^photos has shape"):
        _checks.check_images(torch.zeros(3), "photos")


@pytest.mark.parametrize("sigma", [0, 0.1, 3, torch.tensor(0.1), torch.tensor([0.1, 0.2])])
def test_noise_levels_of_a_batch(sigma: float) -> None:
    _checks.check_sigma(sigma, 2)


def test_noise_levels_take_the_shape_and_type_of_the_images() -> None:
    images = intensities(2, 1, 4, 4, dtype=torch.float64)
    per_image = _checks.sigma_per_image(torch.tensor([0.1, 0.2]), images)
    assert per_image.shape == (2, 1, 1, 1)
    assert per_image.dtype == torch.float64
    assert _checks.sigma_per_image(0.1, images).shape == (1, 1, 1, 1)


def test_checks_do_not_stand_in_the_way_of_torch_transforms() -> None:
    network = small_unet(1).double()
    y = intensities(3, 1, 4, 4, dtype=torch.float64)
    one_by_one = torch.func.vmap(lambda image: network(image[None])[0])(y)
    torch.testing.assert_close(one_by_one, network(y))
    # A gradient under vmap: a batched value inside a differentiated one.
    gradient = torch.func.grad(lambda image: network(image[None]).square().sum())
    batched = torch.func.vmap(gradient)(y)
    torch.testing.assert_close(batched[0], gradient(y[0]))


def test_checks_let_a_network_be_exported() -> None:
    network = small_unet(1)
    y = intensities(1, 1, 4, 4)
    exported = torch.export.export(network, (y,)).module()
    torch.testing.assert_close(exported(y), network(y))


TAKE_A_GENERATOR: dict[str, Callable[[Any], object]] = {
    "add_noise": lambda g: noise.add_noise(GOOD, 0.1, generator=g),
    "standard_noise": lambda g: noise.standard_noise(GOOD, generator=g),
    "psnr_curve": lambda g: evaluation.psnr_curve(small_unet(), GOOD, [0.1], generator=g),
    "sample": lambda g: sampling.sample(small_unet(), shape=(1, 8, 8), generator=g),
    "train": lambda g: next(training.train(small_unet(), GOOD, CONFIG, generator=g)),
    "draw_sigmas": lambda g: training.draw_sigmas(2, CONFIG, generator=g),
    "build_network": lambda g: models.build_network(models.NetworkConfig(width=2), generator=g),
    "BFCNN": lambda g: models.BFCNN(width=2, layers=3, generator=g),
    "PatchTransformer": lambda g: models.PatchTransformer((1, 8, 8), generator=g),
    "BayesDiscs": lambda g: models.BayesDiscs(8, generator=g),
    "eigenbasis": lambda g: jacobian.eigenbasis(
        small_unet(), GOOD, 2, method="iterative", generator=g
    ),
    "estimate_trace": lambda g: jacobian.estimate_trace(small_unet(), GOOD, generator=g),
    "resampled_means": lambda g: resampled_means(torch.ones(3), generator=g),
    "random_pixels": lambda g: inverse_problems.random_pixels((1, 8, 8), 0.5, generator=g),
    "random_measurements": lambda g: inverse_problems.random_measurements(
        (1, 8, 8), 0.5, generator=g
    ),
}


@pytest.mark.parametrize("seed", [0, 5, np.random.default_rng(0)])
@pytest.mark.parametrize("function", TAKE_A_GENERATOR)
def test_a_seed_is_no_generator(function: str, seed: object) -> None:
    with pytest.raises(ConfigError, match=r"generator is .*manual_seed\(0\)"):
        TAKE_A_GENERATOR[function](seed)


@pytest.mark.parametrize("function", ["train", "draw_sigmas", "BayesDiscs"])
def test_some_functions_need_a_generator(function: str) -> None:
    with pytest.raises(ConfigError, match="generator is None"):
        TAKE_A_GENERATOR[function](None)


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, torch.AcceleratorError])
def test_an_error_of_the_device_comes_out_of_a_check(
    monkeypatch: pytest.MonkeyPatch, error: type[RuntimeError]
) -> None:
    def fail(self: torch.Tensor) -> torch.Tensor:
        raise error("out of memory")

    monkeypatch.setattr(torch.Tensor, "__float__", fail)
    with pytest.raises(error):
        _checks.check_images(GOOD)


@pytest.mark.parametrize("make", [small_unet, small_bf_cnn, DENOISERS["transformer"]])
def test_a_linearisation_takes_no_vectors_of_another_kind(make: Callable[[], Any]) -> None:
    times = make().linearize(GOOD)
    for v in (torch.zeros(2, 1, 1, 1), torch.zeros(1, 8, 8), [[0.0]]):
        with pytest.raises(ShapeError, match=r"v has .*\(K, 1, 8, 8\)"):
            times(v)
    with pytest.raises(ValueRangeError, match=r"v has dtype torch.float64; expected .*float32"):
        times(torch.zeros(2, 1, 8, 8, dtype=torch.float64))


@pytest.mark.parametrize("value", ["0.1", "x", None, True, [0.1], torch.ones(2)])
def test_what_is_no_number_is_in_no_range(value: Any) -> None:
    assert np.isnan(_checks.number(value))


@pytest.mark.parametrize("value", [1, 1.0, np.float32(1), torch.tensor(1.0)])
def test_numbers_become_floats(value: Any) -> None:
    assert _checks.number(value) == 1.0


ERRORS = [getattr(errors, name) for name in errors.__all__]


@pytest.mark.parametrize("error", ERRORS)
def test_every_error_is_one_of_ours_and_explained(error: type[GahrError]) -> None:
    assert issubclass(error, GahrError)
    assert inspect.getdoc(error)


@pytest.mark.parametrize("error", [error for error in ERRORS if error is not GahrError])
def test_every_error_is_also_one_that_python_knows(error: type[GahrError]) -> None:
    builtin = {ValueError, OSError, TypeError, RuntimeError}
    assert any(issubclass(error, known) for known in builtin)


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3), torch.tensor(3)])
def test_counts_become_ints(value: Any) -> None:
    count = check_count(value, "n", 3, 3)
    assert count == 3
    assert type(count) is int


@pytest.mark.parametrize("value", [True, 3.0, np.float64(3), "3", None, 1, 6])
def test_what_is_no_count_in_the_range_is_refused(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"n is .*whole number from 2 to 5\. Pass n=2"):
        check_count(value, "n", 2, 5)
