"""Random crops of photographs, the natural images that a package brings along.

scikit-image has a few photographs inside its wheel: nothing is downloaded, and none is copied into
this package. The texts of `skimage.data` say where each comes from and under which terms:

===========  =====================================================================================
astronaut    Eileen Collins; from NASA, no known copyright restrictions, in the public domain
brick        from CC0Textures, CC0, then cropped, rotated and scaled
camera       a man with a camera, CC0 by the photographer, Lav Varshney; it took the place of an
             older picture, of unclear rights, in scikit-image 0.18
chelsea      a cat, CC0 by the photographer, Stefan van der Walt
coffee       CC0 by the photographer, Rachel Michetti
coins        from the Brooklyn Museum, no known copyright restrictions
grass        from DeviantArt, CC0
gravel       from CC0Textures, CC0
motorcycle   from the Middlebury stereo benchmark of 2014, the left picture; no terms stated
rocket       from SpaceX, released into the public domain
===========  =====================================================================================

Left out are drawings, scans, microscopy, medical pictures and the sky; a clock that is blurred by
motion; the moon, of which neither origin nor terms are stated; and the right picture of the
motorcycle, which shows in its left half some of what the left one shows in its right half.
"""

import functools
import hashlib
import importlib.util
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from gahr_lib._checks import check_count, check_generator
from gahr_lib.data._arguments import check_size, chunks
from gahr_lib.errors import ConfigError, DataFileError, ShapeError

__all__ = ["photograph", "photographs"]

_FILES = {
    "astronaut": "astronaut.png",
    "brick": "brick.png",
    "camera": "camera.png",
    "chelsea": "chelsea.png",
    "coffee": "coffee.png",
    "coins": "coins.png",
    "grass": "grass.png",
    "gravel": "gravel.png",
    "motorcycle": "motorcycle_left.png",
    "rocket": "rocket.jpg",
}
_SHA256 = {
    "astronaut": "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
    "brick": "7966caf324f6ba843118d98f7a07746d22f6a343430add0233eca5f6eaaa8fcf",
    "camera": "b0793d2adda0fa6ae899c03989482bff9a42d3d5690fc7e3648f2795d730c23a",
    "chelsea": "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb",
    "coffee": "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7",
    "coins": "f8d773fc9cfa6f4d8e5942dc34d0a0788fcaed2a4fefbbed0aef5398d7ef4cba",
    "grass": "b6b6022426b38936c43a4ac09635cd78af074e90f42ffa8227ac8b7452d39f89",
    "gravel": "c48615b451bf1e606fbd72c0aa9f8cc0f068ab7111ef7d93bb9b0f2586440c12",
    "motorcycle": "db18e9c4157617403c3537a6ba355dfeafe9a7eabb6b9b94cb33f6525dd49179",
    "rocket": "c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c",
}
_TEST = ("camera",)
_LUMINANCE = (0.2125, 0.7154, 0.0721)  # of red, green and blue, ITU-R BT.709
_SHRINKS = tuple(3 ** (k / 6) for k in range(7))  # from 1 to 3, each 1.2 times the one before
_NUMBERS = 5  # random numbers of a crop: picture, shrink, row, column, flip


def photographs(
    n: int,
    size: int = 48,
    *,
    half: Literal["A", "B"] | None = None,
    split: Literal["train", "test"] = "train",
    generator: torch.Generator,
) -> Tensor:
    """Draw grey crops of photographs, at random places, scales and orientations.

    For each crop are drawn, uniformly: one of the photographs; one of seven factors from 1 to 3 by
    which it is shrunk, with antialiasing, of those that leave it large enough; a place; and whether
    the crop is mirrored from left to right.

    Parameters
    ----------
    n
        Number of crops.
    size
        Side in pixels, 8 or more.
    half
        "A" draws from the left half of every photograph and "B" from the right half. Each half is
        cut out before it is shrunk, so the two have no pixel in common. None draws from all of it.
    split
        "train" draws from nine photographs; "test" from another one, the cameraman, which has no
        halves.
    generator
        The only source of randomness; the images are made on its device.

    Returns
    -------
    Tensor
        (n, 1, size, size), float32 intensities in [0, 1].

    Raises
    ------
    ConfigError
        If scikit-image is not installed, or the number, the half or the split does not exist.
    ShapeError
        If the size is too small to be an image, or larger than a photograph.
    DataFileError
        If a photograph of scikit-image is missing or another one than expected.
    """
    n, size = check_count(n, "n"), check_size(size)
    if split not in ("train", "test"):
        raise ConfigError(f"The split is {split!r}; expected 'train' or 'test'.")
    if half not in (None, "A", "B") or (half and split == "test"):
        raise ConfigError(
            f"The half is {half!r} of split {split!r}; expected 'A' or 'B' of the training images, "
            "or None."
        )
    device = check_generator(generator).device
    scales = _scales(split, half, device)
    if size > scales.largest:
        raise ShapeError(
            f"size is {size} pixels; expected at most {scales.largest}, the shortest side of these "
            f"photographs{' when they are cut in halves' if half else ''}. Nothing is enlarged: "
            "pass a smaller size."
        )
    images = torch.empty(n, 1, size, size, device=device)
    for chunk in chunks(n, size**2, device):
        # One row of random numbers for each crop makes a crop independent of the batch.
        uniform = torch.rand(chunk.stop - chunk.start, _NUMBERS, device=device, generator=generator)
        images[chunk, 0] = _crops(scales, uniform, size)
    return images


