import math

import numpy as np
import pytest
import torch

from gahr_lib.analysis.rates import (
    CLASSICAL_SLOPES,
    Slope,
    fit_constant,
    fit_slope,
    gaussian_slope,
    kl_bound,
    line,
    manifold_psnr,
    optimal_slope,
)
from gahr_lib.errors import ConfigError, ShapeError, SigmaError, ValueRangeError
from gahr_lib.metrics import input_psnr
from helpers import seeded

pytestmark = pytest.mark.usefixtures("untouched_random_state")

F64 = torch.float64
LEVELS = torch.linspace(0, 40, 21, dtype=F64)


def test_a_line_has_its_slope() -> None:
    found = fit_slope(LEVELS, 3 + 0.7 * LEVELS)
    assert found.slope == pytest.approx(0.7)
    assert found.intercept == pytest.approx(3)
    assert found.high - found.low == pytest.approx(0, abs=1e-6)
    assert (found.lowest, found.highest) == (0, 40)


def test_only_the_range_counts() -> None:
    bent = torch.where(LEVELS < 20, 0.3 * LEVELS, 6 + 0.9 * (LEVELS - 20))
    assert fit_slope(LEVELS, bent, lowest=20, highest=40).slope == pytest.approx(0.9)
    found = fit_slope(LEVELS, bent, highest=19)
    assert found.slope == pytest.approx(0.3)
    assert (found.lowest, found.highest) == (0, 18)


def test_the_interval_over_images_holds_the_truth_as_often_as_it_says() -> None:
    hits = 0
    for trial in range(200):
        g = seeded(trial)
        slopes = 0.6 + 0.05 * torch.randn(40, generator=g, dtype=F64)
        curves = LEVELS[:, None] * slopes + torch.randn(40, generator=g, dtype=F64)
        found = fit_slope(LEVELS, curves, generator=g)
        assert found.slope == pytest.approx(float(slopes.mean()))
        hits += found.low <= 0.6 <= found.high
    assert 180 <= hits <= 198


def test_the_interval_of_one_curve_is_that_of_the_regression() -> None:
    hits = 0
    for trial in range(200):
        noise = torch.randn(21, generator=seeded(trial), dtype=F64)
        found = fit_slope(LEVELS, 1 + 0.6 * LEVELS + noise)
        hits += found.low <= 0.6 <= found.high
    assert 181 <= hits <= 198


def test_a_slope_can_be_kept(tmp_path) -> None:
    found = fit_slope(LEVELS, 0.5 * LEVELS)
    found.save(tmp_path / "slope")
    assert Slope.load(tmp_path / "slope") == found


@pytest.mark.parametrize(
    ("x", "y", "error", "words"),
    [
        (LEVELS, LEVELS[:-1], ShapeError, r"expected \(S,\)"),
        (LEVELS[:, None], LEVELS, ShapeError, r"expected \(S,\)"),
        (LEVELS, torch.zeros(21, 0), ShapeError, "none empty"),
        (LEVELS[:2], LEVELS[:2], ConfigError, "three"),
    ],
)
def test_what_has_no_slope_is_refused(x, y, error, words) -> None:
    with pytest.raises(error, match=words):
        fit_slope(x, y)
    with pytest.raises(ConfigError, match="three or more"):
        fit_slope(LEVELS, LEVELS, lowest=50)


def test_only_finite_decibels_are_fitted() -> None:
    curve = 0.5 * LEVELS
    for bad in (math.inf, math.nan):
        broken = torch.where(LEVELS > 30, bad, curve)
        for fit in (fit_slope, lambda *a, **k: fit_constant(*a, 0.5, **k)):
            with pytest.raises(ValueRangeError, match="output_psnr has values that are not finite"):
                fit(LEVELS, broken)
        assert fit_slope(LEVELS, broken, highest=30).slope == pytest.approx(0.5)
    with pytest.raises(ValueRangeError, match="input_psnr has values that are not finite"):
        fit_slope(torch.cat([LEVELS, torch.tensor([math.inf])]), torch.zeros(22))


def test_the_constant_of_a_line_is_the_best() -> None:
    curves = 4 + 0.6 * LEVELS[:, None] + torch.randn(21, 5, generator=seeded(), dtype=F64)
    found = fit_constant(LEVELS, curves, 0.5, lowest=10, highest=30)
    inside = (LEVELS >= 10) & (LEVELS <= 30)

    def error(constant: float) -> float:
        drawn = line(LEVELS, 0.5, through=(0, constant))[:, None]
        return float((curves - drawn)[inside].square().sum())

    assert error(found) < min(error(found - 1e-3), error(found + 1e-3))
    own = fit_slope(LEVELS, curves, lowest=10, highest=30, generator=seeded())
    constant = fit_constant(LEVELS, curves, own.slope, lowest=10, highest=30)
    assert constant == pytest.approx(own.intercept)
    with pytest.raises(ConfigError, match="No level"):
        fit_constant(LEVELS, curves, 0.5, lowest=50)


def test_slopes_of_theory() -> None:
    assert [optimal_slope(a) for a in (1, 2, 3)] == pytest.approx([1 / 2, 2 / 3, 3 / 4])
    assert optimal_slope(2) == CLASSICAL_SLOPES["curvelet thresholding"]
    with pytest.raises(ValueRangeError):
        optimal_slope(-1)
    with pytest.raises(ValueRangeError):
        gaussian_slope(1)


