"""Run chapters and show the memory that each needs at most: tools/chapter_memory.py [FILES].

Binder gives a reader 2 GB, of which the server of JupyterLab takes a part. It ends a kernel that
asks for more, without an explanation; so this script fails where a chapter comes close.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

CHAPTERS = Path(__file__).parents[1] / "book" / "chapters"
BINDER = 2 * 10**9  # bytes
SERVER = 300 * 10**6  # bytes for JupyterLab, which took 85 MB when this was written
LIMIT = BINDER - SERVER

# The kernel looks at itself when it has run everything else. What Linux says in `ru_maxrss` begins
# with the size of the process that started the kernel.
PEAK = """\
import pathlib, re, resource, sys
status = pathlib.Path("/proc/self/status")
if status.exists():
    print(1024 * int(re.search(r"VmHWM:\\s*(\\d+) kB", status.read_text())[1]))
else:
    unit = 1 if sys.platform == "darwin" else 1024
    print(unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak_memory(path: Path) -> int:
    """Run a chapter in its folder; return the largest size of its kernel in bytes."""
    notebook: Any = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(PEAK))
    NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": path.parent}}
    ).execute()
    return int(notebook.cells[-1].outputs[0].text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, metavar="FILES")
    parser.add_argument("--limit", type=int, default=LIMIT, help="bytes that fail [%(default)s]")
    arguments = parser.parse_args()
    too_large = []
    for path in arguments.files or sorted(CHAPTERS.glob("*.ipynb")):
        start = time.monotonic()
        peak = peak_memory(path)
        seconds = time.monotonic() - start
        print(f"{path.stem:40} {peak / 1e6:6.0f} MB {seconds:6.0f} s", flush=True)
        if peak > arguments.limit:
            too_large.append(path.stem)
    if too_large:
        sys.exit(f"More than {arguments.limit / 1e6:.0f} MB: {', '.join(too_large)}.")


if __name__ == "__main__":
    main()
