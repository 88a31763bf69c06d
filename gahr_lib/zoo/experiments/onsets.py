"""After how many steps networks of few images begin to memorise, and to be good on others."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gahr_lib.analysis.evaluation import psnr_curve
from gahr_lib.analysis.results import Result
from gahr_lib.data import fashion
from gahr_lib.jobs.measurements import card_noise, repeated
from gahr_lib.models import NetworkConfig, build_network
from gahr_lib.training import TrainConfig, train
from gahr_lib.zoo.networks import load_denoiser

__all__ = ["ONSET_STEPS", "ONSET_TRAINING", "Onsets", "crossing", "watch_onsets"]

ONSET_STEPS = tuple(round(40 * 2 ** (i / 4)) for i in range(31))
"""The steps after which networks are measured, by equal ratios from 40 to 7,241."""

ONSET_TRAINING = TrainConfig(steps=40_000, batch_size=16, warmup=50, average=0.98, sigma_power=1.5)
"""Their training, stopped long before its end, so that the learning rate hardly falls."""

_SIGMA = 0.1
_IMAGES = 128


@dataclass(frozen=True)
class Onsets(Result):
    """Small networks while they are trained, one for each of L sizes, at up to T moments.

    Attributes
    ----------
    n_train
        Images in the training set, (L,).
    steps
        The moments, (T,).
    test
        Mean PSNR in dB of test images at sigma 0.1, (L, T); nan after the network was stopped.
    lead
        By how many dB training images are ahead of test images, less what a network of other images
        finds them easier, (L, T).
    """

    n_train: Tensor
    steps: Tensor
    test: Tensor
    lead: Tensor


def watch_onsets(
    n_train: Sequence[int],
    steps: Sequence[int] = ONSET_STEPS,
    *,
    width: int = 8,
    enough: float = 2.0,
    seed: int = 0,
) -> Onsets:
    """Train networks on the first images of half A until they have learned them by heart.

    Parameters
    ----------
    n_train
        Sizes of training sets.
    steps
        When to measure, rising.
    width
        Channels in the first layer of the UNet.
    enough
        A network is stopped when its lead exceeds so many dB.
    seed
        Of initial weights, batches and noise.

    References
    ----------
    Bonnaire, Urfin, Biroli and Mezard, arXiv 2505.17638; Favero, Sclocchi and Wyart, arXiv
    2505.16959.
    """
    unseen = fashion("test", n=_IMAGES)
    stranger = load_denoiser("fashion", n_train=30_000, half="B")
    tests, leads = (torch.full((len(n_train), len(steps)), torch.nan) for _ in range(2))
    for row, n in enumerate(n_train):
        own = fashion("train", half="A", n=n)
        seen = repeated(own, max(n, _IMAGES))
        easier = _psnr(stranger, seen) - _psnr(stranger, unseen)
        start = build_network(
            NetworkConfig(width=width), generator=torch.Generator().manual_seed(seed)
        )
        moments = iter(enumerate(steps))
        column, moment = next(moments)
        for state in train(
            start, own, ONSET_TRAINING, generator=torch.Generator().manual_seed(seed + 1)
        ):
            if state.step < moment:
                continue
            network = state.denoiser()
            tests[row, column] = _psnr(network, unseen)
            leads[row, column] = _psnr(network, seen) - tests[row, column] - easier
            column, moment = next(moments, (0, 0))
            if not moment or leads[row].nan_to_num(-torch.inf).max() > enough:
                break
    return Onsets(torch.tensor(list(n_train)), torch.tensor(list(steps)), tests, leads)


def crossing(steps: Tensor, values: Tensor, level: float) -> float:
    """Return the step at which values first rise to a level, between two by logarithms.

    Parameters
    ----------
    steps
        Rising, (T,).
    values
        (T,); nan counts as not measured.
    level
        What is to be reached.

    Returns
    -------
    float
        nan if it is not reached, or was from the start.
    """
    reached = (values >= level).nonzero()
    if not len(reached) or int(reached[0]) == 0:
        return float("nan")
    i = int(reached[0])
    logs = steps.double().log()
    part = (level - values[i - 1]) / (values[i] - values[i - 1])
    return float((logs[i - 1] + part * (logs[i] - logs[i - 1])).exp())


def _psnr(denoiser: torch.nn.Module, images: Tensor) -> float:
    return float(psnr_curve(denoiser, images, [_SIGMA], generator=card_noise()).mean())
