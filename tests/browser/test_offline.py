"""The book unpacked from its zip and opened as files, from a folder with an odd name."""

import json
import zipfile
from pathlib import Path

import pytest
from sphinx_external_toc.parsing import parse_toc_yaml

from browser.conftest import SITE
from browser.visits import Explorer
from zip_book import FOLDER, contents, pack

ROOT = Path(__file__).parents[2]
PAGES = [f"{name.removesuffix('.ipynb')}.html" for name in parse_toc_yaml(ROOT / "_toc.yml")]
PAGES += ["index.html", "search.html", "genindex.html", "versions.html"]
CHAPTER = "book/chapters/01_denoising_as_shrinkage.html"
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The unpacked book."""
    if not (SITE / "index.html").is_file():
        pytest.fail(f"There is no built book in {SITE}: run make book, or set GAHR_SITE.")
    top = tmp_path_factory.mktemp("offline")
    pack(contents(SITE), top / "book.zip")
    target = top / "Bücher, 50 % off #1" / "読む"
    with zipfile.ZipFile(top / "book.zip") as archive:
        archive.extractall(target)
    return target / FOLDER


@pytest.fixture
def open_page(folder, visit):
    """Opens a page as a file; `visit` fails the test for a request to any host, or a complaint."""

    def start(name):
        path, _, query = name.partition("?")
        return visit((folder / path).as_uri() + (query and f"?{query}"))

    return start


@pytest.mark.parametrize("name", PAGES)
def test_page_opens_in_silence(name, open_page):
    page = open_page(name).page
    page.wait_for_load_state("networkidle")
    if page.evaluate("Boolean(window.MathJax)"):
        page.wait_for_function("MathJax.startup?.promise")
        page.evaluate("MathJax.startup.promise.then(() => document.fonts.ready).then(() => null)")
    if page.locator("mjx-container").count():
        assert page.evaluate("document.fonts.status") == "loaded"
        box = page.locator("mjx-container").first.bounding_box()
        assert box["width"] > 3
    assert page.locator("mjx-merror").count() == 0
    broken = "[...document.images].filter((i) => i.complete && !i.naturalWidth).map((i) => i.src)"
    assert page.evaluate(broken) == []


@pytest.mark.slow
def test_every_other_page_opens_in_silence(folder, open_page):
    others = sorted({path.relative_to(folder).as_posix() for path in folder.rglob("*.html")})
    others = [name for name in others if name not in PAGES and not name.startswith("_static/")]
    assert len(others) > 50  # the source of every module
    seen = open_page(others[0])
    for name in others[1:]:
        seen.page.goto((folder / name).as_uri())
        assert seen.page.locator("body").inner_text()
        seen.page.evaluate("document.fonts.ready.then(() => null)")
    # The icon, which all pages share, may still be on its way when the next one is opened.
    seen.complaints[:] = [text for text in seen.complaints if "favicon" not in text]


def test_front_page_leads_to_the_book(open_page):
    page = open_page("index.html").page
    page.wait_for_url("**/book/index.html")


def test_formulas_have_the_letters_of_their_fonts(open_page):
    page = open_page(CHAPTER).page
    page.locator("mjx-container").first.wait_for()
    page.wait_for_function("[...document.fonts].some((f) => f.family.includes('MJXTEX'))")
    page.evaluate("document.fonts.ready.then(() => null)")
    states = page.evaluate(
        "[...document.fonts].filter((f) => f.family.includes('MJXTEX')).map((f) => f.status)"
    )
    assert "loaded" in states
    assert "error" not in states


def test_search_finds_pages_that_open(open_page):
    page = open_page("search.html?q=homogeneous").page
    first = page.locator("#search-results li a").first
    first.wait_for()
    page.wait_for_function("document.querySelector('.search-summary').innerText.match(/\\d+ page/)")
    assert page.locator("#search-results li a").count() >= 2
    first.click()
    page.wait_for_load_state("load")
    assert "homogeneous" in page.locator("article").inner_text().lower()


def test_explorer_moves(open_page):
    seen = open_page(CHAPTER)
    seen.show_explorers()
    explorer = Explorer(seen)
    explorer.keep(20)
    before, told = explorer.picture(), explorer.psnr()
    explorer.keep(200)
    assert explorer.picture() != before
    assert explorer.psnr() != told


def test_pages_lead_to_one_another_and_to_their_notebooks(folder, open_page):
    page = open_page("book/index.html").page
    page.locator("article a", has_text="In five minutes").first.click()
    page.wait_for_url("**/00_in_five_minutes.html")
    chapters = sorted((ROOT / "book" / "chapters").glob("*.ipynb"))
    for chapter in chapters:
        notebook = json.loads((folder / "notebooks" / chapter.name).read_text(encoding="utf-8"))
        assert notebook["cells"]
    assert "index.html" in (folder / "README.txt").read_text(encoding="utf-8")
