import math

import numpy as np
import pytest
import pywt
import torch
from torch import Tensor

from gahr_lib import bases
from gahr_lib.analysis.jacobian import asymmetry, jacobian
from gahr_lib.analysis.shrinkage import oracle_error
from gahr_lib.data import c_alpha
from gahr_lib.errors import ConfigError, ShapeError, SigmaError, ValueRangeError
from gahr_lib.metrics import mse, psnr
from gahr_lib.models import BasisThresholding
from gahr_lib.models.wavelet_shrinkage import WaveletShrinkage
from gahr_lib.noise import add_noise, standard_noise
from helpers import intensities, seeded

pytestmark = pytest.mark.usefixtures("untouched_random_state")


def by_pywavelets(
    image: np.ndarray, wavelet: str, levels: int, rule: str, threshold: float
) -> np.ndarray:
    """Threshold the details of one channel with PyWavelets alone."""
    coarse, *details = pywt.wavedec2(image, wavelet, "periodization", levels)
    kept = [tuple(pywt.threshold(part, threshold, rule) for part in level) for level in details]
    return pywt.waverec2([coarse, *kept], wavelet, "periodization")


@pytest.mark.parametrize("rule", ["hard", "soft"])
@pytest.mark.parametrize(("wavelet", "levels"), [("haar", 3), ("db2", 2), ("sym4", 1)])
def test_it_agrees_with_pywavelets(wavelet: str, levels: int, rule: str) -> None:
    y = add_noise(intensities(2, 3, 16, 24, dtype=torch.float64), 0.1, generator=seeded())
    denoised = WaveletShrinkage(wavelet, rule=rule, threshold=2.0, levels=levels)(y, 0.1)
    for ours, image in zip(denoised.flatten(0, 1), y.flatten(0, 1), strict=True):
        expected = by_pywavelets(image.numpy(), wavelet, levels, rule, 0.2)
        np.testing.assert_allclose(ours.numpy(), expected, atol=1e-11)


@pytest.mark.parametrize("rule", ["hard", "soft"])
def test_cycle_spinning_averages_over_shifts(rule: str) -> None:
    y = intensities(1, 1, 16, 16, dtype=torch.float64)
    denoised = WaveletShrinkage("db2", rule=rule, threshold=1.0, cycle_spins=3, levels=2)(y, 0.2)
    expected = np.zeros((16, 16))
    for i in range(3):
        for j in range(3):
            there = np.roll(y[0, 0].numpy(), (i, j), (0, 1))
            expected += np.roll(by_pywavelets(there, "db2", 2, rule, 0.2), (-i, -j), (0, 1)) / 9
    np.testing.assert_allclose(denoised[0, 0].numpy(), expected, atol=1e-11)


def test_a_whole_cycle_is_translation_invariant() -> None:
    y = intensities(1, 1, 16, 16, dtype=torch.float64)
    once = WaveletShrinkage("db2", levels=2)
    cycle = WaveletShrinkage("db2", levels=2, cycle_spins=4)
    shifted = torch.roll(y, (1, 3), (2, 3))
    torch.testing.assert_close(cycle(shifted, 0.2), torch.roll(cycle(y, 0.2), (1, 3), (2, 3)))
    assert float((once(shifted, 0.2) - torch.roll(once(y, 0.2), (1, 3), (2, 3))).norm()) > 0.1


@pytest.mark.parametrize("wavelet", ["haar", "db2", "db10", "sym8"])
@pytest.mark.parametrize("shape", [(8, 8), (16, 24), (28, 28), (2, 6)])
def test_the_transform_is_orthonormal(wavelet: str, shape: tuple[int, int]) -> None:
    images = intensities(2, 3, *shape, dtype=torch.float64)
    denoiser = WaveletShrinkage(wavelet)
    coefficients = denoiser.analyze(images)
    assert coefficients.shape == images.shape
    torch.testing.assert_close(denoiser.synthesize(coefficients), images, atol=1e-10, rtol=0)
    gram = torch.einsum("icxy,jcxy->cij", coefficients, coefficients)
    torch.testing.assert_close(gram, torch.einsum("icxy,jcxy->cij", images, images))


