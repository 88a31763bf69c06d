"""The optimizers that a network can be trained with."""

from typing import Any

import torch
from torch import Tensor, nn

from gahr_lib.models import ResidualNetwork
from gahr_lib.training.config import TrainConfig

__all__ = ["Optimizer"]


class Optimizer:
    """Muon for the convolutions between features and Adam for the rest, or Adam for everything.

    Muon makes the step of a matrix orthogonal and as large as Adam's, so that a convolution learns
    along all its directions at once. Convolutions from or to the image, gains of norms and biases
    are no such matrices, nor are any convolutions of as few features as the image has channels.

    Parameters
    ----------
    network
        Its weights are changed in place.
    config
        Says which optimizer.

    References
    ----------
    Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024; Liu et al.,
    "Muon is scalable for LLM training", arXiv:2502.16982, for the size of its steps.
    """

    def __init__(self, network: ResidualNetwork, config: TrainConfig) -> None:
        inner = _inner_convolutions(network) if config.optimizer == "muon" else []
        chosen = set(map(id, inner))
        rest = [weight for weight in network.parameters() if id(weight) not in chosen]
        # Each a view, so that a step of the matrix is a step of the weight.
        self._matrices = [
            (weight, _by_rows(weight.detach(), weight).view(len(weight), -1)) for weight in inner
        ]
        self._tensors = [*inner, *rest, *(matrix for _, matrix in self._matrices)]
        self._parts: dict[str, torch.optim.Optimizer] = {"adam": torch.optim.Adam(rest, fused=True)}
        if inner:
            self._parts["muon"] = torch.optim.Muon(
                [matrix for _, matrix in self._matrices],
                weight_decay=0.0,
                adjust_lr_fn="match_rms_adamw",
            )

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for tensor in self._tensors:
            tensor.grad = None

    def step(self, learning_rate: float) -> None:
        """Take a step down the gradient of the weights."""
        for weight, matrix in self._matrices:
            if weight.grad is not None:
                matrix.grad = _by_rows(weight.grad, weight).flatten(1)
        for part in self._parts.values():
            for group in part.param_groups:
                group["lr"] = learning_rate
            part.step()

    def state_dict(self) -> dict[str, Any]:
        """Return the moments of each optimizer."""
        return {name: part.state_dict() for name, part in self._parts.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from the moments that `state_dict` returned."""
        for name, part in self._parts.items():
            part.load_state_dict(state[name])


def _inner_convolutions(network: ResidualNetwork) -> list[nn.Parameter]:
    """Return the weights of the convolutions from features to features."""
    sides_of_others = {1, network.channels}  # the gain of a norm is one row
    return [
        weight
        for weight in network.parameters()
        if weight.ndim == 4 and sides_of_others.isdisjoint(weight.shape[:2])
    ]


def _by_rows(values: Tensor, weight: Tensor) -> Tensor:
    """Return `values`, of the shape of `weight`, with their axes in its order in memory."""
    together = weight.is_contiguous(memory_format=torch.channels_last)
    return values.permute(0, 2, 3, 1) if together else values
