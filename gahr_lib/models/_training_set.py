"""What the denoisers that keep their training set have in common."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from gahr_lib._checks import check_count, check_images, one_value, sigma_per_image
from gahr_lib.errors import ShapeError
from gahr_lib.models.base import Denoiser

__all__ = [
    "TrainingSetDenoiser",
    "as_intensities",
    "check_image_shape",
    "check_training_images",
    "intensity_blocks",
    "mean_image",
]

_LEAST_SIGMA = 1e-6  # below, nothing but the nearest point has a weight
_TOLERANCE = 2e-4  # of an exponent's rounding, hence of a weight's relative error


def check_training_images(images: Tensor, name: str = "images") -> None:
    """Raise unless `images` are (N, C, H, W), floating in [0, 1] or bytes; a few at a time."""
    if not isinstance(images, Tensor) or images.ndim != 4 or images.numel() == 0:
        check_images(images, name)
    if images.dtype != torch.uint8:
        for block in images.split(1024):
            check_images(block, name)


def check_image_shape(y: Tensor, shape: tuple[int, ...], name: str, owner: object) -> None:
    """Raise `ShapeError` unless the images `y` have the shape (C, H, W)."""
    if tuple(y.shape[1:]) != shape:
        raise ShapeError(
            f"{name} has images of shape {tuple(y.shape[1:])}; expected {shape}, that of the "
            f"images that the {type(owner).__name__} was made from. Crop or resize them."
        )


def as_intensities(images: Tensor, dtype: torch.dtype) -> Tensor:
    """Return images as floating intensities; bytes are divided by 255."""
    return images.to(dtype).div_(255) if images.dtype == torch.uint8 else images.to(dtype)


def intensity_blocks(images: Tensor) -> Iterator[Tensor]:
    """Yield the images in double precision, about 8 MB at a time."""
    for part in images.split(max(1, 2**20 // images[0].numel())):
        yield as_intensities(part, torch.float64)


def mean_image(images: Tensor) -> Tensor:
    """Return the mean of training images, (C, H, W), in double precision."""
    total = torch.zeros(images.shape[1:], dtype=torch.float64, device=images.device)
    for block in intensity_blocks(images):
        total = total + block.sum(0)
    return total / len(images)


class TrainingSetDenoiser(Denoiser):
    """A denoiser that compares noisy images with training images, which it keeps as they are.

    Everything is computed relative to a centre, since differences of large numbers lose digits.

    Parameters
    ----------
    images
        Training images, (N, C, H, W): floating, or bytes 0..255, which stay bytes.
    centre
        What is subtracted from images, (C, H, W), in double precision.
    block
        How many training images or patches are compared at a time.
    """

    needs_sigma = True
    image_shape: tuple[int, int, int]
    centre: Tensor
    images: Tensor

    def __init__(self, images: Tensor, centre: Tensor, block: int) -> None:
        super().__init__()
        self.block = check_count(block, "block")
        self.channels = images.shape[1]
        self.image_shape = (images.shape[1], images.shape[2], images.shape[3])
        energy = sum(float((part - centre).square().sum()) for part in intensity_blocks(images))
        self._energy = energy / images.numel()  # mean square deviation of an intensity
        # The first buffer says what dtype the denoiser has: not that of bytes.
        dtype = torch.float32 if images.dtype == torch.uint8 else images.dtype
        self.register_buffer("centre", centre.to(dtype))
        self.register_buffer("images", images.detach())

    def check_input(self, y: Tensor, name: str = "y") -> None:
        """Raise `ShapeError` or `ValueRangeError` unless `y` are like the training images."""
        super().check_input(y, name)
        check_image_shape(y, self.image_shape, name, self)

    @staticmethod
    def centred(images: Tensor, centre: Tensor, dtype: torch.dtype) -> Tensor:
        """Return training images, or parts of them, minus the same part of the centre."""
        return as_intensities(images, dtype) - centre.to(dtype)

    def noise_levels(self, sigma: float | Tensor | None, y: Tensor, numbers: int) -> Tensor:
        """Return sigma of each image, (B, 1, 1, 1), in the dtype that comparisons need.

        The exponents |y - x|^2 / (2 sigma^2), computed from products, are rounded by about eps
        times |x| |y| / sigma^2. Where that is not small for vectors of so many numbers, single
        precision does not tell near training images apart.
        """
        assert sigma is not None  # needs_sigma: the call has checked it
        levels = sigma_per_image(sigma, y.to(torch.promote_types(y.dtype, torch.float32)))
        levels = levels.clamp(min=_LEAST_SIGMA)
        least = float(levels.detach().min())
        energy = one_value((y.detach() - self.centre).square().mean((1, 2, 3)).max())
        if energy is None:
            energy = self._energy + least**2
        rounding = numbers * math.sqrt(self._energy * energy) / least**2
        if rounding * torch.finfo(levels.dtype).eps > _TOLERANCE:
            levels = sigma_per_image(sigma, y.double()).clamp(min=_LEAST_SIGMA)
        return levels.expand(len(y), 1, 1, 1)
