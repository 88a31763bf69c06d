"""The explorer of optimality, on a page made here, against Python's own numbers."""

import math
import re

import numpy as np
import pytest
import torch

import gahr_lib as gahr
from browser.visits import PHONE, Explorer
from gahr_lib.models import Wiener
from gahr_lib.widgets.optimality_explorer import OptimalityExplorer
from gahr_lib.zoo.experiments import ClassCurves
from gahr_lib.zoo.results import load_result
from helpers import LinearDenoiser, intensities, seeded

ALPHAS, SIGMAS, SIDE, KEPT = (1, 4), (0.4, 0.1, 0.03), 16, 9
DENOISERS = {"network": "network", "wavelet": "wavelets", "wiener": "Wiener"}
SIGNS = ("negative", "zero", "positive")
PICTURES = {"clean", "noisy", "vector", *DENOISERS}
EVERYTHING = {*PICTURES, "plots", "thumb"}  # also the plane and the strip of eigenvectors
START = {"alpha": 1.0, "image": 0, "sigma": 0.1, "index": 3}
LEFT, RIGHT = 42, 12  # margins of the plane
pytestmark = pytest.mark.browser


def curves():
    return {a: load_result(f"curves-c_alpha-{a}", ClassCurves) for a in ALPHAS}


@pytest.fixture(scope="module")
def widget():
    """Small images, whose Jacobians are soon decomposed."""
    return OptimalityExplorer(
        {a: gahr.load_denoiser("c_alpha", alpha=float(a)) for a in ALPHAS},
        {a: gahr.data.c_alpha(2, SIDE, float(a), generator=seeded(2)) for a in ALPHAS},
        curves(),
        {
            a: Wiener.from_images(gahr.data.c_alpha(600, SIDE, float(a), generator=seeded(1)))
            for a in ALPHAS
        },
        sigmas=SIGMAS,
        k=KEPT,
        generator=seeded(),
        names=["hill", "valley"],
    )


@pytest.fixture
def shown(widget, show_explorer):
    def open_page(**settings):
        for name, value in START.items():
            setattr(widget, name, value)
        return show_explorer(widget, **settings)

    return open_page


def vector(explorer: Explorer, k: int):
    """The radio button of an eigenvector."""
    strip = explorer.root.get_by_role("radiogroup", name="eigenvectors")
    return strip.get_by_role("radio", name=re.compile(f"eigenvector {k},"))


def chosen(explorer: Explorer) -> tuple[str, str]:
    """The smoothness and the noise that are marked as chosen."""
    explorer.settle()
    groups = ("smoothness α", "noise σ")
    bars = [explorer.root.get_by_role("radiogroup", name=name) for name in groups]
    return tuple(bar.locator("input:checked").get_attribute("value") for bar in bars)


def place(explorer: Explorer, sigma: float) -> tuple[float, float]:
    """Where on the screen the plane has a noise level; its levels go from 2 to 40 dB."""
    box = explorer.plot.bounding_box()
    share = (-20 * math.log10(sigma) - 2) / 38
    return box["x"] + LEFT + (box["width"] - LEFT - RIGHT) * share, box["y"] + 150


# ------------------------------------------------------------------------- what it shows


def test_pictures_and_numbers_are_those_of_python(widget, shown):
    explorer = shown()
    for alpha, image, sigma in ((1, 0, 0.1), (1, 1, 0.4), (4, 1, 0.4), (4, 0, 0.03)):
        widget.alpha, widget.image, widget.sigma = alpha, image, sigma
        explorer.choose("smoothness α", str(alpha))
        explorer.choose_image(image)
        explorer.choose("noise σ", str(sigma))
        scene = widget.scene()
        for name in ("clean", "noisy", *DENOISERS):
            pixels = torch.tensor(explorer.pixels(name, SIDE)) / 255
            expected = getattr(scene, name).clamp(0, 1).flatten()
            assert float((pixels - expected).abs().max()) < 1.1 / 255
        for name in ("noisy", *DENOISERS):
            assert explorer.value(name) == pytest.approx(scene.psnr[name], abs=0.051)
        explorer.settle()
        shown_values = explorer.root.locator(".gx-thumb .gx-value").all_inner_texts()
        assert shown_values == [f"{v:.2f}".replace("-", "−") for v in scene.values.tolist()]


