import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gahr_lib.analysis.shrinkage import kept_error, oracle_error, oracle_factors, shrinkage_error
from gahr_lib.errors import ShapeError, ValueRangeError
from helpers import seeded

pytestmark = pytest.mark.usefixtures("untouched_random_state")

CLEAN = torch.randn(3, 20, generator=seeded(), dtype=torch.float64)

coefficient_lists = st.lists(st.floats(-10, 10), min_size=1, max_size=20)
sigmas = st.floats(0.01, 3)


def one(clean: list[float]) -> torch.Tensor:
    return torch.tensor(clean, dtype=torch.float64)


def test_oracle_factors_are_the_best_of_a_fine_grid() -> None:
    grid = torch.linspace(0, 1, 100_001, dtype=torch.float64)
    for c in (0.0, 0.01, 0.3, 2.0):
        error = (1 - grid) ** 2 * c**2 + grid**2 * 0.3**2
        best = float(grid[error.argmin()])
        assert oracle_factors(one([c]), 0.3).item() == pytest.approx(best, abs=1e-5)
        assert oracle_error(one([c]), 0.3).item() == pytest.approx(float(error.min()), abs=1e-9)


@given(clean=coefficient_lists, sigma=sigmas, factor=st.floats(-1, 2))
def test_no_factors_beat_the_oracle(clean: list[float], sigma: float, factor: float) -> None:
    oracle = oracle_error(one(clean), sigma)
    assert oracle <= shrinkage_error(one(clean), torch.tensor(factor), sigma) + 1e-9


def test_shrinkage_error_is_its_sum() -> None:
    factors = torch.rand(20, generator=seeded(1), dtype=torch.float64)
    for row, value in zip(CLEAN, shrinkage_error(CLEAN, factors, 0.2), strict=True):
        expected = sum(
            (1 - f) ** 2 * c**2 + f**2 * 0.04
            for c, f in zip(row.tolist(), factors.tolist(), strict=True)
        )
        assert value.item() == pytest.approx(expected)


def test_a_factor_of_less_precision_does_not_round_the_error() -> None:
    sigma = 1.591459407340798
    assert shrinkage_error(one([sigma]), torch.tensor(0.5), sigma).item() == pytest.approx(
        sigma**2 / 2, rel=1e-14
    )


def test_shrinkage_error_is_the_mean_over_noise() -> None:
    # The squared error is quadratic in the noise: noise of +-sigma in each coefficient, all
    # combinations of signs equally often, has the same mean as normal noise.
    clean, factors, sigma = CLEAN[0, :8], torch.linspace(0, 1.2, 8, dtype=torch.float64), 0.3
    signs = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0], dtype=torch.float64)] * 8)
    errors = (factors * (clean + sigma * signs) - clean).square().sum(dim=1)
    expected = float(shrinkage_error(clean, factors, sigma))
    assert float(errors.mean()) == pytest.approx(expected)


def test_oracle_error_is_its_closed_form() -> None:
    energy = CLEAN.square()
    torch.testing.assert_close(oracle_error(CLEAN, 0.3), (energy * 0.09 / (energy + 0.09)).sum(-1))


def test_without_noise_everything_is_kept_and_nothing_lost() -> None:
    assert torch.equal(oracle_factors(CLEAN, 0), torch.ones_like(CLEAN))
    assert torch.equal(oracle_error(CLEAN, 0), torch.zeros(3, dtype=torch.float64))


def test_without_signal_and_noise_nothing_is_kept() -> None:
    assert torch.equal(oracle_factors(torch.zeros(2), 0), torch.zeros(2))


def test_kept_error_agrees_with_sorting_by_hand() -> None:
    errors = kept_error(CLEAN, 0.3)
    assert errors.shape == (3, 21)
    for row, values in zip(CLEAN.numpy(), errors.numpy(), strict=True):
        falling = sorted((c**2 for c in row), reverse=True)
        for m in range(21):
            assert values[m] == pytest.approx(m * 0.09 + sum(falling[m:]), abs=1e-12)


