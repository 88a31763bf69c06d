"""Pages opened with an address that tries to run something."""

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from playwright.sync_api import Page

from browser.conftest import SITE

pytestmark = pytest.mark.browser

CODE = "window.hacked=1"
TRIES = [
    f"<img src=x onerror={CODE}>",
    f'"><svg onload="{CODE}">',
    f"javascript:{CODE}",
    f"');{CODE}//",
]
PAGES = [
    "book/index.html",
    "book/laboratory.html",
    "book/chapters/01_denoising_as_shrinkage.html",
    "search.html",
    "versions.html",
]


def addresses(page: str) -> list[str]:
    """The page with each try as a question, as the value of one, and as a place on the page."""
    tries = [quote(text) for text in TRIES]
    asked = [f"{page}?q={text}&page={text}&highlight={text}" for text in tries]
    return asked + [f"{page}?{text}" for text in tries[:1]] + [f"{page}#{text}" for text in tries]


def slides() -> list[str]:
    return [path.relative_to(SITE).as_posix() for path in sorted(SITE.glob("slides/**/*.html"))[:2]]


@pytest.fixture
def page(browser) -> Iterator[Page]:
    """A page that is left before all of it has come, which a `visit` would complain of."""
    context = browser.new_context()
    yield context.new_page()
    context.close()


# Nothing is on its way any more: pictures, scripts, and what the page of the search looks for.
AT_REST = """() => document.readyState === "complete"
  && [...document.images].every((image) => image.complete || image.loading === "lazy")
  && document.querySelector(".search-summary")?.textContent !== ""
"""
ANSWERED = (
    "() => /did not match|\\d+ page/.test(document.querySelector('.search-summary')?.innerText)"
)


def opened(page: Page, addresses: list[str], done: str = AT_REST) -> list[str]:
    """Open one address after the other; return those at which the code has run."""
    ran = []
    for address in addresses:
        page.goto("about:blank")  # else a new place on a page would not load it anew
        page.goto(address)
        page.wait_for_function(done)
        page.evaluate("() => new Promise((r) => requestAnimationFrame(() => setTimeout(r, 100)))")
        if page.evaluate("window.hacked") is not None:
            ran.append(address)
    return ran


@pytest.mark.parametrize("name", PAGES)
def test_nothing_runs_what_is_in_the_address(page, site, name):
    assert opened(page, [f"{site}/{address}" for address in addresses(name)]) == []


def test_slides_do_not_either(page, site):
    assert slides()
    tried = [f"{site}/{address}" for name in slides() for address in addresses(name)]
    assert opened(page, tried) == []


def test_the_search_shows_what_was_asked_as_words(page, site):
    page.goto(f"{site}/search.html?q={quote(TRIES[0])}")
    results = page.locator("#search-results")
    page.wait_for_function(ANSWERED)
    assert results.locator("img").count() == 0
    assert page.evaluate("window.hacked") is None


def test_a_page_that_ran_it_would_be_seen(page, serve, tmp_path):
    (tmp_path / "bad.html").write_text(
        '<link rel="icon" href="data:,"><body><script>'
        "document.body.innerHTML = decodeURIComponent(location.search + location.hash)</script>"
    )
    svg = [address for address in addresses("bad.html") if quote(TRIES[1]) in address]
    tried = [f"{serve(tmp_path)}/{address}" for address in svg]
    assert len(opened(page, tried, done="window.hacked")) == len(svg) == 2
