"""The training loop, and its state after each step."""

import copy
import functools
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from gahr_lib._checks import check_generator
from gahr_lib.errors import ConfigError, ShapeError, TrainingError
from gahr_lib.models import ResidualNetwork
from gahr_lib.noise import standard_noise
from gahr_lib.training.checkpoints import read_checkpoint, write_checkpoint
from gahr_lib.training.config import TrainConfig, draw_sigmas
from gahr_lib.training.optimizers import Optimizer
from gahr_lib.training.processes import Alone, Processes, Together

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = ["ImageSource", "TrainState", "train"]

ImageSource = Tensor | Callable[[int, torch.Generator], Tensor]
"""Training images (N, C, H, W), or a function that draws so many from a generator."""


@dataclass(frozen=True)
class TrainState:
    """Where training stands after a step.

    The tensors belong to the running loop and change with its next step; `denoiser` gives a copy
    to keep.

    Attributes
    ----------
    step
        Steps done, from 1.
    loss
        The weighted loss of this step's batch.
    learning_rate
        The learning rate of this step.
    seconds
        Time spent in steps so far, resumed runs included.
    config
        The configuration.
    network
        The network that is being trained.
    averaged
        The moving average of its weights, in evaluation mode.
    optimizer
        The optimizer, with its moments.
    generator
        The source of batches and noise.
    """

    step: int
    loss: float
    learning_rate: float
    seconds: float
    config: TrainConfig
    network: ResidualNetwork
    averaged: ResidualNetwork
    optimizer: Optimizer
    generator: torch.Generator

    def denoiser(self) -> ResidualNetwork:
        """Return a copy of the averaged network, in evaluation mode, its weights constants."""
        return copy.deepcopy(self.averaged).requires_grad_(False)

    def save(self, path: str | Path) -> None:
        """Write a checkpoint from which `train` goes on exactly.

        An older file of that name lives until the new one is whole. Of several processes, one
        writes it.

        Raises
        ------
        TrainingError
            If it cannot be written; an older one is then untouched.
        """
        content = {
            "step": self.step,
            "seconds": self.seconds,
            "config": asdict(self.config),
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
        }
        write_checkpoint(Path(path), content)


def train(
    network: ResidualNetwork,
    images: ImageSource,
    config: TrainConfig,
    *,
    generator: torch.Generator,
    resume: str | Path | None = None,
    fabric: "Fabric | None" = None,
) -> Iterator[TrainState]:
    """Train a copy of a network to remove noise of every level; yield the state after each step.

    Nothing happens before the first step is asked for; an error in the arguments comes with it.

    Parameters
    ----------
    network
        The network, with its initial weights; it is copied, not changed. The copy trains on the
        device of its weights, or on that of `fabric`.
    images
        The training set, (N, C, H, W), intensities in [0, 1], or a function
        ``draw(n, generator)`` that makes fresh images for each batch.
    config
        How to train.
    generator
        Source of batches, noise levels and noise. On the CPU it gives the same ones for every
        device; on a GPU it is faster there.
    resume
        A checkpoint written by `TrainState.save` from the same configuration. Training goes on
        with the step after it and ends with the same weights as if it had never stopped.
    fabric
        Devices, precision and processes, of `gahr_lib.training.connect`. Each process calls `train`
        with equal arguments and computes its share of every batch: they end with the weights of one
        process, but for rounding. If None, this process trains alone, in the weights' precision.

    Yields
    ------
    TrainState
        After each step; in every process the same.

    Raises
    ------
    ConfigError
        If the batch cannot be divided among the processes, all weights are constants, or
        `generator` is no torch.Generator.
    ShapeError, ValueRangeError
        If `images` are not a batch of images, or the function draws another number of them.
    TrainingError
        If the checkpoint is damaged or belongs to another run, or the loss is not finite.

    References
    ----------
    The paper, section 2 and appendix A; see the module for what differs.
    """
    check_generator(generator)
    if not callable(images):
        network.check_input(images, "images")
    # On a CPU, convolutions with few channels are fastest when the channels lie together.
    network = copy.deepcopy(network).train()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's omission
    averaged = copy.deepcopy(network).eval()
    processes: Processes = (
        Alone(network) if fabric is None else Together(network, fabric, config.batch_size)
    )
    device, share = processes.device, processes.share
    averaged.to(device)
    optimizer = Optimizer(network, config)
    step, seconds = 0, 0.0
    if resume is not None:
        checkpoint = processes.from_first(functools.partial(read_checkpoint, resume, config))
        try:
            network.load_state_dict(checkpoint["network"])
            averaged.load_state_dict(checkpoint["averaged"])
            optimizer.load_state_dict(checkpoint["optimizer"])
            generator.set_state(checkpoint["generator"])
            step, seconds = checkpoint["step"], checkpoint["seconds"]
        except (KeyError, RuntimeError, ValueError, TypeError) as error:
            raise TrainingError(
                f"The checkpoint {resume} does not fit this network or kind of device ({error}). "
                "Go on with those it was made with, or remove it to start from the beginning."
            ) from error

    while step < config.steps:
        started = time.perf_counter()
        rate = config.learning_rate_at(step)
        x = _draw_batch(network, images, config.batch_size, generator).to(device)
        sigma = draw_sigmas(len(x), config, generator=generator).to(device, x.dtype)
        noise = sigma * standard_noise(x, generator=generator)
        x, sigma, noise = x[share], sigma[share], noise[share]
        squared_error = (processes.residual(x + noise) - noise).square()
        squared_error = squared_error.mean(dim=(1, 2, 3), keepdim=True)
        loss = (squared_error / sigma**config.weight_power).mean()
        step += 1
        loss_value = processes.mean(loss)
        if not math.isfinite(loss_value):  # before it reaches the weights
            raise TrainingError(
                f"The loss is {loss_value} at step {step}. Lower the learning rate "
                f"({config.learning_rate}), or look for images that are not on the [0, 1] scale."
            )
        if not loss.requires_grad:
            raise ConfigError(
                "The weights of the network are constants, as those of a loaded one are; expected "
                "some to train. Call network.requires_grad_() first."
            )
        optimizer.zero_grad()
        processes.backward(loss)
        optimizer.step(rate)
        # A short memory at first, or the average would hold on to the random initial weights.
        _move_average(averaged, network, min(config.average, step / (step + 10)))
        seconds += time.perf_counter() - started
        yield TrainState(
            step, loss_value, rate, seconds, config, network, averaged, optimizer, generator
        )


def _draw_batch(
    network: ResidualNetwork, images: ImageSource, n: int, generator: torch.Generator
) -> Tensor:
    if callable(images):
        drawn = images(n, generator)
        network.check_input(drawn, "the drawn batch")
        if len(drawn) != n:
            raise ShapeError(
                f"The drawn batch has {len(drawn)} images; expected {n}, as many as were asked "
                "for. Let the function draw(n, generator) return n images."
            )
        return drawn
    drawn = torch.randint(len(images), (n,), generator=generator, device=generator.device)
    return images[drawn.to(images.device)]


@torch.no_grad()
def _move_average(averaged: nn.Module, network: nn.Module, decay: float) -> None:
    """Move every weight and every norm statistic of `averaged` towards `network`."""
    ours, theirs = list(averaged.state_dict().values()), list(network.state_dict().values())
    torch._foreach_lerp_(ours, theirs, 1 - decay)
