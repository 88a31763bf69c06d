"""Files of images as MNIST and its relatives have them."""

import gzip
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def write_idx_images(path: Path, images: NDArray[np.uint8]) -> None:
    """Write images (n, rows, columns) as a gzipped idx file."""
    header = b"\x00\x00\x08\x03" + np.asarray(images.shape, dtype=">u4").tobytes()
    path.write_bytes(gzip.compress(header + images.tobytes(), mtime=0))
