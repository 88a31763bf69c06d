"""The explorer of chapter 1 in the built book."""

import base64
import json
import re
from urllib.parse import urljoin

import numpy as np
import pytest
import torch

import gahr_lib as gahr
from browser.visits import PHONE, Explorer
from gahr_lib import bases
from gahr_lib.analysis.shrinkage import oracle_factors

PAGE = "book/chapters/01_denoising_as_shrinkage.html"
pytestmark = pytest.mark.browser


@pytest.fixture
def chapter(site, visit):
    """Opens the chapter, and returns its explorer scrolled into view."""

    def open_chapter(**settings):
        seen = visit(f"{site}/{PAGE}", **settings)
        seen.show_explorers()
        explorer = Explorer(seen)
        explorer.root.scroll_into_view_if_needed()
        explorer.settle()
        return explorer

    return open_chapter


def state_of(page):
    """What Python packed for the explorer of the page, and its bytes by their names."""
    script = 'script[type="application/vnd.jupyter.widget-state+json"]'
    (named,) = json.loads(page.locator(script).text_content())["state"].values()
    handed = page.request.get(urljoin(page.url, named["file"])).text()
    model = json.loads(handed.removeprefix("gahrWidgets.receive(").removesuffix(");"))
    data = {
        "/".join(buffer["path"][1:]): base64.b64decode(buffer["data"])
        for buffer in model["buffers"]
    }
    return model["state"]["_data"], data


def test_slider_moves_the_picture_by_mouse(chapter):
    explorer = chapter()
    before, plotted, kept = explorer.picture(), explorer.plotted(), explorer.kept()
    box = explorer.slider.bounding_box()
    middle = box["y"] + box["height"] / 2
    thumb = box["x"] + 11 + (box["width"] - 22) * int(explorer.slider.input_value()) / 1000
    explorer.page.mouse.move(thumb, middle)
    explorer.page.mouse.down()
    explorer.page.mouse.move(box["x"] + 0.8 * box["width"], middle, steps=4)
    explorer.page.mouse.up()
    assert explorer.kept() > kept
    assert explorer.picture() != before
    assert explorer.plotted() != plotted


def test_slider_moves_the_picture_by_keyboard(chapter):
    explorer = chapter()
    explorer.keep(40)
    explorer.slider.focus()
    seen = [explorer.picture()]
    for key, kept in [
        ("ArrowRight", 41), ("ArrowUp", 42), ("ArrowLeft", 41), ("ArrowDown", 40),
        ("PageUp", 50), ("PageDown", 40), ("Home", 0), ("ArrowLeft", 0), ("ArrowRight", 1),
    ]:  # fmt: skip
        explorer.page.keyboard.press(key)
        assert explorer.kept() == kept, key
        assert explorer.slider.get_attribute("aria-valuetext").startswith(f"M = {kept} of")
        seen.append(explorer.picture())
    assert len(set(seen)) == 6  # M = 0, 1, 40, 41, 42, 50
    explorer.page.keyboard.press("End")
    assert explorer.kept() == int(explorer.number.get_attribute("max"))


def test_tab_reaches_every_control(chapter):
    explorer = chapter()
    explorer.image.focus()
    reached = []
    for _ in range(7):
        reached.append(explorer.page.evaluate("document.activeElement.type"))
        explorer.page.keyboard.press("Tab")
    assert reached == ["select-one", "radio", "radio", "radio", "number", "button", "range"]


def test_radio_buttons_move_by_arrow_keys(chapter):
    explorer = chapter()
    explorer.choose("basis", "cosine")
    before = explorer.picture("vector")
    explorer.page.keyboard.press("ArrowRight")
    assert explorer.radio("basis", "wavelet").is_checked()
    assert explorer.picture("vector") != before


def test_plot_can_be_clicked_and_dragged(chapter):
    explorer = chapter()
    box = explorer.plot.bounding_box()
    seen = []
    explorer.page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.5 * box["height"])
    explorer.page.mouse.down()
    seen.append(explorer.kept())
    explorer.page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.5 * box["height"])
    seen.append(explorer.kept())
    explorer.page.mouse.move(box["x"] - 50, box["y"])
    seen.append(explorer.kept())
    explorer.page.mouse.up()
    explorer.page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 0.5 * box["height"])
    assert explorer.kept() == 0
    assert 0 < seen[0] < seen[1]
    assert seen[2] == 0


def test_touch_moves_the_plot_and_the_slider(chapter):
    explorer = chapter(has_touch=True, viewport=PHONE)
    explorer.plot.scroll_into_view_if_needed()
    box = explorer.plot.bounding_box()
    seen = []
    for share in (0.3, 0.6):
        explorer.tap(box["x"] + share * box["width"], box["y"] + 50)
        seen.append(explorer.kept())
    assert seen[0] < seen[1]
    box = explorer.slider.bounding_box()
    # A slider moves at the touch, and makes no click of it.
    explorer.page.touchscreen.tap(box["x"] + 0.3 * box["width"], box["y"] + box["height"] / 2)
    moved = "([number, before]) => number.valueAsNumber < before"
    explorer.page.wait_for_function(moved, arg=[explorer.number.element_handle(), seen[1]])


