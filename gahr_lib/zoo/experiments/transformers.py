"""A transformer beside the networks of the zoo, which are convolutional."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from gahr_lib._checks import check_count
from gahr_lib.analysis.evaluation import psnr_curve
from gahr_lib.analysis.results import Result
from gahr_lib.data import fashion, shuffle_pixels
from gahr_lib.jobs.measurements import card_noise
from gahr_lib.models.transformer import PatchTransformer
from gahr_lib.training import TrainConfig, train

__all__ = ["TRANSFORMER", "TrainedTransformer", "train_transformer"]

TRANSFORMER = TrainConfig(
    steps=10_000, batch_size=16, optimizer="adam", learning_rate=4e-3, warmup=300, sigma_power=1.5
)
"""The training of the transformer, with Adam, unlike the UNets, in 10,000 steps of 16 images."""

_FIRST = 20  # steps whose losses are kept, so that a test can take them again
_IMAGES = 500


@dataclass(frozen=True)
class TrainedTransformer(Result):
    """A `PatchTransformer` of the default size, trained on images of half A of Fashion-MNIST.

    Attributes
    ----------
    n_train
        How many images.
    weights
        Its averaged weights, one after the other, (P,).
    first_losses
        The losses of the first steps.
    steps
        When it was measured, (T,).
    sigmas
        Noise levels, (S,).
    test
        Mean PSNR in dB on test images, (T, S).
    """

    n_train: int
    weights: Tensor
    first_losses: Tensor
    steps: Tensor
    sigmas: Tensor
    test: Tensor

    def denoiser(self) -> PatchTransformer:
        """Return the network, in evaluation mode, its weights constants."""
        network = PatchTransformer(generator=torch.Generator())
        vector_to_parameters(self.weights, network.parameters())
        return network.eval().requires_grad_(False)


def train_transformer(
    n_train: int = 30_000,
    config: TrainConfig = TRANSFORMER,
    *,
    sigmas: Sequence[float] = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8),
    measurements: int = 8,
    shuffled: bool = False,
) -> TrainedTransformer:
    """Train a transformer as the networks of the zoo are trained; four minutes on a core.

    Parameters
    ----------
    n_train
        Images of half A.
    config
        How to train.
    sigmas
        Noise levels at which it is measured.
    measurements
        How often it is measured, at equal distances; the number divides the steps.
    shuffled
        Whether all images have their pixels shuffled, as those of the zoo's network of shuffled
        images.
    """
    every = check_count(config.steps // check_count(measurements, "measurements"), "steps")
    start = PatchTransformer(generator=torch.Generator().manual_seed(0))
    own, unseen = fashion("train", half="A", n=n_train), fashion("test", n=_IMAGES)
    if shuffled:
        own, unseen = shuffle_pixels(own), shuffle_pixels(unseen)
    losses, steps, curves = [], [], []
    for state in train(start, own, config, generator=torch.Generator().manual_seed(1)):
        losses.append(state.loss)
        if state.step % every == 0:
            network = state.denoiser()
            steps.append(state.step)
            curves.append(psnr_curve(network, unseen, sigmas, generator=card_noise()).mean(1))
    return TrainedTransformer(
        n_train,
        parameters_to_vector(network.parameters()),
        torch.tensor(losses[:_FIRST]),
        torch.tensor(steps),
        torch.tensor(list(sigmas)),
        torch.stack(curves),
    )
