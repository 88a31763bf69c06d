"""Chapter 5, the full sampler."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from gahr_lib.data import fashion
from gahr_lib.exercises.exercise import Exercise
from gahr_lib.metrics import cosine_similarity, psnr
from gahr_lib.sampling import SampleConfig, sample, sample_steps
from gahr_lib.zoo import load_denoiser

__all__ = ["EXERCISES"]

_CONFIG = SampleConfig(beta=0.1, mean=0.3)
_SHAPE = (1, 28, 28)


def _gamma() -> Sequence[float]:
    left, kept = 0.2 * (1 - 0.5 * 0.1), 0.2 * (1 - 0.1)
    return [math.sqrt(left**2 - kept**2), left]


def _steps() -> Sequence[float]:
    counts = []
    for beta in (0.3, 1.0):
        noise, steps = 1.0, 0
        while noise >= 0.01:
            noise, steps = noise * (1 - beta * 0.1), steps + 1
        counts.append(float(steps))
    return counts


def _gauge() -> Sequence[float]:
    error = 0.1**2 * 150 / 784
    return [math.sqrt(0.1**2 - error), error]


def _ddpm() -> Sequence[float]:
    h = 1 - (0.4 / 0.5) ** 2
    return [h, (1 - 0.4 / 0.5) / h]  # 1 - beta h is the ratio of the noise levels


def _scale() -> Sequence[float]:
    return [0.5]  # by homogeneity, without drawing anything


def _ddim() -> Sequence[float]:
    exact, five, twenty = (_straight(n) for n in (80, 5, 20))
    return [float(cosine_similarity(images, exact).mean()) for images in (five, twenty)]


def _straight(n: int) -> Tensor:
    """Return eight images at the end of n equal ratios of noise from 1 to 0.01, and a denoising."""
    denoiser = load_denoiser("fashion", n_train=30_000)
    # The start is that of the sampler: a stream for each image, with the generator's seeds.
    seeds = torch.randint(2**62, (8,), generator=torch.Generator().manual_seed(0)).tolist()
    x = 0.3 + torch.stack(
        [torch.randn(_SHAPE, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
    )
    walked = 1 - 0.01 ** (1 / (n - 1))
    with torch.no_grad():
        for _ in range(n - 1):
            x = x + walked * (denoiser(x) - x)
        return denoiser(x)


def _blocks() -> Sequence[float]:
    x = fashion("test", n=8)
    means = torch.nn.functional.avg_pool2d(x, 2)

    def enlarge(small: Tensor) -> Tensor:
        return small.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)

    def constrain(images: Tensor, samples: Tensor) -> Tensor:
        found = torch.nn.functional.avg_pool2d(images, 2)
        return images + enlarge(means[samples] - found)

    drawn = sample(
        load_denoiser("fashion", n_train=30_000),
        8,
        config=_CONFIG,
        generator=torch.Generator().manual_seed(0),
        constraint=constrain,
    )
    return [float(psnr(images, x).mean()) for images in (enlarge(means), drawn)]


def _blind() -> Sequence[float]:
    training = fashion("train", half="A", n=100).flatten(1)

    def blind(y: Tensor) -> Tensor:
        rows = y.flatten(1)
        squared = torch.cdist(rows.double(), training.double()).square()
        own = torch.ones(len(rows), 1, dtype=torch.float64)
        for _ in range(20):
            weights = torch.softmax(-squared / (2 * own**2), dim=1)
            guess = weights @ training.double()
            own = ((guess - rows).norm(dim=1, keepdim=True) / 28).clamp_min(1e-6)
        return guess.to(y).reshape(y.shape)

    steps = 0
    for state in sample_steps(
        blind, 16, shape=_SHAPE, config=_CONFIG, generator=torch.Generator().manual_seed(0)
    ):
        steps += int(state.active.sum())
    nearest = torch.cdist(state.x.flatten(1), training).amin(dim=1)
    return [float((nearest < 0.1).float().mean()), steps / 16]


EXERCISES: dict[str, Exercise] = {
    "sampling-gamma": Exercise(
        _gamma,
        "two noise levels: what is injected, and what is left",
        (
            "What is left is (1 − β h) s; before anything is injected it is (1 − h) s.",
            "Variances add up: γ² is the difference of the squares of the two.",
        ),
    ),
    "sampling-steps": Exercise(
        _steps,
        "two whole numbers of steps, for β = 0.3 and for β = 1",
        (
            "After n steps the noise is (1 − β h)ⁿ.",
            "Divide ln 0.01 by ln 0.97, and by ln 0.9, and round up.",
        ),
        tolerance=0.001,
    ),
    "sampling-gauge": Exercise(
        _gauge,
        "the noise found, and the squared error per pixel",
        (
            "Of 784 directions 150 are kept, and the noise in those is not seen.",
            "s² = σ² (1 − tr J / d), and the error is σ² − s².",
        ),
    ),
    "sampling-ddpm": Exercise(
        _ddpm,
        "h and β",
        (
            "The first is 1 − σ′² / σ², from the table.",
            "1 − β h has to be σ′ / σ.",
        ),
    ),
    "sampling-scale": Exercise(
        _scale,
        "a ratio of norms",
        (
            "Follow one step of the loop with c x in the place of x: what happens to r, s, γ?",
            "Everything is multiplied by c, and c is one half.",
        ),
        tolerance=0.002,
    ),
    "sampling-ddim": Exercise(
        _ddim,
        "two mean cosines, for 5 and for 20 noise levels",
        (
            "Draw three times with equal generators, then use `gahr.metrics.cosine_similarity`.",
            "`gahr.sample(denoiser, 8, config=ddim(falling_sigmas(5), mean=0.3), generator=...)`.",
        ),
    ),
    "sampling-blocks": Exercise(
        _blocks,
        "two PSNRs in dB: of the picture of least energy, and of the samples",
        (
            "`problem.adjoint(m)` is the first picture, `inverse.solve` gives the second.",
            "Take the mean of `gahr.psnr(..., clothes[:8])` over the eight pictures.",
        ),
        tolerance=0.005,
    ),
    "sampling-blind": Exercise(
        _blind,
        "the fraction of training images, and the mean number of steps",
        (
            "A denoiser is any function of y (B, C, H, W); `sample_steps` takes it as it is.",
            "Each image finds its own σ; count `state.active` over all states, divided by 16.",
        ),
    ),
}
