"""Images from a folder, cropped, resized and made grey as the paper's authors did."""

import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gahr_lib._checks import check_count
from gahr_lib.data._arguments import check_size
from gahr_lib.errors import ConfigError, DataFileError, ShapeError

if TYPE_CHECKING:  # imported where a file is read: few callers of the package need it
    from PIL import Image

__all__ = ["celeba", "image_folder"]

_ENDINGS = {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
# Pillow's modes of eight bits a channel: it cuts the others off at 255 instead of scaling them.
_EIGHT_BITS = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"}
_CELEBA_CROP = (29, 9)  # of 218 rows and 178 columns: 160x160 pixels are left
_CELEBA_SIZE = (178, 218)


def image_folder(
    folder: str | Path,
    *,
    size: int,
    crop: tuple[int, int] | None = None,
    n: int | None = None,
    grey: bool = True,
    as_bytes: bool = False,
) -> Tensor:
    """Return the images of a folder and its subfolders, in the order of their paths.

    An image is cropped to a square, resized by Pillow's bicubic filter, and then made grey as the
    mean of red, green and blue. Paths are compared character by character, so that the order is the
    same on every machine; hidden files are left out.

    Parameters
    ----------
    folder
        Where the images are, with eight bits a channel: PNG, JPEG, TIFF, WebP, BMP, GIF (its first
        picture), PGM or PPM.
    size
        Side of the result in pixels.
    crop
        Pixels cut off (above and below, left and right), which must leave a square. If None, the
        largest square in the middle is taken.
    n
        How many images from the start; all of them if None.
    grey
        One channel instead of three.
    as_bytes
        Return bytes from 0 to 255, a quarter of the memory; the mean of the colours is then
        rounded. The searches of `gahr_lib.analysis.neighbours` take bytes as they are.

    Returns
    -------
    Tensor
        (n, 1 or 3, size, size): float32 intensities in [0, 1], or uint8.

    Raises
    ------
    DataFileError
        If the folder does not exist or has too few images, or one of them cannot be read, has more
        than eight bits a channel, or is transparent.
    ShapeError
        If the crop does not leave a square, or one smaller than `size`: nothing is stretched or
        enlarged.
    ConfigError
        If the crop is not two numbers, or n is not positive.

    References
    ----------
    The paper, appendix A, and the authors' code.
    """
    return _images(Path(folder), size, crop, n, grey, as_bytes)


def celeba(
    folder: str | Path, n: int | None = None, *, size: int = 80, as_bytes: bool = False
) -> Tensor:
    """Return faces of CelebA as the authors prepared them: 80x80 pixels, grey.

    The faces may be used for research that is not commercial; they are no part of this package. The
    authors took theirs in the order in which their file system listed them, which nobody recorded:
    their halves are others than those of this order.

    Parameters
    ----------
    folder
        The folder img_align_celeba of the aligned faces, 178x218 pixels.
    n
        How many images from the start; all of them, 202,599, if None.
    size
        Side of the result in pixels, at most 160; table 1 of the paper has 20, 40, 80 and 160.
    as_bytes
        Return bytes: 100,000 faces then take 640 MB instead of 2.6 GB. See `image_folder`.

    Returns
    -------
    Tensor
        (n, 1, size, size): float32 intensities in [0, 1], or uint8.

    Raises
    ------
    DataFileError, ShapeError, ConfigError
        See `image_folder`; also if an image has not the size of the aligned faces.

    References
    ----------
    Liu, Luo, Wang and Tang, "Deep learning face attributes in the wild", ICCV 2015; the paper,
    section 2.
    """
    return _images(Path(folder), size, _CELEBA_CROP, n, True, as_bytes, original=_CELEBA_SIZE)


def _images(
    folder: Path,
    size: int,
    crop: tuple[int, int] | None,
    n: int | None,
    grey: bool,
    as_bytes: bool,
    original: tuple[int, int] | None = None,
) -> Tensor:
    size = check_size(size)
    if crop is not None:
        _check_crop(crop)
    least = 1 if n is None else check_count(n, "n")
    paths = _paths(folder)
    if len(paths) < least:
        raise DataFileError(
            f"{folder} has {len(paths):,} images; expected {least:,}, in files that end in "
            f"{', '.join(sorted(_ENDINGS))}. Ask for fewer, or name the folder that holds them."
        )
    paths = paths[:n]
    shape = (len(paths), 1 if grey else 3, size, size)
    images = np.empty(shape, dtype=np.uint8 if as_bytes else np.float32)
    read = partial(_read, size=size, crop=crop, original=original)
    # Pillow decodes and resizes without holding Python's lock. A share of the images at a time: the
    # finished ones that wait for their turn take memory.
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(paths), 1024):
            for i, pixels in enumerate(pool.map(read, paths[start : start + 1024]), start):
                values = pixels.mean(axis=2, keepdims=True, dtype=np.float32) if grey else pixels
                scaled = values.round() if as_bytes else values / np.float32(255)
                images[i] = scaled.transpose(2, 0, 1)
    return torch.from_numpy(images)


