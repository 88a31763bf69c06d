"""The memorization explorer in a page without a kernel, against Python's own numbers."""

import re

import pytest
import torch

from browser.visits import PHONE, Explorer
from gahr_lib.widgets.memorization_explorer import MemorizationExplorer
from gahr_lib.zoo.experiments import Samples
from gahr_lib.zoo.results import load_result

SIZES = (10, 100, 1_000)
PAIRS = 24
PLOTS = {"of-twins", "of-own"}
PARTS = ("nearest-a", "sample-a", "sample-b", "nearest-b")
MARGIN_LEFT, MARGIN_RIGHT = 40, 12
pytestmark = pytest.mark.browser


class Shown(Explorer):
    """The controls and pictures of a `MemorizationExplorer` on a page."""

    def __init__(self, visit, index=0):
        super().__init__(visit, index)
        self.slider = self.root.locator(".gx-slider")
        self.twins = self.root.locator(".gx-of-twins canvas")
        self.own = self.root.locator(".gx-of-own canvas")

    def size(self, n):
        return self.root.get_by_role("radio", name=f"{n:,}", exact=True)

    def go(self, n, pair):
        self.size(n).click()
        self.slider.fill(str(pair))
        self.settle()

    def pair(self):
        self.settle()
        return int(self.slider.input_value())

    def press(self, key):
        self.page.keyboard.press(key)
        return self.pair()

    def links(self):
        self.settle()
        return self.root.locator(".gx-link").all_inner_texts()

    def click_at(self, canvas, cosine, low):
        """Click where a histogram has a cosine."""
        canvas.scroll_into_view_if_needed()
        box = canvas.bounding_box()
        inner = box["width"] - MARGIN_LEFT - MARGIN_RIGHT
        x = box["x"] + MARGIN_LEFT + inner * (cosine - low) / (1 - low)
        self.page.mouse.click(x, box["y"] + 90)
        return self.pair()


@pytest.fixture(scope="module")
def samples():
    return {n: load_result(f"samples-{n}", Samples) for n in SIZES}


@pytest.fixture
def explorer(samples):
    return MemorizationExplorer(samples, pairs=PAIRS)


@pytest.fixture
def open_explorer(show_explorer, explorer):
    def open_page(*explorers, **settings) -> Shown:
        return show_explorer(*(explorers or [explorer]), kind=Shown, **settings)

    return open_page


def test_pictures_and_cosines_are_those_of_python(explorer, open_explorer):
    shown = open_explorer()
    for explorer.n_train in SIZES:
        for explorer.pair in (0, 7, PAIRS - 1):
            shown.go(explorer.n_train, explorer.pair)
            for part, picture in zip(PARTS, explorer.pictures(), strict=True):
                if picture is None:
                    assert shown.canvas(part).evaluate("(c) => c.hidden")
                    missing = shown.root.locator(f".gx-{part} .gx-missing")
                    assert missing.is_visible()
                    assert "in the package" in missing.inner_text()
                    continue
                pixels = torch.tensor(shown.pixels(part, 28))
                error = (pixels / 255 - picture.flatten()).abs().max()
                assert float(error) < 0.5 / 63 + 0.5 / 255 + 1e-4
            expected = ["unknown" if c is None else f"cos {c:.2f}" for c in explorer.cosines()]
            assert shown.links() == expected


def test_first_values_are_those_that_python_chose(explorer, open_explorer):
    explorer.n_train, explorer.pair = 100, 9
    shown = open_explorer(explorer)
    assert shown.size(100).is_checked()
    assert shown.pair() == 9
    assert shown.slider.get_attribute("aria-valuetext") == f"pair 10 of {PAIRS}"
    assert shown.links()[1] == f"cos {explorer.cosines()[1]:.2f}"


def test_every_control_changes_what_it_should(open_explorer):
    shown = open_explorer()
    assert shown.changed_by(shown.size(100).click) == {*PARTS, *PLOTS}
    assert shown.changed_by(lambda: shown.slider.fill("5")) == {*PARTS, *PLOTS}
    box = shown.slider.bounding_box()
    where = {"x": 0.8 * box["width"], "y": box["height"] / 2}
    assert shown.changed_by(lambda: shown.slider.click(position=where)) >= {"sample-a", *PLOTS}
    assert shown.pair() > 15


