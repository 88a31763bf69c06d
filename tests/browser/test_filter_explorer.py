"""The explorer of filters, on pages made here, against Python's own numbers."""

import re
from functools import partial

import pytest
import torch

import gahr_lib as gahr
from browser.visits import PHONE, Explorer
from gahr_lib.models import Wiener
from gahr_lib.widgets.filter_explorer import FilterExplorer
from gahr_lib.widgets.filter_windows import window
from helpers import LinearDenoiser, seeded, small_unet

pytestmark = pytest.mark.browser

SIDE = 16
PICTURES = ("noisy", "clean", "denoised", "row", "column", "reference")
FILTERS = PICTURES[3:]


class Shown(Explorer):
    """The controls and pictures of a `FilterExplorer` on a page."""

    def pixel(self) -> tuple[int, int]:
        self.settle()
        text = self.slider.get_attribute("aria-valuetext")
        row, column = re.fullmatch(r"row (\d+), column (\d+)", text).groups()
        return int(row), int(column)

    def at(self, name: str, row: int, column: int, size: int = SIDE) -> tuple[float, float]:
        """The place on the page of a pixel of a picture."""
        self.canvas(name).scroll_into_view_if_needed()
        box = self.canvas(name).bounding_box()
        step = box["width"] / size
        return box["x"] + (column + 0.5) * step, box["y"] + (row + 0.5) * step

    def pick(self, row: int, column: int, name: str = "noisy") -> None:
        self.page.mouse.click(*self.at(name, row, column))
        self.settle()

    def colour_tensor(self, name: str, height: int = SIDE, width: int = SIDE) -> torch.Tensor:
        return torch.tensor(self.colours(name, height, width), dtype=torch.float32)

    def facts(self, name: str) -> str:
        return self.root.locator(f".gx-{name} .gx-facts").inner_text().replace("−", "-")


def decimals(value: float) -> str:
    return f"{value:.2f}".replace("-0.00", "0.00")


def signed_colours(shown: Shown, weights: torch.Tensor) -> torch.Tensor:
    """The colours that weights should have, (d, 3), in the palette of the page."""
    negative, zero, positive = (
        torch.tensor(shown.ink(name), dtype=torch.float32)
        for name in ("negative", "zero", "positive")
    )
    strength = (weights.abs() / weights.abs().max()).sqrt().flatten()[:, None]
    end = torch.where(weights.flatten()[:, None] < 0, negative, positive)
    return zero + (end - zero) * strength


@pytest.fixture(scope="module")
def explorer(trained_a):
    images = gahr.data.fashion("test", n=60)[..., 6:22, 6:22].contiguous()
    return FilterExplorer(
        trained_a,
        images[:2],
        (0.1, 0.4),
        names=["ankle boot", "pullover"],
        generator=seeded(),
        reference=Wiener.from_images(images[10:]),
        reference_name="Wiener filter",
        filters_bytes=130_000,
    )


@pytest.fixture
def open_explorer(show_explorer, explorer):
    def open_page(*widgets, image=0, sigma=0.1, row=8, column=8, **settings) -> Shown:
        explorer.image, explorer.sigma, explorer.row, explorer.column = image, sigma, row, column
        return show_explorer(*(widgets or [explorer]), kind=Shown, **settings)

    return open_page


