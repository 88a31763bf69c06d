"""Strip notebooks of what a run leaves behind: python tools/strip_notebooks.py [--check] FILES.

The book is executed when it is built, so a stored output is noise, except the text of cells that
say NBVAL_CHECK_OUTPUT: nbval compares it with what the cell prints. Tools like nbstripout keep or
drop the execution count of all cells alike; nbval needs it in those cells and nowhere else.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

MARK = "NBVAL_CHECK_OUTPUT"
KEPT_METADATA = {"mystnb", "tags"}
NOTEBOOK_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def compared_output(output: dict[str, Any]) -> dict[str, Any] | None:
    """Return the part of an output that nbval can compare on every machine, or None."""
    if output["output_type"] == "stream":
        return output if output["name"] == "stdout" else None
    text = output.get("data", {}).get("text/plain")
    if output["output_type"] != "execute_result" or text is None:
        return None
    return {**output, "data": {"text/plain": text}, "metadata": {}, "execution_count": 1}


def stripped(notebook: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of a notebook as it is kept in the repository."""
    cells = []
    for cell in notebook["cells"]:
        kept = {k: v for k, v in cell["metadata"].items() if k in KEPT_METADATA}
        cell = {**cell, "metadata": kept}
        if cell["cell_type"] == "code":
            marked = MARK in "".join(cell["source"])
            outputs = [compared_output(output) for output in cell["outputs"]] if marked else []
            cell["outputs"] = [output for output in outputs if output is not None]
            cell["execution_count"] = 1 if cell["outputs"] else None
        cells.append(cell)
    return {**notebook, "cells": cells, "metadata": NOTEBOOK_METADATA}


def as_text(notebook: dict[str, Any]) -> str:
    """Return a notebook as Jupyter writes it."""
    return json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, metavar="FILES")
    parser.add_argument("--check", action="store_true", help="only name the files to be stripped")
    arguments = parser.parse_args()
    touched = []
    for file in arguments.files:
        before = file.read_text(encoding="utf-8")
        after = as_text(stripped(json.loads(before)))
        if after != before:
            touched.append(str(file))
            if not arguments.check:
                file.write_text(after, encoding="utf-8")
    if touched:
        verb = "has outputs; run `make format`" if arguments.check else "stripped"
        print("\n".join(f"{file}: {verb}" for file in touched))
        sys.exit(1 if arguments.check else 0)


if __name__ == "__main__":
    main()
