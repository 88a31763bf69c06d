"""Checks of the inputs that public functions share: images, noise levels, numbers, generators.

A wrong input never becomes a wrong number: it becomes one of the errors of `gahr_lib.errors`.
"""

import math
import operator
from typing import SupportsFloat, SupportsIndex

import torch
from torch import Tensor

from gahr_lib.errors import ConfigError, ShapeError, SigmaError, ValueRangeError

# Noise is unbounded, so a noisy intensity may lie far from [0, 1]; but sigma = 10 (input PSNR of
# -20 dB) is beyond every experiment, and images on the 0-255 scale exceed this at the first white.
LARGEST_INTENSITY = 64.0


def check_images(images: Tensor, name: str = "y", *, channels: int | None = None) -> None:
    """Raise unless `images` is a non-empty, finite, floating (B, C, H, W) tensor.

    Parameters
    ----------
    images
        The tensor to check.
    name
        What the caller calls it, for the message.
    channels
        The number of channels that are expected, if it matters.

    Raises
    ------
    ShapeError
        If there are not four dimensions, one of them is empty, or the channels differ.
    ValueRangeError
        If the values are integers, not finite, or on the 0-255 scale.
    """
    if not isinstance(images, Tensor):
        raise ShapeError(
            f"{name} is a {type(images).__name__}; expected a torch tensor (B, C, H, W). "
            "Convert it with torch.as_tensor."
        )
    if images.ndim != 4:
        raise ShapeError(
            f"{name} has shape {tuple(images.shape)}; expected four dimensions (B, C, H, W). "
            "Add the missing ones with reshape, e.g. image[None, None] for one grey image."
        )
    if images.numel() == 0:
        raise ShapeError(
            f"{name} is empty, with shape {tuple(images.shape)}; expected at least one image."
        )
    if channels is not None and images.shape[1] != channels:
        raise ShapeError(
            f"{name} has {images.shape[1]} channels; expected {channels}. "
            "Convert it to grey or colour first, or load a network made for its channels."
        )
    if not images.is_floating_point():
        raise ValueRangeError(
            f"{name} has dtype {images.dtype}; expected floating intensities in [0, 1]. "
            "For integers in 0..255, divide by 255."
        )
    _check_intensities(images, name)


def _check_intensities(images: Tensor, name: str) -> None:
    if torch.compiler.is_compiling():
        return  # values cannot be read while a graph is traced
    largest = one_value(images.detach().abs().amax())
    if largest is None:
        return
    if not math.isfinite(largest):
        raise ValueRangeError(
            f"{name} contains NaN or infinite values; expected finite intensities. "
            "Look for a division by zero or a damaged file where it was made."
        )
    if largest > LARGEST_INTENSITY:
        raise ValueRangeError(
            f"{name} has values up to {largest:.4g}; expected intensities in [0, 1] plus noise. "
            "If they are on the 0-255 scale, divide by 255."
        )


def one_value(tensor: Tensor) -> float | None:
    """Return the number in a tensor, or None under vmap, where there is no one number."""
    try:
        return float(tensor)
    except RuntimeError as error:
        if "vmap" not in str(error):  # a device that fails, or has no memory left
            raise
        return None


def check_vectors(vectors: Tensor, y: Tensor, name: str = "v") -> None:
    """Raise unless `vectors` are a block (K, C, H, W) of the size and dtype of an image.

    Raises
    ------
    ShapeError
        If they have not the size of `y`, (1, C, H, W).
    ValueRangeError
        If they have another dtype.
    """
    if not isinstance(vectors, Tensor) or vectors.ndim != 4 or vectors.shape[1:] != y.shape[1:]:
        raise ShapeError(
            f"{name} has shape {tuple(getattr(vectors, 'shape', ()))}; expected a block of vectors "
            f"of the size of the image, (K, {', '.join(map(str, y.shape[1:]))})."
        )
    check_same_dtype(vectors, y.dtype, name, "the image")


