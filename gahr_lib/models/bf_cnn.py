"""The bias-free convolutional network BF-CNN."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from gahr_lib._checks import check_count
from gahr_lib.models.base import Activation, ResidualNetwork, check_switch
from gahr_lib.models.bias_free import BiasFreeBatchNorm, convolution

__all__ = ["BFCNN"]


class BFCNN(ResidualNetwork):
    """A blind chain of 3x3 convolutions, bias-free unless asked, at the resolution of the image.

    Parameters
    ----------
    channels
        Channels of the images: 1 for grey, 3 for colour.
    width
        Channels of every hidden layer; 64 in the paper.
    layers
        The number of convolutions, at least 3; 21 gives the paper's 702,784 parameters.
    first_layer_linear
        Whether the ReLU after the first convolution is left out. The authors' loader leaves it out
        unless told otherwise, their script for training does not.
    bias
        Whether every convolution adds a constant to each of its channels. The networks of the paper
        add none, which makes them homogeneous: f(c y) = c f(y) for c > 0, and so f(y) = J(y) y
        (eq. 6). Neither holds with biases, once training has moved them away from zero. The norms
        stay as they are.
    generator
        Source of the initial weights; torch's default generator if None.

    Raises
    ------
    ConfigError
        If a number is not whole or too small, a switch is not a bool, or `generator` is no
        torch.Generator.

    References
    ----------
    Mohan, Kadkhodaie, Simoncelli and Fernandez-Granda, "Robust and interpretable blind image
    denoising via bias-free convolutional neural networks", ICLR 2020; the paper, appendix A.
    """

    def __init__(
        self,
        *,
        channels: int = 1,
        width: int = 64,
        layers: int = 21,
        first_layer_linear: bool = False,
        bias: bool = False,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.channels = channels = check_count(channels, "channels")
        self.width = width = check_count(width, "width")
        self.layers = layers = check_count(layers, "layers", 3)
        self.first_layer_linear = check_switch(first_layer_linear, "first_layer_linear")
        self.bias = bias = check_switch(bias, "bias")
        sides = [channels, *[width] * (layers - 1), channels]
        self.conv_layers = nn.ModuleList(
            convolution(inputs, outputs, bias=bias, generator=generator)
            for inputs, outputs in pairwise(sides)
        )
        # The first and last convolutions have no norm: they set the scale of the image.
        self.BN_layers = nn.ModuleList(BiasFreeBatchNorm(width) for _ in range(layers - 2))

    def residual(self, y: Tensor, activation: Activation = torch.relu) -> Tensor:
        """Return the network's estimate of the noise in `y`, (B, C, H, W)."""
        first, *middle, last = self.conv_layers
        x = first(y)
        if not self.first_layer_linear:
            x = activation(x)
        for conv, norm in zip(middle, self.BN_layers, strict=True):
            x = activation(norm(conv(x)))
        return last(x)
