import math

import numpy as np
import pytest
import torch
from torch import Tensor

from gahr_lib.analysis.jacobian import asymmetry, jacobian
from gahr_lib.data.ray_images import lit_ball, ray
from gahr_lib.errors import ShapeError, SigmaError, ValueRangeError
from gahr_lib.metrics import mse
from gahr_lib.models.bayes_ray import BayesRay
from gahr_lib.noise import add_noise
from helpers import intensities, seeded

pytestmark = pytest.mark.usefixtures("untouched_random_state")


def by_summation(x: Tensor, y: Tensor, sigma: float) -> tuple[Tensor, float]:
    """Posterior mean and mean squared error from half a million scales, for one image."""
    s = torch.from_numpy((np.arange(500_000) + 0.5) / 500_000)
    distance = y.square().sum() - 2 * s * (x * y).sum() + s.square() * x.square().sum()
    weight = torch.softmax(-distance / (2 * sigma**2), dim=0)
    mean = (weight * s).sum()
    variance = (weight * (s - mean).square()).sum()
    return mean * x, float(variance * x.square().mean())


@pytest.mark.parametrize("sigma", [0.01, 0.1, 0.5, 2.0, 8.0])
@pytest.mark.parametrize("shape", [(1, 1, 8, 8), (1, 3, 5, 9)])
def test_it_equals_a_sum_over_scales(sigma: float, shape: tuple[int, ...]) -> None:
    template = intensities(*shape, dtype=torch.float64)
    x = ray(4, template=template, generator=seeded(), dtype=torch.float64)
    y = add_noise(x, sigma, generator=seeded(1))
    y[3] = -y[3]  # far from the class
    posterior = BayesRay(template).posterior(y, sigma)
    assert not posterior.standard_error.any()
    for i in range(4):
        mean, error = by_summation(template, y[i : i + 1], sigma)
        torch.testing.assert_close(posterior.mean[i : i + 1], mean, atol=1e-6, rtol=0)
        assert float(posterior.mse[i]) == pytest.approx(error, rel=1e-3, abs=1e-12)


@pytest.mark.parametrize("sigma", [0.002, 0.1, 1.0])
def test_no_denoiser_expects_a_smaller_error(sigma: float) -> None:
    template = lit_ball(16)
    x = ray(4000, template=template, generator=seeded(), dtype=torch.float64)
    y = add_noise(x, sigma, generator=seeded(1))
    posterior = BayesRay(template).posterior(y, sigma)
    error = mse(posterior.mean, x)
    tolerance = 4 * float(error.std()) / math.sqrt(4000)
    assert float(error.mean()) == pytest.approx(float(posterior.mse.mean()), abs=tolerance)
    if sigma < 0.1:  # the tangent space has dimension 1
        assert float(posterior.mse.mean()) * 256 / sigma**2 == pytest.approx(1, abs=0.01)
    projected = (y * template).sum((1, 2, 3), keepdim=True) / template.square().sum() * template
    assert float(error.mean()) <= float(mse(projected, x).mean())


@pytest.mark.parametrize("sigma", [0.02, 1.0, 5.0])
def test_the_jacobian_is_the_covariance(sigma: float) -> None:
    template = intensities(1, 2, 4, 5, dtype=torch.float64)
    denoiser = BayesRay(template)
    y = add_noise(0.3 * template, sigma, generator=seeded())
    matrix = jacobian(denoiser, y, sigma=sigma)
    backward = torch.autograd.functional.jacobian(lambda v: denoiser(v, sigma), y)
    torch.testing.assert_close(matrix, backward.reshape(40, 40))
    assert asymmetry(matrix) < 1e-9
    expected = denoiser.posterior(y, sigma).mse[0] * 40 / sigma**2
    torch.testing.assert_close(matrix.trace(), expected)
    direction = template.flatten() / template.norm()
    torch.testing.assert_close(matrix, expected * torch.outer(direction, direction))


def test_single_precision_suffices_at_the_least_noise() -> None:
    template = lit_ball(80).float()
    x = ray(20, generator=seeded())
    y = add_noise(x, 0.002, generator=seeded(1))
    single = BayesRay(template)(y, 0.002)
    double = BayesRay(template.double())(y.double(), 0.002)
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), double, atol=1e-7, rtol=0)


def test_batches_and_noise_levels() -> None:
    template = lit_ball(12).float()
    denoiser = BayesRay(template)
    y = add_noise(ray(4, 12, generator=seeded()), 0.3, generator=seeded(1))
    y[1] = -y[1]
    sigma = torch.tensor([0.0, 0.0, 0.3, 2.0])
    together = denoiser(y, sigma)
    for i in range(4):
        torch.testing.assert_close(together[i : i + 1], denoiser(y[i : i + 1], float(sigma[i])))
    # Without noise, the nearest image of the ray.
    scale = ((y * template).sum((1, 2, 3)) / template.square().sum()).clamp(0, 1)
    torch.testing.assert_close(together[:2], (scale.reshape(-1, 1, 1, 1) * template)[:2])
    assert not together[1].any()
    gradient = torch.autograd.functional.vjp(lambda v: denoiser(v, 0.0), y, torch.ones_like(y))[1]
    assert bool(torch.isfinite(gradient).all())
    assert denoiser.double()(y.double(), 0.1).dtype == torch.float64


def test_what_is_no_template_or_image_is_refused() -> None:
    with pytest.raises(ShapeError, match="one image"):
        BayesRay(intensities(2, 1, 8, 8))
    with pytest.raises(ValueRangeError, match="spans"):
        BayesRay(torch.zeros(1, 1, 8, 8))
    denoiser = BayesRay(intensities(1, 1, 8, 8))
    with pytest.raises(ShapeError, match=r"images of the class.*\(1, 8, 8\)"):
        denoiser(intensities(1, 1, 8, 9), 0.1)
    for ask in (denoiser, denoiser.posterior):
        with pytest.raises(SigmaError, match="negative"):
            ask(intensities(1, 1, 8, 8), -0.1)
    with pytest.raises(SigmaError, match="needs the noise level"):
        denoiser(intensities(1, 1, 8, 8))