def check_same_dtype(tensor: Tensor, dtype: torch.dtype, name: str, other: str) -> None:
    """Raise `ValueRangeError` unless a tensor has the dtype of another; autocast takes any."""
    if tensor.dtype != dtype and not torch.is_autocast_enabled(tensor.device.type):
        raise ValueRangeError(
            f"{name} has dtype {tensor.dtype}; expected that of {other}, {dtype}. "
            f"Convert it with .to({dtype})."
        )


def check_sigma(sigma: float | Tensor, batch: int | None = None, *, name: str = "sigma") -> None:
    """Raise unless `sigma` is a finite, non-negative noise level, or one for each image.

    Parameters
    ----------
    sigma
        Standard deviation of the noise, in intensity units: a number, or a tensor () or (B,).
    batch
        The number of images, if the noise level may differ between them.
    name
        What the caller calls it, for the message.

    Raises
    ------
    SigmaError
        If it is missing, negative, not finite, or has another shape.
    """
    if sigma is None:
        raise SigmaError(
            f"{name} is missing; expected the standard deviation of the noise in intensity units. "
            f"Pass {name}=0.1, for instance."
        )
    try:
        values = torch.as_tensor(sigma).detach()
    except (TypeError, ValueError, RuntimeError) as error:
        raise SigmaError(f"{name} is {sigma!r}; expected a number or a tensor of them.") from error
    if values.ndim > 1 or (values.ndim == 1 and len(values) != batch):
        raise SigmaError(
            f"{name} has shape {tuple(values.shape)}; expected one number"
            + (f" or one for each of the {batch} images." if batch is not None else ".")
        )
    if values.is_complex() or values.dtype == torch.bool or values.numel() == 0:
        raise SigmaError(f"{name} is {sigma!r}; expected real numbers.")
    if not bool(torch.isfinite(values).all()) or bool((values < 0).any()):
        raise SigmaError(
            f"{name} is {sigma!r}; expected finite numbers that are not negative, on the scale "
            "where white is 1 (divide by 255 if it was given on the 0-255 scale)."
        )


def sigma_per_image(sigma: float | Tensor, images: Tensor) -> Tensor:
    """Return checked noise levels, (B, 1, 1, 1) or (1, 1, 1, 1), ready to multiply `images`."""
    check_sigma(sigma, len(images))
    return torch.as_tensor(sigma, dtype=images.dtype, device=images.device).reshape(-1, 1, 1, 1)


def check_count(
    value: SupportsIndex,
    name: str,
    least: int = 1,
    most: int | None = None,
    *,
    remedy: str | None = None,
) -> int:
    """Return a number of things as an int, or raise unless it is whole and in its range.

    Parameters
    ----------
    value
        The number: an int or an integer of NumPy; no bool, and no float that happens to be whole.
    name
        What the caller calls it, for the message.
    least, most
        The smallest and the largest number that make sense; no upper bound if None.
    remedy
        What to do about a wrong one, for the message; to pass the smallest if None.

    Raises
    ------
    ConfigError
        If it is not a whole number from `least` to `most`.
    """
    count = _as_int(value)
    if count is None or count < least or (most is not None and count > most):
        allowed = f"from {least:,} to {most:,}" if most is not None else f"of at least {least:,}"
        raise ConfigError(
            f"{name} is {value!r}; expected a whole number {allowed}. "
            + (remedy or f"Pass {name}={least}, for instance.")
        )
    return count


def check_whole(value: SupportsIndex, name: str) -> int:
    """Return a whole number of any size as an int, or raise `ConfigError`."""
    whole = _as_int(value)
    if whole is None:
        raise ConfigError(f"{name} is {value!r}; expected a whole number. Pass an int.")
    return whole


def check_generator(generator: torch.Generator) -> torch.Generator:
    """Return the source of randomness, or raise `ConfigError` unless it is a torch generator."""
    if not isinstance(generator, torch.Generator):
        raise ConfigError(
            f"generator is {generator!r}; expected a torch.Generator, a source of random numbers "
            "rather than a seed. Pass generator=torch.Generator().manual_seed(0)."
        )
    return generator


def number(value: SupportsFloat) -> float:
    """Return a number as a float; NaN for what is none, which no range contains."""
    if isinstance(value, bool | str):
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError):
        return math.nan


def _as_int(value: SupportsIndex) -> int | None:
    if isinstance(value, bool):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None
