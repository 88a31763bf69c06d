"""Every page of the built book in Chromium."""

from pathlib import Path

import pytest
from sphinx_external_toc.parsing import parse_toc_yaml

ROOT = Path(__file__).parents[2]
PAGES = [f"{name.removesuffix('.ipynb')}.html" for name in parse_toc_yaml(ROOT / "_toc.yml")]
PAGES += ["index.html", "search.html", "genindex.html"]
pytestmark = pytest.mark.browser


@pytest.mark.parametrize("name", PAGES)
def test_page_opens_in_silence_on_a_telephone(name, site, visit):
    """No error, no other host (`visit` sees to that), and nothing wider than the screen."""
    seen = visit(f"{site}/{name}", viewport={"width": 390, "height": 844}, color_scheme="light")
    seen.page.wait_for_load_state("networkidle")
    assert not seen.scrolls_sideways()


@pytest.mark.parametrize("name", PAGES[:2])
def test_theme_follows_the_system(name, site, visit):
    shades = {}
    for scheme in ("light", "dark"):
        page = visit(f"{site}/{name}", color_scheme=scheme).page
        page.wait_for_function("document.documentElement.dataset.theme")
        assert page.evaluate("document.documentElement.dataset.theme") == scheme
        shades[scheme] = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert shades["light"] != shades["dark"]
