import math

import numpy as np
import pytest
import torch
from scipy import fft

from gahr_lib.analysis.jacobian import asymmetry, jacobian
from gahr_lib.analysis.shrinkage import oracle_error
from gahr_lib.data import c_alpha
from gahr_lib.errors import ConfigError, ShapeError, SigmaError
from gahr_lib.metrics import mse
from gahr_lib.models.dct_shrinkage import DCTShrinkage
from gahr_lib.noise import add_noise
from helpers import intensities, seeded

pytestmark = pytest.mark.usefixtures("untouched_random_state")


def by_scipy(image: np.ndarray, rule: str, threshold: float) -> np.ndarray:
    """Threshold everything but the mean of one block, number by number."""
    c = fft.dctn(image, norm="ortho")
    for place, value in np.ndenumerate(c):
        if place != (0, 0) and abs(value) <= threshold:
            c[place] = 0
        elif place != (0, 0) and rule == "soft":
            c[place] = math.copysign(abs(value) - threshold, value)
    return fft.idctn(c, norm="ortho")


@pytest.mark.parametrize("rule", ["hard", "soft"])
def test_the_whole_image_agrees_with_scipy(rule: str) -> None:
    y = add_noise(intensities(2, 3, 7, 10, dtype=torch.float64), 0.1, generator=seeded())
    denoised = DCTShrinkage(rule=rule, threshold=2.0)(y, 0.1)
    for ours, image in zip(denoised.flatten(0, 1), y.flatten(0, 1), strict=True):
        np.testing.assert_allclose(ours.numpy(), by_scipy(image.numpy(), rule, 0.2), atol=1e-12)


@pytest.mark.parametrize("rule", ["hard", "soft"])
@pytest.mark.parametrize("cycle_spins", [1, 4])
def test_blocks_agree_with_a_loop_over_blocks(rule: str, cycle_spins: int) -> None:
    # With as many shifts as a block has pixels, these are the blocks at all places of the torus.
    y = intensities(1, 1, 8, 12, dtype=torch.float64)
    denoised = DCTShrinkage(rule=rule, threshold=1.5, block=4, cycle_spins=cycle_spins)(y, 0.2)
    image, total, count = y[0, 0].numpy(), np.zeros((8, 12)), np.zeros((8, 12))
    step = 4 // cycle_spins
    for top in range(0, 8, step):
        for left in range(0, 12, step):
            place = np.ix_((np.arange(4) + top) % 8, (np.arange(4) + left) % 12)
            total[place] += by_scipy(image[place], rule, 0.3)
            count[place] += 1
    assert (count == cycle_spins**2).all()
    np.testing.assert_allclose(denoised[0, 0].numpy(), total / count, atol=1e-12)


@pytest.mark.parametrize("block", [None, 4])
@pytest.mark.parametrize("rule", ["hard", "soft"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_batches_and_noise_levels(rule: str, block: int | None, dtype: torch.dtype) -> None:
    denoiser = DCTShrinkage(rule=rule, block=block, cycle_spins=2)
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


@pytest.mark.parametrize("block", [None, 4])
@pytest.mark.parametrize("rule", ["hard", "soft"])
def test_the_jacobian_projects_on_what_is_kept(rule: str, block: int | None) -> None:
    denoiser = DCTShrinkage(rule=rule, block=block)
    y = intensities(1, 1, 8, 8, dtype=torch.float64)
    matrix = jacobian(denoiser, y, sigma=0.15)
    backward = torch.autograd.functional.jacobian(lambda v: denoiser(v, 0.15), y)
    torch.testing.assert_close(matrix, backward.reshape(64, 64))
    assert asymmetry(matrix) < 1e-10
    torch.testing.assert_close(matrix @ matrix, matrix, atol=1e-10, rtol=0)
    kept = (denoiser.analyze(y).abs() > denoiser.factor(8, 8) * 0.15).flatten(0, -3)
    kept[:, 0, 0] = True
    assert float(matrix.trace()) == pytest.approx(int(kept.sum()))
    assert len(kept) < int(kept.sum()) < 64


@pytest.mark.parametrize("block", [None, 8])
def test_the_oracle_reaches_the_least_error(block: int | None) -> None:
    x = c_alpha(1, 16, generator=seeded(), dtype=torch.float64)
    denoiser = DCTShrinkage(block=block)
    noisy = add_noise(x.expand(4000, -1, -1, -1), 0.1, generator=seeded())
    error = mse(denoiser.oracle(x)(noisy, 0.1), x)
    expected = float(oracle_error(denoiser.analyze(x).flatten(), 0.1)) / 256
    standard_error = float(error.std()) / math.sqrt(4000)
    assert float(error.mean()) == pytest.approx(expected, abs=4 * standard_error)
    assert standard_error < 0.01 * expected
    assert float(mse(denoiser(noisy, 0.1), x).mean()) > expected


def test_the_oracle_spins_with_the_clean_image() -> None:
    x = c_alpha(1, 16, generator=seeded(), dtype=torch.float64)
    y = add_noise(x, 0.1, generator=seeded())
    spun = DCTShrinkage(block=8, cycle_spins=2).oracle(x)(y, 0.1)
    expected = torch.zeros_like(x)
    for shift in [(0, 0), (0, 1), (1, 0), (1, 1)]:
        there = [torch.roll(image, shift, (2, 3)) for image in (x, y)]
        back = (-shift[0], -shift[1])
        once = DCTShrinkage(block=8).oracle(there[0])(there[1], 0.1)
        expected = expected + torch.roll(once, back, (2, 3)) / 4
    torch.testing.assert_close(spun, expected)


def test_wrong_settings_and_images_are_refused() -> None:
    for settings, says in [
        ({"rule": "firm"}, "'hard' or 'soft'"),
        ({"threshold": -1.0}, "number of sigmas"),
        ({"block": 1}, "block"),
        ({"cycle_spins": 0}, "cycle_spins"),
    ]:
        with pytest.raises(ConfigError, match=says):
            DCTShrinkage(**settings)
    with pytest.raises(ShapeError, match=r"12x8.*multiples of the block, 8"):
        DCTShrinkage(block=8)(intensities(1, 1, 12, 8), 0.1)
    with pytest.raises(SigmaError, match="needs the noise level"):
        DCTShrinkage()(intensities(1, 1, 8, 8))
