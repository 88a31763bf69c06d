"""``python -m gahr_lib.zoo [NAME ...]``: train the networks that have no weights yet."""

import sys
from collections.abc import Sequence

from tqdm import tqdm

from gahr_lib.zoo.build import build
from gahr_lib.zoo.networks import FOLDER
from gahr_lib.zoo.recipes import RECIPES


def main(names: Sequence[str] = ()) -> None:
    """Train what is missing of the named networks, or of all; with a progress bar for each."""
    recipes = {recipe.name: recipe for recipe in RECIPES}
    for name in names:
        if name not in recipes:
            sys.exit(f"There is no network {name!r}; there are: {', '.join(recipes)}.")
    for recipe in [recipes[name] for name in names or recipes]:
        if (FOLDER / f"{recipe.name}.json").exists():
            print(f"{recipe.name}: already there, in {FOLDER}")
            continue
        with tqdm(total=recipe.training.steps, desc=recipe.name) as bar:
            for state in build(recipe):
                bar.update(state.step - bar.n)  # a resumed run does not start at 0
                bar.set_postfix(loss=f"{state.loss:.4f}", refresh=False)


if __name__ == "__main__":
    main(sys.argv[1:])
