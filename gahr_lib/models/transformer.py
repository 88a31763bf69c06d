"""A small transformer that denoises images patch by patch, without a convolution."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import skip_init

from gahr_lib._checks import check_count, check_generator, check_vectors
from gahr_lib.errors import ConfigError, ShapeError
from gahr_lib.models._training_set import check_image_shape
from gahr_lib.models.base import Activation, ResidualNetwork, check_evaluating

__all__ = ["PatchTransformer"]

_SMALLEST = 1e-6  # the root mean square below which an image counts as black


class PatchTransformer(ResidualNetwork):
    """A blind transformer on square patches, which exchange what they know by attention alone.

    The image is cut into patches that do not overlap; each becomes a token, and is told its place
    by an embedding that is learned. Any two tokens can attend to each other from the first layer
    on: nothing says which patches are neighbours, and nothing is equal at all places. The image is
    divided by its root mean square r(y) and the estimate multiplied by it, f(y) = r(y) g(y / r(y)),
    so that f(c y) = c f(y) for c > 0, and f(y) = J(y) y (eq. 6), as for a bias-free network.

    Parameters
    ----------
    image_shape
        (C, H, W) of the images. It takes no others, because places are learned.
    patch
        Side of the patches in pixels; it divides H and W.
    width
        Numbers in a token.
    layers
        How many layers of attention and perceptron.
    heads
        Heads of attention; it divides the width.
    generator
        Source of the initial weights; torch's default generator if None.

    Raises
    ------
    ConfigError
        If a number is not positive, or does not divide what it has to, or `generator` is no
        torch.Generator.

    References
    ----------
    Dosovitskiy et al., "An image is worth 16x16 words: transformers for image recognition at
    scale", ICLR 2021; Peebles and Xie, "Scalable diffusion models with transformers", ICCV 2023.
    Ours is told no noise level.
    """

    image_shape: tuple[int, int, int]

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (1, 28, 28),
        *,
        patch: int = 4,
        width: int = 48,
        layers: int = 4,
        heads: int = 4,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        channels, height, columns = image_shape
        self.image_shape = image_shape
        self.channels = check_count(channels, "channels")
        self.patch = patch = check_count(patch, "patch")
        width, heads = check_count(width, "width"), check_count(heads, "heads")
        if generator is not None:
            check_generator(generator)
        if height % patch or columns % patch or width % heads:
            raise ConfigError(
                f"Patches of {patch} and {heads} heads do not divide images of {height}x{columns} "
                f"and tokens of {width}; expected that they do. Change one of them."
            )
        tokens, numbers = height * columns // patch**2, channels * patch**2
        self.enter = _linear(numbers, width)
        self.places = nn.Parameter(torch.empty(tokens, width))
        self.layers = nn.ModuleList(
            _Layer(width, heads) for _ in range(check_count(layers, "layers"))
        )
        self.norm = nn.LayerNorm(width)
        self.leave = _linear(width, numbers)
        for weight in self.parameters():
            if weight.ndim > 1:
                spread = 0.02 if weight is self.places else weight.shape[1] ** -0.5
                nn.init.normal_(weight, std=spread, generator=generator)
        for name, value in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(value)

    def check_input(self, y: Tensor, name: str = "y") -> None:
        """Raise `ShapeError` or `ValueRangeError` unless `y` are images of its shape."""
        super().check_input(y, name)
        check_image_shape(y, self.image_shape, name, self)

    def residual(self, y: Tensor, activation: Activation = torch.relu) -> Tensor:
        """Return the network's estimate of the noise in `y`, (B, C, H, W)."""
        size = y.square().mean(dim=(1, 2, 3), keepdim=True).sqrt().clamp_min(_SMALLEST)
        patches = F.unfold(y / size, self.patch, stride=self.patch).transpose(1, 2)
        x = self.enter(patches) + self.places
        for layer in self.layers:
            x = layer(x, activation)
        out = self.leave(self.norm(x)).transpose(1, 2)
        return size * F.fold(out, self.image_shape[1:], self.patch, stride=self.patch)

    def linearize(self, y: Tensor) -> Callable[[Tensor], Tensor]:
        """Return the map v -> J(y) v, with J the Jacobian of the denoiser at one image.

        Attention and norms are no switches that could be held, so the map is the derivative along v
        of the linear map u -> J' u, by two reverse passes.

        Parameters, results and errors are those of `ResidualNetwork.linearize`.
        """
        check_evaluating(self)
        self.check_input(y)
        if len(y) != 1:
            raise ShapeError(
                f"y has {len(y)} images; expected one, since the Jacobian is taken at one image. "
                "Pass y[i:i+1]."
            )

        def jacobian_times(v: Tensor) -> Tensor:
            check_vectors(v, y)
            with torch.enable_grad():
                x = y.detach().expand_as(v).clone().requires_grad_()
                u = torch.zeros_like(v, requires_grad=True)
                (back,) = torch.autograd.grad(self.denoise(x), x, u, create_graph=True)
                (product,) = torch.autograd.grad(back, u, v, create_graph=v.requires_grad)
            return product

        return jacobian_times


def _linear(inputs: int, outputs: int) -> nn.Linear:
    """Return a linear map whose weights are still to be drawn."""
    return skip_init(nn.Linear, inputs, outputs)


class _Layer(nn.Module):
    """Attention among all tokens, then a perceptron of each; norms before both."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before = nn.LayerNorm(width)
        self.ask = _linear(width, 3 * width)
        self.mix = _linear(width, width)
        self.between = nn.LayerNorm(width)
        self.widen = _linear(width, 4 * width)
        self.narrow = _linear(4 * width, width)

    def forward(self, x: Tensor, activation: Activation) -> Tensor:
        # (B, tokens, 3 width) -> three of (B, heads, tokens, width / heads)
        asked = self.ask(self.before(x)).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        query, key, value = asked
        weights = torch.softmax(query @ key.mT / math.sqrt(query.shape[-1]), dim=-1)
        x = x + self.mix((weights @ value).transpose(1, 2).flatten(2))
        return x + self.narrow(activation(self.widen(self.between(x))))
