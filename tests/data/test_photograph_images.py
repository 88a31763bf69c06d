import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats
from skimage import color, data
from torch import Tensor
from torch.nn import functional as F

from gahr_lib.data import photograph, photograph_images, photographs
from gahr_lib.errors import ConfigError, DataFileError, ShapeError
from helpers import seeded

pytestmark = pytest.mark.usefixtures("untouched_random_state")

NAMES = tuple(photograph_images._FILES)
Pictures = Callable[[Callable[[str], Tensor]], None]


@pytest.fixture
def fresh() -> Iterator[None]:
    """Let the test read the photographs anew, and leave nothing of what it has put there."""
    caches = photograph_images._picture, photograph_images._scales
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()


@pytest.fixture
def pictures(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pictures]:
    """Put pictures that a function of the name makes in the place of the photographs."""
    photograph_images._scales.cache_clear()
    yield lambda make: monkeypatch.setattr(photograph_images, "_picture", make)
    photograph_images._scales.cache_clear()


# Photographs


@pytest.mark.parametrize("name", NAMES)
def test_photographs_are_those_of_scikit_image_in_grey(name: str) -> None:
    theirs = data.stereo_motorcycle()[0] if name == "motorcycle" else getattr(data, name)()
    grey = theirs / 255 if theirs.ndim == 2 else color.rgb2gray(theirs)
    ours = photograph(name)
    assert ours.dtype == torch.float32
    assert ours.shape == (1, 1, *grey.shape)
    np.testing.assert_allclose(ours[0, 0], grey, atol=1e-6)


@pytest.mark.parametrize(("name", "box"), [("camera", None), ("chelsea", (75, 0, 375, 300))])
@pytest.mark.parametrize("size", [40, 128, 299])
def test_the_square_in_the_middle_is_shrunk_as_by_pillow(name: str, box, size: int) -> None:
    whole = Image.fromarray(photograph(name)[0, 0].numpy())
    expected = whole.crop(box or (0, 0, 512, 512)).resize((size, size), Image.Resampling.BICUBIC)
    found = photograph(name, size)
    assert found.shape == (1, 1, size, size)
    np.testing.assert_allclose(found[0, 0], np.asarray(expected).clip(0, 1), atol=1e-4)


def test_a_photograph_that_fits_stays_as_it_is() -> None:
    assert torch.equal(photograph("camera", 512), photograph("camera"))
    assert torch.equal(photograph("coins", 303), photograph("coins")[..., 40:343])


def test_changing_what_was_read_does_not_change_what_is_read_next() -> None:
    for size in (None, 512):
        before = photograph("camera", size).clone()
        photograph("camera", size).zero_()
        assert torch.equal(photograph("camera", size), before)
    drawn = photographs(4, split="test", generator=seeded())
    before = drawn.clone()
    drawn.zero_()
    assert torch.equal(photographs(4, split="test", generator=seeded()), before)


# Crops


@pytest.mark.parametrize("half", [None, "A", "B"])
@pytest.mark.parametrize("size", [8, 48, 192])
def test_crops_are_images(size: int, half) -> None:
    images = photographs(20, size, half=half, generator=seeded())
    assert images.shape == (20, 1, size, size)
    assert images.dtype == torch.float32
    assert float(images.min()) >= 0
    assert float(images.max()) <= 1
    assert float(images.std()) > 0.15


def test_only_the_generator_decides() -> None:
    images = photographs(100, 64, generator=seeded(3))  # more than a chunk
    assert torch.equal(images[:7], photographs(7, 64, generator=seeded(3)))
    generator = seeded(3)
    parts = [photographs(n, 64, generator=generator) for n in (70, 30)]
    assert torch.equal(images, torch.cat(parts))
    assert not torch.equal(images, photographs(100, 64, generator=seeded(4)))
    assert len(images.flatten(1).unique(dim=0)) == 100


