"""``python -m gahr_lib.zoo``: train every network of the recipes that has no weights yet."""

from tqdm import tqdm

from gahr_lib.zoo.build import build
from gahr_lib.zoo.networks import FOLDER
from gahr_lib.zoo.recipes import RECIPES


def main() -> None:
    """Train what is missing, with a progress bar for each network."""
    for recipe in RECIPES:
        if (FOLDER / f"{recipe.name}.json").exists():
            print(f"{recipe.name}: already there, in {FOLDER}")
            continue
        with tqdm(total=recipe.training.steps, desc=recipe.name) as bar:
            for state in build(recipe):
                bar.update(state.step - bar.n)  # a resumed run does not start at 0
                bar.set_postfix(loss=f"{state.loss:.4f}", refresh=False)


if __name__ == "__main__":
    main()
