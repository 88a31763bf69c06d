import math

import numpy as np
import pytest
import torch

from gahr_lib.models._posterior import truncated_normal

DEVIATIONS = [1e-3, 0.03, 0.3, 1.0, 20.0, 900.0]
MEANS = [-3.0, -0.1, -1e-3, 0.0, 0.2, 0.5, 0.8, 1.0, 1.02, 4.0]


def by_summation(mean: float, deviation: float) -> tuple[float, float, float]:
    """Log mass, mean and variance from two million points where the density is not negligible."""
    peak = min(max(mean, 0.0), 1.0)
    slope = abs(peak - mean) / deviation**2
    reach = min(1.0, 9 * deviation, 45 / slope if slope > 0 else 1.0)
    low, high = max(0.0, peak - reach), min(1.0, peak + reach)
    step = (high - low) / 2_000_000
    s = low + step * (np.arange(2_000_000) + 0.5)
    exponent = -((s - mean) ** 2) / (2 * deviation**2)
    shift = exponent.max()
    weight = np.exp(exponent - shift)
    mass = weight.sum() * step / (deviation * math.sqrt(2 * math.pi))
    centre = (weight * s).sum() / weight.sum()
    variance = (weight * (s - centre) ** 2).sum() / weight.sum()
    return math.log(mass) + float(shift), float(centre), float(variance)


@pytest.mark.parametrize("deviation", DEVIATIONS)
def test_the_cut_off_normal_distribution_equals_a_sum(deviation: float) -> None:
    means = torch.tensor(MEANS, dtype=torch.float64)
    moments = truncated_normal(means, torch.tensor(deviation, dtype=torch.float64))
    for i, value in enumerate(MEANS):
        log_mass, mean, variance = by_summation(value, deviation)
        assert float(moments[0][i]) == pytest.approx(log_mass, rel=1e-8, abs=1e-8)
        assert float(moments[1][i]) == pytest.approx(mean, abs=1e-8)
        assert float(moments[2][i]) == pytest.approx(variance, rel=1e-4, abs=1e-8 * deviation**2)


@pytest.mark.parametrize("deviation", DEVIATIONS)
def test_its_derivatives_are_its_moments(deviation: float) -> None:
    means = torch.tensor(MEANS, dtype=torch.float64, requires_grad=True)
    log_mass, mean, variance = truncated_normal(means, torch.tensor(deviation, dtype=torch.float64))
    (slope,) = torch.autograd.grad(log_mass.sum(), means, retain_graph=True)
    torch.testing.assert_close(slope * deviation**2, mean - means, rtol=1e-8, atol=1e-8)
    (slope,) = torch.autograd.grad(mean.sum(), means)
    torch.testing.assert_close(slope, variance / deviation**2, rtol=1e-6, atol=1e-7)


def test_extremes_stay_finite() -> None:
    means = torch.tensor([-60.0, 0.0, 0.5, 1.0, 60.0], dtype=torch.float64, requires_grad=True)
    for deviation in (1e-8, 1e-5, 1e5):
        moments = truncated_normal(means, torch.tensor(deviation, dtype=torch.float64))
        for moment in moments:
            assert bool(torch.isfinite(moment).all())
            (slope,) = torch.autograd.grad(moment.sum(), means, retain_graph=True)
            assert bool(torch.isfinite(slope).all())
        expected = means.detach().clamp(0, 1) if deviation < 1 else torch.full((5,), 0.5).double()
        torch.testing.assert_close(moments[1].detach(), expected, atol=1e-4, rtol=0)