def squared_distances(picture: Tensor, crops: Tensor) -> Tensor:
    """Between each crop and what lies under it at each place of a picture, (n, rows, columns)."""
    products = F.conv2d(picture, crops)[0]
    squares = F.conv2d(picture.square(), torch.ones_like(crops[:1]))[0]
    return squares - 2 * products + crops.square().sum((1, 2, 3))[:, None, None]


def test_every_crop_lies_somewhere_in_the_cameraman() -> None:
    whole = Image.fromarray(photograph("camera")[0, 0].numpy())
    crops = photographs(8, 12, split="test", generator=seeded(1)).double()
    nearest = torch.full((8,), torch.inf, dtype=torch.float64)
    found_at = []
    for k in range(7):
        side = round(512 / 3 ** (k / 6))
        shrunk = np.asarray(whole.resize((side, side), Image.Resampling.BICUBIC)).clip(0, 1)
        picture = torch.from_numpy(shrunk.astype(np.float64))[None, None]
        both = [squared_distances(picture, c).amin((1, 2)) for c in (crops, crops.flip(-1))]
        distances = torch.stack(both).amin(0)
        found_at.append(int((distances < 1e-5).sum()))
        nearest = nearest.minimum(distances)
    assert float(nearest.max()) < 1e-5
    assert sum(count > 0 for count in found_at) > 2, "at several scales"


def test_training_never_asks_for_the_cameraman(pictures: Pictures) -> None:
    asked: list[str] = []

    def make(name: str) -> Tensor:
        asked.append(name)
        return torch.zeros(1, 1, 64, 64)

    pictures(make)
    for half in (None, "A", "B"):
        photographs(1, 8, half=half, generator=seeded())
    assert set(asked) == set(NAMES) - {"camera"}
    asked.clear()
    photographs(1, 8, split="test", generator=seeded())
    assert asked == ["camera"]