def photograph(name: str, size: int | None = None) -> Tensor:
    """Return one photograph, grey; the cameraman, for instance, is ``photograph("camera")``.

    Parameters
    ----------
    name
        "camera", the one that `photographs` keeps for the test; or "astronaut", "brick",
        "chelsea", "coffee", "coins", "grass", "gravel", "motorcycle" or "rocket".
    size
        Side in pixels, 8 or more, to which the largest square in the middle is shrunk, with
        antialiasing. The whole photograph as it is if None.

    Returns
    -------
    Tensor
        (1, 1, H, W), float32 intensities in [0, 1].

    Raises
    ------
    ConfigError
        If scikit-image is not installed, or there is no such photograph.
    ShapeError
        If the size is too small to be an image, or larger than the photograph.
    DataFileError
        If the photograph of scikit-image is missing or another one than expected.
    """
    if name not in _FILES:
        raise ConfigError(f"The photograph is {name!r}; expected one of {', '.join(_FILES)}.")
    picture = _picture(name)
    if size is None:
        return picture.clone()
    size, (height, width) = check_size(size), picture.shape[-2:]
    side = min(height, width)
    if size > side:
        raise ShapeError(
            f"size is {size} pixels; expected at most {side}, the shorter side of the photograph "
            f"{name!r}. Nothing is enlarged: pass a smaller size."
        )
    top, left = (height - side) // 2, (width - side) // 2
    return _shrunk(picture[..., top : top + side, left : left + side], size, size)


@dataclass(frozen=True)
class _Scales:
    """Some pictures, each at every scale, one after the other in one long row of pixels."""

    pixels: Tensor
    starts: Tensor  # of picture p at scale k in that row, (pictures, scales)
    heights: Tensor
    widths: Tensor
    largest: int  # side of the largest square that lies in all of them


@functools.lru_cache(maxsize=8)
def _scales(split: str, half: str | None, device: torch.device) -> _Scales:
    names = _TEST if split == "test" else [name for name in _FILES if name not in _TEST]
    parts = [_half(_picture(name), half) for name in names]
    at_scales = [
        _shrunk(part, *(round(side / shrink) for side in part.shape[-2:]))
        for part in parts
        for shrink in _SHRINKS
    ]
    ends = np.cumsum([picture.numel() for picture in at_scales])

    def table(values: list[int]) -> Tensor:
        return torch.tensor(values, device=device).reshape(len(parts), len(_SHRINKS))

    return _Scales(
        torch.cat([picture.flatten() for picture in at_scales]).to(device),
        table([0, *ends[:-1].tolist()]),
        table([picture.shape[-2] for picture in at_scales]),
        table([picture.shape[-1] for picture in at_scales]),
        min(min(part.shape[-2:]) for part in parts),
    )


def _crops(scales: _Scales, uniform: Tensor, size: int) -> Tensor:
    """Return the crops, (n, size, size), that numbers in [0, 1) choose, (n, 5)."""

    def choose(u: Tensor, among: Tensor) -> Tensor:
        return (u * among).long().minimum(among - 1)  # for the product may be rounded up

    # A smaller scale comes later, so those that are large enough are the first ones.
    enough = (torch.minimum(scales.heights, scales.widths) >= size).sum(1)
    picture, shrink, row, column, mirror = uniform.unbind(1)
    p = choose(picture, torch.full_like(enough[:1], len(enough)))
    k = choose(shrink, enough[p])
    width = scales.widths[p, k]
    top = choose(row, scales.heights[p, k] - size + 1)
    left = choose(column, width - size + 1)
    corner = scales.starts[p, k] + top * width + left
    steps = torch.arange(size, device=uniform.device)
    across = torch.where((mirror < 0.5)[:, None], steps.flip(0), steps)
    down = steps * width[:, None]
    return scales.pixels[corner[:, None, None] + down[:, :, None] + across[:, None, :]]


def _half(picture: Tensor, half: str | None) -> Tensor:
    """Return the left or the right half; neither has the column in the middle of an odd number."""
    middle = picture.shape[-1] // 2
    return (
        picture
        if half is None
        else picture[..., :middle]
        if half == "A"
        else picture[..., -middle:]
    )


def _shrunk(picture: Tensor, height: int, width: int) -> Tensor:
    if picture.shape[-2:] == (height, width):
        return picture.clone()
    small = interpolate(picture, (height, width), mode="bicubic", antialias=True)
    return small.clamp(0, 1)  # the filter overshoots at edges


@functools.lru_cache(maxsize=len(_FILES))
def _picture(name: str) -> Tensor:
    """Read a photograph and turn it to grey, (1, 1, H, W); callers copy what they hand out."""
    from PIL import Image

    package = importlib.util.find_spec("skimage")
    if package is None or not package.submodule_search_locations:
        raise ConfigError(
            "The photographs are those of scikit-image, which is not installed. Install it with "
            'pip install scikit-image, or with pip install "gahr-lib[zoo]".'
        )
    path = Path(package.submodule_search_locations[0]) / "data" / _FILES[name]
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataFileError(
            f"{path} cannot be read ({error}). Install scikit-image again, 0.24 or newer."
        ) from error
    if hashlib.sha256(content).hexdigest() != _SHA256[name]:
        raise DataFileError(
            f"{path} is not the expected photograph: its SHA-256 differs. Install scikit-image "
            "again, 0.24 or newer."
        )
    with Image.open(io.BytesIO(content)) as image:
        values = np.asarray(image, dtype=np.float64) / 255
    grey = values if values.ndim == 2 else values @ _LUMINANCE
    return torch.from_numpy(grey.clip(0, 1).astype(np.float32))[None, None]
