"""Samples of the pairs of networks, and how near they lie to training images."""

from dataclasses import dataclass

import torch
from torch import Tensor

from gahr_lib.analysis.memorization import sample_pairs
from gahr_lib.analysis.neighbours import nearest_by_cosine, nearest_by_distance
from gahr_lib.analysis.results import Result
from gahr_lib.jobs.measurements import card_noise
from gahr_lib.sampling import SampleConfig
from gahr_lib.zoo.scales import BOOK, Scale
from gahr_lib.zoo.strips import SAMPLING

__all__ = ["DIM", "SAMPLING", "Samples", "draw_samples"]


DIM = BOOK.slow_sampler
"""A sampler that starts dark and explores longer; it ends at what a network knows by heart."""


@dataclass(frozen=True)
class Samples(Result):
    """Samples that the networks of the two halves draw from equal noise, and their neighbours.

    Attributes
    ----------
    n_train
        Images in the training set of each.
    a, b
        The samples as bytes, intensities 0 to 255, cut off outside, (n, 1, H, W).
    similarity
        Cosine similarity of each pair before that, (n,).
    nearest
        The number of the training image of half A that is most similar to the sample of its own
        network, (n,). Where nobody knows the training sets, all other faces are searched, here and
        below.
    to_own, to_other
        Highest cosine similarity of the samples of A with the training images of A, and of B, (n,);
        with those of B, NaN where nobody knows them.
    ratio
        Distance of a sample of A to the nearest multiple of a training image of A over that to the
        second nearest, (n,); 1 if there is only one training image.
    real_to_own, real_ratio
        The same for n real images that no network was trained on.
    """

    n_train: int
    a: Tensor
    b: Tensor
    similarity: Tensor
    nearest: Tensor
    to_own: Tensor
    to_other: Tensor
    ratio: Tensor
    real_to_own: Tensor
    real_ratio: Tensor


def draw_samples(
    n_train: int, n: int = 256, *, config: SampleConfig = SAMPLING, scale: Scale = BOOK
) -> Samples:
    """Draw samples from the pair of networks of one size, and search their neighbours.

    Parameters
    ----------
    n_train
        Size of the training sets.
    n
        How many samples of each network.
    config
        Settings of the sampler.
    scale
        Whose networks and images.

    References
    ----------
    The paper, figure 2; the ratio of distances is another measure, see
    `gahr_lib.analysis.memorization.below_ratio`.
    """
    a, b = (scale.network(n_train=n_train, half=half) for half in ("A", "B"))
    pairs = sample_pairs(a, b, n, config=config, generator=card_noise())
    if scale.knows_training_sets:
        own = scale.training(n_train, "A")
        to_other = nearest_by_cosine(pairs.a, scale.training(n_train, "B"), 1).values[:, 0]
    else:
        own, to_other = scale.other_faces, torch.full((n,), torch.nan)
    neighbours = nearest_by_cosine(pairs.a, own, 1)
    real = scale.images(n)
    return Samples(
        n_train=n_train,
        a=_bytes(pairs.a),
        b=_bytes(pairs.b),
        similarity=pairs.similarity,
        nearest=neighbours.indices[:, 0],
        to_own=neighbours.values[:, 0],
        to_other=to_other,
        ratio=_ratio(pairs.a, own),
        real_to_own=nearest_by_cosine(real, own, 1).values[:, 0],
        real_ratio=_ratio(real, own),
    )


def _ratio(images: Tensor, training: Tensor) -> Tensor:
    if len(training) == 1:
        return torch.ones(len(images))
    distances = nearest_by_distance(images, training, 2, fit_scale=True).values
    return distances[:, 0] / distances[:, 1]


def _bytes(images: Tensor) -> Tensor:
    return (images.clamp(0, 1) * 255).round().byte()