@pytest.mark.parametrize("kind", ["twins", "own"])
def test_click_in_a_histogram_picks_the_nearest_pair(kind, explorer, samples, open_explorer):
    shown = open_explorer()
    shown.go(100, 0)
    values = {"twins": samples[100].similarity, "own": samples[100].to_own}[kind][:PAIRS]
    canvas = getattr(shown, kind)
    for wanted in (0.1, 0.62, 0.75, 0.99):
        found = shown.click_at(canvas, wanted, explorer._data["low"])
        distances = (values - wanted).abs()
        # A click hits a pixel, which is 1/300 of the axis at most.
        assert float(distances[found]) <= float(distances.min()) + 0.01
    assert len({shown.click_at(canvas, v, explorer._data["low"]) for v in (0.1, 0.99)}) == 2


def test_histogram_can_be_dragged(open_explorer):
    shown = open_explorer()
    shown.go(100, 0)
    shown.twins.scroll_into_view_if_needed()
    box = shown.twins.bounding_box()
    mouse = shown.page.mouse
    mouse.move(box["x"] + 60, box["y"] + 90)
    mouse.down()
    first = shown.pair()
    mouse.move(box["x"] + box["width"] - 15, box["y"] + 90)
    last = shown.pair()
    mouse.up()
    mouse.move(box["x"] + 60, box["y"] + 90)
    assert shown.pair() == last != first


def test_keys_move_through_seeds_and_through_similarities(samples, open_explorer):
    shown = open_explorer()
    shown.go(100, 4)
    shown.slider.focus()
    keys = ("ArrowRight", "ArrowUp", "ArrowLeft", "ArrowDown", "PageUp", "PageDown", "End", "Home")
    assert [shown.press(key) for key in keys] == [5, 6, 5, 4, 12, 4, PAIRS - 1, 0]
    for canvas, values in (
        (shown.twins, samples[100].similarity),
        (shown.own, samples[100].to_own),
    ):
        order = values[:PAIRS].argsort(stable=True).tolist()
        canvas.focus()
        keys = ("Home", "ArrowRight", "ArrowUp", "ArrowDown", "PageUp", "PageDown", "End")
        assert [shown.press(key) for key in keys] == [order[i] for i in (0, 1, 2, 1, 9, 1, -1)]
        assert shown.press("ArrowRight") == order[-1]
        label = f"cosine {values[order[-1]]:.2f}, pair {order[-1] + 1}"
        assert canvas.get_attribute("aria-valuetext") == label
    assert shown.page.evaluate("heard") == []
    shown.size(100).focus()
    shown.page.keyboard.press("ArrowRight")
    shown.settle()
    assert shown.size(1_000).is_checked()
    assert shown.links()[2] == "unknown"


def test_tab_reaches_every_control_and_each_has_a_name(open_explorer):
    shown = open_explorer()
    reached = []
    for _ in range(4):
        shown.page.keyboard.press("Tab")
        reached.append(
            shown.page.evaluate("document.activeElement.type ?? document.activeElement.tagName")
        )
    assert reached == ["radio", "range", "CANVAS", "CANVAS"]
    assert shown.nameless() == []
    described = shown.root.locator("canvas").evaluate_all(
        "nodes => nodes.map(n => [n.getAttribute('role'), n.getAttribute('aria-label')])"
    )
    assert [role for role, _ in described] == ["img"] * 4 + ["slider"] * 2
    assert all(len(label) > 20 for _, label in described)


