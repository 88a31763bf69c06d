"""The number of images against the time of training: when a network begins to memorise."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gahr_lib.analysis.evaluation import psnr_curve
from gahr_lib.analysis.results import Result
from gahr_lib.data import fashion
from gahr_lib.jobs.measurements import card_noise
from gahr_lib.zoo.experiments.ladder import seen_images
from gahr_lib.zoo.networks import load_denoiser
from gahr_lib.zoo.recipes import find_recipe, network_name

__all__ = ["Grid", "training_grid"]


@dataclass(frozen=True)
class Grid(Result):
    """The networks of half A at several moments of their training.

    Attributes
    ----------
    n_train
        Sizes of the training sets, (L,).
    steps
        Steps of training, (T,).
    sigmas
        Noise levels, (S,).
    train, test
        Mean PSNR in dB on images of the training set and on test images, (L, T, S).
    """

    n_train: Tensor
    steps: Tensor
    sigmas: Tensor
    train: Tensor
    test: Tensor


def training_grid(n_train: Sequence[int], sigmas: Sequence[float], *, images: int = 500) -> Grid:
    """Measure the networks of half A after each of their snapshots, and at the end.

    Parameters
    ----------
    n_train
        Sizes of training sets.
    sigmas
        Noise levels.
    images
        How many of each set; smaller training sets are seen several times, under other noise.

    References
    ----------
    Bonnaire, Urfin, Biroli and Mezard, "Why diffusion models don't memorize: the role of implicit
    dynamical regularization in training", arXiv:2505.17638.
    """
    run = find_recipe(network_name("fashion", n_train=n_train[0]))
    steps = (*run.snapshots, run.training.steps)
    unseen = fashion("test", n=images)
    train: list[Tensor] = []
    test: list[Tensor] = []
    for n in n_train:
        seen = seen_images(n, "A", images)
        for step in steps:
            network = load_denoiser("fashion", n_train=n, step=step)
            for rows, x in ((train, seen), (test, unseen)):
                rows.append(psnr_curve(network, x, sigmas, generator=card_noise()).mean(1))
    shape = (len(n_train), len(steps), len(sigmas))
    return Grid(
        torch.tensor(list(n_train)),
        torch.tensor(steps),
        torch.tensor(list(sigmas)),
        torch.stack(train).reshape(shape),
        torch.stack(test).reshape(shape),
    )
