"""The built book, page by page, without a browser."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from bs4 import BeautifulSoup
from sphinx_external_toc.parsing import parse_toc_yaml

from check_links import broken_links
from gahr_lib.exercises import EXERCISES

ROOT = Path(__file__).parents[2]
SITE = ROOT / "_build" / "html"
PAGES = [f"{name.removesuffix('.ipynb')}.html" for name in parse_toc_yaml(ROOT / "_toc.yml")]


class Tags(HTMLParser):
    """Every tag of a page, with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def all(self, name):
        return [attributes for tag, attributes in self.tags if tag == name]


@pytest.fixture(params=PAGES)
def name(request):
    return request.param


@pytest.fixture
def html(name):
    page = SITE / name
    assert page.is_file(), f"{name} is not built: run make book"
    return page.read_text(encoding="utf-8")


@pytest.fixture
def tags(html):
    return Tags(html)


def test_links_inside_the_book_lead_somewhere():
    assert SITE.is_dir(), "the book is not built: run make book"
    assert broken_links(SITE) == []


def test_build_had_nothing_to_say():
    """`make book` fails on warnings of Sphinx; this finds what programs print past it."""
    log = re.sub(r"\x1b\[[0-9;]*m", "", (ROOT / "_build" / "book.log").read_text())
    # A kernel says so when it starts, on every machine: its ports are this machine's own.
    log = re.sub(r"\[IPKernelApp\] WARNING \| Kernel is running over TCP.*", "", log)
    said = [
        line
        for line in log.splitlines()
        if re.search(r"warning|error|traceback|deprecat", line, flags=re.IGNORECASE)
    ]
    assert said == []


def test_the_front_page_leads_to_the_book():
    page = Tags((SITE / "index.html").read_text())
    assert {"http-equiv": "refresh", "content": "0; url=book/index.html"} in page.all("meta")
    # A page that names no icon makes a browser ask the host for /favicon.ico.
    assert {"rel": "icon", "href": "data:,"} in page.all("link")


def test_every_exercise_of_the_page_has_its_hints():
    shown = {}
    for chapter in (SITE / "book" / "chapters").glob("*.html"):
        for exercise in BeautifulSoup(chapter.read_text(), "html.parser").select("div.exercise"):
            hints = exercise.select("details.hint > p")
            shown[exercise["id"]] = tuple(hint.get_text() for hint in hints)
    expected = {
        label: tuple(hint.replace("`", "") for hint in exercise.hints)
        for label, exercise in EXERCISES.items()
    }
    assert shown == expected


def test_no_other_host_is_asked(html, tags):
    loaded = [script.get("src") for script in tags.all("script")]
    loaded += [image.get("src") for image in tags.all("img")]
    loaded += [frame.get("src") for frame in tags.all("iframe")]
    loaded += [
        link["href"]
        for link in tags.all("link")
        if link.get("rel") in ("stylesheet", "preload", "icon", "modulepreload")
    ]
    assert [url for url in loaded if url and urlsplit(url).netloc] == []
    assert not re.search(r"""(import\s*\(?|from)\s*["']https?://""", html)


def test_scripts_are_loaded_once_and_thebe_never(tags):
    sources = [script["src"] for script in tags.all("script") if script.get("src")]
    assert len(sources) == len(set(sources))
    assert not [source for source in sources if "thebe" in source]


def test_scripts_of_explorers_are_loaded_where_there_are_explorers(html, tags):
    loads = any("static-widgets.js" in script.get("src", "") for script in tags.all("script"))
    assert loads == ("application/vnd.jupyter.widget-view+json" in html)


def test_pictures_have_alt_text(tags):
    for image in tags.all("img"):
        alt = image.get("alt")
        assert alt is not None, image
        assert not re.search(r"\.(png|svg|jpe?g)$", alt), f"give this figure an alt text: {image}"


def test_one_title_and_a_language(html, tags):
    article = html.split("<article", 1)[1].split("</article>", 1)[0]
    assert len(Tags(article).all("h1")) == 1  # the theme repeats it outside, for printing
    assert tags.all("html")[0].get("lang") == "en"


def test_nothing_was_printed_to_standard_error(html):
    assert 'class="output stderr' not in html
    assert "Traceback (most recent call last)" not in html


def test_shared_links_have_a_title_and_a_description(tags):
    properties = {meta.get("property"): meta.get("content") for meta in tags.all("meta")}
    assert properties["og:title"]
    assert properties["og:description"]
    assert properties["og:site_name"] == "Why diffusion models generalize"


def test_chapters_open_on_binder_and_colab(name, html):
    buttons = ("mybinder.org", "colab.research.google.com")
    assert all((button in html) == ("/chapters/" in name) for button in buttons)
