import math

import pytest
import torch
from torch import Tensor

from gahr_lib.analysis.jacobian import asymmetry, jacobian
from gahr_lib.data.sinusoid_images import sinusoid_plane, sinusoids
from gahr_lib.errors import ConfigError, ShapeError, SigmaError, ValueRangeError
from gahr_lib.metrics import mse
from gahr_lib.models.bayes_sinusoids import BayesSinusoids
from gahr_lib.noise import add_noise
from helpers import intensities, seeded

pytestmark = pytest.mark.usefixtures("untouched_random_state")


def by_summation(
    y: Tensor, sigma: float, frequency: tuple[int, int], amplitudes: tuple[float, float]
) -> tuple[Tensor, float]:
    """Posterior mean and mean squared error of one image, over a grid of amplitude and phase."""
    size = y.shape[-1]
    low, high = amplitudes
    a = torch.linspace(low, high, 801, dtype=torch.float64)
    simpson = torch.tensor([1.0, *[4.0, 2.0] * 399, 4.0, 1.0], dtype=torch.float64)
    phi = 2 * math.pi * torch.arange(800, dtype=torch.float64) / 800
    row, column = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    angle = 2 * math.pi * (frequency[0] * row + frequency[1] * column) / size
    waves = torch.cos(angle + phi[:, None, None]).flatten(1)  # (phases, d)
    # |y - a wave|^2 without |y|^2, for every pair.
    distance = a[:, None].square() * waves.square().sum(1) - 2 * a[:, None] * (waves @ y.flatten())
    exponent = simpson.log()[:, None] - distance / (2 * sigma**2)
    weight = torch.softmax(exponent.flatten(), dim=0).reshape(801, 800)
    mean = (weight * a[:, None]).sum(0) @ waves
    energy = (weight * a[:, None].square() * waves.square().sum(1)).sum()
    return mean.reshape(y.shape), float(energy - mean.square().sum()) / size**2


@pytest.mark.parametrize("sigma", [0.05, 0.2, 1.0, 5.0])
@pytest.mark.parametrize(
    ("frequency", "amplitudes"), [((1, 2), (0.0, 0.5)), ((0, 3), (0.1, 0.3)), ((5, -1), (0, 0.01))]
)
def test_it_equals_a_sum_over_amplitudes_and_phases(
    sigma: float, frequency: tuple[int, int], amplitudes: tuple[float, float]
) -> None:
    settings = {"frequency": frequency, "amplitudes": amplitudes}
    x = sinusoids(3, 10, **settings, generator=seeded(), dtype=torch.float64)
    y = add_noise(x, sigma, generator=seeded(1))
    y[2] = 1.3 * y[2]  # off the class
    posterior = BayesSinusoids(10, **settings).posterior(y, sigma)
    for i in range(3):
        mean, error = by_summation(y[i], sigma, frequency, amplitudes)
        torch.testing.assert_close(posterior.mean[i], mean, atol=1e-6, rtol=0)
        assert float(posterior.mse[i]) == pytest.approx(error, rel=2e-3)


@pytest.mark.parametrize("sigma", [0.002, 0.05, 0.5, 4.0])
def test_the_error_bar_covers_the_error(sigma: float) -> None:
    x = sinusoids(50, 16, generator=seeded(), dtype=torch.float64)
    y = add_noise(x, sigma, generator=seeded(1))
    exact = BayesSinusoids(16, nodes=256).posterior(y, sigma)
    usual = BayesSinusoids(16).posterior(y, sigma)
    assert float((usual.mean - exact.mean).abs().max()) < 1e-10
    assert float(usual.standard_error.max()) < 1e-7
    rough = BayesSinusoids(16, nodes=24).posterior(y, sigma)
    assert bool(((rough.mean - exact.mean).abs() <= rough.standard_error + 1e-10).all())


