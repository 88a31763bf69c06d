"""Check that links inside a built site lead somewhere: python tools/check_links.py FOLDER.

Every file and every fragment that a page names by href or src has to exist. Links to other hosts
are not followed: what the book says must not depend on who is reachable today.
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """The links of a page and the places in it that a link can name."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors = {"", "top"}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag links to and what it is called."""
        for name, value in attrs:
            if value is None:
                continue
            if name in ("href", "src"):
                self.links.append(value)
            elif name == "id" or (name == "name" and tag == "a"):
                self.anchors.add(value)


def broken_links(folder: Path) -> list[str]:
    """Return a line for each link of the pages in `folder` that leads nowhere."""
    folder = folder.resolve()
    pages = {
        path: Page(path.read_text(encoding="utf-8"))
        for path in sorted(folder.rglob("*.html"))
        if "_static" not in path.parts  # the theme's templates lie there
    }
    faults = []
    for path, page in pages.items():
        for link in dict.fromkeys(page.links):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if target.is_dir():
                target /= "index.html"
            where = f"{path.relative_to(folder)}: {link}"
            if not target.is_relative_to(folder):
                faults.append(f"{where} leaves the site")
            elif not target.is_file():
                faults.append(f"{where} names no file")
            elif target in pages and unquote(parts.fragment) not in pages[target].anchors:
                faults.append(f"{where} names no place in that page")
    return faults


if __name__ == "__main__":
    if not any(Path(sys.argv[1]).rglob("*.html")):
        sys.exit(f"{sys.argv[1]} holds no pages: make book")
    if found := broken_links(Path(sys.argv[1])):
        sys.exit("\n".join(found))
