"""Measures of memorisation: copies among samples, variance of the model, train against test."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gahr_lib._checks import check_count, check_images, check_sigma
from gahr_lib.analysis.bootstrap import Band, band
from gahr_lib.analysis.evaluation import psnr_curve
from gahr_lib.analysis.neighbours import Neighbours
from gahr_lib.analysis.results import Result
from gahr_lib.errors import ConfigError, ShapeError
from gahr_lib.metrics import cosine_similarity, mse
from gahr_lib.models import check_evaluating
from gahr_lib.noise import standard_noise
from gahr_lib.sampling import SampleConfig, sample

__all__ = [
    "Fraction",
    "Pairs",
    "above_similarity",
    "below_ratio",
    "model_variance",
    "paired_gap",
    "sample_pairs",
    "train_test_gap",
]

_BATCH = 250


@dataclass(frozen=True)
class Fraction(Result):
    """Of how many images something is true.

    Attributes
    ----------
    each
        Of which, (B,), bool.
    value
        The fraction of them.
    low, high
        Its 95 % interval, after Wilson.
    """

    each: Tensor
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Pairs(Result):
    """Samples of two denoisers from equal noise.

    Attributes
    ----------
    a, b
        The samples of each, (n, C, H, W).
    similarity
        Cosine similarity of each pair, the means removed, (n,).
    """

    a: Tensor
    b: Tensor
    similarity: Tensor


def above_similarity(neighbours: Neighbours, threshold: float = 0.95) -> Fraction:
    """Return the images whose nearest training image is more similar than a threshold.

    Where the images of a class are much alike, as clothes are, this finds many that nobody copied:
    compare with the same fraction of real images that the network was not trained on.

    Parameters
    ----------
    neighbours
        Of `nearest_by_cosine` or `nearest_by_ssim`.
    threshold
        0.95 is the cosine at which the paper calls two images of its sets duplicates.
    """
    return _fraction(neighbours.values[:, 0] > threshold)


def below_ratio(neighbours: Neighbours, threshold: float = 1 / 3) -> Fraction:
    """Return the images that are much nearer to one training image than to the next.

    Parameters
    ----------
    neighbours
        Two or more of each image, of `nearest_by_distance`.
    threshold
        Of the ratio of the smallest distance to the second smallest.

    Raises
    ------
    ShapeError
        If there is only one neighbour of each.

    References
    ----------
    Yoon, Choi, Kwon and Ryu, "Diffusion probabilistic models generalize when they fail to
    memorize", 2023.
    """
    if neighbours.values.shape[1] < 2:
        raise ShapeError("There is one neighbour of each image; expected two. Search with k=2.")
    first, second = neighbours.values[:, 0], neighbours.values[:, 1]
    return _fraction(first < threshold * second)


def _fraction(each: Tensor) -> Fraction:
    from scipy.stats import binomtest

    found = binomtest(int(each.sum()), len(each))
    low, high = found.proportion_ci(method="wilson")
    return Fraction(each, float(each.double().mean()), float(low), float(high))


def sample_pairs(
    a: Callable[..., Tensor],
    b: Callable[..., Tensor],
    n: int,
    *,
    config: SampleConfig | None = None,
    shape: tuple[int, int, int] | None = None,
    generator: torch.Generator | None = None,
) -> Pairs:
    """Sample two denoisers from equal noise: networks of one density draw the same images.

    Parameters
    ----------
    a, b
        The denoisers.
    n
        How many images of each.
    config, shape
        See `sample_steps`.
    generator
        Source of the noise, on the CPU.

    Returns
    -------
    Pairs
        The samples, and the cosine similarity of each pair, the means removed.

    References
    ----------
    The paper, figure 2.
    """
    seed = int(torch.randint(2**31, (), generator=generator))
    drawn = [
        sample(f, n, shape=shape, config=config, generator=torch.Generator().manual_seed(seed))
        for f in (a, b)
    ]
    return Pairs(drawn[0], drawn[1], cosine_similarity(drawn[0], drawn[1]))


@torch.no_grad()
def model_variance(
    a: Callable[..., Tensor],
    b: Callable[..., Tensor],
    x: Tensor,
    sigmas: Sequence[float],
    *,
    generator: torch.Generator | None = None,
    batch_size: int = _BATCH,
) -> Band:
    """Return how much two denoisers differ on equal noisy images: half their squared difference.

    If the two were trained alike on independent sets, this is on average the variance of the
    denoiser over training sets, the part of its error that more training images would remove, in
    the units of the error. The same measure for two networks of one training set and two seeds
    shows how much of it is due to training itself.

    Parameters
    ----------
    a, b
        The denoisers, called as ``denoiser(y, sigma)``.
    x
        Clean images that neither was trained on, (B, C, H, W).
    sigmas
        Noise levels, S of them.
    generator
        Source of the noise, on the CPU, and of the bootstrap.
    batch_size
        Images denoised at a time.

    Returns
    -------
    Band
        Mean squared error per pixel, in squared intensity units, at each level.

    Raises
    ------
    ShapeError, ValueRangeError, SigmaError, ConfigError
        See `psnr_curve`.
    """
    check_images(x, "x")
    for denoiser in (a, b):
        check_evaluating(denoiser)
    levels = _levels(sigmas)
    batch_size = check_count(batch_size, "batch_size")
    noise = standard_noise(x, generator=generator)
    rows = []
    for sigma in sigmas:
        noisy = [
            xb + sigma * zb
            for xb, zb in zip(x.split(batch_size), noise.split(batch_size), strict=True)
        ]
        rows.append(torch.cat([mse(a(y, sigma), b(y, sigma)) / 2 for y in noisy]))
    return band(levels, torch.stack(rows), generator=generator)


def train_test_gap(
    denoiser: Callable[..., Tensor],
    train: Tensor,
    test: Tensor,
    sigmas: Sequence[float],
    *,
    generator: torch.Generator | None = None,
) -> Band:
    """Return by how much a denoiser is better on its training images than on others.

    The two sets are different images, one of which may be harder: with few images the interval
    shows it. `paired_gap` does without.

    Parameters
    ----------
    denoiser
        Any denoiser.
    train, test
        Images that it was trained on, and others, (B, C, H, W) and (B', C, H, W).
    sigmas
        Noise levels, S of them.
    generator
        Source of the noise, on the CPU, and of the bootstrap.

    Returns
    -------
    Band
        Decibels, positive where the training images are denoised better.

    References
    ----------
    The paper, figures 1 and 15.
    """
    levels = _levels(sigmas)
    seen = psnr_curve(denoiser, train, sigmas, generator=generator)
    unseen = psnr_curve(denoiser, test, sigmas, generator=generator)
    return band(levels, seen, unseen, generator=generator)


def paired_gap(
    trained_on_it: Callable[..., Tensor],
    trained_elsewhere: Callable[..., Tensor],
    x: Tensor,
    sigmas: Sequence[float],
    *,
    generator: torch.Generator | None = None,
) -> Band:
    """Return by how much a denoiser beats its twin on images that only it was trained on.

    Both see equal images under equal noise, so that nothing but the training sets differs.

    Parameters
    ----------
    trained_on_it, trained_elsewhere
        Two denoisers, trained alike on disjoint sets.
    x
        Training images of the first, (B, C, H, W).
    sigmas
        Noise levels, S of them.
    generator
        Source of the noise, on the CPU, and of the bootstrap.

    Returns
    -------
    Band
        Decibels.
    """
    levels = _levels(sigmas)
    noise = torch.Generator().manual_seed(int(torch.randint(2**31, (), generator=generator)))
    state = noise.get_state()
    curves = []
    for denoiser in (trained_on_it, trained_elsewhere):
        noise.set_state(state)
        curves.append(psnr_curve(denoiser, x, sigmas, generator=noise))
    return band(levels, curves[0] - curves[1], generator=generator)


def _levels(sigmas: Sequence[float]) -> Tensor:
    if len(sigmas) == 0:
        raise ConfigError("sigmas is empty; expected at least one noise level.")
    for sigma in sigmas:
        check_sigma(sigma)
    return torch.tensor([float(sigma) for sigma in sigmas], dtype=torch.float64)