def test_without_averages_it_is_thresholding_in_the_basis() -> None:
    # The one difference from `BasisThresholding`: the averages are kept.
    y = add_noise(intensities(2, 1, 8, 8), 0.1, generator=seeded())
    basis = bases.wavelet_basis(8, 8)
    expected = BasisThresholding(basis, rule="soft", threshold=1.5)(y, 0.1)
    coarse = bases.coefficients(basis[:1], y)
    lost = bases.coefficients(basis[:1], expected) - coarse
    ours = WaveletShrinkage(threshold=1.5)(y, 0.1)
    torch.testing.assert_close(ours, expected - bases.synthesize(basis[:1], lost))
    torch.testing.assert_close(ours.mean((1, 2, 3)), y.mean((1, 2, 3)))


def test_the_universal_threshold_removes_pure_noise() -> None:
    y = standard_noise(torch.zeros(4, 1, 64, 64), generator=seeded()) * 0.1
    universal = WaveletShrinkage(threshold="universal")
    kept = universal.analyze(universal(y, 0.1)).abs() > 1e-5
    assert universal.factor(64, 64) == pytest.approx(math.sqrt(2 * math.log(4096)))
    assert int(kept.sum()) < 4 * 4  # an average each, and a stray one now and then
    lower = WaveletShrinkage(threshold=2.0)
    assert int((lower.analyze(lower(y, 0.1)).abs() > 1e-5).sum()) > 100


