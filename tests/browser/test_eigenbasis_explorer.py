"""The explorer of what networks read and write, on a page made here, against Python's numbers."""

import re

import pytest
import torch

import gahr_lib as gahr
from browser.visits import PHONE, Explorer
from gahr_lib.widgets.eigenbasis_explorer import EigenbasisExplorer
from helpers import LinearDenoiser, seeded, small_unet

pytestmark = pytest.mark.browser

VECTORS = {"singular": "read and written", "eigen": "eigenvectors of (J + Jᵀ)/2"}
SIGNS = ("negative", "zero", "positive")
PICTURES = {"clean", "noisy", "read", "written", "denoised", "output"}
OF_K = {"read", "written", "denoised", "plots"}  # what shows k
START = {"network": "A", "image": 0, "sigma": 0.1, "vectors": "singular", "index": 7}


def cropped() -> torch.Tensor:
    """Middles of two images, whose Jacobians are soon decomposed."""
    return gahr.data.fashion("test", n=2)[..., 6:22, 6:22]


@pytest.fixture(scope="module")
def widget(trained_a, trained_b):
    return EigenbasisExplorer(
        {"A": trained_a, "B": trained_b},
        cropped(),
        (0.1, 0.4),
        k=30,
        names=["ankle boot", "pullover"],
        generator=seeded(),
    )


@pytest.fixture
def shown(widget, show_explorer):
    def open_page(**settings):
        for name, value in START.items():
            setattr(widget, name, value)
        return show_explorer(widget, **settings)

    return open_page


@pytest.mark.parametrize("vectors", VECTORS)
def test_pictures_and_numbers_are_those_of_python(vectors, widget, shown):
    explorer = shown()
    explorer.choose("vectors", VECTORS[vectors])
    widget.vectors = vectors
    for network, image, sigma in (("A", 0, 0.1), ("B", 0, 0.1), ("B", 1, 0.1), ("A", 1, 0.4)):
        widget.network, widget.image, widget.sigma = network, image, sigma
        explorer.choose("network", network)
        explorer.choose_image(image)
        explorer.choose("noise σ", str(sigma))
        expansion, answer = widget.expansion(), widget.answer()
        x = cropped()[image, None]
        assert explorer.value("output") == pytest.approx(
            float(gahr.psnr(answer.output, x)), abs=0.006
        )
        for k in (1, 6, 30):
            explorer.keep(k)
            widget.index = k
            assert explorer.psnr() == pytest.approx(widget.psnr(), abs=0.006)
            s, c = float(expansion.values[k - 1]), float(expansion.coefficients[k - 1])
            assert explorer.value("written") == pytest.approx(s, abs=0.006)
            assert explorer.value("read") == pytest.approx(c, abs=0.006)
            pixels = torch.tensor(explorer.pixels("denoised", 16)) / 255
            expected = widget.partial().clamp(0, 1).flatten()
            assert float((pixels - expected).abs().max()) < 0.01 + 1 / 255
        pixels = torch.tensor(explorer.pixels("noisy", 16)) / 255
        assert float((pixels - answer.noisy.clamp(0, 1).flatten()).abs().max()) < 1.1 / 255


def test_drawn_vectors_are_those_of_python(widget, shown):
    """By how red they are: the two colours differ in it."""
    explorer = shown(color_scheme="light")
    negative, zero, positive = (float(explorer.ink(n)[0]) for n in SIGNS)
    for name in ("read", "written"):
        red = torch.tensor(explorer.pixels(name, 16))
        vector = getattr(widget.expansion(), name)[6].flatten()
        strength = vector / vector.abs().max()
        end = torch.where(strength < 0, negative, positive)
        expected = zero + strength.abs() * (end - zero)
        assert float((red - expected).abs().max()) < 3


