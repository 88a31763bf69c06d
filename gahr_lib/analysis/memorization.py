"""Measures of memorisation in samples: copies of training images, and pairs from equal noise."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gahr_lib.analysis.neighbours import Neighbours
from gahr_lib.analysis.results import Result
from gahr_lib.errors import ConfigError, ShapeError, ValueRangeError
from gahr_lib.metrics import cosine_similarity
from gahr_lib.sampling import SampleConfig, sample

__all__ = [
    "Fraction",
    "Pairs",
    "above_similarity",
    "below_ratio",
    "sample_pairs",
]


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
        0.95 is the cosine at which the paper calls two images of its sets duplicates. SSIM has no
        such value: copies with a little noise may score below real images that nobody copied. Take
        a high quantile of what those score.

    Raises
    ------
    ConfigError
        If the neighbours were found by distance.
    ValueRangeError
        If the threshold is not between -1 and 1.
    """
    if neighbours.measure == "distance":
        raise ConfigError(
            "The neighbours were found by distance; expected similarities. Search with "
            "nearest_by_cosine or nearest_by_ssim, or use below_ratio."
        )
    if not -1 < threshold < 1:
        raise ValueRangeError(
            f"threshold is {threshold!r}; expected a similarity between -1 and 1."
        )
    return _fraction(neighbours.values[:, 0] > threshold)


def below_ratio(neighbours: Neighbours, threshold: float = 1 / 3) -> Fraction:
    """Return the images that are much nearer to one training image than to the next.

    A copy of an image that the training set holds twice is as near to both and does not count:
    remove duplicates first (`gahr_lib.data.remove_duplicates`).

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
    ConfigError
        If the neighbours were not found by distance.
    ValueRangeError
        If the threshold is not between 0 and 1.

    References
    ----------
    Yoon, Choi, Kwon and Ryu, "Diffusion probabilistic models generalize when they fail to
    memorize", 2023.
    """
    if neighbours.measure != "distance":
        raise ConfigError(
            f"The neighbours were found by {neighbours.measure}; expected distances. Search with "
            "nearest_by_distance, or use above_similarity."
        )
    if not 0 < threshold < 1:
        raise ValueRangeError(f"threshold is {threshold!r}; expected a ratio between 0 and 1.")
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
