"""Write the page of the cards: python tools/cards.py, or with --check only compare."""

import sys
from pathlib import Path

from gahr_lib.zoo import RECIPES
from gahr_lib.zoo.networks import FOLDER
from gahr_lib.zoo.pages import cards_page
from written_page import write_page

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "book" / "appendix" / "cards.md"


def page() -> str:
    return cards_page(RECIPES, FOLDER, "../../gahr_lib/zoo/networks")


def main(arguments: list[str]) -> int:
    return write_page(PAGE, page(), arguments, "tools/cards.py")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