def test_every_control_changes_what_it_should_by_mouse(shown):
    explorer = shown()
    changed_by = explorer.changed_by
    assert changed_by(explorer.radio("vectors", VECTORS["eigen"]).click) == OF_K
    assert changed_by(explorer.radio("network", "B").click) == {*OF_K, "output"}
    assert changed_by(explorer.radio("noise σ", "0.4").click) == {*PICTURES, "plots"} - {"clean"}
    assert changed_by(lambda: explorer.choose_image(1)) == {*PICTURES, "plots"}
    assert changed_by(lambda: explorer.keep(19)) == OF_K
    box = explorer.slider.bounding_box()
    place = (box["x"] + 0.2 * box["width"], box["y"] + box["height"] / 2)
    assert changed_by(lambda: explorer.page.mouse.click(*place)) == OF_K
    assert 1 < explorer.kept() < 19


def test_every_control_changes_what_it_should_by_keyboard(shown):
    explorer = shown()
    page = explorer.page
    explorer.radio("network", "A").focus()
    pressed = {"network": {*OF_K, "output"}, "image": {*PICTURES, "plots"}}
    pressed |= {"sigma": {*PICTURES, "plots"} - {"clean"}, "vectors": OF_K}
    for changed in pressed.values():
        assert explorer.changed_by(lambda: page.keyboard.press("ArrowDown")) == changed
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.type") == "number"
    assert explorer.changed_by(lambda: page.keyboard.press("ArrowUp")) == OF_K
    assert explorer.kept() == 8
    page.keyboard.press("Tab")
    for key, index in [
        ("ArrowRight", 9), ("ArrowUp", 10), ("ArrowLeft", 9), ("ArrowDown", 8), ("PageUp", 10),
        ("PageDown", 8), ("End", 30), ("ArrowRight", 30), ("Home", 1), ("ArrowLeft", 1),
    ]:  # fmt: skip
        page.keyboard.press(key)
        assert explorer.kept() == index
        assert explorer.slider.get_attribute("aria-valuetext") == f"k = {index} of 30"
    assert {*page.evaluate("heard")} == {"Tab"}  # no arrow reached the page


def test_numbers_that_are_out_of_range_are_brought_into_it(shown):
    explorer = shown()
    for typed, taken in (("99", 30), ("0", 1), ("-3", 1), ("12", 12)):
        explorer.keep(typed)
        assert explorer.kept() == taken
    explorer.number.fill("")
    explorer.settle()
    assert explorer.number.input_value() == ""
    explorer.number.blur()
    explorer.settle()


def test_plot_can_be_clicked_and_dragged(shown):
    explorer = shown()
    box = explorer.plot.bounding_box()
    mouse, middle, seen = explorer.page.mouse, box["y"] + 0.5 * box["height"], []
    mouse.move(box["x"] + 0.25 * box["width"], middle)
    mouse.down()
    seen.append(explorer.kept())
    mouse.move(box["x"] + 0.4 * box["width"], middle)
    seen.append(explorer.kept())
    mouse.move(box["x"] + 0.9 * box["width"], middle)
    seen.append(explorer.kept())
    mouse.up()
    mouse.move(box["x"] + 0.1 * box["width"], middle)
    assert explorer.kept() == seen[2] == 30  # further ones are not stored
    assert 1 < seen[0] < seen[1] < 30
    mouse.click(box["x"] + 5, middle)
    assert explorer.kept() == 1


def test_marked_k_lies_under_the_hand(shown):
    explorer = shown()
    for k in (1, 4, 22):
        explorer.keep(k)
        line = explorer.plot.evaluate(
            """(c) => {
              const data = pixelsOf(c, 0, 25, c.width, 1);
              const light = (i) => data[4 * i] + data[4 * i + 1] + data[4 * i + 2];
              const drawn = [...Array(c.width).keys()].filter((i) => data[4 * i + 3] > 120);
              const darkest = drawn.reduce((a, b) => (light(b) < light(a) ? b : a));
              return ((darkest + 0.5) / c.width) * c.clientWidth;
            }"""
        )
        box = explorer.plot.bounding_box()
        explorer.keep(13)
        explorer.page.mouse.click(box["x"] + line, box["y"] + 200)
        assert explorer.kept() == k


