from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from gahr_lib.data import c_alpha, fashion, photograph, photographs
from gahr_lib.errors import ConfigError, DataFileError, ShapeError
from gahr_lib.jobs import Images, ImageSets, load_images
from gahr_lib.jobs.settings import DRAWN
from helpers import seeded

pytestmark = pytest.mark.usefixtures("untouched_random_state")


def shades(images: Tensor) -> set[int]:
    """The grey levels of flat images: who is in a set."""
    return {round(255 * float(image.mean())) for image in images}


@pytest.fixture
def photos(tmp_path: Path) -> str:
    for i in range(30):
        Image.fromarray(np.full((20, 16, 3), 8 * i, dtype=np.uint8)).save(tmp_path / f"{i:02}.png")
    return str(tmp_path)


def training_set(sets: ImageSets) -> Tensor:
    assert isinstance(sets.train, Tensor)
    return sets.train


def test_fashion_is_its_half_and_its_test_set() -> None:
    sets = load_images(Images("fashion", "B", 20))
    assert torch.equal(training_set(sets), fashion("train", half="B", n=20))
    assert torch.equal(sets.test, fashion("test", n=500))
    assert sets.seen is not None
    assert len(sets.seen) == 20
    assert sets.other is not None
    assert torch.equal(sets.other, fashion("train", half="A", n=500))


@pytest.mark.parametrize("data", DRAWN)
def test_drawn_sets_are_always_the_same_and_disjoint(data: str) -> None:
    alpha = 2.0 if data == "c_alpha" else None

    def load(half: str, n: int) -> ImageSets:
        return load_images(Images(data, half, n, size=16, alpha=alpha))  # type: ignore[arg-type]

    a, again, b = load("A", 6), load("A", 6), load("B", 6)
    assert training_set(a).shape == (6, 1, 16, 16)
    assert torch.equal(training_set(a), training_set(again))
    everyone = torch.cat([training_set(a), training_set(b), a.test]).flatten(1)
    assert len(everyone.unique(dim=0)) == len(everyone)
    assert torch.equal(a.test, b.test)
    assert a.other is not None
    assert torch.equal(a.other, training_set(b))


def test_without_a_number_drawn_images_are_fresh() -> None:
    sets = load_images(Images("c_alpha", size=16, alpha=3.0, beta=1.0))
    assert callable(sets.train)
    assert sets.seen is None
    assert torch.equal(sets.train(5, seeded(4)), c_alpha(5, 16, 3.0, 1.0, generator=seeded(4)))


@pytest.mark.parametrize("half", ["A", "B"])
def test_photographs_come_from_their_half_and_from_another_photograph(
    half: Literal["A", "B"],
) -> None:
    sets = load_images(Images("photographs", half, size=16))
    assert callable(sets.train)
    expected = photographs(5, 16, half=half, generator=seeded(4))
    assert torch.equal(sets.train(5, seeded(4)), expected)
    assert len(sets.test) == 500
    camera = {round(255 * float(v)) for v in photograph("camera").unique()}
    assert len(camera) > 100
    # At the largest scale a crop is a part of the photograph, whose values it keeps.
    unshrunk = [x for x in sets.test if bool(((255 * x - (255 * x).round()).abs() < 1e-3).all())]
    assert len(unshrunk) > 30
    assert {round(255 * float(v)) for x in unshrunk for v in x.unique()} <= camera


@pytest.mark.parametrize(
    "images",
    [Images(n_train=4), Images("discs", n_train=4, size=12), Images("discs", size=12)],
    ids=["fashion", "drawn", "fresh"],
)
def test_all_images_of_a_run_are_shuffled_alike(images: Images) -> None:
    plain, shuffled = (load_images(replace(images, shuffled=seed)) for seed in (None, 3))
    size = images.size
    order = torch.randperm(size**2, generator=seeded(3))

    def pairs() -> Iterator[tuple[Tensor | None, Tensor | None]]:
        if callable(plain.train):
            assert callable(shuffled.train)
            yield plain.train(3, seeded(1)), shuffled.train(3, seeded(1))
        else:
            yield plain.train, training_set(shuffled)
        yield plain.test, shuffled.test
        yield plain.other, shuffled.other

    for ours, theirs in pairs():
        assert (ours is None) == (theirs is None)
        if ours is not None and theirs is not None:
            assert torch.equal(ours.flatten(2)[:, :, order], theirs.flatten(2))


def test_a_folder_is_cut_into_disjoint_sets(photos: str) -> None:
    a, b = (load_images(Images(photos, half, 9, size=16)) for half in ("A", "B"))  # type: ignore[arg-type]
    assert shades(a.test) == shades(b.test) == {0, 80, 160}
    assert shades(training_set(a)) == {8 * i for i in range(1, 10)}
    assert shades(training_set(b)) == {8 * i for i in range(21, 30)}
    assert a.other is not None
    assert shades(a.other) == shades(training_set(b))


def test_a_smaller_set_is_a_part_of_a_larger_one(photos: str) -> None:
    for half in ("A", "B"):
        small, large, whole = (
            shades(training_set(load_images(Images(photos, half, n, size=16))))  # type: ignore[arg-type]
            for n in (3, 8, None)
        )
        assert small < large < whole
        assert len(whole) == 13


def test_a_folder_may_be_read_in_colour(photos: str) -> None:
    images = load_images(Images(photos, size=8, crop=(2, 0)), channels=3).test
    assert images.shape == (3, 3, 8, 8)


def test_impossible_wishes_are_refused(photos: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="need 28 images; there are 27"):
        load_images(Images(photos, n_train=14, size=16))
    with pytest.raises(ShapeError, match="Ask for a smaller size"):
        load_images(Images(photos, size=20))
    with pytest.raises(ConfigError, match="n is 30001"):
        load_images(Images("fashion", n_train=30_001))
    for path in sorted(Path(photos).iterdir())[2:]:
        path.unlink()
    with pytest.raises(ConfigError, match="has 2 images; expected 3 or more"):
        load_images(Images(photos, size=16))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataFileError, match="has 0 images"):
        load_images(Images(str(tmp_path / "empty"), size=16))