def test_drawn_vectors_are_those_of_python(widget, shown):
    """By how red they are: the two colours differ in it."""
    explorer = shown(color_scheme="light")
    negative, zero, positive = (float(explorer.ink(n)[0]) for n in SIGNS)
    for k in (1, 5, KEPT):
        vector(explorer, k).click()
        explorer.settle()
        exact = widget.scene().vectors[k - 1].flatten()
        # The largest half percent, here the largest pixel, is as strong as the second.
        strength = (exact / exact.abs().sort().values[round(0.995 * 255)]).clamp(-1, 1)
        end = torch.where(strength < 0, negative, positive)
        expected = zero + strength.abs() * (end - zero)
        large = torch.tensor(explorer.pixels("vector", SIDE))
        assert float((large - expected).abs().max()) < 4
        small = torch.tensor(explorer.pixels(f"strip .gx-thumb:nth-of-type({k})", SIDE))
        assert torch.equal(small, large)
        assert explorer.value("vector") == pytest.approx(
            float(widget.scene().values[k - 1]), abs=0.0051
        )


def test_words_have_the_numbers_of_this_image_and_of_the_class(widget, shown):
    explorer = shown()
    for alpha in ALPHAS:
        for sigma in SIGMAS:
            widget.alpha, widget.sigma = alpha, sigma
            explorer.choose("smoothness α", str(alpha))
            explorer.choose("noise σ", str(sigma))
            psnr, own = widget.scene().psnr, curves()[alpha]
            own_levels = own.input_psnr.numpy()
            summary = explorer.summary.inner_text()
            this, oracle, mean = re.findall(r"(?:image|knows x|noise): (.*?)\.(?: |$)", summary)
            label = explorer.plot.get_attribute("aria-label")
            for name, word in DENOISERS.items():
                expected = np.interp(
                    -20 * math.log10(sigma), own_levels, getattr(own, name).mean(1)
                )
                for text, number in ((this, psnr[name]), (mean, expected)):
                    found = float(re.search(rf"{word} ([\d.]+) dB", text)[1])
                    assert found == pytest.approx(number, abs=0.051)
                assert f"{word} {widget.lines().slopes[name]:.2f}" in label
            assert float(oracle.split()[0]) == pytest.approx(psnr["oracle"], abs=0.051)
            assert "Mean of 200 images" in summary
            legend = explorer.root.locator(".gx-heading").inner_text()
            assert f"slope α/(α + 1) = {alpha / (alpha + 1):.2f}" in legend
            assert f"network, slope {widget.lines().slopes['network']:.2f}" in legend


# The rows of a column of a canvas that have a colour, up to so much in each channel.
INK = """(canvas, [x, name, off = 12]) => {
  const ink = getComputedStyle(canvas).getPropertyValue(name).trim();
  const wanted = [1, 3, 5].map((i) => parseInt(ink.slice(i, i + 2), 16));
  const data = pixelsOf(canvas, Math.floor(x), 0, 1);
  const rows = [];
  for (let y = 0; y < canvas.height; y++) {
    const opaque = data[4 * y + 3] > 100;
    if (opaque && wanted.every((v, i) => Math.abs(data[4 * y + i] - v) < off)) rows.push(y);
  }
  return rows;
}"""


def decibels_of(explorer: Explorer, row: float, low: float, high: float) -> float:
    """The output PSNR of a row of the plane's pixels."""
    top, bottom = 24, 40
    height = explorer.plot.evaluate("(c) => c.height") - top - bottom
    return high - (high - low) * (row + 0.5 - top) / height


def plane_range(widget) -> tuple[int, int]:
    """The ends of the vertical axis: all that is drawn, out to fives."""
    scenes = [s.psnr[n] for s in widget._scenes for n in (*DENOISERS, "oracle")]
    means = [v for a in ALPHAS for mean in widget._lines[a].means.values() for v in mean.tolist()]
    every = scenes + means
    return 5 * math.floor(min(every) / 5), 5 * math.ceil(max(every) / 5)


