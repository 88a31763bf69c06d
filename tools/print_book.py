"""Print the built book as one PDF: python tools/print_book.py SITE PDF.

`paper.py` lays all pages out as one, for Chromium to print: twice, because the list of contents can
be given its page numbers only when there are pages. So links, bookmarks and tags (what a screen
reader goes by) are Chromium's own, and need no joining.
"""

import argparse
import io
import logging
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import yaml
from playwright.sync_api import Browser, Page, sync_playwright
from pypdf import PdfReader, PdfWriter

import chromium
from paper import assemble
from paper_page import PaperError

# It says so when it makes objects of their own of what Chromium wrote into others.
logging.getLogger("pypdf").setLevel(logging.ERROR)

ROOT = Path(__file__).parents[1]
A4 = "@page { size: A4; }"
TEXT_WIDTH_PX = 612  # what print.css leaves of 210 mm, at 96 px an inch

# Formulas, tables and lines of code do not scroll on paper: what is too wide gets smaller.
# Returns what is too wide nonetheless.
_FIT = """() => {
  for (const e of document.querySelectorAll('mjx-container[display="true"], table, pre')) {
    const own = parseFloat(getComputedStyle(e).fontSize);
    const wide = () => e.scrollWidth > e.parentElement.clientWidth + 1;
    for (let part = 0.96; wide() && part > 0.6; part -= 0.04) e.style.fontSize = `${own * part}px`;
  }
  const edge = document.querySelector("main").getBoundingClientRect().right + 1;
  const hidden = "mjx-assistive-mml, mjx-assistive-mml *";
  const name = (e) => `${e.closest("[id]").id}: ${e.tagName.toLowerCase()} `;
  return [...document.querySelectorAll("article *, nav *")]
    .filter((e) => !e.matches(hidden) && e.getBoundingClientRect().right > edge)
    .map((e) => name(e) + e.textContent.trim().slice(0, 60));
}"""
_NUMBER = """(pages) => {
  const named = document.querySelectorAll("[data-page-of]");
  for (const e of named) e.textContent = pages[e.dataset.pageOf];
  return [...named].map((e) => e.dataset.pageOf).filter((name) => !(name in pages));
}"""
_READY = """async () => {
  if (window.MathJax) await MathJax.startup.promise;
  await document.fonts.ready;
  const broken = [];
  for (const image of document.images) await image.decode().catch(() => broken.push(image.src));
  return broken;
}"""


def load(page: Page, address: str) -> None:
    """Open the paper, and wait until all of it is there and fits."""
    page.emulate_media(media="print", color_scheme="light")
    page.goto(address)
    page.add_style_tag(content=A4)
    if broken := page.evaluate(_READY):
        raise PaperError("pictures that cannot be shown: " + ", ".join(broken))
    if wide := page.evaluate(_FIT):
        raise PaperError("wider than the paper:\n" + "\n".join(wide))


def print_once(page: Page) -> PdfReader:
    data = page.pdf(prefer_css_page_size=True, print_background=True, outline=True, tagged=True)
    return PdfReader(io.BytesIO(data))


def page_numbers(pdf: PdfReader) -> dict[str, str]:
    """Return the number of the page of every place that a link of the PDF leads to."""
    return {
        name.removeprefix("/"): str(pdf.get_destination_page_number(place) + 1)
        for name, place in pdf.named_destinations.items()
    }


def print_numbered(page: Page) -> PdfReader:
    """Return the paper with the numbers of its own pages in its list of contents."""
    numbers: dict[str, str] = {}
    for _ in range(4):
        pdf = print_once(page)
        if (found := page_numbers(pdf)) == numbers:
            return pdf
        numbers = found
        if missing := page.evaluate(_NUMBER, numbers):
            raise PaperError("places that are on no page: " + ", ".join(missing))
    raise PaperError("the list of contents moves the pages that it counts")


def links(pdf: PdfReader) -> Iterator[tuple[int, str, str]]:
    """Yield the links of a PDF: number of the page, "place" or "address", and its name."""
    for number, page in enumerate(pdf.pages, 1):
        for reference in page.get("/Annots", ()):
            annotation = reference.get_object()
            if annotation.get("/Subtype") != "/Link":
                continue
            action = annotation.get("/A", {})
            if "/URI" in action:
                yield number, "address", str(action["/URI"])
            else:
                yield number, "place", str(annotation.get("/Dest", action.get("/D")))


def check_links(pdf: PdfReader) -> None:
    """Raise `PaperError` for a link that leads nowhere or to a file of this machine."""
    places = pdf.named_destinations
    faults = [
        f"page {number}: {name}"
        for number, kind, name in links(pdf)
        if (name not in places if kind == "place" else name.startswith("file:"))
    ]
    if faults:
        raise PaperError("links that lead nowhere:\n" + "\n".join(faults))


def finish(pdf: PdfReader, author: str, when: datetime) -> PdfWriter:
    """Say who wrote the book and when it was printed, and have programs show the bookmarks."""
    writer = PdfWriter(clone_from=pdf)
    date = f"D:{when:%Y%m%d%H%M%S}Z"
    title = pdf.metadata.title if pdf.metadata else None
    writer.metadata = {
        "/Title": title or "",
        "/Author": author,
        "/Creator": "tools/print_book.py",
        "/Producer": str(pdf.metadata.producer) if pdf.metadata else "",
        "/CreationDate": date,
        "/ModDate": date,
    }
    writer.page_mode = "/UseOutlines"
    return writer


def print_book(browser: Browser, site: Path, toc: Path, target: Path, author: str) -> int:
    """Print the book and return how many pages it has."""
    when = datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", time.time())), UTC)
    with tempfile.TemporaryDirectory() as scratch:
        paper = Path(scratch, "paper.html")
        paper.write_text(assemble(site, toc), encoding="utf-8")
        page = browser.new_page(viewport={"width": TEXT_WIDTH_PX, "height": 900})
        page.set_default_timeout(300_000)
        try:
            load(page, paper.as_uri())
            pdf = print_numbered(page)
        finally:
            page.close()
    check_links(pdf)
    writer = finish(pdf, author, when)
    target.parent.mkdir(parents=True, exist_ok=True)
    writer.write(target)
    return len(writer.pages)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("site", type=Path, help="the folder of the built book")
    parser.add_argument("pdf", type=Path, help="the file to write")
    arguments = parser.parse_args()
    author = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["author"]
    start = time.monotonic()
    try:
        path = chromium.find()
        with sync_playwright() as playwright:
            browser = chromium.launch(playwright, path)
            pages = print_book(browser, arguments.site, ROOT / "_toc.yml", arguments.pdf, author)
    except (PaperError, chromium.NoChromiumError) as error:
        sys.exit(f"The book could not be printed: {error}")
    size = arguments.pdf.stat().st_size / 1e6
    seconds = time.monotonic() - start
    print(f"{arguments.pdf}: {pages} pages, {size:.1f} MB, printed in {seconds:.0f} s.")


if __name__ == "__main__":
    main()
