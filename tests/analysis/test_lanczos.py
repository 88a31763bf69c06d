from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from gahr_lib.analysis.lanczos import Eigenpairs, lanczos_steps, leading_eigenpairs
from gahr_lib.errors import ConvergenceError
from helpers import seeded, symmetric

pytestmark = pytest.mark.usefixtures("untouched_random_state")

F64 = torch.float64
SPECTRA = {
    "falling": 1.2 * torch.arange(1, 301, dtype=F64) ** -0.7,
    "flat": torch.linspace(1, 0, 300, dtype=F64),
    "a projection": (torch.arange(300) < 40).to(F64),
    "a cluster wider than a block": torch.cat(
        [1 - 1e-7 * torch.arange(15, dtype=F64), torch.linspace(0.5, 0, 285, dtype=F64)]
    ),
    "all equal": torch.full((300,), 0.7, dtype=F64),
    "zero": torch.zeros(300, dtype=F64),
    "negative": -torch.arange(1, 301, dtype=F64) / 100,
}


def find(matrix: Tensor, k: int, **options: object) -> Eigenpairs:
    chosen: dict = {"tolerance": 1e-4, "generator": seeded(7)} | options
    return leading_eigenpairs(lambda v: v @ matrix, matrix[0], k, **chosen)


def check(found: Eigenpairs, matrix: Tensor, k: int, atol: float, tolerance: float) -> None:
    values, _ = np.linalg.eigh(matrix.double().numpy())
    np.testing.assert_allclose(found.values.numpy(), values[::-1][:k], atol=atol)
    np.testing.assert_allclose(found.vectors @ found.vectors.T, np.eye(k), atol=atol)
    left = found.vectors @ matrix - found.values[:, None] * found.vectors
    torch.testing.assert_close(found.residuals, left.norm(dim=1), atol=atol, rtol=0)
    assert found.residuals.max() <= tolerance * np.abs(values).max()


@pytest.mark.parametrize("spectrum", SPECTRA)
@pytest.mark.parametrize("k", [1, 10, 45])
def test_leading_pairs_are_those_of_the_dense_decomposition(spectrum: str, k: int) -> None:
    matrix, _ = symmetric(SPECTRA[spectrum])
    check(find(matrix, k), matrix, k, atol=1e-5, tolerance=1e-4)


@pytest.mark.parametrize("spectrum", SPECTRA)
def test_single_precision_finds_them_too(spectrum: str) -> None:
    matrix = symmetric(SPECTRA[spectrum])[0].float()
    check(find(matrix, 10, tolerance=1e-3), matrix, 10, atol=3e-4, tolerance=1e-3)


@pytest.mark.parametrize("spectrum", ["falling", "a projection", "a cluster wider than a block"])
def test_little_room_is_used_again(spectrum: str) -> None:
    matrix, _ = symmetric(SPECTRA[spectrum])
    heights = []

    def product(v: Tensor) -> Tensor:
        heights.append(len(v))
        return v @ matrix

    options = {"tolerance": 1e-4, "generator": seeded(7)}
    found = leading_eigenpairs(product, matrix[0], 6, room=24, **options)  # type: ignore[arg-type]
    check(found, matrix, 6, atol=1e-5, tolerance=1e-4)
    assert found.products == sum(heights) > 24


def test_every_pair_of_a_small_matrix_is_found() -> None:
    matrix, _ = symmetric(torch.linspace(1, -1, 12, dtype=F64))
    check(find(matrix, 12), matrix, 12, atol=1e-9, tolerance=1e-4)


@pytest.mark.parametrize("d", [1, 2, 3, 4, 7])
def test_matrices_smaller_than_a_block(d: int) -> None:
    matrix, _ = symmetric(torch.linspace(1, 0.1, d, dtype=F64))
    check(find(matrix, d), matrix, d, atol=1e-9, tolerance=1e-4)


def test_few_products_suffice_where_eigenvalues_fall() -> None:
    matrix, _ = symmetric(1.2 * torch.arange(1, 1501, dtype=F64) ** -0.7)
    assert find(matrix, 20, tolerance=1e-3).products < 200


def test_one_generator_gives_one_result() -> None:
    matrix, _ = symmetric(SPECTRA["falling"])
    a, b, c = (find(matrix, 5, generator=seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(a.vectors, b.vectors)
    assert not torch.equal(a.vectors, c.vectors)


def test_a_tolerance_out_of_reach_is_said() -> None:
    matrix, _ = symmetric(SPECTRA["flat"])
    with pytest.raises(ConvergenceError, match=r"After 3\d\d products .* expected 1.0e-18"):
        find(matrix, 20, tolerance=1e-18, room=60)


def test_steps_say_how_far_the_search_is_and_end_with_the_pairs() -> None:
    matrix, _ = symmetric(SPECTRA["falling"])
    options = {"tolerance": 1e-4, "generator": seeded(7)}
    *before, last = lanczos_steps(lambda v: v @ matrix, matrix[0], 10, **options)  # type: ignore[arg-type]
    expected = find(matrix, 10)
    assert last.pairs is not None
    assert torch.equal(last.pairs.vectors, expected.vectors)
    assert last.residual == pytest.approx(float(expected.residuals.max() / expected.values[0]))
    assert [step.products for step in (*before, last)] == list(range(2, expected.products + 1, 2))
    assert all(step.pairs is None for step in before)
    assert [step.residual for step in before[:4]] == [np.inf] * 4  # eight vectors hold no ten pairs
    known = [step.residual for step in before if step.residual < np.inf]
    assert known[0] > 0.05 > 1e-4 >= known[-1]


def test_a_search_that_is_given_up_makes_no_more_products() -> None:
    matrix, _ = symmetric(SPECTRA["falling"])
    made = []

    def product(v: Tensor) -> Tensor:
        made.append(len(v))
        return v @ matrix

    steps = lanczos_steps(product, matrix[0], 10, tolerance=1e-4, generator=seeded())
    assert made == []
    next(steps), next(steps)
    assert made == [2, 2]


@pytest.mark.parametrize("of", [lambda m: m * 1e-6, lambda m: m * 1e6])
def test_the_tolerance_is_relative(of: Callable[[Tensor], Tensor]) -> None:
    matrix, _ = symmetric(SPECTRA["falling"])
    assert find(of(matrix), 10).products == pytest.approx(find(matrix, 10).products, abs=6)