def _check_crop(crop: Any) -> None:
    if not isinstance(crop, tuple | list) or len(crop) != 2:
        raise ConfigError(
            f"crop is {crop!r}; expected the pixels to cut off above and below, and those left and "
            "right. Pass crop=(0, 0) for none, or None for the largest square."
        )
    for pixels, name in zip(crop, ("rows", "columns"), strict=True):
        check_count(pixels, f"The number of {name} in crop", 0, remedy="Pass (0, 0) for none.")


def _paths(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise DataFileError(f"There is no folder {folder}; expected one that holds images.")
    # Not the order of paths, which differs between systems.
    return [folder / name for name in sorted(_names(folder))]


def _names(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        inside = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in inside.parts)
        if path.suffix.lower() in _ENDINGS and not hidden and path.is_file():
            yield inside.as_posix()


def _read(
    path: Path, size: int, crop: tuple[int, int] | None, original: tuple[int, int] | None
) -> NDArray[np.uint8]:
    """Return one image as bytes, (size, size, 3)."""
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as file:
            image = _colours(ImageOps.exif_transpose(file), path)
    except DataFileError:
        raise
    # Pillow's decoders raise these for damaged files.
    except (
        Image.DecompressionBombError,
        OSError,
        SyntaxError,
        ValueError,
        IndexError,
        struct.error,
    ) as error:
        raise DataFileError(
            f"The image {path} cannot be read ({error}). Remove it, or get it again."
        ) from error
    width, height = image.size
    if original is not None and image.size != original:
        raise DataFileError(
            f"The image {path} has {height}x{width} pixels; expected {original[1]}x{original[0]}, "
            "as the aligned faces of CelebA have. Name their folder, or use image_folder."
        )
    side = min(width, height)
    rows, columns = crop or ((height - side) // 2, (width - side) // 2)
    right, below = (width - columns, height - rows) if crop else (columns + side, rows + side)
    if right - columns != below - rows or right <= columns:
        raise ShapeError(
            f"{path} has {height}x{width} pixels, of which crop={crop} leaves "
            f"{below - rows}x{right - columns}; expected a square. Change the crop."
        )
    if right - columns < size:
        raise ShapeError(
            f"{path} has {right - columns} pixels on each side after the crop; expected {size} or "
            "more, because an enlarged image is a blurred one. Ask for a smaller size."
        )
    image = image.crop((columns, rows, right, below)).resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(image)


def _colours(image: "Image.Image", path: Path) -> "Image.Image":
    """Return an image as red, green and blue, or raise if that would change its intensities."""
    if image.mode not in _EIGHT_BITS:
        raise DataFileError(
            f"The image {path} is of Pillow's mode {image.mode}; expected eight bits a channel. "
            "Convert it first."
        )
    if image.has_transparency_data:
        image = image.convert("RGBA")
        if image.getchannel("A").getextrema() != (255, 255):
            raise DataFileError(
                f"The image {path} is transparent in places, which have no intensity; expected an "
                "opaque one. Put it on a background first."
            )
    return image.convert("RGB")
