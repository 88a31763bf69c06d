"""Pictures that readers open in the laboratory: what is read, and what is refused."""

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect
from torch.testing import assert_close

from browser.laboratory import Laboratory, images, served
from browser.visits import Visit

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def lab(browser) -> Iterator[Laboratory]:
    with served() as address:
        visit = Visit(browser, f"{address}/")
        lab = Laboratory(visit).start()
        lab.denoise.get_by_label("image", exact=True).select_option("file")
        yield lab
        visit.close()
    assert visit.complaints == []


def open_file(lab: Laboratory, content: bytes, name: str = "mine.png") -> None:
    field = lab.denoise.get_by_label("PNG, JPEG or WebP")
    field.set_input_files({"name": name, "mimeType": "image/png", "buffer": content})
    lab.settle()


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format=kind, **options)
    return file.getvalue()


def noise(height: int, width: int, *channels: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, *channels), dtype=np.uint8)


def shown(lab: Laboratory):
    return images(lab.results("denoise")["image"])[0, 0].numpy()


def test_small_grey_picture_is_read_as_it_is(lab):
    pixels = noise(28, 28)
    open_file(lab, encoded(Image.fromarray(pixels)))
    assert_close(shown(lab), pixels.astype(np.float32) / 255, rtol=0, atol=0.002)
    assert lab.trouble() == ""


def test_colours_become_grey(lab):
    pixels = noise(28, 28, 3)
    open_file(lab, encoded(Image.fromarray(pixels)))
    grey = pixels @ np.array([0.299, 0.587, 0.114]) / 255
    assert_close(shown(lab), grey.astype(np.float32), rtol=0, atol=0.003)


def test_the_middle_is_cut_out_and_made_small(lab):
    large = np.zeros((560, 1000), dtype=np.uint8)
    large[:, :220] = large[:, 780:] = 255  # outside the middle square
    large[140:420, 360:640] = 200  # in it, a quarter of its area
    open_file(lab, encoded(Image.fromarray(large)))
    image = shown(lab) * 255
    assert image[8:20, 8:20].min() > 195
    assert image[:6].max() < 5
    assert image[:, :6].max() < 5


def test_what_is_transparent_is_black(lab):
    pixels = noise(28, 28, 4)
    pixels[..., 3] = 0
    open_file(lab, encoded(Image.fromarray(pixels)))
    assert shown(lab).max() == 0


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {"quality": 95}),
        ("JPEG", {"quality": 95, "progressive": True}),
        ("WEBP", {"lossless": True}),
        ("WEBP", {"quality": 95}),
        ("WEBP", {"quality": 95, "exif": b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0"}),
    ],
    ids=["jpeg", "progressive jpeg", "webp lossless", "webp lossy", "webp extended"],
)
def test_other_kinds_are_read(kind, options, lab):
    smooth = np.add.outer(np.arange(56), np.arange(56)).astype(np.uint8) * 2
    open_file(lab, encoded(Image.fromarray(smooth).convert("RGB"), kind, **options), "mine")
    assert lab.trouble() == ""
    expected = smooth.reshape(28, 2, 28, 2).mean(axis=(1, 3)) / 255
    assert_close(shown(lab), expected.astype(np.float32), rtol=0, atol=0.04)


