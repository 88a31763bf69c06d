"""Training of a blind denoiser: one loop, a generator of states.

The recipe differs from the paper's where that saves time on a small machine: the loss of each image
is divided by its noise level, so that small noise counts; the learning rate warms up and falls
along a cosine; and the network that is kept is an exponential moving average of the one that is
trained.
"""

import contextlib
import copy
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gahr_lib._checks import check_count
from gahr_lib.errors import ConfigError, TrainingError
from gahr_lib.models import ResidualNetwork
from gahr_lib.noise import standard_noise

__all__ = ["ImageSource", "TrainConfig", "TrainState", "draw_sigmas", "train"]

ImageSource = Tensor | Callable[[int, torch.Generator], Tensor]


@dataclass(frozen=True)
class TrainConfig:
    """How a network is trained.

    Attributes
    ----------
    steps
        Number of gradient steps; the same for every size of training set, so that a small set is
        not trained less.
    batch_size
        Images in a step, drawn with replacement.
    learning_rate
        The highest learning rate of Adam.
    warmup
        Steps over which the learning rate rises; afterwards it falls to 0 along a half cosine.
    average
        Decay of the moving average of the weights, per step.
    sigma_power, sigma_min
        The noise level is u ** sigma_power + sigma_min, u uniform on [0, 1]. The paper has u ** 2.
    weight_power
        The squared error of an image is divided by sigma ** weight_power. The paper has 0.
    """

    steps: int = 8_000
    batch_size: int = 64
    learning_rate: float = 2e-3
    warmup: int = 200
    average: float = 0.999
    sigma_power: float = 2.0
    sigma_min: float = 0.005
    weight_power: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what cannot be trained before any work is done."""
        for name, least in (("steps", 1), ("batch_size", 1), ("warmup", 0)):
            # As an int, because checkpoints and cards hold no integers of NumPy.
            object.__setattr__(self, name, check_count(getattr(self, name), name, least))
        for name in ("learning_rate", "sigma_power"):
            if not 0 < getattr(self, name) < math.inf:
                raise ConfigError(f"{name} is {getattr(self, name)!r}; expected a number > 0.")
        for name in ("sigma_min", "weight_power"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ConfigError(f"{name} is {getattr(self, name)!r}; expected a number >= 0.")
        if not 0 <= self.average < 1:
            raise ConfigError(f"average is {self.average!r}; expected a decay in [0, 1).")
        if self.sigma_min == 0 and self.weight_power > 0:
            raise ConfigError(
                "sigma_min is 0, and the loss is divided by a power of sigma; expected a smallest "
                "noise level above 0. Set sigma_min=0.005, for instance, or weight_power=0."
            )

    def learning_rate_at(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0."""
        rise = min(1.0, (step + 1) / (self.warmup + 1))
        return self.learning_rate * rise * 0.5 * (1 + math.cos(math.pi * step / self.steps))


