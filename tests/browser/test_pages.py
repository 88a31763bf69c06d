"""Every page of the built book in Chromium."""

import gzip
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from sphinx_external_toc.parsing import parse_toc_yaml

from browser.conftest import SITE
from browser.visits import Visit

ROOT = Path(__file__).parents[2]
PAGES = [f"{name.removesuffix('.ipynb')}.html" for name in parse_toc_yaml(ROOT / "_toc.yml")]
PAGES += ["index.html", "search.html", "genindex.html"]
pytestmark = pytest.mark.browser

# What a page may weigh, packed with gzip, before a reader touches it.
MOST_BYTES = 3_000_000
MOST_TEXT_BYTES = 600_000  # its HTML, scripts and styles


@pytest.fixture(scope="module", params=PAGES)
def seen(request, site, browser) -> Iterator[Visit]:
    """The page on a telephone, when it has come to rest."""
    telephone = {"width": 390, "height": 844}
    visit = Visit(browser, f"{site}/{request.param}", viewport=telephone, color_scheme="light")
    visit.page.wait_for_load_state("networkidle")
    yield visit
    visit.close()


def test_page_opens_in_silence(seen):
    """No error, no warning, no other host."""
    assert seen.complaints == []


def test_nothing_is_wider_than_the_screen(seen):
    assert not seen.scrolls_sideways()


def test_page_is_light(seen, site):
    sizes = weights(seen.page, site)
    assert len(sizes) > 5
    assert sum(sizes.values()) <= MOST_BYTES, sizes
    text = {file: size for file, size in sizes.items() if file.suffix in (".html", ".js", ".css")}
    assert sum(text.values()) <= MOST_TEXT_BYTES, text


def weights(page, site) -> dict[Path, int]:
    """What the page has loaded so far, in bytes when packed with gzip."""
    urls = page.evaluate("performance.getEntriesByType('resource').map((entry) => entry.name)")
    paths = {unquote(urlsplit(url).path) for url in [page.url, *urls] if url.startswith(site)}
    files = [SITE / path.lstrip("/") for path in paths]
    return {file: len(gzip.compress(file.read_bytes())) for file in files}


@pytest.mark.parametrize("name", PAGES[:2])
def test_theme_follows_the_system(name, site, visit):
    shades = {}
    for scheme in ("light", "dark"):
        page = visit(f"{site}/{name}", color_scheme=scheme).page
        page.wait_for_function("document.documentElement.dataset.theme")
        assert page.evaluate("document.documentElement.dataset.theme") == scheme
        shades[scheme] = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert shades["light"] != shades["dark"]