def png_head(width: int, height: int) -> bytes:
    """A PNG that says its size and holds hardly a pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + head + data + chunk(b"IEND", b"")


def jpeg_head(width: int, height: int) -> bytes:
    frame = struct.pack(">HBHHB", 11, 8, height, width, 1) + b"\x01\x11\x00"
    return b"\xff\xd8\xff\xe0\x00\x04\x00\x00\xff\xc0" + frame + b"\xff\xd9"


def webp_head(kind: bytes, data: bytes) -> bytes:
    chunk = kind + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(chunk) + 4) + b"WEBP" + chunk


def jpeg_of_two_sizes() -> bytes:
    """A JPEG with a marker that has no length, in front of what looks like one: 8 x 8, or huge?"""
    huge, small = (jpeg_head(n, n)[8:-2] for n in (65_535, 8))
    return b"\xff\xd8\xff\xd0" + struct.pack(">H", 2 + len(huge)) + huge + small + b"\xff\xd9"


GOOD = encoded(Image.fromarray(noise(64, 64)))
HUGE_VP8X = b"\0\0\0\0" + struct.pack("<I", 69_999)[:3] + struct.pack("<I", 69_999)[:3]
HUGE_VP8L = b"\x2f" + struct.pack("<I", 9999 | 9999 << 14)
HUGE_VP8 = b"\0\0\0\x9d\x01\x2a" + struct.pack("<HH", 9999, 9999)
REFUSED = {
    "png bomb": (png_head(60_000, 60_000), "60000 × 60000 pixels"),
    "png, one side": (png_head(4097, 1), "4097 × 1 pixels"),
    "png, many pixels": (png_head(4096, 4000), "4096 × 4000 pixels"),
    "png, most negative": (png_head(2**31, 2**31), "2147483648 × 2147483648 pixels"),
    "png without pixels": (png_head(0, 10), "has no pixels"),
    "png of lies": (png_head(64, 64), "damaged or cut short"),
    "cut png": (GOOD[:200], "damaged or cut short"),
    "head of a png": (GOOD[:20], "cut short"),
    "jpeg bomb": (jpeg_head(65_535, 65_535), "65535 × 65535 pixels"),
    "jpeg of two sizes": (jpeg_of_two_sizes(), "JPEG file is damaged"),
    "cut jpeg": (b"\xff\xd8\xff\xe0\x00\x10JF", "cut short"),
    "no jpeg": (b"\xff\xd8\xff\xe0\x00\x02" + b"?" * 50, "damaged"),
    "endless jpeg": (b"\xff\xd8" + b"\xff" * 5000, "cut short"),
    "webp bomb, VP8X": (webp_head(b"VP8X", HUGE_VP8X), "70000 × 70000 pixels"),
    "webp bomb, VP8L": (webp_head(b"VP8L", HUGE_VP8L), "10000 × 10000 pixels"),
    "webp bomb, VP8": (webp_head(b"VP8 ", HUGE_VP8), "9999 × 9999 pixels"),
    "webp of another kind": (webp_head(b"ALPH", bytes(20)), "damaged"),
    "svg": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "no PNG, JPEG or WebP"),
    "svg that asks": (
        b'<svg xmlns="http://www.w3.org/2000/svg"><image href="http://192.0.2.1/x.png"/>'
        b"<script>document.title = 'taken'</script></svg>",
        "no PNG, JPEG or WebP",
    ),
    "gif": (encoded(Image.fromarray(noise(8, 8)), "GIF"), "no PNG, JPEG or WebP"),
    "text": (b"no picture at all", "no PNG, JPEG or WebP"),
    "nothing": (b"", "no PNG, JPEG or WebP"),
    "large": (GOOD + bytes(10 * 2**20), "larger than the 10 MB"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_files_are_refused_with_a_reason(case, lab):
    content, reason = REFUSED[case]
    before = lab.results("denoise")["image"]
    open_file(lab, content)
    alert = lab.denoise.get_by_role("alert")
    expect(alert).to_contain_text("mine.png is not used.")
    expect(alert).to_contain_text(reason)
    assert lab.results("denoise")["image"] == before
    assert "taken" not in lab.page.title()


def test_names_of_files_are_text(lab):
    open_file(lab, b"", "<img src=x onerror=\"document.title='taken'\">.png")
    expect(lab.denoise.get_by_role("alert")).to_contain_text("<img src=x")
    assert lab.denoise.locator("img").count() == 0
    assert lab.page.title() != "taken"


def test_a_good_file_after_a_bad_one(lab):
    alert = lab.denoise.get_by_role("alert")
    open_file(lab, b"")
    expect(alert).to_contain_text("mine.png is not used.")
    lab.set_sigma(0.4)
    lab.set_sigma(0.3)
    expect(alert).to_contain_text("mine.png is not used.")  # it still is not
    open_file(lab, GOOD)
    expect(alert).to_be_empty()


# Has pictures decoded when the test says so.
WAIT_TO_DECODE = """() => {
  const decode = window.createImageBitmap;
  const gate = new Promise((open) => (window.decode = open));
  window.createImageBitmap = async (...given) => {
    window.createImageBitmap = decode;
    window.asked = true;
    await gate;
    return decode(...given);
  };
}"""


@pytest.mark.parametrize("content", [GOOD, GOOD[:200]], ids=["good", "cut short"])
def test_a_file_that_is_read_too_late_is_forgotten(content, lab):
    lab.page.evaluate(WAIT_TO_DECODE)
    field = lab.denoise.get_by_label("PNG, JPEG or WebP")
    field.set_input_files({"name": "late.png", "mimeType": "image/png", "buffer": content})
    lab.page.wait_for_function("() => window.asked")
    assert lab.denoise.locator("[aria-busy=true]").count() == 1
    source = lab.denoise.get_by_label("image", exact=True)
    source.select_option("test image 2")
    lab.settle()
    before = lab.results("denoise")["image"]
    lab.page.evaluate("window.asked = false; window.decode()")
    lab.page.wait_for_timeout(300)
    lab.settle()
    assert lab.trouble() == ""
    assert lab.results("denoise")["image"] == before
    source.select_option("file")
    lab.settle()