def test_pictures_and_numbers_are_those_of_python(explorer, open_explorer):
    shown = open_explorer()
    inside = window(SIDE, SIDE, explorer._reach)
    for image, sigma, row, column in [(0, 0.1, 9, 6), (0, 0.4, 1, 14), (1, 0.4, 15, 8)]:
        explorer.image, explorer.sigma, explorer.row, explorer.column = image, sigma, row, column
        shown.choose_image(image)
        shown.choose("noise σ", str(sigma))
        shown.pick(row, column)
        assert shown.pixel() == (row, column)
        values = explorer.values()
        for name in PICTURES[:3]:
            assert shown.value(name) == pytest.approx(values[name], abs=0.0051)
        noisy = 255 * explorer.noisy().clamp(0, 1).flatten()
        assert float((shown.colour_tensor("noisy")[:, 0] - noisy).abs().max()) <= 0.51
        summary = shown.summary.inner_text().replace("−", "-")
        assert f"by the Wiener filter {decimals(values['reference'])}" in summary
        assert f"add up to {decimals(values['weighted sum'])}: the denoised pixel" in summary
        for name, expected in explorer.filters().items():
            facts = shown.facts(name)
            assert f"sum {decimals(expected.total)}, own weight {decimals(expected.own)}" in facts
            if expected.radius > 0:
                assert f"half of energy within {expected.radius:.1f} px" in facts
            elif expected.radius == 0:
                assert "half of energy in the pixel" in facts
            share = 100 * expected.outside
            text = re.search(r"outside the box (?:under )?([\d.]+) %", facts)[1]
            assert float(text) == pytest.approx(share, abs=0.51 if share >= 10 else 0.11)
            weights = expected.weights * inside[SIDE * row + column].reshape(SIDE, SIDE)
            error = (shown.colour_tensor(name) - signed_colours(shown, weights)).abs()
            assert float(error.max()) < 3
            assert float(error.mean()) < 0.5


def test_keys_move_the_pixel_and_stay_in_the_explorer(open_explorer):
    shown = open_explorer()
    shown.slider.focus()
    seen = [shown.picture("row")]
    for key, pixel in [
        ("ArrowRight", (8, 9)), ("ArrowUp", (7, 9)), ("ArrowLeft", (7, 8)), ("ArrowDown", (8, 8)),
        ("PageUp", (4, 8)), ("PageDown", (8, 8)), ("PageDown", (12, 8)), ("PageDown", (15, 8)),
        ("ArrowDown", (15, 8)), ("Home", (15, 0)), ("ArrowLeft", (15, 0)), ("End", (15, 15)),
        ("ArrowRight", (15, 15)),
    ]:  # fmt: skip
        shown.page.keyboard.press(key)
        assert shown.pixel() == pixel, key
        assert int(shown.slider.get_attribute("aria-valuenow")) == SIDE * pixel[0] + pixel[1]
        seen.append(shown.picture("row"))
    assert len(set(seen)) == 9  # as many as there were pixels, but some of them twice
    assert shown.page.evaluate("heard") == []
    assert shown.page.evaluate("window.scrollY") == 0
    shown.page.keyboard.press("Control+Home")
    assert shown.pixel() == (15, 15)
    shown.wait_until_said("Noisy")


def test_every_picture_can_be_clicked(open_explorer):
    shown = open_explorer()
    for step, name in enumerate(PICTURES):
        pixel = (4 + step, 12 - step)
        assert shown.changed_by(partial(shown.pick, *pixel, name)) == {*PICTURES}
        assert shown.pixel() == pixel
        # From a click on, the keys move too.
        shown.page.keyboard.press("ArrowRight")
        assert shown.pixel() == (4 + step, 13 - step)


def test_dragging_picks_and_stops_at_the_border(open_explorer):
    shown = open_explorer()
    shown.page.mouse.move(*shown.at("clean", 5, 5))
    shown.page.mouse.down()
    assert shown.pixel() == (5, 5)
    shown.page.mouse.move(*shown.at("clean", 12, 8))
    assert shown.pixel() == (12, 8)
    shown.page.mouse.move(*shown.at("clean", 12, -3))
    assert shown.pixel() == (12, 0)
    shown.page.mouse.up()
    shown.page.mouse.move(*shown.at("clean", 3, 3))
    assert shown.pixel() == (12, 0)


def test_touch_picks(open_explorer):
    shown = open_explorer(has_touch=True, viewport=PHONE)
    shown.tap(*shown.at("noisy", 9, 13))
    assert shown.pixel() == (9, 13)