def test_touch_moves_the_plot(shown):
    explorer = shown(has_touch=True, viewport=PHONE)
    explorer.plot.scroll_into_view_if_needed()
    box = explorer.plot.bounding_box()
    seen = []
    for share in (0.3, 0.5):
        explorer.tap(box["x"] + share * box["width"], box["y"] + 60)
        seen.append(explorer.kept())
    assert 1 < seen[0] < seen[1]


def test_first_values_are_those_that_python_chose(widget, show_explorer):
    widget.network, widget.image, widget.sigma = "B", 1, 0.4
    widget.vectors, widget.index = "eigen", 21
    explorer = show_explorer(widget)
    assert explorer.radio("network", "B").is_checked()
    assert explorer.image.input_value() == "pullover"
    assert explorer.radio("noise σ", "0.4").is_checked()
    assert explorer.radio("vectors", VECTORS["eigen"]).is_checked()
    assert explorer.kept() == 21
    assert explorer.psnr() == pytest.approx(widget.psnr(), abs=0.006)


def test_a_change_of_a_trait_moves_the_controls(widget, show_explorer):
    """Two views of one widget: what one of them sets reaches the other through the traits alone."""
    for name, start in START.items():
        setattr(widget, name, start)
    first = show_explorer(widget, widget)
    second = Explorer(first, 1)
    first.choose("network", "B")
    first.choose_image(1)
    first.choose("noise σ", "0.4")
    first.choose("vectors", VECTORS["eigen"])
    first.keep(17)
    for group, name in (("network", "B"), ("noise σ", "0.4"), ("vectors", VECTORS["eigen"])):
        assert second.radio(group, name).is_checked()
    assert second.image.input_value() == "pullover"
    assert second.kept() == 17
    assert second.picture() == first.picture()
    assert second.slider.get_attribute("aria-valuetext") == "k = 17 of 30"


def test_summary_says_whether_the_terms_add_up(shown):
    explorer = shown()
    assert "All 256 terms add up to f(y)." in explorer.summary.inner_text()
    explorer.choose("vectors", VECTORS["eigen"])
    assert re.search(r"All 256 terms miss f\(y\) by 0\.\d+", explorer.summary.inner_text())
    explorer.keep(25)
    explorer.wait_until_said("k = 25, λ₂₅ =")


def test_other_sizes_and_denoisers_that_are_exact_or_symmetric(show_explorer):
    images = torch.rand(1, 1, 6, 10, generator=seeded())
    widget = EigenbasisExplorer(
        {"exact": lambda y, sigma: 0 * y + images, "identity": LinearDenoiser(torch.eye(60))},
        images, [0.2], k=60, generator=seeded(),
    )  # fmt: skip
    explorer = show_explorer(widget)
    assert explorer.root.locator(".gx-output .gx-value").inner_text() == "∞ dB"
    explorer.choose("network", "identity")
    assert "J is symmetric" in explorer.summary.inner_text()
    explorer.keep(60)
    widget.network, widget.index = "identity", 60
    assert explorer.psnr() == pytest.approx(widget.psnr(), abs=0.006)
    assert explorer.canvas("clean").evaluate("(c) => c.width / c.height") == 10 / 6


def test_dark_mode_changes_the_colours_and_keeps_the_photographs(shown):
    explorer = shown(color_scheme="light")
    assert explorer.changed_by(explorer.darken) == {"read", "written", "plots"}


def test_everything_has_room_on_a_telephone_and_a_name(shown):
    explorer = shown(viewport=PHONE)
    assert explorer.cramped() == []
    assert explorer.nameless() == []


def test_still_picture_stays_without_javascript(open_widgets):
    images = torch.rand(1, 1, 8, 8, generator=seeded())
    widget = EigenbasisExplorer({"one": small_unet()}, images, [0.1], k=5, generator=seeded())
    page = open_widgets(widget, java_script_enabled=False).page
    assert "singular value 1 of its Jacobian" in page.get_by_role("img").get_attribute("alt")
