"""Chapter 1, denoising as shrinkage."""

import math
from collections.abc import Sequence

import numpy as np
import torch

from gahr_lib import bases, data
from gahr_lib.analysis.evaluation import psnr_curve
from gahr_lib.analysis.jacobian import jacobian
from gahr_lib.exercises.exercise import Exercise
from gahr_lib.noise import add_noise
from gahr_lib.zoo import load_denoiser

__all__ = ["EXERCISES"]


def _noise_level() -> Sequence[float]:
    return [10 ** (-26 / 20)]


def _how_many() -> Sequence[float]:
    squares = [c * c for c in (1.0, 0.5, 0.2, 0.08, 0.03)]
    errors = [m * 0.1**2 + sum(squares[m:]) for m in range(len(squares) + 1)]
    best = min(range(len(errors)), key=errors.__getitem__)
    return [best, errors[best]]


def _best_basis() -> Sequence[float]:
    x = data.fashion("test", n=1)
    counts = []
    for basis in (bases.dct_basis(28, 28), bases.wavelet_basis(28, 28, wavelet="haar")):
        energy = bases.coefficients(basis, x).square()
        # Keeping a coefficient costs sigma^2, losing it costs its square.
        counts.append(float((energy > 0.1**2).sum()))
    return counts


def _soft_rank() -> Sequence[float]:
    denoiser = load_denoiser("fashion", n_train=30_000, half="A")
    x = data.fashion("test", n=8)[7:8]
    ranks = []
    for sigma in (0.05, 0.2, 0.8):
        y = add_noise(x, sigma, generator=torch.Generator().manual_seed(0))
        ranks.append(float(jacobian(denoiser, y).diagonal().sum()))
    return ranks


def _twice() -> Sequence[float]:
    denoiser = load_denoiser("fashion", n_train=30_000, half="A")
    x = data.fashion("test", n=200)
    curves = [
        psnr_curve(f, x, [0.2], generator=torch.Generator().manual_seed(0)).mean()
        for f in (denoiser, lambda y, _sigma: denoiser(denoiser(y)))
    ]
    return [float(curve) for curve in curves]


def _half_direction() -> Sequence[float]:
    # On a logarithmic axis the excess over sigma^2 is a box, 1/2 high and log 100 wide.
    nats = 0.5 * (math.log(1.0) - math.log(0.01))
    return [nats, nats / math.log(2)]


def _sure() -> Sequence[float]:
    x = data.fashion("test", n=200)
    basis = bases.wavelet_basis(28, 28, wavelet="db2")

    def denoise(y: torch.Tensor, sigma: float) -> torch.Tensor:
        shrunk = [_shrink_by_sure(c, sigma) for c in bases.coefficients(basis, y).numpy()]
        return bases.synthesize(basis, torch.from_numpy(np.stack(shrunk)).float())

    return [
        float(psnr_curve(denoise, x, [s], generator=torch.Generator().manual_seed(0)).mean())
        for s in (0.05, 0.2)
    ]


def _shrink_by_sure(c: np.ndarray, sigma: float) -> np.ndarray:
    """Return coefficients after soft thresholding where SURE is least, in units of sigma."""
    scaled = c.astype(np.float64) / sigma
    rising = np.sort(np.abs(scaled))
    energy = np.concatenate([[0.0], np.cumsum(rising**2)])
    steps = np.arange(41) / 10
    below = np.searchsorted(rising, steps, side="right")
    # Those below the step lose their energy, the others the step; SURE counts those that stay.
    risk = energy[below] + (len(c) - below) * (steps**2 + 2) - len(c)
    step = steps[risk.argmin()]
    moved: np.ndarray = (scaled - np.clip(scaled, -step, step)) * sigma
    return moved


EXERCISES = {
    "shrinkage-noise-level": Exercise(
        _noise_level,
        "one noise level, in intensity units",
        (
            "Solve the formula of the input PSNR for σ.",
            "The input PSNR is −20 log₁₀ σ: divide by −20, then raise 10 to that power.",
        ),
    ),
    "shrinkage-how-many": Exercise(
        _how_many,
        "the number M of coefficients and the error, in this order",
        (
            "Work out M σ² + tail for M = 0 to 5.",
            "Keeping a coefficient costs σ² = 0.01, losing it its square. Compare the two.",
        ),
    ),
    "shrinkage-best-basis": Exercise(
        _best_basis,
        "two whole numbers: for the cosine basis, then for the Haar basis",
        (
            "`coefficients(basis, x)` gives ⟨x, eₖ⟩. Which of them are worth their variance?",
            "The best M counts the coefficients whose square is larger than σ².",
        ),
        tolerance=1e-6,
    ),
    "shrinkage-soft-rank": Exercise(
        _soft_rank,
        "three traces, for σ = 0.05, 0.2 and 0.8",
        (
            "Make a new generator with seed 0 for every noise level.",
            "`jacobian.trace(denoiser, y)`, with `y` from `gahr.add_noise(x, s, generator=...)`.",
        ),
        tolerance=0.005,
    ),
    "shrinkage-twice": Exercise(
        _twice,
        "two mean PSNRs in dB: applied once, then applied twice",
        (
            "`psnr_curve` takes any function of y and σ: pass one that calls the network twice.",
            "`lambda y, sigma=None: denoiser(denoiser(y))` goes in the place of the denoiser.",
        ),
        tolerance=0.001,
    ),
    "shrinkage-half-direction": Exercise(
        _half_direction,
        "two numbers: the area in nats, then in bits",
        (
            "Draw the excess error over σ² against the logarithm of σ: which shape is it?",
            "Integrate ½ σ² σ⁻³ over σ. One bit is ln 2 nats.",
        ),
    ),
    "shrinkage-sure": Exercise(
        _sure,
        "two mean PSNRs in dB: at σ = 0.05, then at σ = 0.2",
        (
            "SURE has to be minimized for each image by itself, over the 41 steps of the grid.",
            "No coefficient is exempt, not even the coarsest; and the noise of `psnr_curve` has to "
            "come from a new generator of seed 0 for each of the two levels.",
        ),
        tolerance=0.001,
    ),
}
