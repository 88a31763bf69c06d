"""The commands that README.md gives to its readers, by what they are for."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", TEXT, flags=re.DOTALL | re.MULTILINE)


def commands(word: str) -> str:
    """Return the one block of commands that has a word in it."""
    (block,) = (block for block in BLOCKS if word in block)
    return block


BUILD = commands("make book")
NOTEBOOKS = commands("jupyter lab")
TRAIN = commands("gahr train")
TEST = commands("pytest")