def test_bars_are_the_shares_of_the_samples(explorer, samples, open_explorer):
    """The heights of the bars in pixels against a histogram made here."""
    shown = open_explorer(device_scale_factor=1)
    shown.go(100, 0)
    low, bins = explorer._data["low"], 40
    counts = torch.histc(samples[100].similarity, bins, low, 1)
    columns = shown.twins.evaluate(
        """(canvas, [left, right, bins]) => {
          const ink = getComputedStyle(canvas).getPropertyValue("--gx-signal").trim();
          const [r, g, b] = [1, 3, 5].map((i) => parseInt(ink.slice(i, i + 2), 16));
          return Array.from({ length: bins }, (_, k) => {
            const x = Math.floor(left + ((k + 0.5) / bins) * (canvas.width - left - right));
            const data = pixelsOf(canvas, x, 0, 1);
            let n = 0;
            for (let i = 0; i < data.length; i += 4) {
              n += data[i] === r && data[i + 1] === g && data[i + 2] === b;
            }
            return n;
          });
        }""",
        [MARGIN_LEFT, MARGIN_RIGHT, bins],
    )
    heights = torch.tensor(columns, dtype=torch.float32)
    box = shown.twins.evaluate("(c) => c.height") - 30 - 42
    expected = counts / counts.max() * box / 1.06
    current = int((samples[100].similarity[0] - low) / (1 - low) * bins)
    for k in range(bins):
        if abs(k - current) > 1:  # the mark of the pair covers its bar
            assert float(heights[k]) == pytest.approx(float(expected[k]), abs=2)


def test_mark_is_at_the_pair(explorer, samples, open_explorer):
    shown = open_explorer(device_scale_factor=1)
    low = explorer._data["low"]
    for pair in (0, 8, 15):
        shown.go(100, pair)
        for canvas, values in (
            (shown.twins, samples[100].similarity),
            (shown.own, samples[100].to_own),
        ):
            darkest, width = canvas.evaluate(
                """(canvas) => {
                  const data = pixelsOf(canvas, 0, 34, canvas.width, 1);
                  const opaque = [];
                  const ink = getComputedStyle(canvas).getPropertyValue("--gx-text").trim();
                  const red = parseInt(ink.slice(1, 3), 16);
                  for (let x = 0; x < canvas.width; x++) {
                    if (data[4 * x + 3] > 200 && Math.abs(data[4 * x] - red) < 3) opaque.push(x);
                  }
                  return [opaque, canvas.width];
                }"""
            )
            inner = width - MARGIN_LEFT - MARGIN_RIGHT
            at = MARGIN_LEFT + inner * (float(values[pair]) - low) / (1 - low)
            assert any(abs(x + 0.5 - at) < 1.5 for x in darkest)


def test_words_count_what_python_counts(samples, open_explorer):
    shown = open_explorer()
    for n in SIZES:
        shown.go(n, 3)
        found = samples[n]
        text = shown.summary.inner_text()
        closer = int((found.similarity > found.to_own).sum())
        assert re.search(rf"Of 256 samples of A, {closer} are closer to the twin", text)
        assert f"cosine {found.to_own[3]:.2f} with the nearest" in text
        assert f"{found.similarity[3]:.2f} with its twin" in text
        assert ("Only the first 500" in text) == (n == 1_000)
    shown.wait_until_said("N = 1,000, pair 4")


def test_dark_mode_changes_the_colours_and_keeps_the_photographs(open_explorer):
    shown = open_explorer(color_scheme="light")
    assert shown.changed_by(shown.darken) == PLOTS


def test_everything_has_room_on_a_telephone(open_explorer):
    shown = open_explorer(viewport=PHONE, has_touch=True)
    shown.go(1_000, 0)
    assert shown.cramped() == []
    shown.own.scroll_into_view_if_needed()
    box = shown.own.bounding_box()
    shown.tap(box["x"] + 45, box["y"] + 90)
    least = shown.pair()
    shown.tap(box["x"] + box["width"] - 15, box["y"] + 90)
    assert shown.pair() != least


def test_still_picture_stays_without_javascript(explorer, open_widgets):
    page = open_widgets(explorer, java_script_enabled=False).page
    assert page.get_by_role("img").get_attribute("alt") == explorer.describe()


def test_changes_from_outside_move_the_controls(explorer, open_explorer):
    """A kernel sets traits; here a second view of the same model does."""
    first = open_explorer(explorer, explorer)
    second = Shown(first, 1)
    second.root.wait_for()
    first.go(100, 11)
    assert second.size(100).is_checked()
    assert second.pair() == 11
    assert second.seen() == first.seen()
