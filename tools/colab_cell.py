"""Write the first code cell of every chapter, which is for Colab: tools/colab_cell.py.

Its text is here and nowhere else. Elsewhere than on Colab the cell does nothing. On Colab it
installs the package from the repository of `_config.yml`; in what a workflow publishes, that is the
workflow's own, at its commit (`book/_ext/address.py`, which looks for `git+` and the address).

The PyTorch that runs is asked for once more, by its version: pip keeps it or stops with an error,
and never fetches gigabytes to put a build in its place that may not know Colab's GPU. The version
is that of its metadata, which pip sees; `torch.__version__` may name the build as well.
"""

import json
from pathlib import Path
from typing import Any

import yaml

from strip_notebooks import as_text

ROOT = Path(__file__).parents[1]
ID = "colab"  # of the cell
TEXT = """\
# Colab lacks the package of this book; its own PyTorch stays.
try:
    import google.colab
except ImportError:
    pass
else:
    from importlib.metadata import version
    from importlib.util import find_spec

    import torch

    if find_spec("gahr_lib") is None:
        source = "git+{url}"
        package = f"gahr-lib[notebook] @ {{source}}"
        kept = "torch==" + version("torch")
        %pip install --quiet {{kept}} "{{package}}"
    if torch.cuda.is_available():
        gpu = torch.cuda.get_device_name()
        print(f"Networks compute on the GPU, {{gpu}}, at the book's scale too.")"""


def text() -> str:
    """Return the text of the cell."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    return TEXT.format(url=config["repository"]["url"])


def cell(notebook: dict[str, Any]) -> dict[str, Any]:
    """Return the cell of a chapter."""
    (found,) = (c for c in notebook["cells"] if c["id"] == ID)
    return found


def main() -> None:
    lines = text().splitlines(keepends=True)
    for path in sorted((ROOT / "book" / "chapters").glob("*.ipynb")):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        if cell(notebook)["source"] != lines:
            cell(notebook)["source"] = lines
            path.write_text(as_text(notebook), encoding="utf-8")
            print(f"{path.name}: written")


if __name__ == "__main__":
    main()
