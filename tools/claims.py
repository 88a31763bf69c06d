"""Write the page of the claims: python tools/claims.py, or with --check only compare.

python tools/claims.py --measure [ID ...] measures claims again, all if none is named, and shows
each beside what the ledger says.
"""

import json
import re
import sys
from pathlib import Path

import torch
import yaml

from gahr_lib.claims import CLAIMS, MEASURES, find_claim, measure
from gahr_lib.claims.pages import Chapter, ledger_page
from written_page import write_page

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "book" / "appendix" / "claims.md"


def chapters() -> dict[int, Chapter]:
    found = {}
    for path in sorted((ROOT / "book" / "chapters").glob("*.ipynb")):
        first = json.loads(path.read_text(encoding="utf-8"))["cells"][0]
        title = re.match("# (.*)", "".join(first["source"]))
        assert title, f"{path} does not start with its title"
        number = int(path.stem[:2])
        found[number] = Chapter(number, title[1].strip(), f"../chapters/{path.name}")
    return found


def page() -> str:
    repository = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["repository"]
    files = f"{repository['url']}/blob/{repository['branch']}"
    return ledger_page(CLAIMS, chapters(), MEASURES, files)


def show(names: list[str]) -> None:
    """Print a line for each claim: what is measured now, and what is written."""
    torch.set_num_threads(1)  # as in the tests
    for name in names or MEASURES:
        now = measure(name)
        print(f"{name:40} now {now.value:.6g} ± {now.spread:.2g}", end="", flush=True)
        if name not in {claim.id for claim in CLAIMS}:
            print("   not in the ledger")
            continue
        claim = find_claim(name)
        moved = max(abs(now.value - claim.ours), abs(now.spread - claim.spread))
        verdict = "agrees" if moved <= claim.tolerance else "DIFFERS"
        print(f"   ledger {claim.ours:g} ± {claim.spread:g}, {claim.status}   {verdict}")


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["--measure"]:
        show(arguments[1:])
        return 0
    return write_page(PAGE, page(), arguments, "tools/claims.py")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
