import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from gahr_lib.analysis.evaluation import psnr_curve
from gahr_lib.data import fashion
from gahr_lib.errors import ConfigError
from gahr_lib.models import NetworkConfig, ResidualNetwork
from gahr_lib.training import TrainConfig
from gahr_lib.zoo import Recipe, load_network
from gahr_lib.zoo import __main__ as command
from gahr_lib.zoo import build as build_module
from gahr_lib.zoo.build import CARD_SIGMAS, build, measure, training_images
from helpers import seeded, small_unet

pytestmark = pytest.mark.usefixtures("untouched_random_state")

RECIPE = Recipe(
    "fashion",
    20,
    "B",
    3,
    NetworkConfig("unet", width=2, depth=1),
    TrainConfig(steps=4, batch_size=2, warmup=1),
)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cards without measurements, which take seconds, and a checkpoint after every step."""
    monkeypatch.setattr(build_module, "measure", lambda denoiser, half, n: {"half": half, "n": n})
    monkeypatch.setattr(build_module, "_CHECKPOINT_SECONDS", -1)


def weights(network: ResidualNetwork) -> list[torch.Tensor]:
    return list(network.state_dict().values())


def test_a_recipe_trains_on_its_half() -> None:
    assert torch.equal(training_images(RECIPE), fashion("train", half="B", n=20))


def test_other_data_are_refused() -> None:
    recipe = Recipe("faces", 20, "A", 0, RECIPE.network, RECIPE.training)
    with pytest.raises(ConfigError, match="expected 'fashion'"):
        training_images(recipe)


@pytest.mark.usefixtures("quick")
def test_building_writes_weights_and_card_and_removes_the_checkpoint(tmp_path: Path) -> None:
    states = list(build(RECIPE, folder=tmp_path / "zoo", runs=tmp_path / "runs"))
    assert [state.step for state in states] == [1, 2, 3, 4]
    loaded = load_network(tmp_path / "zoo" / "fashion-20-B.safetensors")
    trained = states[-1].denoiser()
    assert all(torch.equal(a, b) for a, b in zip(weights(loaded), weights(trained), strict=True))
    assert loaded.image_shape == (1, 28, 28)
    assert not list((tmp_path / "runs").iterdir())
    facts = json.loads((tmp_path / "zoo" / "fashion-20-B.json").read_text())
    assert facts["measured"] == {"half": "B", "n": 20}
    assert facts["step"] == 4
    assert facts["recipe"]["seed"] == 3
    assert facts["data_sha256"] == build_module._sha256(fashion("train", half="B", n=20))


@pytest.mark.usefixtures("quick")
def test_an_interrupted_build_goes_on(tmp_path: Path) -> None:
    whole = list(build(RECIPE, folder=tmp_path / "whole", runs=tmp_path / "runs"))
    interrupted = build(RECIPE, folder=tmp_path / "zoo", runs=tmp_path / "runs")
    for _ in range(3):
        next(interrupted)
    interrupted.close()
    assert not (tmp_path / "zoo").exists()
    rest = list(build(RECIPE, folder=tmp_path / "zoo", runs=tmp_path / "runs"))
    assert [state.step for state in rest] == [4]
    for a, b in zip(weights(rest[-1].averaged), weights(whole[-1].averaged), strict=True):
        assert torch.equal(a, b)
    name = "fashion-20-B.safetensors"
    assert (tmp_path / "zoo" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.usefixtures("quick")
def test_snapshots_are_what_the_network_was(tmp_path: Path) -> None:
    recipe = replace(RECIPE, snapshots=(1, 3))
    states = build(recipe, folder=tmp_path, runs=tmp_path / "runs")
    was = {state.step: weights(state.denoiser()) for state in states}
    for step, name in ((1, "-step1"), (3, "-step3"), (4, "")):
        kept = load_network(tmp_path / f"fashion-20-B{name}.safetensors")
        assert all(torch.equal(a, b) for a, b in zip(weights(kept), was[step], strict=True))
        assert json.loads((tmp_path / f"fashion-20-B{name}.json").read_text())["step"] == step
    assert len(list(tmp_path.glob("*.safetensors"))) == 3


@pytest.mark.usefixtures("quick")
def test_the_seed_of_a_recipe_decides(tmp_path: Path) -> None:
    other = Recipe("fashion", 20, "B", 4, RECIPE.network, RECIPE.training)
    losses = [
        [state.loss for state in build(recipe, folder=tmp_path, runs=tmp_path / "runs")]
        for recipe in (RECIPE, RECIPE, other)
    ]
    assert losses[0] == losses[1]
    assert losses[0] != losses[2]


def test_measurements_cover_both_halves_and_the_test_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[object, ...]] = []

    def few(split: str, *, half: str | None = None, n: int | None = None) -> torch.Tensor:
        asked.append((split, half, n))
        return fashion(split, half=half, n=4)  # type: ignore[arg-type]

    monkeypatch.setattr(build_module, "fashion", few)
    found = measure(small_unet(2), "B")
    assert asked == [("train", "B", 500), ("train", "A", 500), ("test", None, 1000)]
    assert found["sigmas"] == list(CARD_SIGMAS)
    assert {name: len(row) for name, row in found["psnr"].items()} == {
        "train": 6,
        "other_half": 6,
        "test": 6,
    }
    assert found["homogeneity_error"] < 1e-5
    assert 0 < found["asymmetry"] < 1
    json.dumps(found)


def test_a_network_is_measured_on_images_that_it_was_trained_on() -> None:
    denoiser = small_unet(2)
    few, one = measure(denoiser, "B", 2), measure(denoiser, "B", 1)
    images = fashion("train", half="B", n=2).repeat(250, 1, 1, 1)
    curve = psnr_curve(denoiser, images, CARD_SIGMAS, generator=seeded(0)).mean(dim=1)
    assert few["psnr"]["train"] == pytest.approx(curve.tolist(), abs=1e-3)
    assert few["psnr"]["test"] == one["psnr"]["test"]
    assert few["psnr"]["train"] != one["psnr"]["train"]


def test_measuring_uses_the_same_noise_for_every_network() -> None:
    first, second = build_module._noise_generator(), build_module._noise_generator()
    assert torch.equal(torch.randn(5, generator=first), torch.randn(5, generator=second))
    assert torch.equal(
        torch.randn(5, generator=seeded(0)),
        torch.randn(5, generator=build_module._noise_generator()),
    )


@pytest.mark.usefixtures("quick")
def test_the_command_trains_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "RECIPES", (RECIPE,))
    monkeypatch.setattr(command, "FOLDER", tmp_path / "zoo")
    monkeypatch.setattr(command, "build", lambda recipe: build(recipe, folder=tmp_path / "zoo"))
    command.main()
    assert "4/4" in capsys.readouterr().err
    assert (tmp_path / "zoo" / "fashion-20-B.json").exists()
    command.main(["fashion-20-B"])
    assert "already there" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="no network 'fashion-7-B'; there are: fashion-20-B"):
        command.main(["fashion-7-B"])
