from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gahr_lib.data.image_folder import celeba, image_folder
from gahr_lib.errors import ConfigError, DataFileError, ShapeError

pytestmark = pytest.mark.usefixtures("untouched_random_state")


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    small = np.random.RandomState(seed).randint(0, 256, (4, 4, 3)).astype(np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "more").mkdir()
    for i, name in enumerate(("b.png", "a.PNG", "more/c.png")):
        Image.fromarray(picture(30, 40, i)).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no image")
    return tmp_path


def test_images_come_in_the_order_of_their_names(folder: Path) -> None:
    images = image_folder(folder, size=30, grey=False)
    assert images.shape == (3, 3, 30, 30)
    assert images.dtype == torch.float32
    for image, seed in zip(images, (1, 0, 2), strict=True):
        middle = picture(30, 40, seed)[:, 5:35].transpose(2, 0, 1).copy()
        assert torch.equal((image * 255).round(), torch.from_numpy(middle).float())


def test_grey_is_the_mean_of_the_colours(folder: Path) -> None:
    colour = image_folder(folder, size=16, grey=False)
    grey = image_folder(folder, size=16)
    assert grey.shape == (3, 1, 16, 16)
    assert float((grey - colour.mean(dim=1, keepdim=True)).abs().max()) <= 0.51 / 255


def test_only_as_many_as_are_asked_for(folder: Path) -> None:
    assert torch.equal(image_folder(folder, size=16, n=2), image_folder(folder, size=16)[:2])


def test_bytes_are_the_same_images(folder: Path) -> None:
    stored = image_folder(folder, size=16, as_bytes=True)
    assert stored.dtype == torch.uint8
    assert torch.equal(stored, (image_folder(folder, size=16) * 255).round().byte())
    colour = image_folder(folder, size=16, grey=False, as_bytes=True)
    assert torch.equal(colour.float() / 255, image_folder(folder, size=16, grey=False))


def test_faces_are_cropped_and_halved(tmp_path: Path) -> None:
    whole = picture(218, 178)
    Image.fromarray(whole).save(tmp_path / "000001.png")
    (face,) = celeba(tmp_path)
    assert face.shape == (1, 80, 80)
    crop = whole[29:-29, 9:-9].astype(np.float32)
    assert crop.shape[:2] == (160, 160)
    # The picture is smooth, so that any good halving gives nearly the mean of four pixels.
    halved = crop.reshape(80, 2, 80, 2, 3).mean(axis=(1, 3, 4)) / 255
    assert np.abs(face[0].numpy() - halved).max() < 0.02


def test_a_crop_has_to_leave_a_square(folder: Path) -> None:
    assert image_folder(folder, size=16, crop=(0, 5)).shape == (3, 1, 16, 16)
    for crop in ((0, 0), (20, 20), (15, 20)):
        with pytest.raises(ShapeError, match=r"a\.PNG has 30x40 pixels.*expected a square"):
            image_folder(folder, size=16, crop=crop)


@pytest.mark.parametrize("crop", [3, (1,), (1, 2, 3), "ab", (-1, 4), (1.0, 6)])
def test_a_crop_is_two_numbers_of_pixels(folder: Path, crop: object) -> None:
    with pytest.raises(ConfigError, match="crop"):
        image_folder(folder, size=16, crop=crop)  # type: ignore[arg-type]


def test_a_crop_cuts_off_the_same_number_of_pixels_at_opposite_sides(tmp_path: Path) -> None:
    whole = picture(24, 30)
    Image.fromarray(whole).save(tmp_path / "a.png")
    image = image_folder(tmp_path, size=20, crop=(2, 5), grey=False)[0]
    expected = torch.from_numpy(whole[2:-2, 5:-5].transpose(2, 0, 1).copy()).float() / 255
    assert torch.equal(image, expected)


def test_the_mean_of_the_colours_is_not_rounded(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8), (10, 11, 11)).save(tmp_path / "a.png")
    grey = image_folder(tmp_path, size=8)
    torch.testing.assert_close(grey, torch.full((1, 1, 8, 8), 32 / 3 / 255))
    assert image_folder(tmp_path, size=8, as_bytes=True).unique().tolist() == [11]


def test_nothing_is_enlarged(folder: Path) -> None:
    with pytest.raises(ShapeError, match=r"a\.PNG has 30 pixels on each side.*smaller size"):
        image_folder(folder, size=31)


