import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from gahr_lib.data import fashion
from gahr_lib.errors import ConfigError, WeightsError
from gahr_lib.metrics import cosine_similarity, psnr
from gahr_lib.models import NetworkConfig, ResidualNetwork, UNet, build_network
from gahr_lib.sampling import sample
from gahr_lib.training import TrainConfig
from gahr_lib.zoo import RECIPES, Recipe, card, load_denoiser, load_network, save_network
from gahr_lib.zoo import networks as networks_module
from gahr_lib.zoo.build import CARD_SIGMAS, measure, training_images
from gahr_lib.zoo.networks import FOLDER
from gahr_lib.zoo.recipes import find_recipe
from helpers import intensities, seeded, settled

pytestmark = pytest.mark.usefixtures("untouched_random_state")

SMALL = Recipe("fashion", 10, "A", 0, NetworkConfig("unet", width=2, depth=1), TrainConfig(steps=1))
FACTS = {"image_shape": [1, 8, 8], "measured": {}}


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Path, ResidualNetwork]:
    """A small network, saved, and the path of its weights."""
    network = settled(build_network(SMALL.network, generator=seeded()))
    save_network(network, SMALL, FACTS, tmp_path / "zoo")
    return tmp_path / "zoo" / "fashion-10-A.safetensors", network