@pytest.mark.parametrize("alpha", [1.5, 2.0, 3.0])
def test_power_laws_have_the_slopes_of_theory(alpha: float) -> None:
    """Sum the errors themselves: the oracle's for eq. 13, the Wiener filter's in the plane."""
    sigmas = np.logspace(-3, -1.5, 7)
    k = np.arange(1, 2_000_000, dtype=float)
    oracle = [np.minimum(k ** -(alpha + 1), s**2).sum() for s in sigmas]
    found = fit_slope(*(torch.from_numpy(-10 * np.log10(v)) for v in (sigmas**2, oracle)))
    assert found.slope == pytest.approx(optimal_slope(alpha), abs=0.01)
    # In the plane there are 2 pi w dw frequencies between w and w + dw.
    w = np.logspace(0, 8, 400_000)
    spectrum = w ** (-2 * alpha)
    errors = [
        np.trapezoid(spectrum * s**2 / (spectrum + s**2) * 2 * np.pi * w, w) for s in sigmas / 100
    ]
    levels = torch.from_numpy(-10 * np.log10((sigmas / 100) ** 2))
    found = fit_slope(levels, torch.from_numpy(-10 * np.log10(errors)))
    assert found.slope == pytest.approx(gaussian_slope(alpha), abs=0.01)


def test_the_optimum_on_a_manifold_keeps_the_noise_of_its_tangent() -> None:
    sigma = 0.01
    expected = -10 * math.log10(5 * sigma**2 / 6400)
    level = input_psnr(sigma)
    found = manifold_psnr(torch.as_tensor(level, dtype=F64), 5, 6400)
    assert float(found) == pytest.approx(expected, rel=1e-6)
    assert line(LEVELS, 0.5, through=(20, 30)).tolist() == pytest.approx(
        (20 + 0.5 * LEVELS).tolist()
    )


@pytest.mark.parametrize(("dimension", "d"), [(0, 6400), (-1, 6400), (5, 3), (1, 0)])
def test_a_manifold_has_a_dimension(dimension: int, d: int) -> None:
    with pytest.raises(ConfigError, match="expected a whole number"):
        manifold_psnr(LEVELS, dimension, d)


def test_the_bound_is_the_divergence_of_two_gaussians() -> None:
    """Two Gaussians of mean 0 and known variances along 4 axes, and their Wiener filters."""
    p = torch.tensor([1.0, 0.5, 0.2, 0.05], dtype=F64)
    q = torch.tensor([0.7, 0.6, 0.1, 0.08], dtype=F64)
    divergence = 0.5 * (p / q - 1 - (p / q).log()).sum()
    sigmas = torch.logspace(-4, 3, 4_000, dtype=F64)
    variance = sigmas[:, None] ** 2

    def error(prior: torch.Tensor) -> torch.Tensor:
        keep = prior / (prior + variance)
        return ((1 - keep) ** 2 * p + keep**2 * variance).sum(1)

    assert kl_bound(sigmas, error(q), error(p)) == pytest.approx(float(divergence), rel=1e-3)
    assert kl_bound(sigmas, error(p), error(p)) == 0


def test_the_bound_holds_for_a_wiener_filter_with_another_basis() -> None:
    """Covariances that do not commute, errors from the filters as matrices, summed over pixels."""
    roots = torch.randn(2, 3, 3, generator=seeded(), dtype=F64)
    true, wrong = roots @ roots.mT + 0.3 * torch.eye(3, dtype=F64)
    quotient = torch.linalg.solve(wrong, true)
    divergence = 0.5 * (quotient.trace() - 3 - torch.logdet(quotient))
    sigmas = torch.logspace(-4, 3, 3_000, dtype=F64)
    eye = torch.eye(3, dtype=F64)

    def error(covariance: torch.Tensor) -> torch.Tensor:
        errors = []
        for variance in sigmas.square():
            f = torch.linalg.solve(covariance + variance * eye, covariance).mT
            bias = (eye - f) @ true @ (eye - f).mT
            errors.append(bias.trace() + variance * f.square().sum())
        return torch.stack(errors)

    assert kl_bound(sigmas, error(wrong), error(true)) == pytest.approx(float(divergence), rel=1e-3)


def test_curves_without_a_bound_are_refused() -> None:
    ones = torch.ones(3)
    with pytest.raises(ShapeError, match="three times"):
        kl_bound(torch.tensor([0.1, 0.2]), ones, ones)
    with pytest.raises(ConfigError, match="rise"):
        kl_bound(torch.tensor([0.1, 0.3, 0.2]), ones, ones)
    with pytest.raises(ConfigError, match="positive"):
        kl_bound(torch.tensor([0.0, 0.1, 0.2]), ones, ones)
    with pytest.raises(ValueRangeError, match="optimal_error has values that are not finite"):
        kl_bound(torch.tensor([0.1, 0.2, 0.3]), ones, ones / 0)
    with pytest.raises(SigmaError):
        kl_bound(torch.tensor([-0.1, 0.1, 0.2]), ones, ones)
