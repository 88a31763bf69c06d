"""The trace, the asymmetry and the filters of images too large for the whole matrix."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from gahr_lib.analysis.jacobian import (
    Filters,
    asymmetry,
    estimate_asymmetry,
    estimate_trace,
    filters,
    jacobian,
    trace,
)
from gahr_lib.analysis.probes import root_ratio_estimate
from gahr_lib.errors import ConfigError, ShapeError
from helpers import DENOISERS, LinearDenoiser, intensities, seeded, small_unet

pytestmark = pytest.mark.usefixtures("untouched_random_state")

F64 = torch.float64
Y = intensities(1, 1, 8, 8, dtype=F64)
ESTIMATES = [estimate_trace, estimate_asymmetry]


def random_linear(seed: int = 0) -> LinearDenoiser:
    return LinearDenoiser(torch.randn(64, 64, generator=seeded(seed), dtype=F64))


@pytest.mark.parametrize("name", DENOISERS)
def test_estimates_are_within_their_errors(name: str) -> None:
    denoiser = DENOISERS[name]().double()
    found = estimate_trace(denoiser, Y, sigma=0.2, probes=200, generator=seeded())
    exact = trace(denoiser, Y, sigma=0.2)
    assert abs(found.value - exact) <= 4 * found.standard_error + 1e-9
    found = estimate_asymmetry(denoiser, Y, sigma=0.2, probes=200, generator=seeded())
    exact = asymmetry(jacobian(denoiser, Y, sigma=0.2))
    assert abs(found.value - exact) <= 4 * found.standard_error + 1e-9


@pytest.mark.parametrize(
    ("estimate", "exact"),
    [
        (estimate_trace, lambda matrix: float(matrix.trace())),
        (estimate_asymmetry, asymmetry),
    ],
)
def test_standard_errors_are_the_spread_of_the_estimates(
    estimate: Callable[..., Any], exact: Callable[..., float]
) -> None:
    denoiser = random_linear()
    found = [estimate(denoiser, Y, probes=50, generator=seeded(seed)) for seed in range(200)]
    values = torch.tensor([e.value for e in found])
    errors = torch.tensor([e.standard_error for e in found])
    assert float(values.std()) == pytest.approx(float(errors.mean()), rel=0.2)
    truth = exact(denoiser.matrix)
    assert abs(float(values.mean()) - truth) < 4 * float(values.std()) / math.sqrt(200)


def test_diagonal_jacobians_have_the_trace_of_any_probe() -> None:
    # z' D z is the trace whatever the signs.
    found = estimate_trace(LinearDenoiser(torch.diag(torch.arange(64.0))), Y.float(), probes=2)
    assert found.value == 64 * 63 / 2
    assert found.standard_error == 0


@pytest.mark.parametrize("estimate", ESTIMATES)
def test_estimates_do_not_depend_on_the_block_but_on_the_generator(
    estimate: Callable[..., Any],
) -> None:
    denoiser = random_linear()
    whole = estimate(denoiser, Y, probes=10)
    assert estimate(denoiser, Y, probes=10) == whole
    assert estimate(denoiser, Y, probes=10, generator=seeded(5)) != whole
    parts = estimate(denoiser, Y, probes=10, block=3)
    assert parts.value == pytest.approx(whole.value)
    assert parts.standard_error == pytest.approx(whole.standard_error)


def test_asymmetry_of_nothing_and_of_a_turn() -> None:
    zero = LinearDenoiser(torch.zeros(64, 64, dtype=F64))
    assert estimate_asymmetry(zero, Y).value == 0
    turn = torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=F64)
    quarter_turns = LinearDenoiser(torch.block_diag(*[turn] * 32))  # J + J' = 0
    assert estimate_asymmetry(quarter_turns, Y).value == math.inf


def test_root_ratio_of_equal_pairs_has_no_error() -> None:
    found = root_ratio_estimate(torch.full((3,), 4.0), torch.full((3,), 16.0))
    assert (found.value, found.standard_error) == (0.5, 0)


@pytest.mark.parametrize("estimate", ESTIMATES)
@pytest.mark.parametrize(("argument", "value"), [("probes", 1), ("probes", 2.0), ("block", 0)])
def test_impossible_numbers_are_refused(
    estimate: Callable[..., Any], argument: str, value: object
) -> None:
    with pytest.raises(ConfigError, match=f"{argument} is .*whole number"):
        estimate(random_linear(), Y, **{argument: value})


# Filters


def test_filters_are_rows_and_columns_of_the_jacobian() -> None:
    network, y = small_unet(1, channels=2).double(), intensities(1, 2, 6, 4, dtype=F64)
    J = jacobian(network, y)
    found = filters(network, y, [(0, 0), (5, 3), (1, 2, 1)])
    places = [0, 23, 24 + 9]
    torch.testing.assert_close(found.rows.flatten(1), J[places])
    torch.testing.assert_close(found.columns.flatten(1), J[:, places].T)
    assert found.rows.shape == found.columns.shape == (3, 2, 6, 4)


def test_a_row_gives_its_pixel_of_the_denoised_image() -> None:
    network = small_unet().double()
    row = filters(network, Y, [(3, 5)]).rows[0]
    torch.testing.assert_close((row * Y[0]).sum(), network(Y)[0, 0, 3, 5])


@pytest.mark.parametrize("pixel", [(8, 0), (0, -1), (1, 0, 0), (3,), (0, 0, 0, 0)])
def test_pixels_outside_the_image_are_refused(pixel: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"no pixel .* of shape \(1, 8, 8\)"):
        filters(small_unet().double(), Y, [(0, 0), pixel])  # type: ignore[list-item]


def test_no_pixels_are_refused() -> None:
    with pytest.raises(ShapeError, match="pixels is empty"):
        filters(small_unet().double(), Y, [])


def test_filters_can_be_kept(tmp_path: Any) -> None:
    found = filters(small_unet(), Y.float(), [(1, 2)])
    found.save(tmp_path / "filters.safetensors")
    loaded = Filters.load(tmp_path / "filters.safetensors")
    assert torch.equal(loaded.rows, found.rows)
    assert torch.equal(loaded.columns, found.columns)
