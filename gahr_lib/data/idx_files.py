"""Reading the idx format of MNIST and its relatives, with every fault found out."""

import gzip
import hashlib
import math
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gahr_lib.errors import DataFileError

__all__ = ["read_idx_images"]

_MAGIC = b"\x00\x00\x08\x03"  # unsigned bytes, three dimensions
_HEADER = 16  # magic, then three big-endian 32-bit sizes: images, rows, columns


def read_idx_images(path: str | Path, *, sha256: str | None = None) -> NDArray[np.uint8]:
    """Read a file of grey images, gzipped if its name ends in .gz.

    Parameters
    ----------
    path
        The file.
    sha256
        The expected hash of its content after unpacking, in hexadecimal; None to skip this check.

    Returns
    -------
    array
        (n, rows, columns), bytes from 0 to 255, read-only.

    Raises
    ------
    DataFileError
        If the file is missing, damaged, cut short, of another format or of other content.
    """
    path = Path(path)
    remedy = "Delete it and fetch it again."
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
    except FileNotFoundError as error:
        raise DataFileError(f"There is no file {path}; expected a file of images.") from error
    except (OSError, EOFError, zlib.error) as error:
        raise DataFileError(f"{path} cannot be unpacked ({error}). {remedy}") from error
    if content[:4] != _MAGIC:
        raise DataFileError(f"{path} does not begin like an idx file of grey images. {remedy}")
    # Zeros in the place of a header that is cut short: the length then does not fit either.
    header = content[4:_HEADER].ljust(_HEADER - 4, b"\x00")
    shape = tuple(int(size) for size in np.frombuffer(header, dtype=">u4"))
    pixels = math.prod(shape)
    if not pixels or len(content) != _HEADER + pixels:
        raise DataFileError(
            f"{path} holds {len(content)} bytes, which is not what its header promises: "
            f"{shape} images of one byte a pixel. It is cut short, damaged or empty. {remedy}"
        )
    if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
        raise DataFileError(
            f"{path} is an idx file, but not the expected one: its SHA-256 after unpacking is not "
            f"{sha256}. {remedy}"
        )
    return np.frombuffer(content, dtype=np.uint8, offset=_HEADER).reshape(shape)
