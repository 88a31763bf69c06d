"""Every explorer of the book, where readers meet it: in its page, without a kernel."""

import gzip
from urllib.parse import unquote, urlsplit

import pytest

from browser.conftest import SITE

pytestmark = pytest.mark.browser

EXPLORERS = {
    "01_denoising_as_shrinkage": ["denoising as shrinkage"],
    "02_memorization_and_generalization": ["copies and twins"],
    "03_geometry_adaptive_harmonic_bases": ["reads and writes", "filter of each pixel"],
    "05_the_full_sampler": ["sampl"],
}
MOST_BYTES = 3_000_000  # before a reader touches anything, packed with gzip


@pytest.mark.parametrize("chapter", EXPLORERS)
@pytest.mark.parametrize("width", [1280, 390])
def test_all_explorers_of_a_page_are_drawn(site, visit, chapter, width):
    seen = visit(f"{site}/book/chapters/{chapter}.html", viewport={"width": width, "height": 900})
    explorers = seen.page.locator(".gx-explorer")
    seen.page.locator("[data-drawn] canvas").first.wait_for(state="attached")
    assert explorers.count() == len(EXPLORERS[chapter])
    for i, word in enumerate(EXPLORERS[chapter]):
        explorer = explorers.nth(i)
        assert word in explorer.get_attribute("aria-label").lower()
        explorer.scroll_into_view_if_needed()
        canvas = explorer.locator("canvas").first
        colours = canvas.evaluate(
            """(c) => new Set(
              c.getContext("2d").getImageData(0, 0, c.width, c.height).data).size"""
        )
        assert colours > 5, "a picture and no empty canvas"
    assert not seen.scrolls_sideways()


@pytest.mark.parametrize("chapter", EXPLORERS)
def test_a_page_is_light(site, visit, chapter):
    page = visit(f"{site}/book/chapters/{chapter}.html").page
    page.locator("[data-drawn] canvas").first.wait_for(state="attached")
    page.wait_for_load_state("networkidle")
    urls = page.evaluate("performance.getEntriesByType('resource').map((entry) => entry.name)")
    paths = {unquote(urlsplit(url).path) for url in [page.url, *urls] if url.startswith(site)}
    files = [SITE / path.lstrip("/") for path in paths]
    assert len(files) > 5
    assert sum(len(gzip.compress(path.read_bytes())) for path in files) <= MOST_BYTES