def test_images_are_halved_by_an_independent_bicubic_filter(tmp_path: Path) -> None:
    """Keys' kernel of parameter -1/2, stretched to twice its width, in double precision."""
    whole = np.random.RandomState(0).randint(0, 256, (32, 32)).astype(np.uint8)
    Image.fromarray(whole).save(tmp_path / "a.png")
    distance = np.abs(np.arange(32)[None, :] + 0.5 - 2 * (np.arange(16)[:, None] + 0.5)) / 2
    near = 1.5 * distance**3 - 2.5 * distance**2 + 1
    far = -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
    kernel = np.where(distance < 1, near, np.where(distance < 2, far, 0))
    kernel /= kernel.sum(axis=1, keepdims=True)
    expected = (kernel @ whole.astype(float) @ kernel.T).clip(0, 255)
    # Pillow rounds to bytes after each of the two directions.
    found = image_folder(tmp_path, size=16)[0, 0].double().numpy() * 255
    assert np.abs(found - expected).max() < 2


def test_a_photograph_is_turned_upright(tmp_path: Path) -> None:
    whole = picture(20, 20)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    Image.fromarray(whole).save(tmp_path / "a.png", exif=exif)
    image = image_folder(tmp_path, size=20, grey=False)[0]
    turned = np.rot90(whole, -1).transpose(2, 0, 1).copy()
    assert torch.equal((image * 255).round(), torch.from_numpy(turned).float())


def test_files_are_sorted_by_the_characters_of_their_paths(tmp_path: Path) -> None:
    names = ["b/a.png", "B.png", "b.png", "a/9.png", "10.png", "9.png", "a.b/1.png", ".x.png"]
    for level, name in enumerate(names):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("L", (8, 8), 10 * level).save(tmp_path / name)
    levels = image_folder(tmp_path, size=8, as_bytes=True)[:, 0, 0, 0].tolist()
    visible = [name for name in names if not name.startswith(".")]
    assert levels == [10 * names.index(name) for name in sorted(visible)]


@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
def test_more_than_eight_bits_are_refused(tmp_path: Path, mode: str) -> None:
    Image.new(mode, (8, 8), 1000).save(tmp_path / "deep.tif")
    with pytest.raises(DataFileError, match=r"deep\.tif is of Pillow's mode .*eight bits"):
        image_folder(tmp_path, size=8)


def test_transparent_images_are_refused(tmp_path: Path) -> None:
    image = Image.fromarray(picture(20, 20)).convert("RGBA")
    image.putpixel((3, 3), (255, 255, 255, 0))
    image.save(tmp_path / "glass.png")
    with pytest.raises(DataFileError, match=r"glass\.png is transparent"):
        image_folder(tmp_path, size=16)


def test_a_folder_of_other_images_holds_no_faces(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match=r"a\.PNG has 30x40 pixels; expected 218x178"):
        celeba(folder)
    # A square would be left of these, but not the faces' own.
    (tmp_path / "square").mkdir()
    Image.new("L", (180, 220)).save(tmp_path / "square" / "a.png")
    with pytest.raises(DataFileError, match="220x180"):
        celeba(tmp_path / "square")


def test_the_faces_are_the_images_of_the_folder(tmp_path: Path) -> None:
    for i in range(3):
        Image.fromarray(picture(218, 178, i)).save(tmp_path / f"00000{i}.jpg")
    assert torch.equal(celeba(tmp_path, 2), image_folder(tmp_path, size=80, crop=(29, 9), n=2))
    small = celeba(tmp_path, size=20, as_bytes=True)
    assert (small.shape, small.dtype) == ((3, 1, 20, 20), torch.uint8)


def test_an_image_that_would_fill_the_memory_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)
    with pytest.raises(DataFileError, match=r"a\.PNG cannot be read .*decompression bomb"):
        image_folder(folder, size=16)


def test_a_palette_and_transparency_are_read_as_colours(tmp_path: Path) -> None:
    image = Image.fromarray(picture(20, 20))
    image.save(tmp_path / "a.png")
    image.convert("RGBA").save(tmp_path / "b.png")
    image.convert("P", palette=Image.Palette.ADAPTIVE).save(tmp_path / "c.gif")
    images = image_folder(tmp_path, size=20, grey=False)
    assert torch.equal(images[0], images[1])
    assert float((images[2] - images[0]).abs().mean()) < 0.03


def test_what_is_missing_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match=r"There is no folder .*nowhere"):
        image_folder(tmp_path / "nowhere", size=16)
    with pytest.raises(DataFileError, match=r"has 3 images; expected 4"):
        image_folder(folder, size=16, n=4)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataFileError, match="has 0 images; expected 1"):
        image_folder(tmp_path / "empty", size=16)


@pytest.mark.parametrize("damage", [lambda c: c[: len(c) // 2], lambda c: b"", lambda c: b"x" * 99])
def test_a_damaged_image_is_named(folder: Path, damage) -> None:
    path = folder / "b.png"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataFileError, match=r"b\.png cannot be read"):
        image_folder(folder, size=16)


def test_impossible_sizes_and_numbers_are_refused(folder: Path) -> None:
    with pytest.raises(ShapeError, match="size is 2"):
        image_folder(folder, size=2)
    with pytest.raises(ConfigError, match="n is 0"):
        image_folder(folder, size=16, n=0)
