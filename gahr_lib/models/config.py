"""The configuration of a network, small enough to be stored beside its weights."""

from dataclasses import dataclass
from typing import Literal

import torch

from gahr_lib.errors import ConfigError
from gahr_lib.models.base import ResidualNetwork
from gahr_lib.models.bf_cnn import BFCNN
from gahr_lib.models.unet import UNet

__all__ = ["NetworkConfig", "build_network"]


@dataclass(frozen=True)
class NetworkConfig:
    """What a network is made of.

    Attributes
    ----------
    architecture
        "unet" or "bf_cnn".
    channels
        Channels of the images.
    width
        Channels of the first layer.
    depth
        Blocks of a UNet, layers of a BF-CNN.
    first_layer_linear
        Whether the first convolution of a BF-CNN goes without its ReLU; that of a UNet never does.
    bias
        Whether the convolutions have biases; f(c y) = c f(y) and f(y) = J(y) y then hold no longer.
    """

    architecture: Literal["unet", "bf_cnn"] = "unet"
    channels: int = 1
    width: int = 16
    depth: int = 2
    first_layer_linear: bool = False
    bias: bool = False


def build_network(
    config: NetworkConfig, *, generator: torch.Generator | None = None
) -> ResidualNetwork:
    """Return a new network in training mode, its weights drawn from `generator`.

    Raises
    ------
    ConfigError
        If the architecture is unknown, a number or a switch does not fit it, or `generator` is no
        torch.Generator.
    """
    size = {"channels": config.channels, "width": config.width}
    match config.architecture:
        case "unet":
            if config.first_layer_linear:
                raise ConfigError(
                    "first_layer_linear is set for a UNet; expected it of a BF-CNN alone. Leave it "
                    "out, or build a 'bf_cnn'."
                )
            return UNet(**size, blocks=config.depth, bias=config.bias, generator=generator)
        case "bf_cnn":
            return BFCNN(
                **size,
                layers=config.depth,
                first_layer_linear=config.first_layer_linear,
                bias=config.bias,
                generator=generator,
            )
        case _:
            raise ConfigError(
                f"The architecture is {config.architecture!r}; expected 'unet' or 'bf_cnn'."
            )
