"""How soon the explorer of chapter 1 is there, and how soon it follows a slider, in Chromium.

It opens the built book: ``make bench`` builds it first.
"""

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from browser.conftest import browser, chromium, serve, site, visit  # noqa: F401
from browser.visits import Explorer

PAGE = "book/chapters/01_denoising_as_shrinkage.html"
FIRST_PICTURE_MS = 1500
SLIDER_TO_PICTURE_MS = 50

FRAMES = """async (slider) => {
  const times = [];
  for (let i = 0; i < 60; i++) {
    const start = performance.now();
    slider.value = 100 + 13 * i;
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    times.push(performance.now() - start);
  }
  return times;
}"""


def test_first_picture(benchmark: BenchmarkFixture, site, visit) -> None:  # noqa: F811
    """From the start of the navigation to the first picture drawn, in milliseconds."""
    times = []

    def open_page() -> None:
        page = visit(f"{site}/{PAGE}").page
        page.wait_for_function("window.firstPicture")
        times.append(page.evaluate("window.firstPicture"))

    benchmark.pedantic(open_page, rounds=5)
    benchmark.extra_info["first picture, ms"] = round(float(np.median(times)))
    assert np.median(times) < FIRST_PICTURE_MS, times


@pytest.mark.parametrize("basis", ["cosine", "network’s"])
def test_picture_follows_the_slider(benchmark: BenchmarkFixture, basis, site, visit) -> None:  # noqa: F811
    """From a move of the slider to the picture drawn, the 95th percentile in milliseconds."""
    explorer = Explorer(visit(f"{site}/{PAGE}"))
    explorer.root.scroll_into_view_if_needed()
    explorer.choose("basis", basis)
    times = benchmark.pedantic(lambda: explorer.slider.evaluate(FRAMES), rounds=1)
    benchmark.extra_info["95th percentile, ms"] = round(float(np.percentile(times, 95)), 1)
    assert np.percentile(times, 95) < SLIDER_TO_PICTURE_MS, times