@pytest.mark.parametrize("sigma", [0.002, 0.05, 1.0])
def test_no_denoiser_expects_a_smaller_error(sigma: float) -> None:
    x = sinusoids(4000, 16, generator=seeded(), dtype=torch.float64)
    y = add_noise(x, sigma, generator=seeded(1))
    posterior = BayesSinusoids(16).posterior(y, sigma)
    error = mse(posterior.mean, x)
    tolerance = 4 * float(error.std()) / math.sqrt(4000)
    assert float(error.mean()) == pytest.approx(float(posterior.mse.mean()), abs=tolerance)
    if sigma < 0.01:  # the tangent space has dimension 2
        assert float(posterior.mse.mean()) * 256 / sigma**2 == pytest.approx(2, abs=0.02)


@pytest.mark.parametrize("sigma", [0.01, 0.3, 3.0])
def test_the_jacobian_is_the_covariance(sigma: float) -> None:
    denoiser = BayesSinusoids(8, frequency=(1, 2), amplitudes=(0.1, 0.4))
    x = sinusoids(
        1, 8, frequency=(1, 2), amplitudes=(0.1, 0.4), generator=seeded(), dtype=torch.float64
    )
    y = add_noise(x, sigma, generator=seeded(1))
    matrix = jacobian(denoiser, y, sigma=sigma)
    backward = torch.autograd.functional.jacobian(lambda v: denoiser(v, sigma), y)
    torch.testing.assert_close(matrix, backward.reshape(64, 64))
    assert asymmetry(matrix) < 1e-9
    expected = float(denoiser.posterior(y, sigma).mse) * 64 / sigma**2
    assert float(matrix.trace()) == pytest.approx(expected, rel=1e-6)
    # All of it lies in the plane, and nothing is negative.
    plane = sinusoid_plane(8, (1, 2)).flatten(1) / math.sqrt(32)
    torch.testing.assert_close(plane.T @ plane @ matrix, matrix, atol=1e-9, rtol=0)
    assert float(torch.linalg.eigvalsh(matrix).min()) > -1e-9


def test_batches_types_and_noise_levels() -> None:
    denoiser = BayesSinusoids(16)
    y = add_noise(sinusoids(4, 16, generator=seeded()), 0.2, generator=seeded(1))
    y[3] = 0
    sigma = torch.tensor([0.0, 0.002, 0.2, 2.0])
    together = denoiser(y, sigma)
    assert together.dtype == torch.float32
    for i in range(4):
        torch.testing.assert_close(together[i : i + 1], denoiser(y[i : i + 1], float(sigma[i])))
    torch.testing.assert_close(together.double(), denoiser(y.double(), sigma), atol=1e-6, rtol=0)
    assert not together[3].any()
    gradient = torch.autograd.functional.vjp(lambda v: denoiser(v, sigma), y, y)[1]
    assert bool(torch.isfinite(gradient).all())
    # Without noise, the nearest sinusoid of the class.
    x = sinusoids(3, 16, generator=seeded(), dtype=torch.float64)
    torch.testing.assert_close(denoiser(x, 0.0), x, atol=1e-8, rtol=0)
    limited = BayesSinusoids(16, amplitudes=(0.0, 0.1))(x, 0.0)
    scale = (0.1 / (x.square().mean((1, 2, 3), keepdim=True) * 2).sqrt()).clamp(max=1)
    torch.testing.assert_close(limited, scale * x, atol=1e-7, rtol=0)


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ShapeError, match="8 or more"):
        BayesSinusoids(4)
    with pytest.raises(ConfigError, match="vanish"):
        BayesSinusoids(8, frequency=(4, 0))
    with pytest.raises(ValueRangeError, match="amplitudes"):
        BayesSinusoids(8, amplitudes=(0.4, 0.2))
    with pytest.raises(ConfigError, match="nodes"):
        BayesSinusoids(8, nodes=1)
    with pytest.raises(ShapeError, match=r"images of the class.*\(1, 8, 8\)"):
        BayesSinusoids(8)(intensities(1, 1, 8, 9), 0.1)
    with pytest.raises(SigmaError, match="needs the noise level"):
        BayesSinusoids(8)(intensities(1, 1, 8, 8))
