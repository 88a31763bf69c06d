"""Turn the built site into one long page that is meant for paper; `print_book.py` prints it.

Chapters follow one another in the order of `_toc.yml`, behind a title page and a list of contents.
What a page folds away stands at the end of the paper: hints first, then solutions, then the code of
the figures, and where any was taken from, the number of its page. Every link between pages of the
book becomes one inside the paper; links to other files lead to where the site is published.
"""

import html
import json
from collections.abc import Iterator
from copy import copy
from pathlib import Path

from bs4 import BeautifulSoup
from bs4.element import Tag
from sphinx_external_toc.api import SiteMap
from sphinx_external_toc.parsing import parse_toc_yaml

from paper_page import Leaf, PaperError, address, clean, file_address, fragment

_STYLE = Path(__file__).with_name("paper.css")
_PAGE = "000"  # as wide as a number of a page, which is known once the paper has been printed


def order(toc: Path) -> list[tuple[str, str]]:
    """Return the pages that `_toc.yml` lists, each with the caption of the part it opens or ""."""
    site_map = parse_toc_yaml(toc)
    root = site_map.root
    pages = [(root.docname, "")]
    for tree in root.subtrees:
        names = [name for item in tree.items for name in _with_children(site_map, str(item))]
        pages += [(name, "" if i else tree.caption or "") for i, name in enumerate(names)]
    return [(name.removesuffix(".ipynb").removesuffix(".md"), part) for name, part in pages]


def _with_children(site_map: SiteMap, name: str) -> Iterator[str]:
    yield name
    for tree in site_map[name].subtrees:
        for item in tree.items:
            yield from _with_children(site_map, str(item))


def assemble(site: Path, toc: Path) -> str:
    """Return the paper of a built site, as HTML that loads the files of the site."""
    site = site.resolve()
    pages = order(toc)
    soups = {}
    for name, _ in pages:
        path = site / f"{name}.html"
        if not path.is_file():
            raise PaperError(f"{path} is not there; expected every page of {toc}: run make book.")
        soups[name] = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
    front = pages[0][0]
    root = soups[front]
    home = _home(root, front)
    leaves = [
        Leaf(name, part, clean(soups[name], name, site, home, dict(pages))) for name, part in pages
    ]
    folded = [collect(leaves) for collect in (_collect_hints, _collect_solutions, _collect_code)]
    leaves += [leaf for leaf in folded if leaf]
    _check_links(leaves)
    return _document(soups, site, leaves, _title_page(root, front, home) + _contents(leaves))


def _check_links(leaves: list[Leaf]) -> None:
    ids = {element["id"] for leaf in leaves for element in leaf.article.find_all(id=True)}
    ids |= {leaf.key for leaf in leaves}
    faults = [
        f"{leaf.name}: {link['href']}"
        for leaf in leaves
        for link in leaf.article.find_all("a", href=True)
        if link["href"].startswith("#") and link["href"][1:] not in ids
    ]
    if faults:
        raise PaperError("links that lead nowhere:\n" + "\n".join(faults))


def _pointer(words: str, target: str) -> Tag:
    """Return a line that leads to another page of the paper, with its number."""
    return fragment(
        f'<p class="pointer"><a href="#{target}">{words} page '
        f'<span data-page-of="{target}">{_PAGE}</span></a></p>'
    )


def _back_matter(name: str, title: str, lead: str, found: list) -> Leaf | None:
    """Return a page of what was taken out of others: `found` has each with its pieces."""
    if not any(pieces for _, pieces in found):
        return None
    article = fragment(
        f'<article class="bd-article" id="{name}"><section id="{name}--all"><h1>{title}</h1>'
        f"<p>{lead}</p></section></article>"
    )
    for leaf, pieces in found:
        if pieces:
            title = html.escape(leaf.title)
            section = fragment(f'<section id="{name}--{leaf.key}"><h2>{title}</h2></section>')
            section.extend(pieces)
            article.section.append(section)
    return Leaf(name, part="", article=article)


def _collect_hints(leaves: list[Leaf]) -> Leaf | None:
    """Take the hints out of the exercises, and return the page that has them all."""

    def taken(article: Tag) -> Iterator[Tag]:
        for exercise in article.select(".exercise:has(> .hint)"):
            target = f"{exercise['id']}--hints"
            listing = fragment(f'<div class="listing" id="{target}"></div>')
            listing.append(copy(exercise.select_one(".admonition-title")))
            listing.append(_pointer("On", exercise["id"]))
            for hint in exercise.select(".hint"):
                listing.append(hint.p.extract())
                hint.decompose()
            exercise.append(_pointer("Hints on", target))
            yield listing

    lead = "Of each exercise the first hint says least."
    found = [(leaf, list(taken(leaf.article))) for leaf in leaves]
    return _back_matter("hints", "Hints to the exercises", lead, found)