def test_curve_and_dot_of_the_network_are_where_their_numbers_are(widget, shown):
    explorer = shown(device_scale_factor=1, color_scheme="light")
    low, high = plane_range(widget)
    for alpha in ALPHAS:
        widget.alpha = alpha
        explorer.choose("smoothness α", str(alpha))
        mean = widget.lines().means["network"]
        left = explorer.plot.bounding_box()["x"]
        for level in (4, 14, 26, 36):  # away from all dots
            x = place(explorer, 10 ** (-level / 20))[0] - left
            rows = explorer.plot.evaluate(INK, [x, "--gx-signal"])
            assert rows
            found = decibels_of(explorer, sum(rows) / len(rows), low, high)
            assert found == pytest.approx(float(mean[level // 2 - 1]), abs=0.35)
    explorer.choose("noise σ", "0.4")
    widget.sigma = 0.4
    x = place(explorer, 0.4)[0] - left
    rows = explorer.plot.evaluate(INK, [x, "--gx-noise"])
    wavelet = [decibels_of(explorer, row, low, high) for row in rows]
    assert any(abs(v - widget.scene().psnr["wavelet"]) < 0.4 for v in wavelet)


# ------------------------------------------------------------------------- controls


def test_every_control_changes_what_it_should_by_mouse(shown):
    explorer = shown()
    assert explorer.changed_by(vector(explorer, 5).click) == {"vector"}
    assert explorer.changed_by(explorer.radio("smoothness α", "4").click) == EVERYTHING
    sigma = explorer.radio("noise σ", "0.4")
    assert explorer.changed_by(sigma.click) == EVERYTHING - {"clean"}
    assert explorer.changed_by(lambda: explorer.choose_image(1)) == EVERYTHING
    assert vector(explorer, 5).is_checked()


def test_every_control_changes_what_it_should_by_keyboard(shown):
    explorer = shown()
    page = explorer.page
    explorer.radio("smoothness α", "1").focus()
    for changed in (EVERYTHING, EVERYTHING, EVERYTHING - {"clean"}, {"vector"}):
        assert explorer.changed_by(lambda: page.keyboard.press("ArrowDown")) == changed
        page.keyboard.press("Tab")
    assert chosen(explorer) == ("4", "0.03")
    assert vector(explorer, 4).is_checked()
    page.keyboard.press("Shift+Tab")
    for key, k in (("ArrowRight", 5), ("ArrowUp", 4), ("ArrowLeft", 3)):
        page.keyboard.press(key)
        explorer.settle()
        assert vector(explorer, k).is_checked()
    assert {*page.evaluate("heard")} == {"Tab", "Shift"}  # no arrow reached the page


def test_plane_can_be_clicked_and_dragged(shown):
    explorer = shown()
    mouse = explorer.page.mouse
    for sigma in SIGMAS:
        mouse.click(*place(explorer, sigma))
        assert chosen(explorer)[1] == str(sigma)
    # To the nearest on the plane, whose axis is the logarithm of sigma.
    for between, nearest in ((0.21, "0.4"), (0.19, "0.1"), (0.06, "0.1"), (0.05, "0.03")):
        mouse.click(*place(explorer, between))
        assert chosen(explorer)[1] == nearest
    mouse.move(*place(explorer, 0.4))
    mouse.down()
    assert chosen(explorer)[1] == "0.4"
    mouse.move(*place(explorer, 0.11))
    assert chosen(explorer)[1] == "0.1"
    mouse.move(place(explorer, 0.03)[0] + 500, 0)
    assert chosen(explorer)[1] == "0.03"
    mouse.up()
    mouse.move(*place(explorer, 0.4))
    assert chosen(explorer)[1] == "0.03"


def test_marked_sigma_lies_under_the_hand(shown):
    explorer = shown(device_scale_factor=1, color_scheme="light")
    left = explorer.plot.bounding_box()["x"]
    for sigma in SIGMAS:
        explorer.choose("noise σ", str(sigma))
        for other in SIGMAS:
            # The line is a pixel and a half wide: half of it may lie on either side.
            x = math.floor(place(explorer, other)[0] - left)
            dark = len(explorer.plot.evaluate(INK, [x, "--gx-text", 70]))
            assert (dark > 150) == (other == sigma)


def test_touch_moves_the_plane(shown):
    explorer = shown(has_touch=True, viewport=PHONE)
    explorer.plot.scroll_into_view_if_needed()
    for sigma in (0.4, 0.03):
        explorer.tap(*place(explorer, sigma))
        assert chosen(explorer)[1] == str(sigma)


def test_first_values_are_those_that_python_chose(widget, show_explorer):
    widget.alpha, widget.image, widget.sigma, widget.index = 4, 1, 0.4, 7
    explorer = show_explorer(widget)
    assert chosen(explorer) == ("4", "0.4")
    assert explorer.image.input_value() == "valley"
    assert vector(explorer, 7).is_checked()
    assert explorer.value("network") == pytest.approx(widget.scene().psnr["network"], abs=0.051)


def test_a_change_of_a_trait_moves_the_controls(widget, show_explorer):
    """Two views of one widget: what one of them sets reaches the other through the traits alone."""
    for name, start in START.items():
        setattr(widget, name, start)
    first = show_explorer(widget, widget)
    second = Explorer(first, 1)
    first.choose("smoothness α", "4")
    first.choose_image(1)
    first.choose("noise σ", "0.4")
    vector(first, 8).click()
    assert chosen(second) == ("4", "0.4")
    assert second.image.input_value() == "valley"
    assert vector(second, 8).is_checked()
    for name in PICTURES:
        assert second.picture(name) == first.picture(name)


def test_changes_are_told_to_those_who_cannot_see_them(shown):
    explorer = shown()
    explorer.page.wait_for_timeout(600)
    assert explorer.live.inner_text() == ""
    explorer.choose("noise σ", "0.03")
    explorer.wait_until_said("α = 1, σ = 0.03: network")


# ------------------------------------------------------------------------- manners


def test_one_image_needs_no_choice_and_no_error_has_no_place_in_the_plane(show_explorer):
    images = intensities(1, 1, 8, 12)
    widget = OptimalityExplorer(
        {2.5: lambda y, sigma: images + 0 * y},
        {2.5: images},
        {2.5: curves()[4]},
        {2.5: LinearDenoiser(torch.eye(96))},
        sigmas=[0.2],
        k=96,
        generator=seeded(),
    )
    explorer = show_explorer(widget)
    assert explorer.image.count() == 0
    assert explorer.root.locator(".gx-network .gx-value").inner_text() == "∞ dB"
    assert explorer.value("wiener") == explorer.value("noisy")
    assert explorer.canvas("clean").evaluate("(c) => c.width / c.height") == 1.5
    assert "= 0.71" in explorer.root.locator(".gx-heading").inner_text()
    vector(explorer, 96).click()
    explorer.settle()
    assert explorer.root.locator(".gx-vector .gx-value").inner_text() == "λ₉₆ = 0.00"


def test_dark_mode_changes_the_colours_and_keeps_the_photographs(shown):
    explorer = shown(color_scheme="light")
    assert explorer.changed_by(explorer.darken) == {"vector", "plots", "thumb"}


def test_print_is_in_light_colours(shown):
    explorer = shown(color_scheme="light")
    light = explorer.seen()
    explorer.darken()
    assert explorer.seen() != light
    explorer.print()
    assert explorer.seen() == light


def test_everything_has_room_on_a_telephone_and_a_name(shown):
    explorer = shown(viewport=PHONE)
    assert explorer.cramped() == []
    assert explorer.nameless() == []
    # Nothing is cut off, and no text runs into another.
    overflow = explorer.root.locator(".gx-caption, .gx-thumb, .gx-heading").evaluate_all(
        "nodes => nodes.filter(n => n.scrollWidth > n.clientWidth + 1).length"
    )
    assert overflow == 0


def test_still_picture_stays_without_javascript(widget, open_widgets):
    page = open_widgets(widget, java_script_enabled=False).page
    assert page.get_by_role("img").get_attribute("alt") == widget.describe()
