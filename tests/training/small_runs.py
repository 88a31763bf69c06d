"""Runs of a few steps, for the tests of this folder."""

from typing import Any

import torch
from torch import Tensor, nn

from gahr_lib.models import UNet
from gahr_lib.training import ImageSource, TrainConfig, TrainState, train
from helpers import intensities, seeded

IMAGES = intensities(10, 1, 8, 8)
CONFIG = TrainConfig(steps=6, batch_size=4, warmup=2)


def new_network(seed: int = 0) -> UNet:
    return UNet(width=2, blocks=1, generator=seeded(seed))


def run(
    config: TrainConfig = CONFIG, images: ImageSource = IMAGES, **kwargs: Any
) -> list[TrainState]:
    return list(train(new_network(), images, config, generator=seeded(1), **kwargs))


def fresh(n: int, generator: torch.Generator) -> Tensor:
    """An endless source of images."""
    return torch.rand(n, 1, 8, 8, generator=generator)


def weights(network: nn.Module) -> list[Tensor]:
    return [value.clone() for value in network.state_dict().values()]


def equal(ours: list[Tensor], theirs: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
