"""Draw the icons of the theme from its font alone.

The theme has them twice: as a font with a style sheet, and as a script of 1.5 MB, half of what a
page weighs, which draws over them for those who add icons of their own. This book adds none.
"""

import re
from pathlib import Path

from sphinx.application import Sphinx

_SCRIPT = re.compile(r'<script [^>]*src="[^"]*/scripts/fontawesome\.js[^"]*"></script>')


def setup(app: Sphinx) -> dict[str, bool]:
    # The theme's template writes the script itself: it can be dropped from finished pages only.
    app.connect("build-finished", _drop)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _drop(app: Sphinx, exception: Exception | None) -> None:
    if exception is not None or app.builder.format != "html":
        return
    for path in Path(app.outdir).rglob("*.html"):
        page = path.read_text(encoding="utf-8")
        light = _SCRIPT.sub("", page)
        if light != page:
            path.write_text(light, encoding="utf-8")
    for path in Path(app.outdir, "_static", "scripts").glob("fontawesome.js*"):
        path.unlink()
