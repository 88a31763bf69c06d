"""Chapter 3, geometry-adaptive harmonic bases."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from gahr_lib import data
from gahr_lib.analysis.jacobian import jacobian
from gahr_lib.exercises.exercise import Exercise
from gahr_lib.metrics import mse
from gahr_lib.noise import add_noise, standard_noise
from gahr_lib.zoo import experiments, load_denoiser
from gahr_lib.zoo.results import load_result

__all__ = ["EXERCISES"]

_BAG = 31  # among the test images
_PIXELS = 28


def _shear() -> Sequence[float]:
    matrix = torch.tensor([[1.0, 1.0], [0.0, 1.0]], dtype=torch.float64)
    skew = (matrix - matrix.T).square().sum().sqrt() / (matrix + matrix.T).square().sum().sqrt()
    largest = torch.linalg.eigvalsh((matrix + matrix.T) / 2).max()
    return [float(skew), float(largest), float(torch.linalg.matrix_norm(matrix, ord=2))]


def _count() -> Sequence[float]:
    # The energies of the half-waves of a cosine: two halves at the ends, whole ones between.
    def concentration(p: int) -> float:
        energies = [0.5, *[1.0] * (p - 1), 0.5]
        return sum((energy / p) ** 2 for energy in energies)

    return [1 / (concentration(4) * concentration(2)), 8 * 8]


def _chance() -> Sequence[float]:
    return [64 / 80**2, 80**2 / 10]


def _filter() -> Sequence[float]:
    matrix = jacobian(load_denoiser("fashion", n_train=30_000), _noisy_bag(0.4))
    place = 23 * _PIXELS + 12
    return [float(matrix[place].sum()), float(matrix[place, place])]


def _bias() -> Sequence[float]:
    plain = load_denoiser("fashion", n_train=30_000)
    biased = load_denoiser("fashion", n_train=30_000, variant="bias")
    y = _noisy_bag(0.15)
    with torch.no_grad():
        half = 0.5 * biased(y)
        broken = float((biased(0.5 * y) - half).norm() / half.norm())
        x = data.fashion("test", n=40)
        z = standard_noise(x, generator=torch.Generator().manual_seed(0))
        mean = [float(mse(f(x + 0.15 * z), x).log10().mean()) for f in (plain, biased)]
    return [broken, 10 * (mean[0] - mean[1])]


def _project() -> Sequence[float]:
    cached = load_result("bases", experiments.Bases)
    vectors = cached.vectors[int((cached.n_train == 30_000).nonzero())].float()
    logs = [
        [[math.log(_half_waves(e)) for e in basis] for basis in level]
        for level in vectors.transpose(0, 1)
    ]
    # The slope of the line through log(count) against log(k), from k = 2 on, by the normal
    # equations.
    y = torch.tensor(logs, dtype=torch.float64)[..., 1:].mean(1)
    x = torch.arange(2, y.shape[-1] + 2).double().log()
    line = torch.linalg.lstsq(torch.stack([torch.ones_like(x), x], 1), y.T).solution
    return [float(slope) for slope in line[1]]


def _noisy_bag(sigma: float) -> Tensor:
    bag = data.fashion("test", n=_BAG + 1)[_BAG:]
    return add_noise(bag, sigma, generator=torch.Generator().manual_seed(0))


def _half_waves(e: Tensor) -> float:
    """Return 1 / sum_j E_j^2 over the regions of one sign, found by filling them."""
    values = e.tolist()
    rows, columns = len(values), len(values[0])
    total = sum(value * value for row in values for value in row)
    seen, squares = set(), 0.0
    for start in ((i, j) for i in range(rows) for j in range(columns)):
        if start in seen or values[start[0]][start[1]] == 0:
            continue
        positive = values[start[0]][start[1]] > 0
        seen.add(start)
        energy, reached = 0.0, [start]
        while reached:
            i, j = reached.pop()
            energy += values[i][j] ** 2
            for place in ((i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1)):
                if not (0 <= place[0] < rows and 0 <= place[1] < columns) or place in seen:
                    continue
                value = values[place[0]][place[1]]
                if value != 0 and (value > 0) == positive:
                    seen.add(place)
                    reached.append(place)
        squares += (energy / total) ** 2
    return 1 / squares


EXERCISES = {
    "harmonics-shear": Exercise(
        _shear,
        "a ratio of norms, an eigenvalue and a singular value, in this order",
        (
            "Write down J − Jᵀ and J + Jᵀ; a Frobenius norm is the root of the sum of squares.",
            "The symmetric part has 1 on and ½ off the diagonal; s² is an eigenvalue of Jᵀ J.",
        ),
    ),
    "harmonics-count": Exercise(
        _count,
        "two numbers of half-waves: of the product of cosines, then of the chessboard",
        (
            "For a product of two functions, the sum of all Eⱼ² is the product of their two sums.",
            "One cosine of p half-waves has p² / (p − ½); multiply those of p = 4 and p = 2.",
        ),
    ),
    "harmonics-chance": Exercise(
        _chance,
        "an overlap and a dimension, in this order",
        (
            "The mean of a random projection on k of d dimensions is k / d times the identity.",
            "The overlap by chance is k / d, with d = 80 × 80.",
        ),
    ),
    "harmonics-filter": Exercise(
        _filter,
        "the sum of a row and one of its entries, in this order",
        (
            "`jacobian.filters(network, y, [(23, 12)]).rows` has the row, as an image.",
            "Take `rows[0, 0]`: its sum, and its entry `[23, 12]`.",
        ),
    ),
    "harmonics-bias": Exercise(
        _bias,
        "a relative error and a difference of mean PSNRs in dB, in this order",
        (
            "The error is `jacobian.homogeneity_error(biased, y, 0.5)`, a fraction.",
            "Subtract: `psnr_curve(biased, ...).mean() - psnr_curve(network, ...).mean()`.",
        ),
        tolerance=0.03,
    ),
    "harmonics-project": Exercise(
        _project,
        "three exponents, for the three noise levels of the result",
        (
            "`half_waves` takes (K, 1, H, W) in floats; `growth` takes its counts.",
            "Average `growth(half_waves(...))` over the images of `cached.vectors[-1]`.",
        ),
        tolerance=0.02,
    ),
}