def test_every_control_changes_what_it_should(chapter):
    explorer = chapter()
    changed_by = explorer.changed_by
    explorer.choose_image(0)
    explorer.choose("basis", "cosine")
    explorer.choose("kept ones times", "1")
    explorer.keep(40)
    of_m = {"denoised", "vector", "plots"}
    last = explorer.root.get_by_role("radiogroup", name="noise σ").get_by_role("radio").last
    assert changed_by(last.click) == {"noisy", "denoised", "plots"}
    oracle = explorer.radio("kept ones times", "oracle λₖ")
    assert changed_by(oracle.click) == {"denoised", "plots"}
    assert changed_by(explorer.radio("basis", "network’s").click) == of_m
    assert changed_by(lambda: explorer.keep(7)) == of_m
    assert changed_by(lambda: explorer.choose_image(1)) == {"clean", "noisy", *of_m}
    assert changed_by(explorer.best.click) == of_m


def test_best_m_is_the_best(chapter):
    explorer = chapter()
    explorer.choose("basis", "wavelet")
    explorer.choose("kept ones times", "1")
    explorer.best.click()
    best, psnr = explorer.kept(), explorer.psnr()
    for kept in (best - 1, best + 1, best // 2, 2 * best):
        explorer.keep(kept)
        assert explorer.psnr() <= psnr


@pytest.mark.parametrize("basis", ["cosine", "wavelet"])
def test_psnr_in_fixed_bases_is_that_of_python(basis, chapter):
    """From the images in the page and the library's bases: nothing of the explorer's own."""
    explorer = chapter()
    facts, data = state_of(explorer.page)
    d, (height, width) = facts["height"] * facts["width"], (facts["height"], facts["width"])
    sigma = facts["sigmas"][1]
    x, z = (
        torch.from_numpy(np.frombuffer(data[name], "<f4")[:d].copy()).reshape(1, 1, height, width)
        for name in ("images", "noise")
    )
    vectors = (
        bases.dct_basis(height, width) if basis == "cosine" else bases.wavelet_basis(height, width)
    )
    clean = bases.coefficients(vectors, x)[0]
    noisy = bases.coefficients(vectors, x + sigma * z)[0]
    explorer.choose_image(0)
    explorer.choose("noise σ", f"{sigma:g}")
    explorer.choose("basis", basis)
    for factors, name in [(torch.ones(d), "1"), (oracle_factors(clean, sigma), "oracle λₖ")]:
        explorer.choose("kept ones times", name)
        for kept in (1, 25, 100):
            explorer.keep(kept)
            largest = clean.abs().topk(kept).indices
            denoised = bases.synthesize(vectors[largest], (factors * noisy)[None, largest])
            assert explorer.psnr() == pytest.approx(float(gahr.psnr(denoised, x)), abs=0.05)


def test_summary_agrees_with_the_picture(chapter):
    explorer = chapter()
    explorer.keep(25)
    text = explorer.summary.inner_text()
    assert "M = 25 of" in text
    shown = float(re.search(r"PSNR ([\d.]+) dB", text)[1])
    assert shown == pytest.approx(explorer.psnr(), abs=0.051)
    explorer.wait_until_said("M = 25 of")


def test_dark_mode_changes_the_colours_and_keeps_the_photographs(chapter):
    explorer = chapter(color_scheme="light")
    ink = "(e) => getComputedStyle(e).color"
    colour = explorer.root.evaluate(ink)
    assert explorer.changed_by(explorer.darken) == {"vector", "plots"}
    assert explorer.root.evaluate(ink) != colour


def test_print_is_in_light_colours(chapter):
    explorer = chapter(color_scheme="dark")
    dark = explorer.picture("vector")
    explorer.print()
    assert explorer.picture("vector") != dark
    assert not explorer.slider.is_visible()
    assert explorer.summary.is_visible()


def test_everything_has_room_on_a_telephone(chapter):
    explorer = chapter(viewport=PHONE)
    assert explorer.cramped() == []
    assert explorer.canvas("clean").bounding_box()["width"] >= 140


def test_every_control_has_a_name(chapter):
    explorer = chapter()
    assert explorer.nameless() == []
    described = explorer.root.locator("canvas").evaluate_all(
        "nodes => nodes.map(n => [n.getAttribute('role'), n.getAttribute('aria-label')])"
    )
    assert all(role == "img" and len(label) > 5 for role, label in described)
