import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from gahr_lib.errors import ConfigError
from gahr_lib.jobs import Run
from gahr_lib.models import NetworkConfig
from gahr_lib.zoo import LADDER, RECIPES, find_recipe, network_name, recipes


def test_the_package_has_the_pair_of_chapter_1() -> None:
    pair = [find_recipe(f"fashion-30000-{half}") for half in "AB"]
    for run in pair:
        assert run.network == NetworkConfig("unet", width=16, depth=2)
        assert run.images.n_train == 30_000
    assert [run.images.half for run in pair] == ["A", "B"]
    assert pair[0].seed != pair[1].seed


def test_networks_to_compare_differ_in_what_is_compared_alone() -> None:
    a, b = ([find_recipe(network_name("fashion", n_train=n, half=h)) for n in LADDER] for h in "AB")
    for row in (a, b):
        assert len({(r.training, r.network, r.seed, r.images.half) for r in row}) == 1
        assert len({replace(r.images, n_train=1) for r in row}) == 1
        assert [r.images.n_train for r in row] == list(LADDER)
    for first, second in zip(a, b, strict=True):
        images = replace(second.images, half="A")
        assert replace(second, images=images, seed=0, snapshots=first.snapshots) == first
    for n in (100, 1_000, 30_000):
        first, again = (
            find_recipe(network_name("fashion", n_train=n, variant=variant))
            for variant in ("", "seed2")
        )
        assert replace(again, seed=0, snapshots=first.snapshots) == first
        assert again.seed not in (0, 1)


def test_variants_differ_in_one_thing() -> None:
    for n in (100, 30_000):
        usual = find_recipe(network_name("fashion", n_train=n))
        wide = find_recipe(network_name("fashion", n_train=n, variant="width32"))
        other = find_recipe(network_name("fashion", n_train=n, variant="bf_cnn"))
        assert replace(wide, network=usual.network, snapshots=usual.snapshots) == usual
        assert wide.network == replace(usual.network, width=32)
        assert replace(other, network=usual.network, snapshots=usual.snapshots) == usual
        assert (other.network.architecture, other.network.channels) == ("bf_cnn", 1)
    shuffled = find_recipe(network_name("fashion", n_train=30_000, variant="shuffled"))
    ordered = replace(shuffled.images, shuffled=None)
    assert replace(shuffled, images=ordered, snapshots=usual.snapshots) == usual
    bias = find_recipe(network_name("fashion", n_train=30_000, variant="bias"))
    assert bias.network == replace(usual.network, bias=True)
    assert replace(bias, network=usual.network, snapshots=usual.snapshots) == usual


def test_classes_have_fresh_images() -> None:
    for alpha in (1, 2, 3, 4, 5):
        images = find_recipe(f"c_alpha-{alpha}").images
        assert (images.data, images.alpha, images.beta) == ("c_alpha", alpha, None)
        assert images.fresh
    for alpha in (1.5, 4):
        images = find_recipe(f"contour-{alpha:g}").images
        assert (images.data, images.alpha, images.beta) == ("c_alpha", alpha, 8)
    for name in ("discs", "ray", "sinusoids", "photographs"):
        assert find_recipe(name).images.fresh
    runs = [run for run in RECIPES.values() if run.images.fresh]
    drawn = [run for run in runs if run.images.data != "photographs"]
    assert len({(run.training, run.network, run.images.size) for run in drawn}) == 1
    assert len(drawn) == len(runs) - 1


def test_a_recipe_survives_json() -> None:
    for run in RECIPES.values():
        assert Run.from_json(json.loads(json.dumps(asdict(run)))) == run


def test_the_scale_of_the_paper_is_its_networks(tmp_path: Path) -> None:
    paper = recipes("paper", faces=str(tmp_path))
    faces = [run for name, run in paper.items() if name.startswith("faces") and "sh" not in name]
    assert sorted(run.images.n_train or 0 for run in faces) == sorted(
        2 * [1, 10, 100, 1_000, 10_000, 100_000]
    )
    for run in paper.values():
        assert run.images.size == 80
        assert run.training.steps * run.training.batch_size == pytest.approx(250e6, rel=0.01)
        assert (run.network.width, run.network.depth) == (64, 3)
    assert {"c_alpha-5", "contour-1.5", "discs", "faces-100000-A-shuffled"} < paper.keys()
    assert (paper["contour-1.5"].images.alpha, paper["contour-1.5"].images.beta) == (1.5, 8)


def test_the_paper_has_bedrooms_as_well(tmp_path: Path) -> None:
    both = recipes("paper", faces=str(tmp_path), bedrooms=str(tmp_path))
    alone = recipes("paper", bedrooms=str(tmp_path))
    assert both.keys() - recipes("paper", faces=str(tmp_path)).keys() == {
        f"bedrooms-{n}-{half}" for n in (1, 10, 100, 1_000, 10_000, 100_000) for half in "AB"
    }
    assert alone.items() < both.items()
    beds, faces = both["bedrooms-1000-B"], both["faces-1000-B"]
    assert (beds.images.crop, faces.images.crop) == (None, (29, 9))
    assert (beds.training, beds.network, beds.seed) == (faces.training, faces.network, faces.seed)


def test_a_scale_that_cannot_be_made_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"expected faces, the folder"):
        recipes("paper")
    with pytest.raises(ConfigError, match=r"expected faces|Check the spelling"):
        recipes("paper", faces="no/such/folder")
    with pytest.raises(ConfigError, match=r"scale is 'huge'; expected 'book' or 'paper'"):
        recipes("huge")  # type: ignore[arg-type]


def test_an_unknown_network_is_refused_with_the_list_of_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"no network faces-3-A. The package has: fashion-1-A"):
        find_recipe("faces-3-A")


def test_names() -> None:
    assert network_name("fashion", n_train=100, half="B") == "fashion-100-B"
    assert network_name("fashion", n_train=100, variant="seed2") == "fashion-100-A-seed2"
    assert network_name("fashion", n_train=100, variant="width32") == "fashion-100-A-width32"
    assert network_name("contour", alpha=1.5) == "contour-1.5"
    assert network_name("c_alpha", alpha=2) == "c_alpha-2"
    assert network_name("discs") == "discs"