@dataclass(frozen=True)
class TrainState:
    """Where training stands after a step.

    The tensors belong to the running loop and change with its next step; `denoiser` gives a copy
    to keep.

    Attributes
    ----------
    step
        Steps done, from 1; 0 before the first.
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
    optimizer: torch.optim.Optimizer
    generator: torch.Generator

    def denoiser(self) -> ResidualNetwork:
        """Return a copy of the averaged network, in evaluation mode, its weights constants."""
        return copy.deepcopy(self.averaged).requires_grad_(False)

    def save(self, path: str | Path) -> None:
        """Write a checkpoint from which `train` goes on exactly.

        An older file of that name lives until the new one is whole.
        """
        path = Path(path)
        partial = path.with_name(path.name + ".partial")
        content = {
            "step": self.step,
            "seconds": self.seconds,
            "config": asdict(self.config),
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
        }
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.save(content, partial)
            partial.replace(path)
        except (OSError, RuntimeError) as error:  # torch reports a full disk as a RuntimeError
            with contextlib.suppress(OSError):
                partial.unlink()
            raise TrainingError(
                f"The checkpoint {path} could not be written ({error}). An older one is untouched. "
                "Free some space or name another folder, and start again: training resumes."
            ) from error


def draw_sigmas(n: int, config: TrainConfig, *, generator: torch.Generator) -> Tensor:
    """Return `n` noise levels from the training distribution, (n, 1, 1, 1)."""
    u = torch.rand((n, 1, 1, 1), generator=generator, device=generator.device)
    return u**config.sigma_power + config.sigma_min


def train(
    network: ResidualNetwork,
    images: ImageSource,
    config: TrainConfig,
    *,
    generator: torch.Generator,
    resume: str | Path | None = None,
) -> Iterator[TrainState]:
    """Train a copy of a network to remove noise of every level; yield the state after each step.

    Parameters
    ----------
    network
        The network, with its initial weights; it is copied, not changed. The copy trains on the
        device of its weights.
    images
        The training set, (N, C, H, W), intensities in [0, 1], or a function
        ``draw(n, generator)`` that makes fresh images for each batch.
    config
        How to train.
    generator
        Source of batches, noise levels and noise, on the CPU.
    resume
        A checkpoint written by `TrainState.save` from the same configuration. Training goes on
        with the step after it and ends with the same weights as if it had never stopped.

    Yields
    ------
    TrainState
        After each step.

    Raises
    ------
    ShapeError, ValueRangeError
        If `images` are not a batch of images.
    TrainingError
        If the checkpoint is damaged or belongs to another run, or the loss is not finite.

    References
    ----------
    The paper, section 2 and appendix A; see the module for what differs.
    """
    if not callable(images):
        network.check_input(images, "images")
    device = next(network.parameters()).device
    # On a CPU, convolutions with few channels are fastest when the channels lie together.
    network = copy.deepcopy(network).train()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's omission
    averaged = copy.deepcopy(network).eval()
    optimizer = torch.optim.Adam(network.parameters(), lr=config.learning_rate, fused=True)
    step, seconds = 0, 0.0
    if resume is not None:
        checkpoint = _load_checkpoint(resume, config)
        try:
            network.load_state_dict(checkpoint["network"])
            averaged.load_state_dict(checkpoint["averaged"])
            optimizer.load_state_dict(checkpoint["optimizer"])
            generator.set_state(checkpoint["generator"])
            step, seconds = checkpoint["step"], checkpoint["seconds"]
        except (KeyError, RuntimeError, ValueError, TypeError) as error:
            raise TrainingError(
                f"The checkpoint {resume} does not fit this network ({error}). Remove it to start "
                "from the beginning, or go on with the network it was made with."
            ) from error

    while step < config.steps:
        started = time.perf_counter()
        rate = config.learning_rate_at(step)
        for group in optimizer.param_groups:
            group["lr"] = rate
        x = _draw_batch(network, images, config.batch_size, generator).to(device)
        sigma = draw_sigmas(len(x), config, generator=generator).to(device, x.dtype)
        noise = sigma * standard_noise(x, generator=generator)
        squared_error = (network.residual(x + noise) - noise).square()
        squared_error = squared_error.mean(dim=(1, 2, 3), keepdim=True)
        loss = (squared_error / sigma**config.weight_power).mean()
        step += 1
        loss_value = loss.item()
        if not math.isfinite(loss_value):  # before it reaches the weights
            raise TrainingError(
                f"The loss is {loss_value} at step {step}. Lower the learning rate "
                f"({config.learning_rate}), or look for images that are not on the [0, 1] scale."
            )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
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
        return drawn
    return images[torch.randint(len(images), (n,), generator=generator)]


@torch.no_grad()
def _move_average(averaged: nn.Module, network: nn.Module, decay: float) -> None:
    """Move every weight and every norm statistic of `averaged` towards `network`."""
    ours, theirs = list(averaged.state_dict().values()), list(network.state_dict().values())
    torch._foreach_lerp_(ours, theirs, 1 - decay)


def _load_checkpoint(path: str | Path, config: TrainConfig) -> dict[str, Any]:
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        theirs = checkpoint["config"]
    except Exception as error:  # torch has no one error for a damaged file, and bad advice
        reason = error if isinstance(error, OSError) else type(error).__name__
        raise TrainingError(
            f"The checkpoint {path} is missing or damaged ({reason}). Remove it to start again."
        ) from error
    if theirs != asdict(config):
        changed = {k for k in theirs if theirs[k] != asdict(config).get(k)}
        raise TrainingError(
            f"The checkpoint {path} belongs to a run with another configuration: "
            f"{', '.join(sorted(changed))} differ. Remove it, or go on with its configuration."
        )
    return checkpoint
