"""How soon each explorer is there, what its page weighs, and how soon it follows, in Chromium.

It opens the built book: ``make bench`` builds it first.
"""

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from browser.test_explorers_in_pages import EXPLORERS
from browser.test_pages import weights

FIRST_PICTURE_MS = 1500
SLIDER_TO_PICTURE_MS = 50
BYTES_BEFORE_INTERACTION = 3_000_000
# Every explorer of the book: the chapter, and which of its explorers.
PLACES = [(chapter, i) for chapter, words in EXPLORERS.items() for i in range(len(words))]

# Moves the slider of an explorer, or what its keys or buttons move where it has none, 60 times.
FRAMES = """async (root) => {
  const slider = root.querySelector("input[type=range]");
  const picker = root.querySelector("[tabindex='0']");
  const buttons = root.querySelectorAll("input[type=radio]");
  const moves = {
    slide(i) {
      const [low, high] = [Number(slider.min), Number(slider.max)];
      slider.value = low + ((7 * i) % (high - low + 1));
      slider.dispatchEvent(new Event("input", { bubbles: true }));
    },
    press(i) {
      const key = ["ArrowLeft", "ArrowUp", "ArrowRight", "ArrowDown"][Math.floor(i / 5) % 4];
      picker.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    },
    choose: (i) => buttons[(7 * i) % buttons.length].click(),
  };
  const move = slider ? moves.slide : picker ? moves.press : moves.choose;
  const picture = () => [...root.querySelectorAll("canvas")].map((c) => c.toDataURL()).join();
  const [times, pictures] = [[], new Set()];
  for (let i = 0; i < 60; i++) {
    const start = performance.now();
    move(i);
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    times.push(performance.now() - start);
    pictures.add(picture());
  }
  return [times, pictures.size];
}"""


@pytest.fixture(params=PLACES, ids=lambda place: f"{place[0][:2]}-{place[1]}")
def place(request, site, visit):
    """The address of an explorer, and its number on its page."""
    chapter, i = request.param
    url = f"{site}/book/chapters/{chapter}.html"
    places = visit(url).page.locator("[data-explorer]")
    anchor = places.nth(i).evaluate("(node) => node.closest('[id^=cell-]').id")
    return f"{url}#{anchor}", i


def test_first_picture(benchmark: BenchmarkFixture, place, site, visit) -> None:
    """From the start of the navigation to the explorer drawn in view, in milliseconds."""
    url, _ = place
    times, sizes = [], []

    def open_page() -> None:
        page = visit(url).page
        page.wait_for_function("window.firstPicture")
        times.append(page.evaluate("window.firstPicture"))
        page.wait_for_load_state("networkidle")
        sizes.append(sum(weights(page, site).values()))

    benchmark.pedantic(open_page, rounds=5)
    benchmark.extra_info["first picture, ms"] = round(float(np.median(times)))
    benchmark.extra_info["bytes, gzip"] = max(sizes)
    assert np.median(times) < FIRST_PICTURE_MS, times
    assert max(sizes) < BYTES_BEFORE_INTERACTION


def test_picture_follows_the_slider(benchmark: BenchmarkFixture, place, visit) -> None:
    """From a move of the slider to the picture drawn, the 95th percentile in milliseconds."""
    url, i = place
    seen = visit(url)
    seen.show_explorers()
    root = seen.page.locator(".gx-explorer").nth(i)
    root.scroll_into_view_if_needed()
    times, pictures = benchmark.pedantic(lambda: root.evaluate(FRAMES), rounds=1)
    benchmark.extra_info["95th percentile, ms"] = round(float(np.percentile(times, 95)), 1)
    assert pictures > 5, "the moves have moved it"
    assert np.percentile(times, 95) < SLIDER_TO_PICTURE_MS, times
