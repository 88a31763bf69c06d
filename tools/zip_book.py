"""Pack the built book into one file for readers without a network.

    python tools/zip_book.py SITE ZIP [PDF]

Unpacked anywhere, its pages open as files: they ask no host, and nothing has to serve them. Beside
them lie the notebooks, the PDF if it is given, and a README.txt that says what to open.
"""

import argparse
import os
import sys
import time
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from check_links import Page as LinkedPage
from check_links import broken_links

FOLDER = "gahr-book"  # what the zip unpacks into
README = """\
Why diffusion models generalize
===============================

Open index.html in a browser. Nothing has to be installed, and no page needs a network: explorers,
formulas and the search work as they are. Only links to other sites, and the buttons that open a
chapter on Binder or Colab, lead out of this folder.

One page, the laboratory, is more than browsers allow to pages that are files. With Python, run
"python -m http.server --bind 127.0.0.1" in this folder and open http://127.0.0.1:8000.
{pdf}
notebooks/ has the chapters as Jupyter notebooks. To run one, install the package that its first
lines import; the page "Why diffusion models generalize", under "How to run, use and cite it", says
how. That takes a network once.

Text and figures: CC BY 4.0. Code: MIT licence.
"""
PDF_LINE = "\n{name} is the whole book as one file, for paper or an e-reader.\n"
# The search fetches pages to quote the words around what it found, which pages opened as files may
# not. It finds them all the same.
OPTIONS = "_static/documentation_options.js"
QUOTES, NO_QUOTES = "SHOW_SEARCH_SUMMARY: true", "SHOW_SEARCH_SUMMARY: false"


class OfflineError(Exception):
    """The site cannot be read as files; the text says why."""


def links_to_folders(site: Path) -> list[str]:
    """Return a line for each link to a folder, whose index.html only a server would show."""
    return [
        f"{path.relative_to(site)}: {link} names a folder"
        for path in sorted(site.rglob("*.html"))
        if "_static" not in path.parts
        for link in dict.fromkeys(LinkedPage(path.read_text(encoding="utf-8")).links)
        if not (parts := urlsplit(link)).scheme
        and not parts.netloc
        and parts.path
        and (path.parent / unquote(parts.path)).is_dir()
    ]


def contents(site: Path, pdf: Path | None = None) -> dict[str, bytes]:
    """Return the files of the zip, each by its path in it."""
    if not (site / "index.html").is_file():
        raise OfflineError(f"{site} holds no built book: run make book.")
    if faults := broken_links(site) or links_to_folders(site):
        raise OfflineError("links that lead nowhere:\n" + "\n".join(faults))
    files = {
        path.relative_to(site).as_posix(): path.read_bytes()
        for path in site.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }
    options = files[OPTIONS].decode()
    if QUOTES not in options:
        raise OfflineError(f"{OPTIONS} does not say {QUOTES!r}: has Sphinx changed its search?")
    files[OPTIONS] = options.replace(QUOTES, NO_QUOTES).encode()
    sources = {name: data for name, data in files.items() if name.startswith("_sources/")}
    for name, data in sources.items():
        if name.endswith(".ipynb"):
            files[f"notebooks/{name.rpartition('/')[2]}"] = data
    if pdf:
        files[pdf.name] = pdf.read_bytes()
    line = PDF_LINE.format(name=pdf.name) if pdf else ""
    files["README.txt"] = README.format(pdf=line).encode()
    return files


def pack(files: dict[str, bytes], target: Path) -> None:
    """Write a zip that is the same for the same files and the same SOURCE_DATE_EPOCH."""
    when = datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", time.time())), UTC)
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(f"{FOLDER}/{name}", when.timetuple()[:6])
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, files[name])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("site", type=Path, help="the folder of the built book")
    parser.add_argument("zip", type=Path, help="the file to write")
    parser.add_argument("pdf", type=Path, nargs="?", help="the book as a PDF, to lie beside it")
    arguments = parser.parse_args()
    try:
        files = contents(arguments.site, arguments.pdf)
        pack(files, arguments.zip)
    except (OfflineError, OSError) as error:
        sys.exit(f"The book could not be packed: {error}")
    size = arguments.zip.stat().st_size / 1e6
    print(f"{arguments.zip}: {len(files)} files, {size:.1f} MB. Unpack it and open index.html.")


if __name__ == "__main__":
    main()
