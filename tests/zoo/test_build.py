import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from gahr_lib.errors import SamplingError, WeightsError
from gahr_lib.jobs import Run, load_images, make_run
from gahr_lib.jobs import job as job_module
from gahr_lib.models import ResidualNetwork
from gahr_lib.training import TrainState
from gahr_lib.zoo import build as build_module
from gahr_lib.zoo import load_network, strips
from gahr_lib.zoo.build import build, is_current, publish, run_folder, state_of
from gahr_lib.zoo.references import reference_psnr
from helpers import intensities

pytestmark = pytest.mark.usefixtures("untouched_random_state")

RUN = make_run(
    **{"data": "c_alpha", "alpha": 2.0, "size": 8, "n_train": 6, "half": "B", "seed": 3},
    **{"width": 2, "depth": 1, "steps": 4, "batch_size": 2, "warmup": 1},
    snapshots=(1, 3),
)


def fake_sample(denoiser: ResidualNetwork, n: int, **settings: Any) -> Tensor:
    return intensities(n, *denoiser.image_shape)


@pytest.fixture(scope="module", autouse=True)
def _sampler_that_ends() -> Iterator[None]:
    """A network of four steps is no denoiser, and the sampler may go astray."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strips, "sample", fake_sample)
        yield


class Place:
    """Folders of runs and of networks."""

    def __init__(self, path: Path) -> None:
        self.runs, self.folder = path / "runs", path / "zoo"

    def build(self, run: Run = RUN, name: str = "tiny") -> Iterator[TrainState]:
        return build(name, run, runs=self.runs, folder=self.folder)

    def state(self, run: Run = RUN, name: str = "tiny") -> str:
        return state_of(name, run, self.folder)

    def card(self, name: str = "tiny") -> dict[str, Any]:
        return json.loads((self.folder / f"{name}.json").read_text())


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("made")
    list(Place(path).build())
    return path


@pytest.fixture
def made(made_once: Path, tmp_path: Path) -> Place:
    copytree(made_once, tmp_path, dirs_exist_ok=True)
    return Place(tmp_path)


def weights(network: ResidualNetwork) -> list[Tensor]:
    return list(network.state_dict().values())


def test_building_writes_weights_cards_and_samples(place: Place) -> None:
    states = list(place.build())
    assert [state.step for state in states] == [1, 2, 3, 4]
    stems = ["tiny-step1", "tiny-step3", "tiny"]
    expected = {f"{stem}.{end}" for stem in stems for end in ("json", "safetensors")}
    assert {path.name for path in place.folder.iterdir()} == expected | {"tiny.png"}
    for step, stem in ((1, "tiny-step1"), (3, "tiny-step3"), (4, "tiny")):
        card = place.card(stem)
        assert (card["name"], card["step"]) == (stem, step)
        assert card["run"] == json.loads(json.dumps(asdict(RUN)))
    loaded, trained = load_network(place.folder / "tiny.safetensors"), states[-1].denoiser()
    assert all(torch.equal(a, b) for a, b in zip(weights(loaded), weights(trained), strict=True))


def test_a_card_knows_what_others_do_on_the_same_images(made: Place) -> None:
    card = made.card()
    assert card["measured"]["references"] == reference_psnr(RUN)
    assert set(card["measured"]["references"]) == {"input", "wiener", "empirical_optimum"}
    assert {"licence", "intended_use", "limits"} <= set(card)
    sets = load_images(RUN.images)
    assert isinstance(sets.train, Tensor)
    values = (sets.train * 255).round().to(torch.uint8).numpy()
    assert card["data_sha256"] == hashlib.sha256(values.tobytes()).hexdigest()


def test_what_is_there_is_not_made_again(made: Place) -> None:
    before = {path: path.read_bytes() for path in made.folder.iterdir()}
    assert is_current("tiny", RUN, made.folder)
    assert list(made.build()) == []
    assert {path: path.read_bytes() for path in made.folder.iterdir()} == before


def test_an_interrupted_build_goes_on(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_module, "CHECKPOINT_SECONDS", -1)
    whole = Place(place.runs.parent / "whole")
    list(whole.build())
    interrupted = place.build()
    for _ in range(2):
        next(interrupted)
    interrupted.close()
    assert place.state() == "missing"
    assert [state.step for state in place.build()] == [3, 4]
    name = "tiny.safetensors"
    assert (place.folder / name).read_bytes() == (whole.folder / name).read_bytes()


def test_another_recipe_is_trained_in_another_folder_and_the_first_is_kept(made: Place) -> None:
    changed = replace(RUN, seed=4)
    assert made.state(changed) == "of another recipe"
    first = (made.folder / "tiny.safetensors").read_bytes()
    assert len(list(made.build(changed))) == 4
    assert made.state(changed) == "current"
    assert (made.folder / "tiny.safetensors").read_bytes() != first
    assert list(made.build()) == []  # the folder of the first recipe still has its weights
    assert (made.folder / "tiny.safetensors").read_bytes() == first


@pytest.mark.parametrize(
    ("file", "state"),
    [
        ("tiny.safetensors", "damaged"),
        ("tiny-step1.safetensors", "damaged"),
        ("tiny.json", "damaged"),
        ("tiny.png", "without samples"),
    ],
)
def test_damage_is_seen_and_repaired_without_training(made: Place, file: str, state: str) -> None:
    path = made.folder / file
    whole = path.read_bytes()
    path.write_bytes(whole[:-3])
    assert made.state() == state
    if path.suffix != ".json":  # cards have no hash
        path.write_bytes(whole[:-30] + bytes([whole[-30] ^ 1]) + whole[-29:])
        assert made.state() == state
    path.unlink()
    assert made.state() == ("missing" if state == "damaged" else state)
    assert list(made.build()) == []
    assert made.state() == "current"
    assert path.read_bytes() == whole


def test_a_network_without_samples_gets_them_without_its_run(
    made: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = made.card()
    (made.folder / "tiny.json").write_text(json.dumps({k: card[k] for k in card if k != "samples"}))
    monkeypatch.setattr(build_module, "run_folder", lambda *a: pytest.fail("it looked for the run"))
    assert made.state() == "without samples"
    assert list(made.build()) == []
    assert made.card() == card


def test_damaged_weights_of_a_run_are_not_published(made: Place, tmp_path: Path) -> None:
    there = run_folder("tiny", RUN, made.runs)
    there.weights.write_bytes(there.weights.read_bytes()[:-1])
    with pytest.raises(WeightsError, match="SHA-256"):
        publish("tiny", RUN, there, tmp_path / "other")
    assert not (tmp_path / "other" / "tiny.safetensors").exists()


# Samples


def test_samples_stand_side_by_side(made: Place) -> None:
    with Image.open(made.folder / "tiny.png") as picture:
        pixels = torch.from_numpy(np.array(picture))
    assert pixels.shape == (16, 8 * 18 - 2)
    expected = (intensities(8, 1, 8, 8) * 255).round().to(torch.uint8)
    for k in range(8):
        image = pixels[:, 18 * k : 18 * k + 16]
        assert torch.equal(image[::2, ::2], expected[k, 0])
        assert torch.equal(image[1::2, 1::2], expected[k, 0])
    assert (pixels[:, 16:18] == 255).all()
    content = (made.folder / "tiny.png").read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    assert made.card()["samples"] == {"n": 8, "seed": 0, "beta": 0.3, "sha256": sha256}


def test_samples_of_colour_images_keep_it() -> None:
    images = intensities(2, 3, 4, 4) * 1.5 - 0.2
    with Image.open(io.BytesIO(strips.strip_png(images))) as picture:
        assert picture.size == (18, 8)
        expected = (images[1, :, 3, 2].clamp(0, 1) * 255).round().int().tolist()
        assert list(picture.getpixel((10 + 5, 7))) == expected  # type: ignore[arg-type]


def test_samples_come_from_the_sampler_with_seed_0(
    made: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def sample(
        denoiser: ResidualNetwork, n: int, *, generator: torch.Generator, **settings: object
    ) -> Tensor:
        asked.append((denoiser.image_shape, n, generator.initial_seed()))
        return fake_sample(denoiser, n)

    monkeypatch.setattr(strips, "sample", sample)
    strips.draw_strip(made.folder / "tiny.safetensors")
    assert asked == [((1, 8, 8), 8, 0)]


def test_a_sampler_that_does_not_end_is_noted(made: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def astray(*args: object, **settings: object) -> Tensor:
        raise SamplingError("An image leaves all bounds.")

    monkeypatch.setattr(strips, "sample", astray)
    (made.folder / "tiny.png").write_bytes(b"older")
    list(made.build())
    assert made.card()["samples"]["failure"] == "An image leaves all bounds."
    assert not (made.folder / "tiny.png").exists()
    assert made.state() == "current"
