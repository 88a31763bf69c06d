import math
from itertools import product

import pytest
import torch
from torch import Tensor

from gahr_lib.analysis.jacobian import asymmetry, jacobian
from gahr_lib.errors import ShapeError, SigmaError, ValueRangeError
from gahr_lib.metrics import mse
from gahr_lib.models.wiener import StationaryWiener, Wiener
from gahr_lib.noise import add_noise, standard_noise
from helpers import BAD_IMAGES, intensities, seeded, symmetric

pytestmark = pytest.mark.usefixtures("untouched_random_state")

SHAPE = (2, 3, 4)
EYE = torch.eye(24, dtype=torch.float64)


def statistics(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """A mean image and a covariance whose eigenvalues span five decades."""
    covariance, _ = symmetric(torch.logspace(-5, 0, 24, dtype=torch.float64) / 10)
    return intensities(*SHAPE, dtype=torch.float64).to(dtype), covariance.to(dtype)


def smooth(n: int, *shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    """Noise that was averaged over neighbours, which makes it correlated."""
    x = intensities(n, *shape, seed=seed, dtype=dtype)
    x = (x + x.roll(1, 2) + x.roll(1, 3) + x.roll(-1, 3)) / 4
    return x + 0.1 * x.flip(1)  # and channels that know of each other


@pytest.mark.parametrize("sigma", [0.002, 0.1, 1.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_it_agrees_with_a_linear_solve(dtype: torch.dtype, sigma: float) -> None:
    mean, covariance = statistics()
    y = intensities(3, *SHAPE, seed=1, dtype=torch.float64)
    deviations = (y - mean).flatten(1).T
    solved = covariance @ torch.linalg.solve(covariance + sigma**2 * EYE, deviations)
    expected = mean + solved.T.reshape(y.shape)
    denoised = Wiener(mean.to(dtype), covariance.to(dtype))(y.to(dtype), sigma)
    assert denoised.dtype == dtype
    accuracy = 1e-10 if dtype == torch.float64 else 1e-2 if sigma == 0.002 else 1e-4
    torch.testing.assert_close(denoised.double(), expected, atol=accuracy, rtol=0)


def test_its_jacobian() -> None:
    mean, covariance = statistics()
    wiener = Wiener(mean, covariance)
    y = intensities(1, *SHAPE, dtype=torch.float64)
    expected = covariance @ torch.linalg.inv(covariance + 0.01 * EYE)
    matrix = jacobian(wiener, y, sigma=0.1)
    torch.testing.assert_close(matrix, expected)
    assert asymmetry(matrix) < 1e-10
    backward = torch.autograd.functional.jacobian(lambda v: wiener(v, 0.1), y).reshape(24, 24)
    torch.testing.assert_close(backward, expected)


def test_its_components_are_those_of_the_covariance() -> None:
    wiener = Wiener(*statistics())
    assert bool((wiener.values.diff() <= 0).all())
    vectors = wiener.vectors.flatten(1)
    torch.testing.assert_close(vectors @ vectors.T, EYE)
    rebuilt = (vectors.T * wiener.values) @ vectors
    torch.testing.assert_close(rebuilt, statistics()[1])


@pytest.mark.parametrize("bytes_", [False, True])
def test_from_images_takes_their_mean_and_covariance(bytes_: bool) -> None:
    images = intensities(2500, *SHAPE, dtype=torch.float64)  # more than a block
    if bytes_:
        images = (images * 255).to(torch.uint8)
    wiener = Wiener.from_images(images)
    x = images.double() / 255 if bytes_ else images
    covariance = torch.cov(x.flatten(1).T, correction=0)
    y = intensities(2, *SHAPE, seed=1)
    expected = Wiener(x.mean(0), covariance)(y.double(), 0.2)
    assert wiener.mean.dtype == (torch.float32 if bytes_ else torch.float64)
    denoised = wiener(y.to(wiener.mean.dtype), 0.2)
    torch.testing.assert_close(denoised.double(), expected, atol=1e-6, rtol=0)


def test_it_is_linear_regression_of_clean_on_noisy_images() -> None:
    x = smooth(400, *SHAPE)
    copies = x.repeat(100, 1, 1, 1)
    noisy = add_noise(copies, 0.1, generator=seeded())
    design = torch.cat((noisy.flatten(1), torch.ones(len(noisy), 1, dtype=torch.float64)), dim=1)
    fitted = torch.linalg.lstsq(design, copies.flatten(1)).solution
    y = noisy[:50]
    regression = (design[:50] @ fitted).reshape(y.shape)
    difference = float((Wiener.from_images(x)(y, 0.1) - regression).square().mean().sqrt())
    # A fitted number is off by about the remaining error over sqrt(samples), 25 of them each.
    assert difference < 3 * 0.1 * math.sqrt(25 / len(noisy))
    assert difference < 0.1 * float((y - regression).square().mean().sqrt())


def test_for_gaussian_images_it_reaches_the_least_error() -> None:
    mean, covariance = statistics()
    root = torch.linalg.cholesky(covariance)
    n = 20_000
    x = mean + (torch.randn(n, 24, generator=seeded(), dtype=torch.float64) @ root.T).reshape(
        n, *SHAPE
    )
    y = add_noise(x, 0.1, generator=seeded(1))
    error = mse(Wiener(mean, covariance)(y, 0.1), x)
    values = torch.linalg.eigvalsh(covariance)
    least = float((0.01 * values / (values + 0.01)).mean())
    standard_error = float(error.std()) / math.sqrt(n)
    assert float(error.mean()) == pytest.approx(least, abs=4 * standard_error)
    assert standard_error < 0.01 * least


def test_without_noise_it_projects_on_what_varies() -> None:
    few = intensities(5, *SHAPE, dtype=torch.float64)  # four directions
    wiener = Wiener.from_images(few)
    assert int((wiener.values > 0).sum()) == 4
    torch.testing.assert_close(wiener(few, 0.0), few)
    y = intensities(1, *SHAPE, seed=1, dtype=torch.float64)
    once = wiener(y, 0.0)
    torch.testing.assert_close(wiener(once, 0.0), once)
    assert float((once - y).norm()) > 0.1
    torch.testing.assert_close(once, wiener(y, 1e-7))
    single = Wiener.from_images(few[:1])  # no direction at all
    torch.testing.assert_close(single(y, torch.tensor([0.0])), few[:1])


def make(kind: type, dtype: torch.dtype = torch.float64) -> Wiener | StationaryWiener:
    return kind.from_images(smooth(50, *SHAPE, dtype=dtype))


@pytest.mark.parametrize("kind", [Wiener, StationaryWiener])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_batches_and_noise_levels(kind: type, dtype: torch.dtype) -> None:
    denoiser = make(kind, dtype)
    y = intensities(3, *SHAPE, seed=1, dtype=dtype)
    before, sigma = y.clone(), torch.tensor([0.0, 0.1, 0.5])
    together = denoiser(y, sigma)
    assert together.dtype == dtype
    assert torch.equal(y, before)
    for i in range(3):
        alone = denoiser(y[i : i + 1], float(sigma[i]))
        torch.testing.assert_close(together[i : i + 1], alone, atol=1e-6, rtol=1e-5)
    again = denoiser.double()(y.double(), sigma)
    torch.testing.assert_close(together.double(), again, atol=1e-4, rtol=0)


def shift_average(images: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and covariance of the images and of all their circular shifts."""
    shifts = product(range(images.shape[2]), range(images.shape[3]))
    everywhere = torch.cat([images.roll(shift, dims=(2, 3)) for shift in shifts])
    return everywhere.mean(0), torch.cov(everywhere.flatten(1).T, correction=0)


@pytest.mark.parametrize("shape", [(1, 4, 6), (3, 5, 4), (2, 1, 3)])
@pytest.mark.parametrize("sigma", [0.01, 0.2])
def test_the_stationary_filter_is_that_of_all_shifts(
    shape: tuple[int, int, int], sigma: float
) -> None:
    images = smooth(60, *shape)
    y = intensities(2, *shape, seed=1, dtype=torch.float64)
    stationary = StationaryWiener.from_images(images)
    expected = Wiener(*shift_average(images))(y, sigma)
    torch.testing.assert_close(stationary(y, sigma), expected)
    shifted = stationary(y.roll((1, 2), dims=(2, 3)), sigma)
    torch.testing.assert_close(shifted, expected.roll((1, 2), dims=(2, 3)))


def test_the_stationary_filter_of_bytes() -> None:
    images = (smooth(2000, 1, 4, 6) * 255).to(torch.uint8)
    y = intensities(2, 1, 4, 6, seed=1)
    expected = StationaryWiener.from_images(images.double() / 255)(y.double(), 0.1)
    denoised = StationaryWiener.from_images(images)(y, 0.1)
    torch.testing.assert_close(denoised.double(), expected, atol=1e-6, rtol=0)


def test_the_jacobian_of_the_stationary_filter() -> None:
    denoiser = make(StationaryWiener)
    y = intensities(1, *SHAPE, dtype=torch.float64)
    matrix = jacobian(denoiser, y, sigma=0.1)
    assert asymmetry(matrix) < 1e-10
    eigenvalues = torch.linalg.eigvalsh(matrix)
    expected = (denoiser.values / (denoiser.values + 0.01)).flatten().sort().values
    torch.testing.assert_close(eigenvalues, expected)
    backward = torch.autograd.functional.jacobian(lambda v: denoiser(v, 0.1), y).reshape(24, 24)
    torch.testing.assert_close(backward, matrix)


def test_a_known_spectrum() -> None:
    """White images, whose filter divides by 1 + sigma^2 / variance, and no spectrum at all."""
    white = torch.full((1, 1, 4, 4), 0.04, dtype=torch.float64)
    mean = torch.tensor([0.5], dtype=torch.float64)
    y = 0.5 + standard_noise(torch.zeros(2, 1, 4, 4, dtype=torch.float64), generator=seeded())
    torch.testing.assert_close(StationaryWiener(mean, white)(y, 0.2), 0.5 + (y - 0.5) / 2)
    none = StationaryWiener(mean, torch.zeros_like(white))
    torch.testing.assert_close(none(y, 0.0), torch.full_like(y, 0.5))


def test_the_full_covariance_is_better_on_its_images() -> None:
    x = smooth(200, *SHAPE) * torch.linspace(0.2, 1, 4, dtype=torch.float64)  # not stationary
    y = add_noise(x, 0.1, generator=seeded())
    full, stationary = (
        float(mse(make_(x)(y, 0.1), x).mean())
        for make_ in (Wiener.from_images, StationaryWiener.from_images)
    )
    assert full < stationary < 0.01


@pytest.mark.parametrize("kind", [Wiener, StationaryWiener])
@pytest.mark.parametrize("case", [name for name in BAD_IMAGES if name != "bytes"])
def test_bad_training_images_are_refused(kind: type, case: str) -> None:
    images, error, says = BAD_IMAGES[case]
    with pytest.raises(error, match=says):
        kind.from_images(images)


@pytest.mark.parametrize("kind", [Wiener, StationaryWiener])
def test_images_of_another_size_are_refused(kind: type) -> None:
    with pytest.raises(ShapeError, match=r"\(2, 4, 3\).*\(2, 3, 4\)"):
        make(kind)(torch.zeros(1, 2, 4, 3, dtype=torch.float64), 0.1)
    with pytest.raises(ShapeError, match="1 channels"):
        make(kind)(torch.zeros(1, 1, 3, 4, dtype=torch.float64), 0.1)
    with pytest.raises(SigmaError, match="needs the noise level"):
        make(kind)(torch.zeros(1, *SHAPE, dtype=torch.float64))


def test_impossible_covariances_are_refused() -> None:
    mean, covariance = statistics()
    with pytest.raises(ShapeError, match=r"\(23, 24\).*\(24, 24\)"):
        Wiener(mean, covariance[1:])
    with pytest.raises(ShapeError, match=r"expected \(C, H, W\)"):
        Wiener(mean[0], covariance)
    with pytest.raises(ValueRangeError, match="not symmetric"):
        Wiener(mean, covariance.triu())
    with pytest.raises(ValueRangeError, match="eigenvalue of -"):
        Wiener(mean, covariance - 0.01 * EYE)
    with pytest.raises(ValueRangeError, match="not finite"):
        Wiener(mean, covariance * math.nan)
    with pytest.raises(ValueRangeError, match="divide by 255"):
        Wiener(mean * 255, covariance)


def test_impossible_spectra_are_refused() -> None:
    mean = torch.tensor([0.5, 0.5], dtype=torch.float64)
    spectrum = torch.eye(2, dtype=torch.float64)[:, :, None, None].expand(2, 2, 3, 4)
    StationaryWiener(mean, spectrum)
    with pytest.raises(ShapeError, match=r"\(1, 1, 3, 4\).*\(2, 2, H, W\)"):
        StationaryWiener(mean, spectrum[:1, :1])
    with pytest.raises(ShapeError, match=r"expected \(C,\)"):
        StationaryWiener(mean[:, None], spectrum)
    with pytest.raises(ValueRangeError, match="eigenvalue of -1"):
        StationaryWiener(mean, -spectrum)
    skew = spectrum.clone()
    skew[0, 1] += 0.1
    with pytest.raises(ValueRangeError, match="not symmetric"):
        StationaryWiener(mean, skew)
    uneven = spectrum.clone()
    uneven[..., 0, 1] *= 2  # but not the frequency (0, -1)
    with pytest.raises(ValueRangeError, match="conjugate"):
        StationaryWiener(mean, uneven)
