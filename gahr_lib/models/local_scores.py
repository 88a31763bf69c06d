"""Denoisers that see a neighbourhood of each pixel: the local score machines."""

from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor

from gahr_lib._checks import check_count
from gahr_lib.errors import ConfigError
from gahr_lib.models._patches import PatchDenoiser, PatchSize
from gahr_lib.models._training_set import check_training_images, mean_image

__all__ = ["EquivariantLocalScore", "LocalScore"]

# Pixels along a side that see equally far: the first, how many, and how far before and behind.
Run = tuple[int, int, int, int]


class LocalScore(PatchDenoiser):
    """The optimal denoiser of a training set among those that see a patch around each pixel.

    For each pixel u, f(y)(u) = sum_i w_i x_i(u) with the weights ``w = softmax(-|y_P(u) -
    x_i,P(u)|^2 / (2 sigma^2))``, where x_P(u) is the patch of P x P pixels around u: training
    patches at the same place, one for each training image. Each pixel chooses for itself, so that
    the whole may be a mosaic of training images.

    Parameters
    ----------
    images
        Training images, (N, C, H, W), floating intensities in [0, 1] or bytes in 0..255, which stay
        bytes. They are not copied: do not change them.
    patch_size
        P, an odd number of pixels: what a network sees of its input, which may depend on the noise
        level. A number, a function of sigma, or a table {sigma: P} of which the sigma counts that
        is nearest on a logarithmic scale.
    padding
        What the patch of a pixel near the border contains, as a network's convolutions have it.
        "zeros": zeros outside, in noisy and in training images alike; they add nothing to the
        distance, and the patch is what is left of it inside the image. P may then be so large that
        every pixel sees the whole image, which gives `EmpiricalOptimum`. "circular": opposite sides
        of the image are joined; P is at most the shorter side.
    block
        How many patches are compared with as many at a time: memory grows with its square.

    Raises
    ------
    ShapeError, ValueRangeError
        If `images` is not a batch of images.
    ConfigError
        If another argument is not one of those above.

    References
    ----------
    Kamb and Ganguli, "An analytic theory of creativity in convolutional diffusion models", ICML
    2025, arXiv 2412.20292: the local score (LS) machine, written as a denoiser by eq. 3 of the
    paper of this book.
    """

    def __init__(
        self,
        images: Tensor,
        patch_size: PatchSize,
        *,
        padding: Literal["zeros", "circular"] = "zeros",
        block: int = 1024,
    ) -> None:
        check_training_images(images)
        if padding not in ("zeros", "circular"):
            raise ConfigError(f"padding is {padding!r}; expected 'zeros' or 'circular'.")
        self._padding = padding
        self._sides = (images.shape[2], images.shape[3])
        super().__init__(images, self._centre(images), patch_size, block)

    def check_side(self, side: int) -> int:
        """Return the side of a patch if it is odd, and for circular padding inside the image."""
        most = min(self._sides) if self._padding == "circular" else None
        side = check_count(side, "patch_size", 1, most)
        if side % 2 == 0:
            raise ConfigError(
                f"patch_size is {side}; expected an odd number of pixels, so that the patch has a "
                f"pixel in its middle. Pass {side - 1} or {side + 1}."
            )
        return side

    def denoise_with(self, side: int, y: Tensor, sigma: float | Tensor) -> Tensor:
        """Return each pixel's weighted mean of training pixels."""
        levels = self.noise_levels(sigma, y, self.image_shape[0] * side**2)
        centred = y.to(levels.dtype) - self.centre.to(levels.dtype)
        height, width = self._sides
        strips = []
        for top, tall, above, below in self._runs(height, side // 2):
            rows = (top - above, top + tall + below)
            strip = [
                self.patch_means(
                    centred,
                    levels,
                    rows,
                    (start - before, start + wide + behind),
                    (above + 1 + below, before + 1 + behind),
                    (above, before),
                )
                for start, wide, before, behind in self._runs(width, side // 2)
            ]
            strips.append(torch.cat(strip, dim=3))
        return torch.cat(strips, dim=2).to(y.dtype) + self.centre

    def _centre(self, images: Tensor) -> Tensor:
        return mean_image(images)

    def _runs(self, size: int, radius: int) -> Iterator[Run]:
        """Yield pixels along a side of an image, in order, together where they compare alike."""
        for i in range(size):
            yield (i, 1, *self._reach(i, size, radius))

    def _reach(self, i: int, size: int, radius: int) -> tuple[int, int]:
        """Return how far a pixel sees before and behind itself."""
        if self._padding == "circular":
            return radius, radius
        return min(radius, i), min(radius, size - 1 - i)


class EquivariantLocalScore(LocalScore):
    """The optimal denoiser of a training set among convolutional ones that see a patch.

    f(y)(u) = sum_(i, v) w_iv x_i(v) with ``w = softmax(-|y_P(u) - x_i,P(v)|^2 / (2 sigma^2))``: as
    `LocalScore`, but with training patches from all places v. With circular padding, these are all
    places, and the denoiser commutes with circular shifts. With zero padding, a network can tell
    from the zeros where the border is; so a patch is compared with those patches that have their
    zeros at the same places: inside the image with all inside, next to the left border with all
    next to it, in a corner with that corner of each image. This is the boundary-broken equivariant
    local score machine.

    Parameters
    ----------
    images, patch_size, padding, block
        See `LocalScore`. A noisy image is compared with N H W patches, which takes seconds for a
        thousand training images: pass some of them.

    Raises
    ------
    ShapeError, ValueRangeError
        If `images` is not a batch of images.
    ConfigError
        If another argument is not one of those above.

    References
    ----------
    Kamb and Ganguli, "An analytic theory of creativity in convolutional diffusion models", ICML
    2025, arXiv 2412.20292: the equivariant local score (ELS) machine, with its borders.
    """

    def _centre(self, images: Tensor) -> Tensor:
        # One intensity for each channel: it has to be the same at all places.
        return mean_image(images).mean((1, 2), keepdim=True).expand(images.shape[1:])

    def _runs(self, size: int, radius: int) -> Iterator[Run]:
        reaches = [self._reach(i, size, radius) for i in range(size)]
        start = 0
        for i in range(1, size + 1):
            if i == size or reaches[i] != reaches[start]:
                yield (start, i - start, *reaches[start])
                start = i