def _collect_solutions(leaves: list[Leaf]) -> Leaf | None:
    """Take the solutions out of the chapters, and return the page that has them all."""

    def taken(article: Tag) -> Iterator[Tag]:
        for solution in article.select(".solution.dropdown"):
            solution.insert_before(_pointer("Solution on", solution["id"]))
            for folded in solution.select(".cell > details"):  # not folded twice
                folded.replace_with(*folded.select(".cell_input"))
            yield solution.extract()

    lead = "Code in a solution goes on from the code of its chapter."
    found = [(leaf, list(taken(leaf.article))) for leaf in leaves]
    return _back_matter("solutions", "Solutions to the exercises", lead, found)


def _collect_code(leaves: list[Leaf]) -> Leaf | None:
    """Take the folded code out of the chapters, and return the page that has it all."""

    def taken(article: Tag) -> Iterator[Tag]:
        for folded in article.select(".cell > details"):
            cell, target = folded.parent, f"{folded.parent['id']}--code"
            listing = fragment(f'<div class="listing" id="{target}"></div>')
            if cell.select_one(".cell_output"):
                cell.append(_pointer("Code on", target))
                listing.append(_pointer("On", cell["id"]))
            listing.extend(folded.select(".cell_input"))
            folded.decompose()
            yield listing

    lead = (
        "Here is the code that pages of the book fold away, most of it for figures. The code of a "
        "chapter is run from top to bottom, together with what the chapter shows of it."
    )
    found = [(leaf, list(taken(leaf.article))) for leaf in leaves]
    return _back_matter("code", "The code of the figures", lead, found)


def _home(root: BeautifulSoup, front: str) -> str:
    """Return the address at which the site is published."""
    canonical = root.select_one('link[rel="canonical"]')
    if canonical is None:
        raise PaperError(
            f"{front}.html has no canonical address; expected the one where the book is published, "
            "which links of the paper lead to: give the site an html_baseurl."
        )
    return canonical["href"].removesuffix(f"{front}.html")


def _site_name(root: BeautifulSoup) -> str:
    name = root.select_one('meta[property="og:site_name"]')
    return html.escape(name["content"] if name else root.title.get_text().strip())


def _title_page(root: BeautifulSoup, page: str, home: str) -> str:
    """Return the title page: what the front page of the site says of itself at its foot."""
    footer = root.select(".bd-footer-content .footer-item")
    for link in (link for item in footer for link in item.select("a[href]")):
        link["href"] = address(link["href"], page, home, {})
    foot = "".join(f"<div>{item.decode_contents()}</div>" for item in footer)
    where = (
        f'<p>This is the book on paper. At <a href="{home}">{home}</a> its explorers move, its '
        "code can be run, and exercises check an answer on the spot. Solutions and the code of the "
        "figures stand at the end.</p>"
    )
    return (
        f'<div class="title-page"><p class="book-title">{_site_name(root)}</p>{where}{foot}</div>'
    )


def _contents(leaves: list[Leaf]) -> str:
    """Return the list of contents, down to the sections of chapters."""

    def line(heading: Tag, target: str) -> str:
        return (
            f'<a href="#{target}"><span class="entry">{heading.decode_contents()}</span>'
            f'<span class="leader"></span><span data-page-of="{target}">{_PAGE}</span></a>'
        )

    items = ""
    for leaf in leaves:
        if leaf.part:
            items += f'<li class="part">{html.escape(leaf.part)}</li>'
        sections = "".join(
            f"<li>{line(heading, heading.parent['id'])}</li>"
            for heading in leaf.article.select("article > section > section > h2")
            if heading.parent.get("id")
        )
        items += f'<li class="chapter">{line(leaf.article.h1, leaf.key)}<ul>{sections}</ul></li>'
    return f'<nav class="table-of-contents" id="contents"><h1>Contents</h1><ul>{items}</ul></nav>'


def _document(soups: dict[str, BeautifulSoup], site: Path, leaves: list[Leaf], front: str) -> str:
    """Return the whole paper, with the style sheets and the MathJax that its pages load."""
    head: dict[str, None] = {}  # in order, each once
    for page, soup in soups.items():
        for sheet in soup.select('link[rel="stylesheet"]'):
            link = copy(sheet)
            link["href"] = file_address(link["href"], page, site)
            head[str(link)] = None
        for script in soup.select("script"):
            source = script.get("src", "")
            if "mathjax" in source.lower():
                head[f'<script defer src="{file_address(source, page, site)}"></script>'] = None
            elif "window.MathJax" in script.get_text():
                head[str(script)] = None
    head[f'<link rel="stylesheet" media="print" href="{_STYLE.as_uri()}">'] = None
    # The head of each page names its chapter.
    heads = ""
    for leaf in leaves:
        text = json.dumps(leaf.title, ensure_ascii=False)
        heads += f"@page {leaf.key} {{ @top-left {{ content: {text} }} }}\n"
        heads += f"#{leaf.key} {{ page: {leaf.key} }}\n"
    root = next(iter(soups.values()))
    language = root.html.get("lang", "en")
    title = _site_name(root)
    body = front + "".join(str(leaf.article) for leaf in leaves)
    return (
        f'<!doctype html><html lang="{language}" data-theme="light" class="paper">'
        f'<head><meta charset="utf-8"><title>{title}</title>{"".join(head)}'
        f'<style media="print">{heads}</style></head>'
        f'<body><main class="bd-article-container">{body}</main></body></html>'
    )
