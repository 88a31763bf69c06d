import contextlib
import gzip
import hashlib
import os
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch

from data.idx_writer import write_idx_images
from gahr_lib.data import fashion, fashion_images
from gahr_lib.data.idx_files import read_idx_images
from gahr_lib.errors import CacheError, ConfigError, DataFileError, DownloadError

pytestmark = pytest.mark.usefixtures("untouched_random_state")

SYSTEM = Path("/usr/share/datasets/fashion-mnist")
needs_the_full_data = pytest.mark.skipif(
    not SYSTEM.is_dir(), reason="needs Debian's package dataset-fashion-mnist"
)


@pytest.fixture(autouse=True)
def no_folder_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GAHR_FASHION", raising=False)


# What comes with the package


@pytest.mark.parametrize(
    ("split", "half", "n"),
    [("train", "A", 500), ("train", "B", 500), ("train", None, 500), ("test", None, 1000)],
)
def test_the_package_brings_images_of_every_part(
    monkeypatch: pytest.MonkeyPatch, split: str, half: str | None, n: int
) -> None:
    monkeypatch.setattr(fashion_images, "_whole", None)  # the full files are not opened
    images = fashion(split, half=half, n=n)
    assert images.shape == (n, 1, 28, 28)
    assert images.dtype == torch.float32
    assert images.min() == 0
    assert images.max() == 1
    assert torch.equal(images * 255, (images * 255).round())


def test_parts_that_are_shipped_have_no_image_in_common() -> None:
    parts = [
        fashion("train", half="A", n=500),
        fashion("train", half="B", n=500),
        fashion("test", n=1000),
    ]
    everything = torch.cat(parts).flatten(1)
    assert len(everything.unique(dim=0)) == 2000


def test_a_smaller_set_is_the_start_of_a_larger_one() -> None:
    assert torch.equal(fashion("test", n=7), fashion("test", n=100)[:7])
    assert torch.equal(fashion("train", half="B", n=1), fashion("train", half="B", n=20)[:1])


def test_half_a_comes_first() -> None:
    assert torch.equal(fashion("train", n=50), fashion("train", half="A", n=50))


def test_changing_what_was_read_does_not_change_what_is_read_next() -> None:
    first = fashion("test", n=2)
    before = first.clone()
    first.zero_()
    assert torch.equal(fashion("test", n=2), before)


# The halves


def test_the_halves_are_disjoint_and_cover_the_training_set() -> None:
    order = fashion_images.shuffled_order()
    a, b = set(order[:30_000].tolist()), set(order[30_000:].tolist())
    assert len(a) == len(b) == 30_000
    assert not a & b
    assert a | b == set(range(60_000))


def test_the_halves_never_change() -> None:
    order = fashion_images.shuffled_order()
    digest = hashlib.sha256(order.astype("<i8").tobytes()).hexdigest()
    assert digest == "7e036c4b3f1dd66e54edf1c84c91af7933021075586bc01f9f38916f0fa3f23e"


# The full data


@needs_the_full_data
@pytest.mark.parametrize(("part", "split"), [("A", "train"), ("B", "train"), ("test", "test")])
def test_what_is_shipped_is_the_start_of_the_full_data(part: str, split: str) -> None:
    half = part if split == "train" else None
    n = 1000 if split == "test" else 500
    shipped = fashion(split, half=half, n=n)
    assert torch.equal(fashion(split, half=half, n=n, folder=SYSTEM), shipped)
    assert torch.equal(fashion(split, half=half, n=n + 1, folder=SYSTEM)[:n], shipped)


@needs_the_full_data
def test_the_full_data_are_the_published_ones_in_the_order_of_the_halves() -> None:
    raw = read_idx_images(SYSTEM / "train-images-idx3-ubyte.gz")
    order = fashion_images.shuffled_order()
    everything = fashion("train", folder=SYSTEM)
    assert everything.shape == (60_000, 1, 28, 28)
    for position in (0, 499, 500, 29_999, 30_000, 59_999):
        expected = torch.from_numpy(raw[order[position]].astype(np.float32) / 255)
        assert torch.equal(everything[position, 0], expected)
    half = fashion("train", half="B", n=600, folder=SYSTEM)
    assert torch.equal(half, everything[30_000:30_600])


@needs_the_full_data
def test_the_folder_of_debian_is_found_without_being_named() -> None:
    assert fashion("test").shape == (10_000, 1, 28, 28)


