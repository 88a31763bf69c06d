"""Chapter 6, what is not settled."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from gahr_lib import data
from gahr_lib.exercises.exercise import Exercise
from gahr_lib.models import PatchPosterior, StationaryWiener, Wiener
from gahr_lib.noise import add_noise
from gahr_lib.zoo import experiments, load_denoiser
from gahr_lib.zoo.results import load_result

__all__ = ["EXERCISES"]


def _nothing() -> Sequence[float]:
    return [1 - sigma**2 / 0.125 for sigma in (0.1, 0.5)]


def _budget() -> Sequence[float]:
    return [100 * (4_000 / 1_500) ** (1 / power) for power in (1.0, 0.85)]


def _disc() -> Sequence[float]:
    # Energy within r: r^2 / R^2 of a disc, and 1 - exp(-r^2 / s^2) of a squared Gaussian.
    return [10 / math.sqrt(2), 3 * math.sqrt(math.log(2))]


def _noisy(n: int, sigma: float) -> tuple[Tensor, Tensor]:
    x = data.fashion("test", n=n)
    return x, add_noise(x, sigma, generator=torch.Generator().manual_seed(0))


def _patch() -> Sequence[float]:
    x, y = _noisy(8, 0.2)
    training = data.fashion("train", half="A", n=300)
    network = load_denoiser("fashion", n_train=300)(y)
    error = float((network - x).square().mean())
    found = {
        side: float((PatchPosterior(training, side)(y, 0.2) - network).square().mean()) / error
        for side in (3, 5, 7, 9)
    }
    best = min(found, key=found.__getitem__)
    return [best, found[best]]


def _half() -> Sequence[float]:
    onsets = load_result("onsets", experiments.Onsets)
    times = []
    for level in (1.0, 2.0):
        # The first measurement beyond, and between it and the last before, by logarithms.
        row = onsets.lead[list(onsets.n_train.tolist()).index(16)].tolist()
        after = next(i for i, value in enumerate(row) if value >= level)
        part = (level - row[after - 1]) / (row[after] - row[after - 1])
        low, high = onsets.steps[after - 1].item(), onsets.steps[after].item()
        times.append(low * (high / low) ** part)
    return times


def _thirds() -> Sequence[float]:
    drawn = load_result("samples-1000", experiments.Samples)
    order = torch.argsort(drawn.to_own)
    third = len(order) // 3
    return [
        float(drawn.similarity[part].mean())
        for part in (order[:third], order[len(order) - third :])
    ]


def _place() -> Sequence[float]:
    training = data.fashion("train", half="A", n=500)
    filters = (Wiener.from_images(training), StationaryWiener.from_images(training))
    network = load_denoiser("fashion", n_train=30_000)
    x, y = _noisy(100, 0.4)
    denoised = network(y)
    error = float((denoised - x).square().mean())
    return [float((f(y, 0.4) - denoised).square().mean()) / error for f in filters]


EXERCISES = {
    "questions-nothing": Exercise(
        _nothing,
        "two values of r², for σ = 0.1 and σ = 0.5",
        (
            "The noisy image differs from the clean one by the noise alone.",
            "r² = 1 − (mean squared difference) / (variance of the pixels of the clean image).",
        ),
    ),
    "questions-budget": Exercise(
        _budget,
        "two numbers of images, for the powers 1 and 0.85",
        (
            "Memorization begins at 1,500 steps for 100 images; the budget is 4,000 steps.",
            "Solve 1,500 (N / 100)ᵖ = 4,000 for N, with p the power.",
        ),
    ),
    "questions-disc": Exercise(
        _disc,
        "two distances in pixels: of the disc, then of the bell",
        (
            "Weights are squared before they are summed, and the area of a ring grows with r.",
            "The squared bell is exp(−r² / s²); its energy within r is 1 − exp(−r² / s²).",
        ),
    ),
    "questions-patch": Exercise(
        _patch,
        "a side of 3, 5, 7 or 9 pixels, and a ratio of squared errors",
        (
            "Make a `PatchPosterior` of the 300 images for every side, and call it with y and 0.2.",
            "The ratio is the mean of (machine − network)² over that of (network − x)².",
        ),
    ),
    "questions-level": Exercise(
        _half,
        "two numbers of steps, for the leads of 1 dB and of 2 dB",
        (
            "`experiments.crossing(steps, values, level)` finds where values first reach a level.",
            "The values are `onsets.lead[onsets.n_train == 16][0]`.",
        ),
    ),
    "questions-thirds": Exercise(
        _thirds,
        "two mean cosines: of the third farthest from the training set, then of the nearest",
        (
            "`samples-1000` holds `to_own` and `similarity`; sort the samples by the first.",
            "`to_own.argsort()` orders them; its first 85 and its last 85 are the two thirds.",
        ),
    ),
    "questions-place": Exercise(
        _place,
        "two ratios of squared errors: of Wiener, then of StationaryWiener",
        (
            "Both filters are made of images with `from_images`, and called with y and σ.",
            "Divide the mean of (filter − network)² by the mean of (network − x)².",
        ),
    ),
}