def test_kept_error_is_that_of_factors_zero_and_one() -> None:
    row = CLEAN[0]
    largest = row.abs().argsort(descending=True)
    for m, value in enumerate(kept_error(row, 0.3).tolist()):
        factors = torch.zeros(20, dtype=torch.float64)
        factors[largest[:m]] = 1
        assert value == pytest.approx(float(shrinkage_error(row, factors, 0.3)))


@given(clean=coefficient_lists, sigma=sigmas)
def test_the_best_number_to_keep_costs_at_most_twice_the_oracle(
    clean: list[float], sigma: float
) -> None:
    best = float(kept_error(one(clean), sigma).min())
    oracle = float(oracle_error(one(clean), sigma))
    assert best == pytest.approx(sum(min(c**2, sigma**2) for c in clean))
    assert oracle - 1e-9 <= best <= 2 * oracle + 1e-9


def test_power_law_coefficients_give_the_slope_of_equation_13() -> None:
    alpha = 2.0
    energy = torch.arange(1, 2_000_001, dtype=torch.float64) ** -(alpha + 1)
    low, high = 1e-4, 1e-2
    errors = [float(oracle_error(energy.sqrt(), sigma)) for sigma in (low, high)]
    slope = math.log(errors[1] / errors[0]) / math.log(high / low)
    assert slope == pytest.approx(2 * alpha / (alpha + 1), abs=0.01)


@pytest.mark.parametrize("function", [oracle_factors, oracle_error, kept_error])
def test_batches_are_rows(function: Callable[..., Any]) -> None:
    for row, result in zip(CLEAN, function(CLEAN, 0.3), strict=True):
        torch.testing.assert_close(function(row, 0.3), result)


@pytest.mark.parametrize("function", [oracle_factors, oracle_error, kept_error])
def test_coefficients_are_left_as_they_were(function: Callable[..., Any]) -> None:
    before = CLEAN.clone()
    function(CLEAN, 0.3)
    assert torch.equal(CLEAN, before)


def with_unit_factors(clean: torch.Tensor, sigma: float) -> torch.Tensor:
    return shrinkage_error(clean, torch.ones(1), sigma)


@pytest.mark.parametrize("function", [oracle_factors, oracle_error, kept_error, with_unit_factors])
@pytest.mark.parametrize(
    ("clean", "error"),
    [
        (torch.tensor([0.1, np.nan]), ValueRangeError),
        (torch.tensor([0.1, np.inf]), ValueRangeError),
        (torch.tensor([1, 2]), ValueRangeError),
        (torch.tensor(1.0), ShapeError),
        (torch.zeros(0), ShapeError),
        (torch.zeros(3, 0), ShapeError),
    ],
)
def test_what_are_no_coefficients_is_refused(
    function: Callable[..., Any], clean: torch.Tensor, error: type[Exception]
) -> None:
    with pytest.raises(error, match="expected"):
        function(clean, 0.3)


@pytest.mark.parametrize(
    ("factors", "error"),
    [
        (torch.ones(19), ShapeError),
        (torch.ones(3), ShapeError),
        (0.5, ShapeError),
        (torch.full((20,), np.nan), ValueRangeError),
        (torch.tensor(np.inf), ValueRangeError),
        (torch.ones(20, dtype=torch.complex64), ValueRangeError),
    ],
)
def test_what_are_no_factors_is_refused(factors: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"The factors .*expected"):
        shrinkage_error(CLEAN, factors, 0.3)


def test_factors_of_zero_and_one_may_be_bools() -> None:
    kept = CLEAN.abs() > 0.3
    torch.testing.assert_close(
        shrinkage_error(CLEAN, kept, 0.3), shrinkage_error(CLEAN, kept.double(), 0.3)
    )