def test_image_and_noise_change_all_pictures(open_explorer):
    shown = open_explorer()
    assert shown.changed_by(lambda: shown.choose("noise σ", "0.4")) == {*PICTURES} - {"clean"}
    # The Wiener filter is the same at all images: that is the point of comparing with it.
    assert shown.changed_by(lambda: shown.choose_image(1)) == {*PICTURES} - {"reference"}
    shown.image.focus()
    for kind in ("radio", "slider"):
        shown.page.keyboard.press("Tab")
        own = "document.activeElement.type || document.activeElement.getAttribute('role')"
        assert shown.page.evaluate(own) == kind
    shown.page.keyboard.press("Shift+Tab")
    shown.page.keyboard.press("ArrowLeft")
    shown.settle()
    assert shown.radio("noise σ", "0.1").is_checked()


def test_two_views_of_one_widget_move_together(explorer, open_explorer):
    first = open_explorer(explorer, explorer)
    second = Shown(first, 1)
    second.root.wait_for()
    first.pick(6, 3)
    assert second.pixel() == (6, 3)
    assert second.seen() == first.seen()


def test_first_values_are_those_that_python_chose(explorer, open_explorer):
    shown = open_explorer(image=1, sigma=0.4, row=2, column=14)
    assert shown.image.input_value() == "pullover"
    assert shown.radio("noise σ", "0.4").is_checked()
    assert shown.pixel() == (2, 14)


def test_dark_mode_changes_filters_and_keeps_photographs(open_explorer):
    shown = open_explorer()
    assert shown.changed_by(shown.darken) == {*FILTERS}


def test_everything_has_room_on_a_telephone(open_explorer):
    shown = open_explorer(viewport=PHONE)
    assert shown.cramped() == []
    assert shown.canvas("noisy").bounding_box()["width"] >= 150


def test_everything_has_a_name(open_explorer):
    shown = open_explorer()
    assert shown.nameless() == []
    names = shown.root.locator("canvas").evaluate_all(
        "nodes => nodes.map(n => [n.getAttribute('role'), n.getAttribute('aria-label')])"
    )
    assert [role for role, _ in names] == ["slider"] + ["img"] * 5
    assert "row and column" in names[0][1]
    assert all(name for _, name in names)
    assert shown.facts("column").split("\n")[0] in names[4][1].replace("−", "-")


def test_other_sizes_offsets_and_filters_of_nothing(open_explorer):
    """Not square, one image and one noise level: no more controls than are needed."""
    images = torch.rand(1, 1, 8, 12, generator=seeded())
    nothing = FilterExplorer(
        LinearDenoiser(torch.zeros(96, 96), 0.25), images, [0.2], generator=seeded()
    )
    shown = open_explorer(nothing)
    assert shown.root.locator("select, input").count() == 0
    assert shown.facts("row") == "sum 0.00, own weight 0.00"
    assert shown.value("denoised") == 0.25
    assert "no weighted sum" in shown.summary.inner_text()
    assert shown.root.locator(".gx-reference").count() == 0
    shown.slider.focus()
    shown.page.keyboard.press("End")
    assert shown.pixel() == (4, 11)


def test_windows_of_a_narrow_reach_at_every_corner(open_explorer):
    images = torch.rand(1, 1, 8, 12, generator=seeded())
    own = FilterExplorer(small_unet(), images, [0.2], generator=seeded(), filters_bytes=1800)
    assert 1 <= own._reach <= 3
    shown = open_explorer(own)
    shown.slider.focus()
    inside = window(8, 12, own._reach)
    for keys, own.row, own.column in [
        (["PageUp"] * 4 + ["Home"], 0, 0), (["End"], 0, 11), (["PageDown"] * 4, 7, 11)
    ]:  # fmt: skip
        for key in keys:
            shown.page.keyboard.press(key)
        assert shown.pixel() == (own.row, own.column)
        i = 12 * own.row + own.column
        for name in ("row", "column"):
            weights = own.filters()[name].weights * inside[i].reshape(8, 12)
            error = shown.colour_tensor(name, 8, 12) - signed_colours(shown, weights)
            assert float(error.abs().max()) < 3
