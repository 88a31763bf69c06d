"""The contract that every denoiser of this library keeps."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable
from itertools import chain

import torch
from torch import Tensor, nn

from gahr_lib._checks import check_images, check_same_dtype, check_sigma, check_vectors
from gahr_lib.errors import ConfigError, ShapeError, SigmaError

__all__ = ["Activation", "Denoiser", "ResidualNetwork", "check_evaluating"]

Activation = Callable[[Tensor], Tensor]


class Denoiser(nn.Module, ABC):
    """A map from noisy images to denoised images of the same shape.

    Call it as ``denoiser(y)`` or ``denoiser(y, sigma)``: the call checks its input and then runs
    `denoise`. A subclass writes `denoise` and sets the class
    attributes that differ from the defaults here.

    Attributes
    ----------
    needs_sigma : bool
        Whether the noise level must be given. Blind networks ignore it.
    channels : int or None
        The number of channels of its images; None if any will do.
    stride : int
        Both sides of an image must be multiples of this number of pixels.
    image_shape : tuple or None
        (C, H, W) of the images it was made for, if it was made for one size; samplers start there.
    """

    needs_sigma: bool = False
    channels: int | None = None
    stride: int = 1
    image_shape: tuple[int, int, int] | None = None

    def forward(self, y: Tensor, sigma: float | Tensor | None = None) -> Tensor:
        """Denoise a batch of images.

        Parameters
        ----------
        y
            Noisy images, (B, C, H, W), floating: intensities in [0, 1] plus noise.
        sigma
            Standard deviation of the noise in intensity units, a number or (B,).
            Only denoisers with `needs_sigma` read it.

        Returns
        -------
        Tensor
            The denoised images, (B, C, H, W). Never the residual.

        Raises
        ------
        ShapeError, ValueRangeError
            If `y` is not a batch of images that this denoiser takes.
        SigmaError
            If sigma is needed and missing, or negative or not finite.
        """
        self.check_input(y)
        if sigma is not None:
            check_sigma(sigma, len(y))
        elif self.needs_sigma:
            raise SigmaError(
                f"{type(self).__name__} is not blind: it needs the noise level. "
                "Call it as denoiser(y, sigma), sigma in intensity units."
            )
        return self.denoise(y, sigma)

    def check_input(self, y: Tensor, name: str = "y") -> None:
        """Raise `ShapeError` or `ValueRangeError` unless `y` is a batch of images that it takes."""
        check_images(y, name, channels=self.channels)
        if y.shape[-2] % self.stride or y.shape[-1] % self.stride:
            raise ShapeError(
                f"{name} has shape {tuple(y.shape)}; expected sides that are multiples of "
                f"{self.stride} pixels, as {type(self).__name__} needs. Crop or pad the images, "
                "or use a denoiser that halves them less often."
            )
        own = next(chain(self.parameters(), self.buffers()), y).dtype
        check_same_dtype(y, own, name, "the denoiser")

    @abstractmethod
    def denoise(self, y: Tensor, sigma: float | Tensor | None) -> Tensor:
        """Denoise without checking: the formula of the denoiser, for input known to be good."""


class ResidualNetwork(Denoiser):
    """A blind network that estimates the noise; the contract's denoised image is y minus that.

    Its only non-linearity is the activation, handed down as an argument, so that the same lines
    serve the network and its linearisation at a point (see `linearize`). Everything else has to be
    linear, but for constants that layers add, which have to be their parameters named ``bias``.
    """

    @abstractmethod
    def residual(self, y: Tensor, activation: Activation = torch.relu) -> Tensor:
        """Return the network's estimate of the noise in `y`, (B, C, H, W)."""

    def denoise(self, y: Tensor, sigma: float | Tensor | None = None) -> Tensor:
        """Return ``y - residual(y)``; sigma is ignored, the network is blind."""
        return y - self.residual(y)

    def linearize(self, y: Tensor) -> Callable[[Tensor], Tensor]:
        """Return the map v -> J(y) v, with J the Jacobian of the denoiser at one image.

        A network of convolutions and ReLUs is linear as long as no ReLU changes its mind, and
        affine if it has biases. One pass of `y` records which units are on; the returned map runs a
        block of vectors through the same network with those masks in place of the ReLUs, and
        without the biases, of which the derivative knows nothing but what they did to the masks.

        Parameters
        ----------
        y
            The image, (1, C, H, W).

        Returns
        -------
        callable
            Maps vectors (K, C, H, W) to J v, (K, C, H, W); it is linear, and differentiable in v.

        Raises
        ------
        ShapeError, ValueRangeError
            If `y` is not one image that the network takes; and by the map, if the vectors are not
            of its size and dtype.
        ConfigError
            If the network is in training mode.
        """
        check_evaluating(self)
        self.check_input(y)
        if len(y) != 1:
            raise ShapeError(
                f"y has {len(y)} images; expected one, since the Jacobian is taken at one image. "
                "Pass y[i:i+1]."
            )
        masks: list[Tensor] = []

        def record(x: Tensor) -> Tensor:
            masks.append((x > 0).to(x.dtype))
            return torch.relu(x)

        with torch.no_grad():
            self.residual(y, record)

        linear = self._without_biases()

        def jacobian_times(v: Tensor) -> Tensor:
            check_vectors(v, y)
            remaining = iter(masks)
            return v - linear.residual(v, lambda x: x * next(remaining))

        return jacobian_times

    def _without_biases(self) -> "ResidualNetwork":
        """Return the network itself if it has no biases, or else a twin that shares its weights."""
        if not any(_has_bias(module) for module in self.modules()):
            return self
        shared = {id(tensor): tensor for tensor in chain(self.parameters(), self.buffers())}
        twin = copy.deepcopy(self, shared)  # which takes what `shared` has for a copy of it
        for module in filter(_has_bias, twin.modules()):
            module.register_parameter("bias", None)
        return twin


def _has_bias(module: nn.Module) -> bool:
    return any(name == "bias" for name, _ in module.named_parameters(recurse=False))


def check_evaluating(denoiser: object) -> None:
    """Raise `ConfigError` if a network is in training mode.

    Each image would then depend on the others of its batch, and looking at the network would change
    it, for its norms follow every batch they see.
    """
    if isinstance(denoiser, ResidualNetwork) and denoiser.training:
        raise ConfigError(
            "The network is in training mode, where each output depends on the whole batch; "
            "expected evaluation mode. Call denoiser.eval() first."
        )


def check_switch(value: bool, name: str) -> bool:
    """Return a yes or no as it is, or raise `ConfigError` unless it is True or False."""
    if not isinstance(value, bool):
        raise ConfigError(
            f"{name} is {value!r}; expected True or False, because a word such as 'False' would "
            "count as true."
        )
    return value
