"""Pages of the book that a script writes from what the package holds."""

import argparse
from pathlib import Path


def write_page(page: Path, text: str, arguments: list[str], script: str) -> int:
    """Write a page; with --check say only whether it has this text. Return the exit status."""
    parser = argparse.ArgumentParser(prog=script, description=f"Write {page.name} of the book.")
    parser.add_argument("--check", action="store_true", help="only compare the page")
    if not parser.parse_args(arguments).check:
        page.write_text(text, encoding="utf-8")
        return 0
    if page.exists() and page.read_text(encoding="utf-8") == text:
        return 0
    print(f"{page} is not what would be written now. Run python {script}.")
    return 1
