"""Put the newest book and the released ones side by side, with a list of them in each.

    python tools/merge_versions.py SITE RELEASES OUT

SITE is the built site of today. RELEASES holds the site of each release as vX.Y.Z.zip. OUT becomes
the whole: the newest book at its top, each release in a folder of its name, and in each of them the
page versions.html, to which the foot of every page leads, with links to all of them.
"""

import argparse
import re
import shutil
import sys
import zipfile
from pathlib import Path

from packaging.version import Version

PAGE = "versions.html"
_LIST = re.compile(r"<!-- list -->.*?<!-- end of list -->", flags=re.DOTALL)


def releases_in(folder: Path) -> dict[str, Path]:
    """Return the archive of each release, the newest first."""
    archives = {}
    for path in folder.glob("*.zip"):
        if not re.fullmatch(r"v\d+\.\d+\.\d+", path.stem):
            sys.exit(f"{path}: expected the name of a release, such as v1.2.0.zip.")
        archives[path.stem] = path
    return dict(sorted(archives.items(), key=lambda item: Version(item[0]), reverse=True))


def list_of(names: list[str], here: str | None) -> str:
    """Return the list of all versions, with links from the top folder of the version `here`."""
    rows = []
    for name in (None, *names):
        label = "The newest, which changes" if name is None else name
        if name == here:
            rows.append(f'<li><strong aria-current="page">{label}</strong>: this one</li>')
        else:
            folder = ("" if here is None else "../") + ("" if name is None else f"{name}/")
            rows.append(f'<li><a href="{folder}book/index.html">{label}</a></li>')
    return "<ul>\n" + "\n".join(rows) + "\n</ul>"


def write_list(site: Path, names: list[str], here: str | None) -> None:
    """Fill the list of versions of one site."""
    page = site / PAGE
    text = page.read_text(encoding="utf-8") if page.is_file() else ""
    filled, places = _LIST.subn(lambda _: list_of(names, here), text)
    if places != 1:
        sys.exit(f"{page}: expected one place for the list of versions, between its two comments.")
    page.write_text(filled, encoding="utf-8")


def merge(site: Path, releases: Path, out: Path) -> list[str]:
    """Write all versions into the new folder `out`, and return the names of the releases."""
    archives = releases_in(releases)
    shutil.copytree(site, out)
    for name, archive in archives.items():
        folder = out / name
        folder.mkdir()  # an error where the newest book has something of that name
        with zipfile.ZipFile(archive) as file:
            file.extractall(folder)  # which leaves names that lead out of the folder inside it
        write_list(folder, list(archives), name)
    write_list(out, list(archives), None)
    return list(archives)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ("site", "releases", "out"):
        parser.add_argument(name, type=Path, metavar=name.upper())
    arguments = parser.parse_args()
    names = merge(arguments.site, arguments.releases, arguments.out)
    print(f"{arguments.out} holds the newest book and {', '.join(names) or 'no release'}.")


if __name__ == "__main__":
    main()
