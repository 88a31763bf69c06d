import numpy as np
import pytest
import pywt
import torch
from scipy import fft

from gahr_lib.bases import dct_basis, wavelet_basis
from gahr_lib.errors import ConfigError, ShapeError, ValueRangeError
from gahr_lib.models import BasisThresholding, WaveletShrinkage
from gahr_lib.noise import add_noise
from helpers import intensities, seeded

pytestmark = pytest.mark.usefixtures("untouched_random_state")


def identity(pixels: int) -> torch.Tensor:
    """The basis of single pixels."""
    return torch.eye(pixels).reshape(pixels, 1, 1, pixels)


Y = torch.tensor([-3.0, -0.2, -0.1, 0.0, 0.1, 0.2, 3.0]).reshape(1, 1, 1, 7)


def test_hard_thresholding_keeps_what_stands_out() -> None:
    denoised = BasisThresholding(identity(7), rule="hard", threshold=1.5)(Y, 0.1)
    expected = torch.tensor([-3.0, -0.2, 0, 0, 0, 0.2, 3.0]).reshape(1, 1, 1, 7)
    assert torch.equal(denoised, expected)


def test_soft_thresholding_moves_towards_zero() -> None:
    denoised = BasisThresholding(identity(7), rule="soft", threshold=1.5)(Y, 0.1)
    expected = torch.tensor([-2.85, -0.05, 0, 0, 0, 0.05, 2.85]).reshape(1, 1, 1, 7)
    torch.testing.assert_close(denoised, expected)


@pytest.mark.parametrize("rule", ["hard", "soft"])
def test_a_threshold_of_zero_keeps_everything(rule: str) -> None:
    y = intensities(2, 1, 8, 8)
    denoiser = BasisThresholding(dct_basis(8, 8), rule=rule, threshold=0.0)
    torch.testing.assert_close(denoiser(y, 0.3), y)
    torch.testing.assert_close(BasisThresholding(dct_basis(8, 8), rule=rule)(y, 0.0), y)


@pytest.mark.parametrize("rule", ["hard", "soft"])
def test_it_agrees_with_scipy_and_pywavelets(rule: str) -> None:
    y = add_noise(intensities(3, 1, 8, 12), 0.1, generator=seeded())
    denoised = BasisThresholding(dct_basis(8, 12), rule=rule, threshold=2.0)(y, 0.1)
    for ours, image in zip(denoised, y.double().numpy(), strict=True):
        kept = pywt.threshold(fft.dctn(image[0], norm="ortho"), 0.2, rule)
        np.testing.assert_allclose(ours[0].numpy(), fft.idctn(kept, norm="ortho"), atol=1e-5)


def test_each_image_has_its_own_threshold() -> None:
    denoiser = BasisThresholding(wavelet_basis(8, 8), rule="soft", threshold=1.5)
    y = intensities(3, 1, 8, 8)
    sigma = torch.tensor([0.0, 0.1, 0.5])
    together = denoiser(y, sigma)
    for i in range(3):
        torch.testing.assert_close(together[i : i + 1], denoiser(y[i : i + 1], float(sigma[i])))


def test_scaling_image_and_noise_scales_the_result() -> None:
    denoiser = BasisThresholding(dct_basis(8, 8))
    y = add_noise(intensities(1, 1, 8, 8), 0.1, generator=seeded())
    torch.testing.assert_close(denoiser(2 * y, 0.2), 2 * denoiser(y, 0.1))


def test_the_basis_goes_where_the_denoiser_goes() -> None:
    assert "basis" in BasisThresholding(dct_basis(4, 4)).state_dict()


def test_an_incomplete_basis_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"63 vectors of 64 numbers.*complete basis"):
        BasisThresholding(dct_basis(8, 8)[:63])


def test_unknown_rules_are_refused() -> None:
    with pytest.raises(ConfigError, match="expected 'hard' or 'soft'"):
        BasisThresholding(dct_basis(4, 4), rule="firm")  # type: ignore[arg-type]


@pytest.mark.parametrize("rule", ["hard", "soft"])
def test_the_usual_threshold_is_that_of_wavelet_shrinkage(rule: str) -> None:
    denoiser = BasisThresholding(dct_basis(4, 4), rule=rule)
    assert denoiser.threshold == WaveletShrinkage(rule=rule).threshold
    assert denoiser.threshold == {"hard": 3, "soft": 1.5}[rule]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_bases_of_any_precision_are_taken(dtype: torch.dtype) -> None:
    BasisThresholding(dct_basis(8, 8).to(dtype))


@pytest.mark.parametrize(
    "basis",
    [
        torch.ones(16, 1, 4, 4),
        1.01 * dct_basis(4, 4),
        torch.cat([dct_basis(4, 4)[:15], dct_basis(4, 4)[:1]]),
        dct_basis(4, 4) + 0.01 * torch.eye(16).roll(1, 0).reshape(16, 1, 4, 4),
    ],
    ids=["constants", "too long", "one vector twice", "askew"],
)
def test_a_basis_that_is_not_orthonormal_is_refused(basis: torch.Tensor) -> None:
    with pytest.raises(ValueRangeError, match=r"expected vectors of norm 1.*linalg\.qr"):
        BasisThresholding(basis)


@pytest.mark.parametrize("threshold", [-1, float("nan"), float("inf"), "2"])
def test_impossible_thresholds_are_refused(threshold: float) -> None:
    with pytest.raises(ConfigError, match="number of sigmas"):
        BasisThresholding(dct_basis(4, 4), threshold=threshold)