@pytest.mark.parametrize("cycle_spins", [1, 2])
@pytest.mark.parametrize("rule", ["hard", "soft"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_batches_and_noise_levels(rule: str, cycle_spins: int, dtype: torch.dtype) -> None:
    denoiser = WaveletShrinkage(rule=rule, cycle_spins=cycle_spins)
    y = intensities(3, 2, 8, 12, dtype=dtype)
    sigma = torch.tensor([0.0, 0.1, 0.5])
    before = y.clone()
    together = denoiser(y, sigma)
    assert together.dtype == dtype
    assert torch.equal(y, before)
    torch.testing.assert_close(together[:1], y[:1])
    for i in range(3):
        torch.testing.assert_close(together[i : i + 1], denoiser(y[i : i + 1], float(sigma[i])))
    torch.testing.assert_close(denoiser(2 * y, 2 * sigma), 2 * together)


def backward_rows(denoiser: WaveletShrinkage, y: Tensor, sigma: float) -> Tensor:
    """The Jacobian by reverse mode, an independent way through autograd."""
    return torch.autograd.functional.jacobian(lambda v: denoiser(v, sigma), y).reshape(
        y.numel(), y.numel()
    )


@pytest.mark.parametrize("rule", ["hard", "soft"])
def test_the_jacobian_projects_on_what_is_kept(rule: str) -> None:
    denoiser = WaveletShrinkage(rule=rule)
    y = intensities(1, 1, 8, 8, dtype=torch.float64)
    matrix = jacobian(denoiser, y, sigma=0.2)
    torch.testing.assert_close(matrix, backward_rows(denoiser, y, 0.2))
    assert asymmetry(matrix) < 1e-10
    torch.testing.assert_close(matrix @ matrix, matrix, atol=1e-10, rtol=0)
    limit = denoiser.factor(8, 8) * 0.2
    kept = denoiser.analyze(y).abs() > limit
    kept[..., 0, 0] = True
    assert float(matrix.trace()) == pytest.approx(int(kept.sum()))
    assert 1 < int(kept.sum()) < 64


def test_the_oracle_shrinks_by_its_factors() -> None:
    x = c_alpha(2, 16, generator=seeded(), dtype=torch.float64)
    y = add_noise(x, 0.1, generator=seeded())
    oracle = WaveletShrinkage("haar").oracle(x)
    for i in range(2):
        clean = pywt.coeffs_to_array(pywt.wavedec2(x[i, 0].numpy(), "haar", "periodization"))[0]
        parts, places = pywt.coeffs_to_array(
            pywt.wavedec2(y[i, 0].numpy(), "haar", "periodization")
        )
        shrunk = parts * clean**2 / (clean**2 + 0.01)
        expected = pywt.waverec2(
            pywt.array_to_coeffs(shrunk, places, "wavedec2"), "haar", "periodization"
        )
        np.testing.assert_allclose(oracle(y, 0.1)[i, 0].numpy(), expected, atol=1e-11)
    torch.testing.assert_close(oracle(y, 0.0), y)


def test_the_oracle_reaches_the_least_error() -> None:
    x = c_alpha(1, 16, generator=seeded(), dtype=torch.float64)
    denoiser = WaveletShrinkage()
    noisy = add_noise(x.expand(4000, -1, -1, -1), 0.1, generator=seeded())
    error = mse(denoiser.oracle(x)(noisy, 0.1), x)
    expected = float(oracle_error(denoiser.analyze(x).flatten(), 0.1)) / 256
    standard_error = float(error.std()) / math.sqrt(4000)
    assert float(error.mean()) == pytest.approx(expected, abs=4 * standard_error)
    assert standard_error < 0.01 * expected
    assert float(mse(denoiser(noisy, 0.1), x).mean()) > expected


@pytest.mark.parametrize("cycle_spins", [1, 4])
def test_the_oracle_is_linear_and_beats_thresholds(cycle_spins: int) -> None:
    x = c_alpha(1, 16, generator=seeded(), dtype=torch.float64)
    y = add_noise(x, 0.2, generator=seeded())
    oracle = WaveletShrinkage(cycle_spins=cycle_spins).oracle(x)
    matrix = jacobian(oracle, y, sigma=0.2)
    assert asymmetry(matrix) < 1e-10
    torch.testing.assert_close((matrix @ y.flatten()).reshape(y.shape), oracle(y, 0.2))
    for rule in ("hard", "soft"):
        threshold = WaveletShrinkage(rule=rule, cycle_spins=cycle_spins)
        assert float(psnr(oracle(y, 0.2), x)) > float(psnr(threshold(y, 0.2), x))


def test_the_oracle_knows_its_images_alone() -> None:
    x = intensities(2, 1, 8, 8)
    oracle = WaveletShrinkage().oracle(x)
    assert oracle(x, torch.tensor([0.1, 0.2])).shape == x.shape
    single = WaveletShrinkage().oracle(x[:1])
    torch.testing.assert_close(single(x, 0.1)[:1], oracle(x, 0.1)[:1])
    for wrong in (x[:1], x[:, :, :4], x.expand(-1, 3, -1, -1)):
        with pytest.raises(ShapeError):
            oracle(wrong, 0.1)
    with pytest.raises(ValueRangeError, match="dtype"):
        oracle(x.double(), 0.1)
    assert oracle.double()(x.double(), 0.1).dtype == torch.float64
    with pytest.raises(ShapeError, match="x has 7x8"):
        WaveletShrinkage().oracle(x[:, :, :7])


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"wavelet": "bior2.2"}, "orthogonal"),
        ({"wavelet": "dmey"}, "orthogonal"),
        ({"wavelet": "cosine"}, "orthogonal"),
        ({"rule": "firm"}, "'hard' or 'soft'"),
        ({"threshold": -1.0}, "number of sigmas"),
        ({"threshold": math.nan}, "number of sigmas"),
        ({"threshold": "global"}, "universal"),
        ({"cycle_spins": 0}, "cycle_spins"),
        ({"levels": 0}, "levels"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        WaveletShrinkage(**settings)


def test_wrong_images_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"7x8.*multiples of 2"):
        WaveletShrinkage()(intensities(1, 1, 7, 8), 0.1)
    with pytest.raises(ShapeError, match=r"12x12.*multiples of 8"):
        WaveletShrinkage(levels=3)(intensities(1, 1, 12, 12), 0.1)
    with pytest.raises(SigmaError, match="needs the noise level"):
        WaveletShrinkage()(intensities(1, 1, 8, 8))
