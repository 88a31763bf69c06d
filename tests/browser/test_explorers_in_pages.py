"""Every explorer of the book, where readers meet it: in its page, without a kernel."""

import pytest

from browser.visits import Visit

pytestmark = pytest.mark.browser

EXPLORERS = {
    "01_denoising_as_shrinkage": ["denoising as shrinkage"],
    "02_memorization_and_generalization": ["copies and twins"],
    "03_geometry_adaptive_harmonic_bases": ["reads and writes", "filter of each pixel"],
    "04_optimality": ["close to optimal"],
    "05_the_full_sampler": ["sampl"],
}

ROOM = "(place) => parseFloat(getComputedStyle(place).minHeight)"
VIEW = 'script[type="application/vnd.jupyter.widget-view+json"]'


@pytest.mark.parametrize("chapter", EXPLORERS)
@pytest.mark.parametrize("width", [1280, 390])
def test_all_explorers_of_a_page_are_drawn(site, visit, chapter, width):
    seen = visit(f"{site}/book/chapters/{chapter}.html", viewport={"width": width, "height": 900})
    assert seen.page.locator(VIEW).count() == len(EXPLORERS[chapter])
    kept = [place.evaluate(ROOM) for place in seen.page.locator("[data-explorer]").all()]
    seen.show_explorers()
    explorers = seen.page.locator(".gx-explorer")
    assert explorers.count() == len(EXPLORERS[chapter])
    for i, word in enumerate(EXPLORERS[chapter]):
        explorer = explorers.nth(i)
        # book.css keeps its room, so that the page does not jump when it comes.
        assert kept[i] == pytest.approx(explorer.evaluate("(e) => e.offsetHeight"), rel=0.1)
        assert word in explorer.get_attribute("aria-label").lower()
        canvas = explorer.locator("canvas").first
        colours = canvas.evaluate(
            """(c) => new Set(
              c.getContext("2d").getImageData(0, 0, c.width, c.height).data).size"""
        )
        assert colours > 5, "a picture and no empty canvas"
    assert not seen.scrolls_sideways()


@pytest.mark.parametrize("chapter", EXPLORERS)
def test_without_javascript_still_pictures_stand_in_their_place(site, browser, chapter):
    # The theme loads scripts ahead that are never run here: not what `visit` would complain of.
    seen = Visit(browser, f"{site}/book/chapters/{chapter}.html", java_script_enabled=False)
    page = seen.page
    stills, words = page.locator("[data-still]"), page.locator(".still-note")
    assert stills.count() == words.count() == len(EXPLORERS[chapter])
    for still in stills.all():
        still.scroll_into_view_if_needed()
        assert still.bounding_box()["height"] > 100
        assert len(still.get_attribute("alt")) > 40
    assert words.first.is_visible()
    seen.close()
