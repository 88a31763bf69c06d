import json
from dataclasses import asdict, replace

import pytest

from gahr_lib.errors import ConfigError
from gahr_lib.models import NetworkConfig
from gahr_lib.training import TrainConfig
from gahr_lib.zoo import RECIPES, Recipe, find_recipe


def test_the_package_has_the_pair_of_chapter_1() -> None:
    pair = [find_recipe("fashion", 30_000, half) for half in ("A", "B")]
    for recipe in pair:
        assert recipe.network == NetworkConfig("unet", width=16, depth=2)
    assert pair[0].training == pair[1].training
    assert pair[0].seed != pair[1].seed


def test_names_tell_recipes_apart() -> None:
    names = [recipe.name for recipe in RECIPES]
    assert len(set(names)) == len(names)
    assert find_recipe("fashion", 30_000, "A").name == "fashion-30000-A"


def test_networks_to_compare_differ_in_what_is_compared_alone() -> None:
    assert len({recipe.training for recipe in RECIPES}) == 1
    for half in ("A", "B"):
        assert len({(r.network, r.seed) for r in RECIPES if r.half == half}) == 1


@pytest.mark.parametrize("step", [0, 10_000, 2.5])
def test_a_snapshot_that_training_does_not_pass_is_refused(step: float) -> None:
    with pytest.raises(ConfigError, match="snapshot"):
        replace(RECIPES[0], snapshots=(step,))


def test_a_recipe_survives_json() -> None:
    for recipe in RECIPES:
        facts = json.loads(json.dumps(asdict(recipe)))
        network = NetworkConfig(**facts.pop("network"))
        training = TrainConfig(**facts.pop("training"))
        assert Recipe(**facts, network=network, training=training) == recipe


@pytest.mark.parametrize(
    ("data", "n_train", "half"),
    [("faces", 30_000, "A"), ("fashion", 12, "A"), ("fashion", 30_000, "C")],
)
def test_an_unknown_network_is_refused_with_the_list_of_known_ones(
    data: str, n_train: int, half: str
) -> None:
    with pytest.raises(ConfigError, match=r"The package has: .*fashion n_train=30000 half=A"):
        find_recipe(data, n_train, half)
