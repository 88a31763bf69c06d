"""A page of the site as it goes on paper: its article, with names and links that hold there."""

from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

from bs4 import BeautifulSoup
from bs4.element import Tag

_HOST = "site.invalid"  # stands for the folder of the site while links are resolved
_NAMES_OF_IDS = ("for", "aria-labelledby", "aria-describedby", "aria-controls", "headers")
# What is of use on a screen only.
_SCREEN = 'script, style, link, noscript, button, a.headerlink, .still-note, [role="status"]'
# Spans that no style of the book needs: each would be an element of the PDF that a reader hears.
_BARE = {"pre", "n", "p", "o", "w", "nn", "nb", "nf", "nc", "default_value", "sig-return-typehint"}


class PaperError(Exception):
    """The site cannot be put on paper; the text says why."""


@dataclass(frozen=True)
class Leaf:
    """A page of the site: its name in `_toc.yml`, the part it opens or "", and what it says."""

    name: str
    part: str
    article: Tag

    @property
    def key(self) -> str:
        return key(self.name)

    @property
    def title(self) -> str:
        return " ".join(self.article.h1.get_text().split())


def key(name: str) -> str:
    """Return the id that a page has in the paper; ids of its parts begin with it."""
    return name.replace("/", "-")


def clean(soup: BeautifulSoup, page: str, site: Path, home: str, pages: Container[str]) -> Tag:
    """Return the article of a page, with ids and links that hold in the paper."""
    article = soup.select_one("article.bd-article")
    if article is None or article.h1 is None:
        raise PaperError(f"{page}.html has no article with a title: is it a page of a built book?")
    for element in article.select(_SCREEN):
        element.decompose()
    for span in article.find_all("span"):
        if not _BARE.isdisjoint(span.get("class", ())):
            span.unwrap()
    seen = set()
    for element in article.find_all(id=True):
        if element["id"] in seen:  # sphinx-exercise and sphinx-proof use a few for every box
            del element["id"]
        else:
            seen.add(element["id"])
    prefix = key(page)
    for element in article.find_all(True):
        _rename_ids(element, prefix)
        if element.name == "a" and element.get("href"):
            element["href"] = address(element["href"], page, home, pages)
        elif element.name == "img":
            element["src"] = file_address(element["src"], page, site)
            element["loading"] = "eager"
        elif element.name == "details":
            element["open"] = ""
    for picture in article.select("img[data-still]"):
        where = f"{home}{page}.html#{_nearest_id(picture).removeprefix(f'{prefix}--')}"
        picture.insert_after(fragment(
            f'<p class="paper-note">A picture of an explorer, which moves <a href="{where}">on the '
            "page</a>.</p>"
        ))  # fmt: skip
    article["id"] = prefix
    return article


def _rename_ids(element: Tag, prefix: str) -> None:
    """Put the name of its page in front of what names an element: pages use the same names."""
    if element.get("id"):
        element["id"] = f"{prefix}--{element['id']}"
    if element.get("name"):
        element["name"] = f"{prefix}--{element['name']}"
    for name in _NAMES_OF_IDS:
        value = element.get(name)
        if value:
            names = value if isinstance(value, list) else value.split()
            element[name] = " ".join(f"{prefix}--{part}" for part in names)


def _resolved(link: str, page: str) -> SplitResult:
    return urlsplit(urljoin(f"http://{_HOST}/{page}.html", link))


def address(link: str, page: str, home: str, pages: Container[str]) -> str:
    """Return where a link of a page leads from the paper."""
    url = _resolved(link, page)
    if url.netloc != _HOST:
        return link
    path = unquote(url.path).lstrip("/")
    name = path.removesuffix(".html")
    if name in pages:
        return f"#{key(name)}" + (f"--{unquote(url.fragment)}" if url.fragment else "")
    return f"{home}{path}" + (f"#{url.fragment}" if url.fragment else "")


def file_address(source: str, page: str, site: Path) -> str:
    """Return where a picture of a page lies."""
    url = _resolved(source, page)
    return (site / unquote(url.path).lstrip("/")).as_uri() if url.netloc == _HOST else source


def _nearest_id(element: Tag) -> str:
    return next(parent["id"] for parent in element.parents if parent.get("id"))


def fragment(html: str) -> Tag:
    """Return the one element that is written in a text."""
    return BeautifulSoup(html, "html.parser").find(True).extract()
