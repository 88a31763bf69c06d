"""Fashion-MNIST, the real images of the book's scale, in two disjoint halves.

60,000 training and 10,000 test images of clothes, grey, 28x28 pixels, MIT licence (Xiao, Rasul and
Vollgraf, arXiv 1708.07747). The training images are shuffled once; the first 30,000 are half A, the
other 30,000 half B. The first images of A, B and the test set travel with the package; more are
read from a folder of this machine or downloaded once.
"""

import contextlib
import functools
import os
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gahr_lib._checks import check_count
from gahr_lib.data.idx_files import read_idx_images
from gahr_lib.errors import CacheError, ConfigError, DataFileError, DownloadError

__all__ = ["fashion"]

HALF_SIZE = 30_000
TEST_SIZE = 10_000

_FILES = {"train": "train-images-idx3-ubyte", "test": "t10k-images-idx3-ubyte"}
# Of the unpacked content, because packed copies differ in the header that gzip writes.
_CONTENT_SHA256 = {
    "train": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "test": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
}
# Of the packed files as the authors of the data set publish them.
_DOWNLOAD = "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/"
_DOWNLOAD_SHA256 = {
    "train": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    "test": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
}
_SYSTEM_FOLDER = Path("/usr/share/datasets/fashion-mnist")  # Debian: dataset-fashion-mnist
_SHIPPED = Path(__file__).parent / "files"
_SHIPPED_SIZE = {"A": 500, "B": 500, "test": 1000}


def fashion(
    split: Literal["train", "test"] = "train",
    *,
    half: Literal["A", "B"] | None = None,
    n: int | None = None,
    folder: str | Path | None = None,
) -> Tensor:
    """Return images of Fashion-MNIST.

    Parameters
    ----------
    split
        "train" or "test".
    half
        Of the training images, half "A" or half "B"; None for A followed by B.
        The test set has no halves.
    n
        How many images from the start of the set; all of them if None. The order is fixed, so
        a smaller set is a subset of a larger one.
    folder
        Where the idx files are, packed or not. If None, they are looked for among the files that
        came with the package (the first 500 of A, 500 of B and 1,000 of the test set), in the
        folder that the environment variable GAHR_FASHION names, in the folder of Debian's
        package dataset-fashion-mnist, and at last downloaded to the user's cache.

    Returns
    -------
    Tensor
        (n, 1, 28, 28), float32 intensities in [0, 1].

    Raises
    ------
    ConfigError
        If the split, the half or the number does not exist.
    DataFileError, DownloadError, CacheError
        If the files are damaged, cannot be fetched, or the cache cannot be written.
    """
    if split not in _FILES:
        raise ConfigError(f"The split is {split!r}; expected 'train' or 'test'.")
    if half not in (None, "A", "B") or (half and split == "test"):
        raise ConfigError(
            f"The half is {half!r} of split {split!r}; expected 'A' or 'B' of the training images, "
            "or None."
        )
    available = TEST_SIZE if split == "test" else HALF_SIZE if half else 2 * HALF_SIZE
    n = available if n is None else check_count(n, "n", most=available)
    part = "test" if split == "test" else half or "A"
    if folder is None and n <= _SHIPPED_SIZE[part]:
        images = _shipped(part)[:n]
    elif split == "test":
        images = _whole("test", folder)[:n]
    else:
        start = HALF_SIZE if half == "B" else 0
        images = _whole("train", folder)[shuffled_order()[start : start + n]]
    # One copy, on the [0, 1] scale; the cached bytes stay as they are.
    return torch.from_numpy(images.astype(np.float32) / 255)[:, None]


def shuffled_order() -> NDArray[np.int64]:
    """Return the fixed order of the 60,000 training images: half A, then half B."""
    # RandomState, not default_rng: NumPy guarantees that its stream never changes.
    return np.random.RandomState(0).permutation(2 * HALF_SIZE)


def _shipped(part: str) -> NDArray[np.uint8]:
    return _read_cached(_SHIPPED / f"fashion-{part}.idx3.gz", None)


def _whole(split: str, folder: str | Path | None) -> NDArray[np.uint8]:
    """Read one of the two full files from wherever it is."""
    folder = folder or os.environ.get("GAHR_FASHION")
    if folder is not None:
        path = _find(Path(folder), split)
        if path is None:
            raise DataFileError(
                f"There is no {_FILES[split]} or {_FILES[split]}.gz in {folder} that can be read; "
                "expected the idx files of Fashion-MNIST. Name their folder, or none to have them "
                "downloaded."
            )
    else:
        path = _find(_SYSTEM_FOLDER, split) or _download(split)
    return _read_cached(path, _CONTENT_SHA256[split])


@functools.lru_cache(maxsize=5)
def _read_cached(path: Path, sha256: str | None) -> NDArray[np.uint8]:
    return read_idx_images(path, sha256=sha256)


def _find(folder: Path, split: str) -> Path | None:
    candidates = (folder / f"{_FILES[split]}.gz", folder / _FILES[split])
    for path in candidates:
        with contextlib.suppress(PermissionError):  # which Python raises up to 3.13
            if path.is_file():
                return path
    return None


def _download(split: str, base_url: str = _DOWNLOAD, cache: Path | None = None) -> Path:
    """Fetch a file into the user's cache; pooch checks its hash before it moves it there."""
    import pooch
    from requests import RequestException

    name = f"{_FILES[split]}.gz"
    cache = cache or Path(pooch.os_cache("gahr_lib")) / "fashion-mnist"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        return Path(
            pooch.retrieve(
                base_url + name, known_hash=_DOWNLOAD_SHA256[split], fname=name, path=cache
            )
        )
    except RequestException as error:
        raise DownloadError(
            f"{base_url + name} could not be downloaded ({error}). Connect to the network, or get "
            "the idx files elsewhere and name their folder with the variable GAHR_FASHION."
        ) from error
    except ValueError as error:  # pooch's word for a hash that does not match
        raise DownloadError(
            f"{base_url + name} is not the file that was expected: {error} Nothing was kept. "
            "Try again, or get the idx files elsewhere and name their folder with GAHR_FASHION."
        ) from error
    except OSError as error:
        raise CacheError(
            f"The cache folder {cache} cannot be written ({error}). Free some space, change its "
            "permissions, or name a folder that has the files with the variable GAHR_FASHION."
        ) from error