# Folders of the user, with a small data set in the place of the real one


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a test set of 12 images, which takes the place of the real one."""
    folder = tmp_path / "mine"
    folder.mkdir()
    images = np.random.default_rng(0).integers(0, 256, (12, 28, 28), dtype=np.uint8)
    path = folder / "t10k-images-idx3-ubyte.gz"
    write_idx_images(path, images)
    content = gzip.decompress(path.read_bytes())
    known = {"test": hashlib.sha256(content).hexdigest()}
    packed = {"test": hashlib.sha256(path.read_bytes()).hexdigest()}
    monkeypatch.setattr(fashion_images, "_CONTENT_SHA256", known)
    monkeypatch.setattr(fashion_images, "_DOWNLOAD_SHA256", packed)
    monkeypatch.setattr(fashion_images, "TEST_SIZE", 12)
    monkeypatch.setitem(fashion_images._SHIPPED_SIZE, "test", 2)
    monkeypatch.setattr(fashion_images, "_SYSTEM_FOLDER", tmp_path / "no such folder")
    return folder


def test_a_folder_can_be_named(small: Path) -> None:
    raw = read_idx_images(small / "t10k-images-idx3-ubyte.gz")
    images = fashion("test", n=5, folder=small)
    assert torch.equal(images[:, 0], torch.from_numpy(raw[:5].astype(np.float32) / 255))
    assert torch.equal(fashion("test", n=5, folder=str(small)), images)


def test_a_folder_can_be_named_by_the_environment(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAHR_FASHION", str(small))
    assert torch.equal(fashion("test"), fashion("test", folder=small))


def test_unpacked_files_will_do(small: Path) -> None:
    expected = fashion("test", folder=small)
    packed = small / "t10k-images-idx3-ubyte.gz"
    (small / "t10k-images-idx3-ubyte").write_bytes(gzip.decompress(packed.read_bytes()))
    packed.unlink()
    assert torch.equal(fashion("test", folder=small), expected)


def test_a_folder_without_the_files_is_refused(small: Path) -> None:
    with pytest.raises(DataFileError, match=r"no train-images-idx3-ubyte .*Name their folder"):
        fashion("train", folder=small)


def test_a_folder_that_may_not_be_read_is_refused(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setenv("GAHR_FASHION", str(small))
    monkeypatch.setattr(Path, "is_file", refuse)
    with pytest.raises(DataFileError, match=r"in .*mine that can be read"):
        fashion("test", n=5)


def test_a_folder_with_another_data_set_is_refused(small: Path) -> None:
    write_idx_images(small / "t10k-images-idx3-ubyte.gz", np.zeros((12, 28, 28), np.uint8))
    with pytest.raises(DataFileError, match="not the expected one"):
        fashion("test", folder=small)


def test_a_truncated_file_in_the_folder_is_refused(small: Path) -> None:
    path = small / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataFileError, match="cannot be unpacked"):
        fashion("test", folder=small)


# The download, from a server on this machine


class Server(ThreadingHTTPServer):
    """Serves one file, whole, cut short or not at all."""

    content = b""
    cut = 0
    status = 200
    requests = 0


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.requests += 1
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.content)))
        self.end_headers()
        self.wfile.write(self.server.content[: len(self.server.content) - self.server.cut])

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(small: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1")
    with Server(("127.0.0.1", 0), Handler) as server:
        server.content = (small / "t10k-images-idx3-ubyte.gz").read_bytes()
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "fashion-mnist"


def download(server: Server, cache: Path) -> Path:
    url = f"http://127.0.0.1:{server.server_address[1]}/"
    return fashion_images._download("test", base_url=url, cache=cache)


def test_a_download_is_kept_and_not_repeated(server: Server, cache: Path) -> None:
    path = download(server, cache)
    assert path.read_bytes() == server.content
    assert list(cache.iterdir()) == [path]
    assert download(server, cache) == path
    assert server.requests == 1


def test_a_file_with_the_wrong_hash_is_not_kept(server: Server, cache: Path) -> None:
    server.content = gzip.compress(b"something else")
    with pytest.raises(DownloadError, match=r"not the file that was expected.*GAHR_FASHION"):
        download(server, cache)
    assert not list(cache.iterdir())


def test_an_interrupted_download_leaves_nothing(server: Server, cache: Path) -> None:
    server.cut = 1000
    with pytest.raises(DownloadError, match=r"could not be downloaded.*Connect to the network"):
        download(server, cache)
    assert not list(cache.iterdir())


def test_a_download_after_an_interruption_succeeds(server: Server, cache: Path) -> None:
    server.cut = 1000
    with pytest.raises(DownloadError):
        download(server, cache)
    server.cut = 0
    assert download(server, cache).read_bytes() == server.content


def test_a_file_that_is_not_there_is_a_failed_download(server: Server, cache: Path) -> None:
    server.status = 404
    with pytest.raises(DownloadError, match="404"):
        download(server, cache)
    assert not list(cache.iterdir())


def test_no_server_is_a_failed_download(server: Server, cache: Path) -> None:
    url = f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()
    with pytest.raises(DownloadError, match="GAHR_FASHION"):
        fashion_images._download("test", base_url=url, cache=cache)
    assert not list(cache.iterdir())


def test_a_damaged_file_in_the_cache_is_fetched_again(server: Server, cache: Path) -> None:
    path = download(server, cache)
    path.write_bytes(server.content[:50])
    assert download(server, cache).read_bytes() == server.content
    assert list(cache.iterdir()) == [path]


def test_a_cache_folder_that_cannot_be_made_is_named(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CacheError, match=r"cannot be written.*GAHR_FASHION"):
        download(server, tmp_path / "file" / "cache")
    assert server.requests == 0


@contextlib.contextmanager
def ordinary_user() -> Iterator[None]:
    """Become nobody, if this is root, for whom nothing is read-only."""
    if os.geteuid() != 0:
        yield
        return
    try:
        os.setresuid(65534, 65534, 0)  # the last one lets it return
    except (AttributeError, PermissionError):
        pytest.skip("root cannot become another user here")
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


def test_a_read_only_cache_is_named(server: Server, cache: Path) -> None:
    download(server, cache)  # nobody may not be able to import what this imports
    with tempfile.TemporaryDirectory() as folder:  # pytest's own lets no other user in
        Path(folder).chmod(0o555)
        with ordinary_user(), pytest.raises(CacheError, match="cannot be written"):
            download(server, Path(folder))
        assert not list(Path(folder).iterdir())
        Path(folder).chmod(0o700)


def test_a_cache_without_permission_is_named(
    server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **named: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.NamedTemporaryFile", refuse)
    with pytest.raises(CacheError, match=r"Permission denied.*change its permissions"):
        download(server, cache)
    assert not list(cache.iterdir())


def test_a_disk_that_fills_up_leaves_nothing(
    server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object, **named: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.move", full)
    with pytest.raises(CacheError, match="No space left on device"):
        download(server, cache)
    assert not list(cache.iterdir())


def test_what_no_folder_has_is_downloaded_to_the_cache_of_the_user(
    server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch, small: Path
) -> None:
    calls: list[str] = []
    real = fashion_images._download
    url = f"http://127.0.0.1:{server.server_address[1]}/"

    def fetch(split: str) -> Path:
        calls.append(split)
        return real(split, base_url=url, cache=cache)

    monkeypatch.setattr(fashion_images, "_download", fetch)
    assert torch.equal(fashion("test", n=12), fashion("test", n=12, folder=small))
    assert calls == ["test"]


# Bad arguments


@pytest.mark.parametrize("split", ["training", "Test", "", None, 1])
def test_unknown_splits_are_refused(split: object) -> None:
    with pytest.raises(ConfigError, match="expected 'train' or 'test'"):
        fashion(split, n=1)  # type: ignore[arg-type]


@pytest.mark.parametrize(("split", "half"), [("train", "C"), ("train", "a"), ("test", "A")])
def test_unknown_halves_are_refused(split: str, half: str) -> None:
    with pytest.raises(ConfigError, match="'A' or 'B' of the training images"):
        fashion(split, half=half, n=1)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("split", "half", "n", "available"),
    [
        ("train", None, 60_001, "60,000"),
        ("train", "B", 30_001, "30,000"),
        ("test", None, 10_001, "10,000"),
        ("test", None, 0, "10,000"),
        ("test", None, -3, "10,000"),
        ("test", None, 2.5, "10,000"),
    ],
)
def test_impossible_numbers_of_images_are_refused(
    split: str, half: str | None, n: object, available: str
) -> None:
    with pytest.raises(ConfigError, match=f"from 1 to {available}"):
        fashion(split, half=half, n=n)  # type: ignore[arg-type]


def test_a_number_may_be_an_integer_of_numpy() -> None:
    assert torch.equal(fashion("test", n=np.int64(2)), fashion("test", n=2))  # type: ignore[arg-type]
