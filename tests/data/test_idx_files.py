import gzip
import hashlib
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from data.idx_writer import write_idx_images
from gahr_lib.data.idx_files import read_idx_images
from gahr_lib.errors import DataFileError

IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)

byte_images = arrays(np.uint8, st.tuples(st.integers(1, 5), st.integers(1, 9), st.integers(1, 9)))


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    path = tmp_path / "images.gz"
    write_idx_images(path, IMAGES)
    return path


@settings(max_examples=50)
@given(images=byte_images)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, images: NDArray[np.uint8]
) -> None:
    path = tmp_path_factory.mktemp("idx") / "images.gz"
    write_idx_images(path, images)
    read = read_idx_images(path)
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, images)


def test_the_format_is_that_of_mnist(packed: Path) -> None:
    expected = struct.pack(">BBBBIII", 0, 0, 8, 3, 2, 3, 4) + bytes(range(24))
    assert gzip.decompress(packed.read_bytes()) == expected


def test_files_are_read_unpacked_too(tmp_path: Path, packed: Path) -> None:
    path = tmp_path / "images"
    path.write_bytes(gzip.decompress(packed.read_bytes()))
    np.testing.assert_array_equal(read_idx_images(path), IMAGES)
    np.testing.assert_array_equal(read_idx_images(str(path)), IMAGES)


def test_images_are_read_only(packed: Path) -> None:
    with pytest.raises(ValueError, match="read-only"):
        read_idx_images(packed)[0, 0, 0] = 1


def test_the_hash_is_that_of_the_unpacked_content(packed: Path) -> None:
    content = gzip.decompress(packed.read_bytes())
    read_idx_images(packed, sha256=hashlib.sha256(content).hexdigest())
    with pytest.raises(DataFileError, match=r"not the expected one.*fetch it again"):
        read_idx_images(packed, sha256=hashlib.sha256(packed.read_bytes()).hexdigest())


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match=r"There is no file .*none.gz"):
        read_idx_images(tmp_path / "none.gz")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(DataFileError):
        read_idx_images(tmp_path)


def test_a_file_cut_short_anywhere_is_found_out(tmp_path: Path, packed: Path) -> None:
    content = gzip.decompress(packed.read_bytes())
    path = tmp_path / "short"
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(DataFileError, match=r"Delete it and fetch it again\."):
            read_idx_images(path)


def test_a_packed_file_cut_short_anywhere_is_found_out(tmp_path: Path, packed: Path) -> None:
    content = packed.read_bytes()
    path = tmp_path / "short.gz"
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(DataFileError, match=r"Delete it and fetch it again\."):
            read_idx_images(path)


@settings(max_examples=100)
@given(position=st.integers(0, 23), flip=st.integers(1, 255))
def test_a_damaged_byte_of_a_packed_file_never_changes_the_images(
    tmp_path_factory: pytest.TempPathFactory, position: int, flip: int
) -> None:
    path = tmp_path_factory.mktemp("idx") / "damaged.gz"
    write_idx_images(path, IMAGES)
    content = bytearray(path.read_bytes())
    content[len(content) - 24 + position] ^= flip  # in the data or in the checksum of gzip
    path.write_bytes(content)
    try:
        read = read_idx_images(path)
    except DataFileError:
        return
    np.testing.assert_array_equal(read, IMAGES)  # it was one of the bits that fill up a byte


def test_bytes_after_the_images_are_found_out(tmp_path: Path, packed: Path) -> None:
    path = tmp_path / "long"
    path.write_bytes(gzip.decompress(packed.read_bytes()) + b"\x00")
    with pytest.raises(DataFileError, match="cut short, damaged or empty"):
        read_idx_images(path)


@pytest.mark.parametrize(
    "magic",
    [b"\x00\x00\x08\x01", b"\x00\x00\x0d\x03", b"\x89PNG"],
    ids=["labels", "floats", "another format"],
)
def test_other_formats_are_refused(tmp_path: Path, magic: bytes) -> None:
    path = tmp_path / "other"
    path.write_bytes(magic + bytes(40))
    with pytest.raises(DataFileError, match="does not begin like an idx file"):
        read_idx_images(path)


def test_sizes_that_overflow_are_refused(tmp_path: Path) -> None:
    # 2^22 x 2^21 x 2^21 = 2^64 pixels, which is 0 in 64 bits.
    path = tmp_path / "huge"
    path.write_bytes(struct.pack(">BBBBIII", 0, 0, 8, 3, 2**22, 2**21, 2**21))
    with pytest.raises(DataFileError, match="cut short, damaged or empty"):
        read_idx_images(path)


@pytest.mark.parametrize("shape", [(0, 28, 28), (1, 0, 28), (0, 0, 0)])
def test_a_file_without_images_is_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    write_idx_images(tmp_path / "empty.gz", np.zeros(shape, np.uint8))
    with pytest.raises(DataFileError, match="damaged or empty"):
        read_idx_images(tmp_path / "empty.gz")