@pytest.mark.parametrize("width", [96, 97])
def test_the_halves_have_no_pixel_in_common(pictures: Pictures, width: int) -> None:
    def make(name: str) -> Tensor:
        picture = torch.zeros(1, 1, 64, width)
        picture[..., width // 2 :] = 1
        return picture

    pictures(make)
    # Antialiasing across the middle would mix the two.
    assert not photographs(500, 12, half="A", generator=seeded()).any()
    right = photographs(500, 12, half="B", generator=seeded())
    torch.testing.assert_close(right, torch.ones_like(right), atol=1e-6, rtol=0)
    everywhere = photographs(500, 12, generator=seeded()).mean((1, 2, 3))
    assert 0 < int((everywhere == 0).sum()) < 500
    assert 0 < int((everywhere > 1 - 1e-6).sum()) < 500
    assert int(((everywhere > 0.1) & (everywhere < 0.9)).sum()) > 50


def test_pictures_places_and_mirroring_are_uniform(
    pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(photograph_images, "_SHRINKS", (1.0,))
    trained = [name for name in NAMES if name != "camera"]

    def make(name: str) -> Tensor:
        # Picture p has 12 rows and 10 + p columns, and says at each pixel which one it is.
        p = trained.index(name)
        pixel = torch.arange(12 * (10 + p)).reshape(1, 1, 12, 10 + p)
        return (pixel + 1000 * p) / 10_000

    pictures(make)
    images = photographs(9000, 8, generator=seeded())
    values = (images[:, 0] * 10_000).round().long()
    mirrored = values[:, 0, 1] < values[:, 0, 0]
    values = torch.where(mirrored[:, None, None], values.flip(-1), values)
    corner = values[:, 0, 0]
    p, place = corner // 1000, corner % 1000
    row, column = place // (10 + p), place % (10 + p)
    rows, columns = torch.arange(8)[:, None], torch.arange(8)
    width = (10 + p)[:, None, None]
    assert torch.equal(values, corner[:, None, None] + rows * width + columns)

    def uniform(observed: Tensor, kinds: int) -> None:
        counts = torch.bincount(observed, minlength=kinds)
        assert len(counts) == kinds
        assert stats.chisquare(counts.numpy()).pvalue > 1e-3

    uniform(p, 9)
    uniform(mirrored.long(), 2)
    uniform(row, 5)
    for q in (0, 8):
        uniform(column[p == q], 3 + q)
    uniform(row[p == 8] * 11 + column[p == 8], 55)


@pytest.mark.parametrize(("size", "allowed"), [(16, 7), (35, 4), (60, 1)])
def test_scales_that_are_large_enough_are_as_likely(
    pictures: Pictures, size: int, allowed: int
) -> None:
    ramp = torch.linspace(0, 1, 61)[:60] + 1 / 120
    pictures(lambda name: ramp.expand(1, 1, 60, 60).contiguous())
    images = photographs(3000, size, generator=seeded())[:, 0]
    slopes = (images[:, 0, -4] - images[:, 0, 3]).abs() / (size - 7)  # away from the borders
    expected = torch.tensor([round(60 / 3 ** (k / 6)) for k in range(allowed)])
    errors = (slopes[:, None] * expected - 1).abs()  # the picture has so many columns
    assert float(errors.amin(1).max()) < 0.04
    counts = torch.bincount(errors.argmin(1), minlength=allowed)
    assert allowed == 1 or stats.chisquare(counts.numpy()).pvalue > 1e-3


# What is refused


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"n": 0}, ConfigError, "n is 0; .*at least 1"),
        ({"n": 2.0}, ConfigError, "whole number"),
        ({"size": 4}, ShapeError, "8 or more"),
        ({"size": "48"}, ConfigError, "whole number"),
        ({"size": 301}, ShapeError, "at most 300, the shortest side of these photographs. "),
        ({"size": 193, "half": "A"}, ShapeError, "at most 192, .* cut in halves"),
        ({"size": 513, "split": "test"}, ShapeError, "at most 512"),
        ({"half": "C"}, ConfigError, "'A' or 'B' of the training images"),
        ({"half": "A", "split": "test"}, ConfigError, "'A' or 'B' of the training images"),
        ({"split": "validation"}, ConfigError, "expected 'train' or 'test'"),
        ({"generator": None}, ConfigError, "torch.Generator"),
    ],
)
def test_bad_arguments_are_refused(change: dict, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        photographs(**{"n": 2, "generator": seeded(), **change})


@pytest.mark.parametrize(
    ("name", "size", "error", "says"),
    [
        ("lena", None, ConfigError, "expected one of astronaut, .* rocket"),
        ("camera", 513, ShapeError, "at most 512, the shorter side"),
        ("coffee", 401, ShapeError, "at most 400"),
        ("camera", 7, ShapeError, "8 or more"),
        ("camera", 8.5, ConfigError, "whole number"),
    ],
)
def test_other_photographs_are_refused(name, size, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        photograph(name, size)


CALLS = [lambda: photographs(1, generator=seeded()), lambda: photograph("camera")]


@pytest.mark.parametrize("call", CALLS)
def test_missing_scikit_image_is_named_with_the_remedy(
    call: Callable[[], Tensor], fresh: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(ConfigError, match=r"pip install scikit-image.*gahr-lib\[zoo\]"):
        call()


@pytest.mark.parametrize("call", CALLS)
def test_other_files_than_the_expected_are_refused(
    call: Callable[[], Tensor], fresh: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr("importlib.util.find_spec", lambda name: package)
    with pytest.raises(DataFileError, match=r"cannot be read.*Install scikit-image again"):
        call()
    (tmp_path / "data").mkdir()
    for name in photograph_images._FILES.values():
        Image.new("L", (512, 512)).save(tmp_path / "data" / name)
    with pytest.raises(DataFileError, match=r"not the expected photograph"):
        call()
