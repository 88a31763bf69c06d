"""The explorer of what networks read and write, on a page made here, against Python's numbers."""

import re

import pytest
import torch

import gahr_lib as gahr
from browser.test_static_widgets import SCRIPT, as_page
from browser.visits import Explorer
from gahr_lib.widgets.eigenbasis_explorer import EigenbasisExplorer
from helpers import LinearDenoiser, seeded, small_unet

pytestmark = pytest.mark.browser

VECTORS = {"singular": "read and written", "eigen": "eigenvectors of (J + Jᵀ)/2"}
PICTURES = ("clean", "noisy", "read", "written", "denoised", "output")
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
def show(tmp_path, serve, visit):
    """Opens a page with the widget, and something beside it that listens to keys."""

    def open_page(*widgets, **settings):
        text = as_page(widgets, SCRIPT.read_text(encoding="utf-8"))
        (tmp_path / "page.html").write_text(text, encoding="utf-8")
        seen = visit(f"{serve(tmp_path)}/page.html", **settings)
        explorer = Explorer(seen)
        explorer.root.wait_for()
        explorer.page.evaluate(
            "window.heard = []; document.addEventListener('keydown', (e) => heard.push(e.key))"
        )
        return explorer

    return open_page


@pytest.fixture
def shown(widget, show):
    def open_page(**settings):
        for name, value in START.items():
            setattr(widget, name, value)
        return show(widget, **settings)

    return open_page


def value(explorer: Explorer, name: str) -> float:
    """The number under a picture."""
    text = explorer.root.locator(f".gx-{name} .gx-value").inner_text()
    return float(re.search(r"([−\d.]+)( dB)?$", text)[1].replace("−", "-"))


def changed_by(explorer: Explorer, act) -> set[str]:
    def look():
        return [*map(explorer.picture, PICTURES), explorer.plotted()]

    before = look()
    act()
    pairs = zip((*PICTURES, "plot"), before, look(), strict=True)
    return {name for name, old, new in pairs if old != new}


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
        assert value(explorer, "output") == pytest.approx(
            float(gahr.psnr(answer.output, x)), abs=0.006
        )
        for k in (1, 6, 30):
            explorer.keep(k)
            widget.index = k
            assert explorer.psnr() == pytest.approx(widget.psnr(), abs=0.006)
            s, c = float(expansion.values[k - 1]), float(expansion.coefficients[k - 1])
            assert value(explorer, "written") == pytest.approx(s, abs=0.006)
            assert value(explorer, "read") == pytest.approx(c, abs=0.006)
            pixels = torch.tensor(explorer.pixels("denoised", 16)) / 255
            expected = widget.partial().clamp(0, 1).flatten()
            assert float((pixels - expected).abs().max()) < 0.01 + 1 / 255
        pixels = torch.tensor(explorer.pixels("noisy", 16)) / 255
        assert float((pixels - answer.noisy.clamp(0, 1).flatten()).abs().max()) < 1.1 / 255


def test_drawn_vectors_are_those_of_python(widget, shown):
    """Of the two colours, red is strong where a vector is not negative."""
    explorer = shown(color_scheme="light")
    for name in ("read", "written"):
        red = torch.tensor(explorer.pixels(name, 16))
        vector = getattr(widget.expansion(), name)[6].flatten()
        strength = vector / vector.abs().max()
        expected = 247 + strength.abs() * torch.where(strength < 0, 0x21 - 247.0, 0xB2 - 247.0)
        assert float((red - expected).abs().max()) < 3


def test_every_control_changes_what_it_should_by_mouse(shown):
    explorer = shown()
    assert changed_by(explorer, explorer.radio("vectors", VECTORS["eigen"]).click) == {
        "read", "written", "denoised", "plot",
    }  # fmt: skip
    assert changed_by(explorer, explorer.radio("network", "B").click) == {
        "read", "written", "denoised", "output", "plot",
    }  # fmt: skip
    assert changed_by(explorer, explorer.radio("noise σ", "0.4").click) == {*PICTURES, "plot"} - {
        "clean"
    }
    assert changed_by(explorer, lambda: explorer.choose_image(1)) == {*PICTURES, "plot"}
    k = {"read", "written", "denoised", "plot"}
    assert changed_by(explorer, lambda: explorer.keep(19)) == k
    box = explorer.slider.bounding_box()
    place = (box["x"] + 0.2 * box["width"], box["y"] + box["height"] / 2)
    assert changed_by(explorer, lambda: explorer.page.mouse.click(*place)) == k
    assert 1 < explorer.kept() < 19


