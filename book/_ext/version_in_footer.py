"""Every page says at its end which version of the book it belongs to.

That is the version of the package, and the commit and its date where the book is built in a clone.
All three follow from the source alone, so that the same source gives the same pages.
"""

import importlib.metadata
import subprocess
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx


def describe(folder: Path) -> str:
    """Return the version of the package, and of the clone in a folder if it is one."""
    version = f"gahr_lib {importlib.metadata.version('gahr-lib')}"
    commit = _git(folder, "log", "-1", "--abbrev=10", "--format=%h %cs")
    if commit is None:
        return version
    name, day = commit.split()
    changed = _git(folder, "--no-optional-locks", "status", "--porcelain", "--untracked-files=no")
    since = ", with later changes" if changed else ""
    return f"{version}, commit {name} of {day}{since}"


def _git(folder: Path, *arguments: str) -> str | None:
    """Return what git says of a clone, or None where there is no git or no clone."""
    if not (folder / ".git").exists():  # a folder above might be a clone of something else
        return None
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def setup(app: Sphinx) -> dict[str, bool]:
    text = describe(Path(app.confdir))

    def add(app: Sphinx, page: str, template: str, context: dict[str, Any], tree: object) -> None:
        versions = context["pathto"]("versions.html", resource=True)
        context["theme_extra_footer"] = (
            f'{context.get("theme_extra_footer", "")}<br><span class="book-version">{text}</span> '
            f'<a class="book-versions" href="{versions}">(other versions)</a>'
        )

    app.connect("html-page-context", add)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
