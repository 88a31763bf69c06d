import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gahr_lib.errors import ShapeError, SigmaError, ValueRangeError
from gahr_lib.metrics import cosine_similarity, input_psnr, mse, psnr, sigma_from_psnr
from gahr_lib.noise import add_noise
from helpers import intensities, seeded

pytestmark = pytest.mark.usefixtures("untouched_random_state")


def test_mse_is_the_mean_of_squares_over_pixels() -> None:
    a, b = intensities(3, 2, 5, 4, seed=1), intensities(3, 2, 5, 4, seed=2)
    for i, value in enumerate(mse(a, b).tolist()):
        squares = (a[i].double().numpy() - b[i].double().numpy()) ** 2
        assert value == pytest.approx(squares.sum() / 40, rel=1e-6)


def test_one_image_is_compared_with_each_of_a_batch() -> None:
    a, b = intensities(3, 1, 4, 4, seed=1), intensities(1, 1, 4, 4, seed=2)
    expected = torch.stack([mse(a[i : i + 1], b)[0] for i in range(3)])
    torch.testing.assert_close(mse(a, b), expected)
    torch.testing.assert_close(mse(b, a), expected)


def test_psnr_of_an_error_of_a_tenth_is_twenty_decibels() -> None:
    x = intensities(2, 1, 8, 8)
    torch.testing.assert_close(psnr(x + 0.1, x), torch.tensor([20.0, 20.0]))


def test_psnr_of_equal_images_is_infinite() -> None:
    x = intensities(1, 1, 4, 4)
    assert psnr(x, x).item() == math.inf


def test_psnr_of_a_noisy_image_is_the_input_psnr() -> None:
    x = intensities(1, 1, 200, 200)
    y = add_noise(x, 0.05, generator=seeded())
    # The relative error of a variance over n pixels is sqrt(2 / n); in decibels, 4.34 times that.
    assert psnr(y, x).item() == pytest.approx(input_psnr(0.05), abs=4 * 4.34 * 2**0.5 / 200)


@pytest.mark.parametrize(("sigma", "decibels"), [(1.0, 0.0), (0.1, 20.0), (0.01, 40.0), (10, -20)])
def test_input_psnr(sigma: float, decibels: float) -> None:
    assert input_psnr(sigma) == pytest.approx(decibels)
    assert sigma_from_psnr(decibels) == pytest.approx(sigma)


def test_input_psnr_without_noise_is_infinite() -> None:
    assert input_psnr(0) == math.inf


@given(st.floats(1e-6, 1e3))
def test_sigma_from_psnr_inverts_input_psnr(sigma: float) -> None:
    assert sigma_from_psnr(input_psnr(sigma)) == pytest.approx(sigma, rel=1e-12)


@pytest.mark.parametrize("decibels", [math.nan, math.inf, -math.inf])
def test_a_psnr_that_is_not_finite_has_no_noise_level(decibels: float) -> None:
    with pytest.raises(ValueRangeError, match="finite number of decibels"):
        sigma_from_psnr(decibels)


def test_input_psnr_takes_one_noise_level() -> None:
    with pytest.raises(SigmaError, match="one number"):
        input_psnr(torch.tensor([0.1, 0.2]))  # type: ignore[arg-type]


def test_cosine_similarity_is_the_correlation_of_the_pixels() -> None:
    a, b = intensities(4, 1, 6, 5, seed=1), intensities(4, 1, 6, 5, seed=2)
    expected = [np.corrcoef(a[i].flatten(), b[i].flatten())[0, 1] for i in range(4)]
    np.testing.assert_allclose(cosine_similarity(a, b).numpy(), expected, atol=1e-6)


def test_cosine_similarity_with_means_is_the_cosine_of_the_angle() -> None:
    a, b = intensities(2, 1, 6, 5, seed=1), intensities(2, 1, 6, 5, seed=2)
    for i, value in enumerate(cosine_similarity(a, b, remove_mean=False).tolist()):
        p, q = a[i].double().flatten().numpy(), b[i].double().flatten().numpy()
        assert value == pytest.approx(p @ q / (np.linalg.norm(p) * np.linalg.norm(q)), abs=1e-6)


@given(gain=st.floats(0.01, 5), shift=st.floats(-2, 2), seed=st.integers(0, 99))
def test_cosine_similarity_ignores_contrast_and_brightness(
    gain: float, shift: float, seed: int
) -> None:
    a = intensities(2, 1, 8, 8, seed=seed, dtype=torch.float64)
    b = intensities(2, 1, 8, 8, seed=seed + 100, dtype=torch.float64)
    torch.testing.assert_close(
        cosine_similarity(gain * a + shift, b), cosine_similarity(a, b), atol=1e-9, rtol=0
    )


def test_cosine_similarity_stays_between_minus_one_and_one() -> None:
    a = intensities(50, 1, 28, 28)
    assert cosine_similarity(a, a).max() <= 1
    assert cosine_similarity(a, -a).min() >= -1
    torch.testing.assert_close(cosine_similarity(a, a), torch.ones(50))
    torch.testing.assert_close(cosine_similarity(a, -a), -torch.ones(50))


@pytest.mark.parametrize("remove_mean", [True, False])
@pytest.mark.parametrize("size", [7, 28, 80])
@pytest.mark.parametrize("grey", [0.0, 0.1, 0.3, 0.7])
def test_a_constant_image_has_no_direction(grey: float, size: int, remove_mean: bool) -> None:
    if not remove_mean and grey:
        return  # with its mean it has one
    constant = torch.full((1, 1, size, size), grey)
    other = torch.full((1, 1, size, size), 0.2)
    for image in (other, intensities(1, 1, size, size)):
        assert cosine_similarity(constant, image, remove_mean=remove_mean).item() == 0
        assert cosine_similarity(image, constant, remove_mean=remove_mean).item() == 0


@pytest.mark.parametrize("measure", [mse, psnr, cosine_similarity])
@pytest.mark.parametrize("shape", [(2, 1, 4, 5), (3, 1, 4, 4), (2, 2, 4, 4)])
def test_images_of_different_sizes_are_refused(
    measure: Callable[..., Any], shape: tuple[int, ...]
) -> None:
    with pytest.raises(ShapeError, match="one size"):
        measure(intensities(2, 1, 4, 4), intensities(*shape))


@pytest.mark.parametrize("measure", [mse, psnr, cosine_similarity])
def test_images_are_left_as_they_were(measure: Callable[..., Any]) -> None:
    a, b = intensities(2, 1, 4, 4, seed=1), intensities(2, 1, 4, 4, seed=2)
    copies = a.clone(), b.clone()
    measure(a, b)
    assert torch.equal(a, copies[0])
    assert torch.equal(b, copies[1])
