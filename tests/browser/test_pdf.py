"""The book on paper: a small one in full, and the built one up to where it is printed."""

import subprocess
import sys
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from pypdf import PdfReader

import chromium
import print_book
import small_site
from browser.conftest import SITE
from paper import assemble, order
from paper_page import PaperError

ROOT = Path(__file__).parents[2]
POINTS_PER_MM = 72 / 25.4
MARGIN = 24 * POINTS_PER_MM  # left and right, in print.css
TITLES = {
    "Contents": 2, "Small book": 3, "Waves": 4, "Words": 5, "Hints to the exercises": 6,
    "Solutions to the exercises": 7, "The code of the figures": 8,
}  # fmt: skip
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def printed(browser):
    """Prints the small site, with more in its pages."""

    def print_site(folder, **bodies):
        site, toc = small_site.build(folder, **bodies)
        target = folder / "out" / "book.pdf"
        print_book.print_book(browser, site, toc, target, "The authors")
        return target

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOURCE_DATE_EPOCH", "1700000000")
        yield print_site


@pytest.fixture(scope="module")
def path(tmp_path_factory, printed):
    return printed(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def pdf(path):
    return PdfReader(path)


def text(pdf, number):
    return pdf.pages[number - 1].extract_text()


def test_every_page_of_the_site_begins_a_page_of_the_pdf(pdf):
    assert len(pdf.pages) == 8
    for title, number in TITLES.items():
        assert title in text(pdf, number)
    assert "Small book & more" in text(pdf, 1)


def test_pages_have_their_number_and_the_title_of_their_chapter(pdf):
    for title, number in list(TITLES.items())[1:]:
        lines = text(pdf, number).split("\n")
        assert str(number) in lines
        assert lines.count(title) >= 2, lines  # in the head, and as the heading


def test_contents_name_the_pages_where_titles_are(pdf):
    lines = [line.split() for line in text(pdf, 2).split("\n")]
    for title, number in list(TITLES.items())[1:]:
        assert [*title.split(), str(number)] in lines


def test_bookmarks_lead_to_the_titles(pdf):
    titles = {
        item.title: pdf.get_destination_page_number(item) + 1
        for item in pdf.outline
        if not isinstance(item, list)
    }
    assert titles == TITLES
    below = [item.title for items in pdf.outline if isinstance(items, list) for item in items]
    assert below == ["1.1. More waves", "Waves", "Waves", "Waves"]


def test_links_jump_to_pages_inside_the_pdf_or_to_the_published_site(pdf):
    found = list(print_book.links(pdf))
    addresses = {name for _, kind, name in found if kind == "address"}
    assert addresses == {
        small_site.HOME, f"{small_site.HOME}versions.html", f"{small_site.HOME}genindex.html#W",
        f"{small_site.HOME}chapters/waves.html#more", "https://example.org/elsewhere",
    }  # fmt: skip
    pages = print_book.page_numbers(pdf)
    places = {name.removeprefix("/") for _, kind, name in found if kind == "place"}
    assert places <= pages.keys()
    assert pages["chapters-waves--more"] == "4"
    assert pages["appendix-words--term"] == "5"
    assert pages["chapters-waves--ask--hints"] == "6"
    assert pages["chapters-waves--solution-1"] == "7"


def test_figures_are_there_with_their_descriptions(pdf):
    assert sum(len(page.images) for page in pdf.pages) == 2
    described = [
        str(element["/Alt"])
        for element in map(pdf.get_object, range(1, len(pdf.xref_objStm) + len(pdf.xref[0])))
        if isinstance(element, dict) and element.get("/S") == "/Figure"
    ]
    assert sorted(described) == ["A still.", "A wave."]


def test_screen_readers_are_told_language_and_structure(pdf):
    catalog = pdf.trailer["/Root"]
    assert catalog["/MarkInfo"]["/Marked"]
    assert "/StructTreeRoot" in catalog
    assert catalog["/Lang"] == "en"
    assert catalog["/ViewerPreferences"]["/DisplayDocTitle"]


def test_title_author_and_date(pdf):
    assert pdf.metadata.title == "Small book & more"
    assert pdf.metadata.author == "The authors"
    assert pdf.metadata.creation_date.timestamp() == 1_700_000_000


def test_long_lines_and_wide_tables_stay_on_the_paper(pdf):
    width = float(pdf.pages[0].mediabox.width)
    assert width == pytest.approx(210 * POINTS_PER_MM, abs=1)
    seen = ""
    for page in pdf.pages:
        places = []

        def note(part, page_matrix, matrix, *rest, places=places):
            if part.strip():
                places.append(page_matrix[0] * matrix[4] + page_matrix[4])

        page.extract_text(visitor_text=note)
        seen += page.extract_text()
        assert min(places) >= MARGIN - 1
        assert max(places) < width - MARGIN
    words = "".join(seen.split())
    assert "".join(small_site.LONG_LINE.split()) in words
    assert "115.25" in words


def test_printing_again_gives_the_same_bytes(path, tmp_path, printed):
    assert printed(tmp_path).read_bytes() == path.read_bytes()


def test_what_is_wider_than_the_paper_is_named(tmp_path, printed):
    with pytest.raises(
        PaperError, match=r"wider than the paper:\nappendix-words.*: div A wide box"
    ):
        printed(tmp_path, words='<div style="width: 900px">A wide box</div>')


def test_a_picture_that_is_missing_is_named(tmp_path, printed):
    with pytest.raises(PaperError, match=r"cannot be shown: .*nowhere\.png"):
        printed(tmp_path, words='<img src="../_images/nowhere.png" alt="Nothing.">')


def test_without_chromium_a_plain_error_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr(chromium.shutil, "which", lambda name: None)
    monkeypatch.setattr(chromium, "_MACOS", ())
    site, _ = small_site.build(tmp_path)
    monkeypatch.setattr(sys, "argv", ["print_book.py", str(site), str(tmp_path / "book.pdf")])
    with pytest.raises(SystemExit, match=r"could not be printed: none of .*apt-get install"):
        print_book.main()


def test_a_missing_site_is_a_plain_error(tmp_path):
    command = [
        sys.executable,
        ROOT / "tools" / "print_book.py",
        tmp_path / "none",
        tmp_path / "x.pdf",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("The book could not be printed: ")
    assert "run make book" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def book():
    if not (SITE / "index.html").is_file():
        pytest.fail(f"There is no built book in {SITE}: run make book, or set GAHR_SITE.")
    return BeautifulSoup(assemble(SITE, ROOT / "_toc.yml"), "html.parser")


@pytest.mark.slow
def test_the_whole_book_goes_on_paper(book):
    """Every page, figure, explorer and solution of the built book, and every link's target."""
    pages = [
        BeautifulSoup((SITE / f"{name}.html").read_text(encoding="utf-8"), "html.parser")
        for name, _ in order(ROOT / "_toc.yml")
    ]
    articles = [page.select_one("article.bd-article") for page in pages]
    titles = [h1.get_text() for h1 in book.find_all("h1")]
    for article in articles:
        assert article.h1.get_text().removesuffix("#") in titles
    for kind in ("img", ".exercise", ".solution", ".math", ".cell_input", ".eqno", "table"):
        assert len(book.select(f"article {kind}")) == sum(len(a.select(kind)) for a in articles)
    explorers = sum(len(a.select('script[type*="widget-view"]')) for a in articles)
    assert len(book.select("[data-still]")) == explorers > 0
    ids = [element["id"] for element in book.select("[id]")]
    assert len(ids) == len(set(ids))
    targets = {a["href"][1:] for a in book.select('a[href^="#"]')}
    assert targets <= set(ids)
