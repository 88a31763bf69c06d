"""Checks of the arguments that the image generators share, and the size of their chunks."""

import math
from collections.abc import Iterator
from typing import SupportsFloat, SupportsIndex

import torch

from gahr_lib._checks import check_whole, number
from gahr_lib.errors import ConfigError, ShapeError, ValueRangeError

# Below this side the smallest disc, a sixteenth of the side, is thinner than its own soft edge.
SMALLEST_SIZE = 8

# Temporary arrays of this many pixels stay in the cache of one core: on the 80x80 generators
# that is up to twice as fast as one pass over a large batch. An accelerator wants larger pieces.
CHUNK_PIXELS_CPU = 2**18
CHUNK_PIXELS_DEVICE = 2**26


def check_size(size: SupportsIndex) -> int:
    """Return the side in pixels as an int, or raise `ShapeError` if it is too small to draw on."""
    side = check_whole(size, "size")
    if side < SMALLEST_SIZE:
        raise ShapeError(
            f"size is {side} pixels; expected {SMALLEST_SIZE} or more. "
            "Draw a larger image and crop or average it."
        )
    return side


def check_dtype(dtype: torch.dtype) -> torch.dtype:
    """Return the type of the images, or raise `ConfigError` unless it is a real floating one."""
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise ConfigError(
            f"dtype is {dtype!r}; expected a floating type, because intensities lie in [0, 1]. "
            "Pass dtype=torch.float32."
        )
    return dtype


def check_number(value: SupportsFloat, name: str, *, at_least: float) -> float:
    """Return a finite number that is not below `at_least`, or raise `ValueRangeError`."""
    checked = number(value)
    if not at_least <= checked < math.inf:
        raise ValueRangeError(
            f"{name} is {value!r}; expected one number, finite and {at_least:g} or more. "
            f"Pass {name}={max(at_least, 2.0):g}, for instance."
        )
    return checked


def chunks(n: int, pixels: int, device: torch.device) -> Iterator[slice]:
    """Yield slices that cut a batch of `n` images, of `pixels` each, into pieces for the cache."""
    limit = CHUNK_PIXELS_CPU if device.type == "cpu" else CHUNK_PIXELS_DEVICE
    length = max(1, limit // pixels)
    for start in range(0, n, length):
        yield slice(start, min(start + length, n))