def edit_card(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    facts = json.loads(path.with_suffix(".json").read_text())
    change(facts)
    path.with_suffix(".json").write_text(json.dumps(facts))


# Saving and loading


def test_what_is_saved_is_loaded(saved: tuple[Path, ResidualNetwork]) -> None:
    path, network = saved
    loaded = load_network(path)
    expected = network.state_dict()
    assert loaded.state_dict().keys() == expected.keys()
    assert all(torch.equal(value, expected[name]) for name, value in loaded.state_dict().items())
    y = intensities(2, 1, 8, 8)
    assert torch.equal(loaded(y), network(y))


def test_a_loaded_network_is_ready_to_use(saved: tuple[Path, ResidualNetwork]) -> None:
    loaded = load_network(str(saved[0]))
    assert not loaded.training
    assert not any(p.requires_grad for p in loaded.parameters())
    assert loaded.image_shape == (1, 8, 8)
    assert {p.device.type for p in loaded.parameters()} == {"cpu"}


def test_saving_leaves_two_files_and_the_network_as_it_was(tmp_path: Path) -> None:
    network = build_network(SMALL.network, generator=seeded()).to(
        memory_format=torch.channels_last  # type: ignore[call-overload]
    )
    before = {name: value.clone() for name, value in network.state_dict().items()}
    save_network(network, SMALL, FACTS, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "fashion-10-A.json",
        "fashion-10-A.safetensors",
    ]
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_a_card_says_what_made_the_network(saved: tuple[Path, ResidualNetwork]) -> None:
    path, network = saved
    facts = json.loads(path.with_suffix(".json").read_text())
    assert facts["name"] == "fashion-10-A"
    assert facts["recipe"]["network"] == {
        "architecture": "unet",
        "channels": 1,
        "width": 2,
        "depth": 1,
        "first_layer_linear": False,
    }
    assert facts["recipe"]["training"]["steps"] == 1
    assert facts["parameters"] == sum(p.numel() for p in network.parameters())
    assert facts["weights_sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_equal_networks_make_equal_files(
    saved: tuple[Path, ResidualNetwork], tmp_path: Path
) -> None:
    path, network = saved
    save_network(network, SMALL, FACTS, tmp_path / "again")
    for file in path.parent.iterdir():
        assert file.read_bytes() == (tmp_path / "again" / file.name).read_bytes()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(WeightsError, match=r"could not be written.*name another folder"):
        save_network(
            build_network(SMALL.network, generator=seeded()), SMALL, FACTS, tmp_path / "file"
        )


def test_a_full_disk_leaves_the_old_files(
    saved: tuple[Path, ResidualNetwork], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = saved
    before = {file: file.read_bytes() for file in path.parent.iterdir()}

    def half(self: Path, content: bytes) -> None:
        with self.open("wb") as file:
            file.write(content[: len(content) // 2])
        raise OSError(28, "No space left on device")

    other = build_network(SMALL.network, generator=seeded(5))
    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(WeightsError, match="No space left on device"):
        save_network(other, SMALL, FACTS, path.parent)
    assert {file: file.read_bytes() for file in path.parent.iterdir()} == before


# Damaged files


def test_weights_that_are_cut_short_are_refused(saved: tuple[Path, ResidualNetwork]) -> None:
    path, _ = saved
    content = path.read_bytes()
    for length in (0, 7, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(WeightsError, match=r"damaged or cut short.*Install the package again"):
            load_network(path)


def test_one_changed_bit_is_found_out(saved: tuple[Path, ResidualNetwork]) -> None:
    path, _ = saved
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="SHA-256"):
        load_network(path)


def test_missing_weights_are_named(saved: tuple[Path, ResidualNetwork]) -> None:
    saved[0].unlink()
    with pytest.raises(WeightsError, match=r"fashion-10-A.safetensors cannot be read"):
        load_network(saved[0])


def test_a_missing_card_is_named(saved: tuple[Path, ResidualNetwork]) -> None:
    saved[0].with_suffix(".json").unlink()
    with pytest.raises(WeightsError, match=r"card .*fashion-10-A.json is missing or damaged"):
        load_network(saved[0])


@pytest.mark.parametrize("content", ["", "{", "\xff", "[]", "null", '"card"', "{}"])
def test_a_damaged_card_is_refused(saved: tuple[Path, ResidualNetwork], content: str) -> None:
    saved[0].with_suffix(".json").write_bytes(content.encode("latin-1"))
    with pytest.raises(WeightsError, match=r"[Tt]he card .*(damaged|says nothing of)"):
        load_network(saved[0])


@pytest.mark.parametrize("part", ["recipe", "image_shape", "weights_sha256"])
def test_an_incomplete_card_is_refused(saved: tuple[Path, ResidualNetwork], part: str) -> None:
    edit_card(saved[0], lambda facts: facts.pop(part))
    with pytest.raises(WeightsError, match=f"says nothing of {part}"):
        load_network(saved[0])


@pytest.mark.parametrize(
    "network",
    [
        {"architecture": "unet", "channels": 1, "width": 3, "depth": 1},
        {"architecture": "unet", "channels": 1, "width": 2, "depth": 2},
        {"architecture": "unet", "channels": 3, "width": 2, "depth": 1},
        {"architecture": "bf_cnn", "channels": 1, "width": 2, "depth": 5},
        {"architecture": "transformer", "channels": 1, "width": 2, "depth": 1},
        {"architecture": "unet", "channels": 1, "width": -2, "depth": 1},
        {"architecture": "unet", "heads": 8},
        "unet",
        None,
    ],
)
def test_the_card_of_another_network_is_refused(
    saved: tuple[Path, ResidualNetwork], network: object
) -> None:
    edit_card(saved[0], lambda facts: facts["recipe"].update(network=network))
    with pytest.raises(WeightsError, match="do not fit their card"):
        load_network(saved[0])


def test_weights_of_another_file_format_are_refused(
    saved: tuple[Path, ResidualNetwork],
) -> None:
    content = b"not safetensors, though its hash is right"
    saved[0].write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    edit_card(saved[0], lambda facts: facts.update(weights_sha256=digest))
    with pytest.raises(WeightsError, match="do not fit their card"):
        load_network(saved[0])


@pytest.mark.parametrize("shape", [None, 28])
def test_a_card_with_an_impossible_image_shape_is_refused(
    saved: tuple[Path, ResidualNetwork], shape: object
) -> None:
    edit_card(saved[0], lambda facts: facts.update(image_shape=shape))
    with pytest.raises(WeightsError, match="do not fit their card"):
        load_network(saved[0])


# The networks of the package

HALVES = ["A", "B"]


@pytest.mark.parametrize("half", HALVES)
def test_the_card_of_a_shipped_network_is_that_of_its_recipe(half: str) -> None:
    facts = card("fashion", n_train=30_000, half=half)
    recipe = find_recipe("fashion", 30_000, half)
    assert (
        Recipe(
            **{
                **facts["recipe"],
                "network": NetworkConfig(**facts["recipe"]["network"]),
                "training": TrainConfig(**facts["recipe"]["training"]),
            }
        )
        == recipe
    )
    assert facts["parameters"] == 114_496
    assert facts["image_shape"] == [1, 28, 28]
    assert facts["training_seconds"] > 0
    assert set(facts["software"]) == {"torch", "python"}
    assert facts["licence"] == "MIT"


@pytest.mark.parametrize("half", HALVES)
def test_a_shipped_network_is_ready_to_use(half: str, request: pytest.FixtureRequest) -> None:
    network = request.getfixturevalue(f"trained_{half.lower()}")
    assert isinstance(network, UNet)
    assert not network.training
    assert network.image_shape == (1, 28, 28)


@pytest.mark.parametrize("half", HALVES)
def test_shipped_weights_are_finite_floats(half: str) -> None:
    weights = load_file(FOLDER / f"fashion-30000-{half}.safetensors")
    for name, value in weights.items():
        assert value.dtype == torch.float32, name
        assert bool(torch.isfinite(value).all()), name
        if name.endswith("running_sd"):
            assert value.min() > 0, name


@pytest.mark.parametrize(
    ("recipe", "step"),
    [(r, step) for r in RECIPES for step in (*r.snapshots, r.training.steps)],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_every_recipe_has_its_network(recipe: Recipe, step: int) -> None:
    where = {"n_train": recipe.n_train, "half": recipe.half, "step": step}
    network = load_denoiser(recipe.data, **where)
    facts = card(recipe.data, **where)
    network_config = NetworkConfig(**facts["recipe"].pop("network"))
    training = TrainConfig(**facts["recipe"].pop("training"))
    assert Recipe(**facts["recipe"], network=network_config, training=training) == recipe
    assert facts.get("step", recipe.training.steps) == step
    column = facts["measured"]["sigmas"].index(0.1)
    found = float(card_psnr(network, fashion("test", n=1000)[:250], 0.1).mean())
    assert found == pytest.approx(facts["measured"]["psnr"]["test"][column], abs=0.5)


def test_the_gap_between_training_and_test_images_closes_with_their_number() -> None:
    gaps = []
    for n in (10, 100, 300, 1_000):
        measured = card("fashion", n_train=n, half="A")["measured"]
        rows = zip(measured["psnr"]["train"], measured["psnr"]["test"], strict=True)
        gaps.append([train - test for train, test in rows])
    for more, fewer in pairwise(reversed(gaps)):
        assert all(a < b for a, b in zip(more, fewer, strict=True))
    assert min(gaps[0]) > 14
    assert max(gaps[-1]) < 0.25


def test_unknown_networks_are_refused_with_the_list_of_known_ones() -> None:
    with pytest.raises(ConfigError, match="The package has"):
        load_denoiser("fashion", n_train=2)
    with pytest.raises(ConfigError, match="The package has"):
        card("fashion", n_train=30_000, half="C")


def test_a_snapshot_is_loaded_and_another_step_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = replace(SMALL, training=TrainConfig(steps=9), snapshots=(4,))
    monkeypatch.setattr(networks_module, "find_recipe", lambda *arguments: recipe)
    early, late = (settled(build_network(SMALL.network, generator=seeded(s))) for s in (1, 2))
    save_network(early, recipe, {**FACTS, "step": 4}, tmp_path)
    save_network(late, recipe, {**FACTS, "step": 9}, tmp_path)
    y = intensities(1, 1, 8, 8)
    for step, network in ((4, early), (9, late), (None, late)):
        loaded = load_denoiser("fashion", n_train=10, step=step, folder=tmp_path)
        assert torch.equal(loaded(y), network(y))
        assert card("fashion", n_train=10, step=step, folder=tmp_path)["step"] == (step or 9)
    with pytest.raises(ConfigError, match=r"at step 5; expected one of \(4, 9\)"):
        load_denoiser("fashion", n_train=10, step=5, folder=tmp_path)


def test_networks_can_be_read_from_another_folder(tmp_path: Path) -> None:
    for suffix in ("json", "safetensors"):
        name = f"fashion-30000-B.{suffix}"
        (tmp_path / name).write_bytes((FOLDER / name).read_bytes())
    ours = load_denoiser("fashion", n_train=30_000, half="B", folder=tmp_path)
    y = intensities(1, 1, 28, 28)
    assert torch.equal(ours(y), load_denoiser("fashion", n_train=30_000, half="B")(y))
    with pytest.raises(WeightsError, match="missing"):
        load_denoiser("fashion", n_train=30_000, half="A", folder=tmp_path)


@pytest.mark.skipif(
    not Path("/usr/share/datasets/fashion-mnist").is_dir(),
    reason="needs Debian's package dataset-fashion-mnist",
)
@pytest.mark.parametrize("half", HALVES)
def test_the_data_hash_of_a_card_is_that_of_its_half(half: str) -> None:
    images = training_images(find_recipe("fashion", 30_000, half))
    assert images.shape == (30_000, 1, 28, 28)
    digest = hashlib.sha256((images * 255).round().byte().numpy().tobytes()).hexdigest()
    assert card("fashion", n_train=30_000, half=half)["data_sha256"] == digest


def test_the_two_networks_are_not_one(
    trained_a: ResidualNetwork, trained_b: ResidualNetwork
) -> None:
    a, b = trained_a.state_dict(), trained_b.state_dict()
    assert not any(torch.equal(a[name], b[name]) for name in a)


# What the cards promise. Every set of a card has the noise of one generator, seeded with 0.


def card_psnr(network: ResidualNetwork, images: torch.Tensor, sigma: float) -> torch.Tensor:
    """The PSNR of every image, written out: what `measure` calls the curve."""
    y = images + sigma * torch.randn(images.shape, generator=seeded(0))
    return torch.cat(
        [psnr(network(part), x) for part, x in zip(y.split(250), images.split(250), strict=True)]
    )


@pytest.mark.parametrize("half", HALVES)
def test_the_psnr_of_a_card_is_found_again(half: str, request: pytest.FixtureRequest) -> None:
    network = request.getfixturevalue(f"trained_{half.lower()}")
    measured = card("fashion", n_train=30_000, half=half)["measured"]
    column = measured["sigmas"].index(0.1)
    found = float(card_psnr(network, fashion("test", n=1000), 0.1).mean())
    assert found == pytest.approx(measured["psnr"]["test"][column], abs=0.002)


@pytest.mark.slow
@pytest.mark.parametrize("half", HALVES)
def test_every_figure_of_a_card_is_found_again(half: str, request: pytest.FixtureRequest) -> None:
    network = request.getfixturevalue(f"trained_{half.lower()}")
    promised = card("fashion", n_train=30_000, half=half)["measured"]
    found = measure(network, half)
    assert tuple(promised["sigmas"]) == CARD_SIGMAS
    assert promised["psnr"].keys() == found["psnr"].keys()
    for name, row in found["psnr"].items():
        assert promised["psnr"][name] == pytest.approx(row, abs=0.002), name
    assert promised["asymmetry"] == pytest.approx(found["asymmetry"], abs=0.002)
    assert promised["homogeneity_error"] < 1e-5
    assert found["homogeneity_error"] < 1e-5


@pytest.mark.parametrize("half", HALVES)
def test_unseen_images_are_denoised_as_well_as_promised(
    half: str, request: pytest.FixtureRequest
) -> None:
    network = request.getfixturevalue(f"trained_{half.lower()}")
    found = float(card_psnr(network, fashion("test", n=1000), 0.1).mean())
    assert found >= 26.9


@pytest.mark.parametrize("half", HALVES)
def test_images_never_seen_are_denoised_as_well_as_those_trained_on(
    half: str, trained_a: ResidualNetwork, trained_b: ResidualNetwork
) -> None:
    # The same images and noise for both networks: some images are harder than others, and between
    # two sets of 500 that alone makes a tenth of a decibel.
    images = fashion("train", half=half, n=500)  # type: ignore[arg-type]
    own, other = (trained_a, trained_b) if half == "A" else (trained_b, trained_a)
    gap = float((card_psnr(own, images, 0.1) - card_psnr(other, images, 0.1)).mean())
    assert abs(gap) <= 0.1


@pytest.mark.slow
def test_the_two_networks_turn_the_same_noise_into_nearly_the_same_images(
    trained_a: ResidualNetwork, trained_b: ResidualNetwork
) -> None:
    # As many as it takes for the median to be known to half a hundredth.
    a = sample(trained_a, 512, generator=seeded(10))
    b = sample(trained_b, 512, generator=seeded(10))
    median = float(cosine_similarity(a, b).median())
    assert median >= 0.94
