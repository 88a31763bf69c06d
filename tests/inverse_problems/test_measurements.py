import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from scipy.fft import dctn

from gahr_lib.errors import ConfigError, GahrError, ShapeError
from gahr_lib.inverse_problems import (
    InverseProblem,
    block_super_resolution,
    inpainting,
    known_pixels,
    random_measurements,
    random_pixels,
    spectral_super_resolution,
)
from helpers import intensities, seeded

pytestmark = pytest.mark.usefixtures("untouched_random_state")

SHAPES = [(1, 8, 8), (1, 7, 5), (3, 5, 9), (2, 1, 6)]
PROBLEMS: dict[str, Callable[[tuple[int, int, int]], InverseProblem]] = {
    "inpainting": lambda shape: inpainting(shape, top=0, left=1, height=1, width=3),
    "random pixels": lambda shape: random_pixels(shape, 0.3, generator=seeded(1)),
    "block means": lambda shape: block_super_resolution(shape, 3),
    "random": lambda shape: random_measurements(shape, 0.4, generator=seeded(2)),
    "spectral": lambda shape: spectral_super_resolution(shape, 0.5),
}


def matrix(problem: InverseProblem) -> torch.Tensor:
    """M^T, a row for each number that is measured."""
    d = math.prod(problem.image_shape)
    units = torch.eye(d, dtype=torch.float64).reshape(d, *problem.image_shape)
    return problem.measure(units).flatten(1).T


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", PROBLEMS)
def test_the_measuring_vectors_are_orthonormal(name: str, shape: tuple[int, int, int]) -> None:
    problem = PROBLEMS[name](shape)
    rows = matrix(problem)
    k = math.prod(problem.measurement_shape)
    assert 0 < k <= math.prod(shape)
    torch.testing.assert_close(rows @ rows.T, torch.eye(k, dtype=torch.float64))
    units = torch.eye(k, dtype=torch.float64).reshape(k, *problem.measurement_shape)
    torch.testing.assert_close(problem.adjoint(units).flatten(1), rows)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", PROBLEMS)
def test_precision_is_kept_and_nothing_is_changed(name: str, dtype: torch.dtype) -> None:
    problem, x = PROBLEMS[name]((2, 6, 5)), intensities(3, 2, 6, 5, dtype=dtype)
    before = x.clone()
    m = problem.measure(x)
    kept = m.clone()
    assert m.dtype == problem.adjoint(m).dtype == dtype
    assert torch.equal(x, before)
    assert torch.equal(m, kept)


def test_inpainting_knows_all_pixels_outside_the_rectangle() -> None:
    problem = inpainting((2, 6, 7), top=1, left=2, height=3, width=4)
    x = intensities(2, 2, 6, 7)
    filled = problem.adjoint(problem.measure(x))
    assert (filled[:, :, 1:4, 2:6] == 0).all()
    filled[:, :, 1:4, 2:6] = x[:, :, 1:4, 2:6]
    assert torch.equal(filled, x)
    assert problem.measurement_shape == (2, 6 * 7 - 12)


def test_random_pixels_are_as_many_as_asked_for_and_the_generators() -> None:
    problem = random_pixels((3, 10, 10), 0.25, generator=seeded(0))
    x = 1 + intensities(1, 3, 10, 10)
    seen = problem.adjoint(problem.measure(x))[0] != 0
    assert int(seen[0].sum()) == 25
    assert torch.equal(seen[0], seen[1])
    assert torch.equal(seen[0], seen[2])
    again, other = (random_pixels((3, 10, 10), 0.25, generator=seeded(s)) for s in (0, 1))
    assert torch.equal(again.measure(x), problem.measure(x))
    assert not torch.equal(other.measure(x), problem.measure(x))
    assert random_pixels((1, 5, 5), 1e-6, generator=seeded()).measurement_shape == (1, 1)


def test_blocks_measure_their_means() -> None:
    x = intensities(2, 3, 5, 7, dtype=torch.float64)
    m = block_super_resolution((3, 5, 7), 3).measure(x)
    assert m.shape == (2, 3, 2, 3)
    torch.testing.assert_close(m[:, :, 0, 0], 3 * x[:, :, :3, :3].mean((2, 3)))
    torch.testing.assert_close(m[:, :, 1, 1], 6**0.5 * x[:, :, 3:, 3:6].mean((2, 3)))
    torch.testing.assert_close(m[:, :, 1, 2], 2**0.5 * x[:, :, 3:, 6:].mean((2, 3)))


def test_spectral_measurements_are_the_lowest_cosine_coefficients() -> None:
    x = intensities(2, 3, 5, 8, dtype=torch.float64)
    m = spectral_super_resolution((3, 5, 8), 0.5).measure(x)
    expected = dctn(x.numpy(), axes=(2, 3), norm="ortho")[:, :, :3, :4]
    torch.testing.assert_close(m, torch.from_numpy(expected.copy()))


def test_random_measurements_spread_an_image_over_all_of_them() -> None:
    problem = random_measurements((1, 16, 16), 0.25, generator=seeded())
    assert problem.measurement_shape == (64,)
    flat = torch.full((1, 1, 16, 16), 0.5, dtype=torch.float64)
    m = problem.measure(flat)
    # A quarter of its energy, 64, in numbers of about the size of 1/2: a signed sum of 256 terms.
    assert float(m.square().sum()) == pytest.approx(16, rel=0.5)
    assert float(m.abs().max()) < 2


def test_a_mask_may_be_any() -> None:
    known = torch.tensor([[True, False, True], [False, False, True]])
    x = torch.arange(6.0).reshape(1, 1, 2, 3)
    assert known_pixels((1, 2, 3), known).measure(x).tolist() == [[[0, 2, 5]]]


@pytest.mark.parametrize(
    ("make", "kind", "words"),
    [
        (lambda: random_pixels((1, 4, 4), 0), ConfigError, "fraction is 0"),
        (lambda: random_measurements((1, 4, 4), 1.1), ConfigError, "fraction is 1.1"),
        (lambda: spectral_super_resolution((1, 4, 4), math.nan), ConfigError, "fraction is nan"),
        (lambda: block_super_resolution((1, 4, 4), 5), ConfigError, "factor is 5"),
        (lambda: block_super_resolution((1, 4, 4), 1.5), ConfigError, "factor is 1.5"),
        (
            lambda: inpainting((1, 4, 4), top=2, left=0, height=3, width=1),
            ConfigError,
            "height is 3",
        ),
        (lambda: inpainting((1, 4, 4), top=0, left=4, height=1, width=1), ConfigError, "left is 4"),
        (
            lambda: inpainting((1, 4, 4), top=0, left=0, height=4, width=4),
            ConfigError,
            "0 known pixels",
        ),
        (lambda: known_pixels((1, 4, 4), torch.ones(4, 5) > 0), ShapeError, r"mask.*\(4, 5\)"),
        (lambda: known_pixels((1, 4, 4), torch.ones(4, 4)), ConfigError, "expected bool"),
        (lambda: block_super_resolution((4, 4), 2), ShapeError, r"expected \(C, H, W\)"),
        (lambda: block_super_resolution((1, 4, 0), 2), ConfigError, "W is 0"),
    ],
)
def test_impossible_measurements_are_refused(
    make: Callable[[], Any], kind: type[GahrError], words: str
) -> None:
    with pytest.raises(kind, match=words):
        make()
