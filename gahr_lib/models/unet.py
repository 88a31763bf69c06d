"""The bias-free UNet of the paper."""

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from gahr_lib._checks import check_count
from gahr_lib.models.base import Activation, ResidualNetwork, check_switch
from gahr_lib.models.bias_free import BiasFreeBatchNorm, convolution, transposed_convolution

__all__ = ["UNet"]


class UNet(ResidualNetwork):
    """The paper's blind UNet, bias-free unless asked, for any number of blocks and any width.

    Every block has two 3x3 convolutions; the encoder halves the image by averaging and doubles the
    channels, the decoder mirrors it with 2x2 transposed convolutions and concatenated skips.

    Parameters
    ----------
    channels
        Channels of the images: 1 for grey, 3 for colour.
    width
        Channels of the first block; 64 in the paper.
    blocks
        How often the image is halved; 1, 2, 3 and 4 in the paper for 20, 40, 80 and 160 pixels.
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
        If a number is not a positive integer, `bias` is not a bool, or `generator` is no
        torch.Generator.

    References
    ----------
    The paper, section 2 and appendix A; table 1 gives the parameter counts for width 64:
    366,080, 1,825,024, 7,659,264 and 30,993,152.
    """

    def __init__(
        self,
        *,
        channels: int = 1,
        width: int = 64,
        blocks: int = 3,
        bias: bool = False,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.channels = channels = check_count(channels, "channels")
        self.width = width = check_count(width, "width")
        self.blocks = blocks = check_count(blocks, "blocks")
        self.bias = bias = check_switch(bias, "bias")
        self.stride = 2**blocks

        def conv(inputs: int, outputs: int) -> nn.Conv2d:
            return convolution(inputs, outputs, bias=bias, generator=generator)

        def normed(inputs: int, outputs: int) -> list[nn.Module]:
            return [conv(inputs, outputs), BiasFreeBatchNorm(outputs), nn.ReLU()]

        def two(inputs: int, outputs: int) -> nn.Sequential:
            return nn.Sequential(*normed(inputs, outputs), *normed(outputs, outputs))

        # The first and last convolutions have no norm: they set the scale of the image.
        self.encoder = nn.ModuleDict(
            {"0": nn.Sequential(conv(channels, width), nn.ReLU(), *normed(width, width))}
        )
        for b in range(1, blocks):
            self.encoder[str(b)] = two(width * 2 ** (b - 1), width * 2**b)
        self.mid_block = two(width * 2 ** (blocks - 1), width * 2**blocks)
        self.upsample = nn.ModuleDict()
        self.decoder = nn.ModuleDict()
        for b in reversed(range(blocks)):
            wide, narrow = width * 2 ** (b + 1), width * 2**b
            self.upsample[str(b)] = transposed_convolution(
                wide, narrow, bias=bias, generator=generator
            )
            # `wide` channels go in: `narrow` from below and `narrow` across the skip.
            self.decoder[str(b)] = (
                two(wide, narrow)
                if b
                else nn.Sequential(*normed(wide, narrow), conv(narrow, channels))
            )

    def residual(self, y: Tensor, activation: Activation = torch.relu) -> Tensor:
        """Return the network's estimate of the noise in `y`, (B, C, H, W)."""
        x, skips = y, []
        for b in range(self.blocks):
            x = _run(self.encoder[str(b)], x, activation)
            skips.append(x)
            x = avg_pool2d(x, 2)
        x = _run(self.mid_block, x, activation)
        for b in reversed(range(self.blocks)):
            x = torch.cat([self.upsample[str(b)](x), skips[b]], dim=1)
            x = _run(self.decoder[str(b)], x, activation)
        return x


def _run(block: nn.Module, x: Tensor, activation: Activation) -> Tensor:
    """Run a block with `activation` in the place of its ReLUs."""
    for layer in block.children():
        x = activation(x) if isinstance(layer, nn.ReLU) else layer(x)
    return x
