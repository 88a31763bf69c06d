"""What a reader gets who prints a page of the site."""

import io

import pytest
from pypdf import PdfReader

PAGE = "book/chapters/01_denoising_as_shrinkage.html"
pytestmark = pytest.mark.browser


@pytest.fixture
def page(site, visit):
    page = visit(f"{site}/{PAGE}", color_scheme="dark").page
    page.wait_for_function("document.documentElement.dataset.theme === 'dark'")
    return page


def test_paper_is_light_and_the_screen_stays_dark(page):
    """The colours of the page as they are while it is printed."""
    page.evaluate(
        """addEventListener("beforeprint", () => {
          const style = (name) => getComputedStyle(document.querySelector(name));
          window.printed = {
            theme: document.documentElement.dataset.theme,
            paper: style("body").backgroundColor,
            ink: style("article p").color,
          };
        })"""
    )
    page.pdf()
    printed = page.evaluate("window.printed")
    assert printed["theme"] == "light"
    assert printed["paper"] == "rgb(255, 255, 255)"
    assert max(int(part) for part in printed["ink"].strip("rgb()").split(",")) < 60
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_what_is_for_hands_is_left_out(page):
    page.emulate_media(media="print")
    for name in (".bd-sidebar-primary", ".bd-header-article", ".prev-next-footer", ".headerlink"):
        assert not page.locator(name).first.is_visible(), name
    assert page.locator("article h2").first.is_visible()
    page.emulate_media(media="screen")
    assert page.locator(".bd-header-article").is_visible()


def test_pages_are_numbered_and_solutions_open(page):
    pages = PdfReader(io.BytesIO(page.pdf(prefer_css_page_size=True))).pages
    texts = [page.extract_text() for page in pages]
    for number, text in enumerate(texts, 1):
        assert str(number) in text.split("\n")
    whole = " ".join(" ".join(texts).split())
    assert "1.14. Summary" in whole
    assert "Six decibels are a factor of 2" in whole  # in the solution of the first exercise
