"""A network that computes on one device for images that stay on another."""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gahr_lib.models.base import Activation, ResidualNetwork

__all__ = ["OnDevice"]


class OnDevice(ResidualNetwork):
    """A copy of a network on a device, which takes images from anywhere and hands results back.

    So a GPU does the work of the network and of its Jacobian, while noise, pictures and numbers
    stay where they are drawn and shown. The weights are not listed among its parameters: whoever
    looks there for a device to draw noise on finds the CPU.

    Parameters
    ----------
    network
        The network; it stays where it is.
    device
        Where the copy computes.
    """

    def __init__(self, network: ResidualNetwork, device: torch.device | str) -> None:
        super().__init__()
        self.device = torch.device(device)
        self.channels, self.stride = network.channels, network.stride
        self.image_shape = network.image_shape
        # In a tuple, where torch does not look for parts of a module.
        self._copy = (copy.deepcopy(network).to(self.device),)
        self.train(network.training)

    def check_input(self, y: Tensor, name: str = "y") -> None:
        """Raise `ShapeError` or `ValueRangeError` unless the network takes `y`."""
        self._copy[0].check_input(y, name)

    def residual(self, y: Tensor, activation: Activation = torch.relu) -> Tensor:
        """Return the network's estimate of the noise, on the device of `y`."""
        return self._copy[0].residual(y.to(self.device), activation).to(y.device)

    def linearize(self, y: Tensor) -> Callable[[Tensor], Tensor]:
        """Return the network's linearisation at `y`; it takes vectors from anywhere too."""
        linear = self._copy[0].linearize(y.to(self.device))
        return lambda v: linear(v.to(self.device)).to(v.device)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        """Let the copy take a change of precision, too; it stays on its device."""
        self._copy[0]._apply(fn, recurse).to(self.device)
        return super()._apply(fn, recurse)
