"""Write the page of the cards: python tools/cards.py, or with --check only compare."""

import sys
from pathlib import Path

from gahr_lib.zoo import RECIPES
from gahr_lib.zoo.networks import FOLDER
from gahr_lib.zoo.pages import cards_page

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "book" / "appendix" / "cards.md"


def page() -> str:
    return cards_page(RECIPES, FOLDER, "../../gahr_lib/zoo/networks")


def main(arguments: list[str]) -> int:
    text = page()
    if arguments == ["--check"]:
        if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
            print(f"{PAGE} does not show the cards as they are. Run python tools/cards.py.")
            return 1
        return 0
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