def test_every_control_changes_what_it_should_by_keyboard(shown):
    explorer = shown()
    page = explorer.page
    k = {"read", "written", "denoised", "plot"}
    explorer.radio("network", "A").focus()
    pressed = {"network": {*k, "output"}, "image": {*PICTURES, "plot"}}
    pressed |= {"sigma": {*PICTURES, "plot"} - {"clean"}, "vectors": k}
    for changed in pressed.values():
        assert changed_by(explorer, lambda: page.keyboard.press("ArrowDown")) == changed
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.type") == "number"
    assert changed_by(explorer, lambda: page.keyboard.press("ArrowUp")) == k
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
              const copy = new OffscreenCanvas(c.width, c.height).getContext("2d");
              copy.drawImage(c, 0, 0);
              const { data } = copy.getImageData(0, 25, c.width, 1);
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
    explorer = shown(has_touch=True, viewport={"width": 390, "height": 844})
    explorer.plot.scroll_into_view_if_needed()
    box = explorer.plot.bounding_box()
    seen = []
    for share in (0.3, 0.5):
        explorer.page.touchscreen.tap(box["x"] + share * box["width"], box["y"] + 60)
        seen.append(explorer.kept())
    assert 1 < seen[0] < seen[1]


def test_first_values_are_those_that_python_chose(widget, show):
    widget.network, widget.image, widget.sigma = "B", 1, 0.4
    widget.vectors, widget.index = "eigen", 21
    explorer = show(widget)
    assert explorer.radio("network", "B").is_checked()
    assert explorer.image.input_value() == "pullover"
    assert explorer.radio("noise σ", "0.4").is_checked()
    assert explorer.radio("vectors", VECTORS["eigen"]).is_checked()
    assert explorer.kept() == 21
    assert explorer.psnr() == pytest.approx(widget.psnr(), abs=0.006)


def test_a_change_of_a_trait_moves_the_controls(widget, show):
    """Two views of one widget: what one of them sets reaches the other through the traits alone."""
    for name, start in START.items():
        setattr(widget, name, start)
    first = show(widget, widget)
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
    summary = explorer.root.locator(".gx-summary")
    assert "All 256 terms add up to f(y)." in summary.inner_text()
    explorer.choose("vectors", VECTORS["eigen"])
    assert re.search(r"All 256 terms miss f\(y\) by 0\.\d+", summary.inner_text())
    explorer.keep(25)
    live = explorer.root.locator("[aria-live=polite]")
    live.filter(has_text="k = 25, λ₂₅ =").wait_for(state="attached")


def test_other_sizes_and_denoisers_that_are_exact_or_symmetric(show):
    images = torch.rand(1, 1, 6, 10, generator=seeded())
    widget = EigenbasisExplorer(
        {"exact": lambda y, sigma: 0 * y + images, "identity": LinearDenoiser(torch.eye(60))},
        images, [0.2], k=60, generator=seeded(),
    )  # fmt: skip
    explorer = show(widget)
    assert explorer.root.locator(".gx-output .gx-value").inner_text() == "∞ dB"
    explorer.choose("network", "identity")
    assert "J is symmetric" in explorer.root.locator(".gx-summary").inner_text()
    explorer.keep(60)
    widget.network, widget.index = "identity", 60
    assert explorer.psnr() == pytest.approx(widget.psnr(), abs=0.006)
    assert explorer.root.locator(".gx-clean canvas").evaluate("(c) => c.width / c.height") == 10 / 6


def test_dark_mode_changes_the_colours_and_keeps_the_photographs(shown):
    explorer = shown(color_scheme="light")
    dark = "document.documentElement.dataset.theme = 'dark'"
    changed = changed_by(explorer, lambda: explorer.page.evaluate(dark))
    assert changed == {"read", "written", "plot"}


def test_everything_has_room_on_a_telephone_and_a_name(shown):
    explorer = shown(viewport={"width": 390, "height": 844})
    assert explorer.page.evaluate("document.documentElement.scrollWidth") <= 390
    for part in explorer.root.locator("canvas, input, select").all():
        box = part.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390.5
        assert box["height"] >= 24
    names = explorer.root.locator("input, select, canvas").evaluate_all(
        "nodes => nodes.map(n => n.getAttribute('aria-label') "
        "|| [...(n.labels ?? [])].map(l => l.textContent).join(''))"
    )
    assert all(name.strip() for name in names)


def test_still_picture_stays_without_javascript(show, tmp_path, serve, visit):
    images = torch.rand(1, 1, 8, 8, generator=seeded())
    widget = EigenbasisExplorer({"one": small_unet()}, images, [0.1], k=5, generator=seeded())
    text = as_page([widget], SCRIPT.read_text(encoding="utf-8"))
    (tmp_path / "page.html").write_text(text, encoding="utf-8")
    page = visit(f"{serve(tmp_path)}/page.html", java_script_enabled=False).page
    assert "singular value 1 of its Jacobian" in page.get_by_role("img").get_attribute("alt")
