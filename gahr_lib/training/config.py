"""How a network is trained: its configuration, the learning rate of a step, the noise levels."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from gahr_lib._checks import check_count, check_generator, number
from gahr_lib.errors import ConfigError

__all__ = ["TrainConfig", "draw_sigmas"]

_HALVINGS = 10  # the paper: every 100 of 1,000 epochs


@dataclass(frozen=True)
class TrainConfig:
    """How a network is trained.

    Attributes
    ----------
    steps
        Number of gradient steps; the same for every size of training set, so that a small set is
        not trained less.
    batch_size
        Images in a step, drawn with replacement; of all processes together.
    optimizer
        "muon", see `gahr_lib.training.optimizers`; or "adam", as in the paper.
    learning_rate
        The highest learning rate.
    warmup
        Steps over which the learning rate rises.
    average
        Decay of the moving average of the weights, per step.
    sigma_power, sigma_min
        The noise level is u ** sigma_power + sigma_min, u uniform on [0, 1]. The paper has u ** 2.
    weight_power
        The squared error of an image is divided by sigma ** weight_power. The paper has 0.
    schedule
        How the learning rate falls: "cosine", to 0 along half a period; or "halving", to a half
        after every tenth of the steps, as in the paper.
    """

    steps: int = 4_000
    batch_size: int = 32
    optimizer: Literal["muon", "adam"] = "muon"
    learning_rate: float = 8e-3
    warmup: int = 200
    average: float = 0.999
    sigma_power: float = 2.0
    sigma_min: float = 0.005
    weight_power: float = 1.0
    schedule: Literal["cosine", "halving"] = "cosine"

    def __post_init__(self) -> None:
        """Refuse what cannot be trained before any work is done."""
        for name, least in (("steps", 1), ("batch_size", 1), ("warmup", 0)):
            # As an int, because checkpoints and cards hold no integers of NumPy.
            object.__setattr__(self, name, check_count(getattr(self, name), name, least))
        for name in ("learning_rate", "sigma_power"):
            if not 0 < number(getattr(self, name)) < math.inf:
                raise ConfigError(f"{name} is {getattr(self, name)!r}; expected a number > 0.")
        for name in ("sigma_min", "weight_power"):
            if not 0 <= number(getattr(self, name)) < math.inf:
                raise ConfigError(f"{name} is {getattr(self, name)!r}; expected a number >= 0.")
        if not 0 <= number(self.average) < 1:
            raise ConfigError(f"average is {self.average!r}; expected a decay in [0, 1).")
        if self.optimizer not in ("muon", "adam"):
            raise ConfigError(f"optimizer is {self.optimizer!r}; expected 'muon' or 'adam'.")
        if self.schedule not in ("cosine", "halving"):
            raise ConfigError(f"schedule is {self.schedule!r}; expected 'cosine' or 'halving'.")
        if self.sigma_min == 0 and self.weight_power > 0:
            raise ConfigError(
                "sigma_min is 0, and the loss is divided by a power of sigma; expected a smallest "
                "noise level above 0. Set sigma_min=0.005, for instance, or weight_power=0."
            )

    def learning_rate_at(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0."""
        rise = min(1.0, (step + 1) / (self.warmup + 1))
        if self.schedule == "halving":
            return self.learning_rate * rise * 0.5 ** (_HALVINGS * step // self.steps)
        return self.learning_rate * rise * 0.5 * (1 + math.cos(math.pi * step / self.steps))


def draw_sigmas(n: int, config: TrainConfig, *, generator: torch.Generator) -> Tensor:
    """Return `n` noise levels from the training distribution, (n, 1, 1, 1).

    Raises
    ------
    ConfigError
        If `n` is not positive, or `generator` is no torch.Generator.
    """
    n, device = check_count(n, "n"), check_generator(generator).device
    u = torch.rand((n, 1, 1, 1), generator=generator, device=device)
    return u**config.sigma_power + config.sigma_min
