"""The files of the laboratory, which the package holds, beside the pages of the book."""

import shutil
from pathlib import Path

from sphinx.application import Sphinx

from gahr_lib.lab import laboratory_files

_FOLDER = "_static/lab"


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("build-finished", _write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _write(app: Sphinx, exception: Exception | None) -> None:
    if exception or app.builder.format != "html":
        return
    folder = Path(app.outdir, _FOLDER)
    shutil.rmtree(folder, ignore_errors=True)
    for name, file in laboratory_files().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file if isinstance(file, bytes) else file.read_bytes())
