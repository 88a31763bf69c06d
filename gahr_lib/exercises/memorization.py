"""Chapter 2, memorization and generalization."""

import math
from collections.abc import Sequence
from functools import cache

import torch

from gahr_lib import data
from gahr_lib.analysis.evaluation import psnr_curve
from gahr_lib.exercises.exercise import Exercise
from gahr_lib.models import NetworkConfig, build_network
from gahr_lib.training import TrainConfig, train
from gahr_lib.zoo import experiments, load_denoiser
from gahr_lib.zoo.results import load_result

__all__ = ["EXERCISES"]


def _ray() -> Sequence[float]:
    # A projection on one of 784 directions keeps a 784th of the noise's energy.
    return [-10 * math.log10(0.1**2 / 784)]


def _weights() -> Sequence[float]:
    weights = []
    for sigma in (1.0, 0.5):
        near, far = (math.exp(-squared / (2 * sigma**2)) for squared in (10.0, 12.0))
        weights.append(near / (near + far))
    return weights


def _twins() -> Sequence[float]:
    of_both, of_seed, error = 0.0008 / 2, 0.0003 / 2, 0.0016
    return [of_both / error, of_seed / of_both]


def _doubled() -> Sequence[float]:
    # 3 exp(-a / 2 sigma^2) = exp(-b / 2 sigma^2), solved for (a - b) / sigma^2.
    return [3 / 4, 2 * math.log(3)]


def _gap() -> Sequence[float]:
    x = data.fashion("train", half="A", n=100)
    curves = [
        psnr_curve(
            load_denoiser("fashion", n_train=300, half=half),
            x,
            [0.4],
            generator=torch.Generator().manual_seed(0),
        )
        for half in ("A", "B")
    ]
    return [float((curves[0] - curves[1]).mean())]


def _stop() -> Sequence[float]:
    x = data.fashion("test", n=100)
    found = {}
    for step in (500, 1_000, 2_000, 4_000):
        network = load_denoiser("fashion", n_train=100, step=step)
        noise = torch.Generator().manual_seed(0)
        found[step] = float(psnr_curve(network, x, [0.1], generator=noise).mean())
    best = max(found, key=found.__getitem__)
    return [best, found[best]]


def _duplicates() -> Sequence[float]:
    x = data.fashion("train", half="A", n=500)
    return [float(len(data.duplicates(x, threshold).pairs)) for threshold in (0.95, 0.98)]


def _alarms() -> Sequence[float]:
    drawn = load_result("samples-100", experiments.Samples)
    threshold = drawn.real_to_own.quantile(0.99)
    return [float(threshold), float((drawn.to_own > threshold).float().mean())]


@cache  # it trains a network
def _shared() -> Sequence[float]:
    of_a, of_b = (data.fashion("train", half=half, n=10) for half in ("A", "B"))
    seen = torch.cat([of_a[:1], of_b[1:]])
    states = train(
        build_network(NetworkConfig(width=16), generator=torch.Generator().manual_seed(2)),
        seen,
        TrainConfig(steps=800, batch_size=16, warmup=100, average=0.99),
        generator=torch.Generator().manual_seed(3),
    )
    network = next(state for state in states if state.step == 400).denoiser()
    curves = [
        psnr_curve(network, x, [0.4], generator=torch.Generator().manual_seed(0))
        for x in (of_a[:1].repeat(100, 1, 1, 1), of_a[1:].repeat(10, 1, 1, 1))
    ]
    return tuple(float(curve.mean()) for curve in curves)


EXERCISES = {
    "memorization-ray": Exercise(
        _ray,
        "one PSNR, in dB",
        (
            "All that survives is the part of the noise along one direction out of 784.",
            "The squared error is σ² in total, so σ² / 784 for each pixel.",
        ),
        tolerance=0.002,
    ),
    "memorization-weights": Exercise(
        _weights,
        "two weights of the nearer image, for σ = 1 and for σ = 0.5",
        (
            "Only the difference of the two squared distances matters: divide by exp(−10 / 2σ²).",
            "The weight is 1 / (1 + exp(−D / 2σ²)), with D the difference.",
        ),
    ),
    "memorization-twins": Exercise(
        _twins,
        "two shares: of the variance in the error, and of the seed in the variance",
        (
            "A variance is not the squared difference of two networks, but a fraction of it.",
            "Halve both differences; divide the first by the error, the second by the first.",
        ),
    ),
    "memorization-doubled": Exercise(
        _doubled,
        "a weight, and a difference of squared distances in units of σ²",
        (
            "An image that is there three times is three terms of the sum, each with its weight.",
            "For the second number set 3 exp(−a / 2σ²) = exp(−b / 2σ²).",
        ),
    ),
    "memorization-gap": Exercise(
        _gap,
        "one paired gap, in dB",
        (
            "Load the networks of both halves for `n_train=300`; only A has seen these images.",
            "`psnr_curve(network, x, [0.4], generator=...)` for each; subtract, and take the mean.",
        ),
    ),
    "memorization-stop": Exercise(
        _stop,
        "a number of steps and a mean PSNR in dB, in this order",
        (
            "`load_denoiser` takes `step=...`; make a new generator with seed 0 for every network.",
            "Compare `psnr_curve(network, x, [0.1], generator=...).mean()` at all four steps.",
        ),
        tolerance=0.002,
    ),
    "memorization-duplicates": Exercise(
        _duplicates,
        "two whole numbers: for the threshold of the paper, then for the higher one",
        (
            "`gahr.data.duplicates(images, threshold)` lists a pair for every image that would go.",
            "Count its pairs: `len(gahr.data.duplicates(images, threshold).pairs)`.",
        ),
        tolerance=1e-6,
    ),
    "memorization-alarms": Exercise(
        _alarms,
        "a cosine and a fraction of the samples, in this order",
        (
            "`real_to_own` holds the unseen images' cosines, `to_own` those of the samples.",
            "The threshold is `real_to_own.quantile(...)`, with all but one in a hundred below it.",
        ),
    ),
    "memorization-shared": Exercise(
        _shared,
        "two mean PSNRs in dB: on the duplicate, then on the other nine images",
        (
            "`torch.cat([ten[:1], book.training(10, 'B')[1:]])` is what this twin sees; its "
            "seeds are 2 for `build_network` and 3 for `train`.",
            "Leave `config` as it is, with its 800 steps: return `state.denoiser()` when "
            "`state.step` is 400. Then `psnr_curve(network, x, [0.4], generator=...).mean()` for "
            "each set.",
        ),
        tolerance=0.02,
    ),
}
