"""The networks of the package: all there, and as good as their cards and the book say."""

import hashlib
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from torch import Tensor

from gahr_lib.analysis.memorization import sample_pairs
from gahr_lib.data import fashion
from gahr_lib.errors import ConfigError, WeightsError
from gahr_lib.jobs import Run, load_images
from gahr_lib.jobs.measurements import SIGMAS, measure
from gahr_lib.metrics import psnr
from gahr_lib.models import ResidualNetwork, UNet
from gahr_lib.sampling import SampleConfig
from gahr_lib.weights import load_network, read_card
from gahr_lib.zoo import LADDER, RECIPES, card, experiments, load_denoiser
from gahr_lib.zoo.build import files_of, is_current
from gahr_lib.zoo.networks import FOLDER
from gahr_lib.zoo.results import load_result
from helpers import intensities, seeded

pytestmark = pytest.mark.usefixtures("untouched_random_state")

HALVES: tuple[Literal["A", "B"], ...] = ("A", "B")
FILES = [path for name, run in RECIPES.items() for path in files_of(name, run)]


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_has_its_networks(name: str) -> None:
    assert is_current(name, RECIPES[name])
    facts = read_card(FOLDER / f"{name}.json")
    assert Run.from_json(facts["run"]) == RECIPES[name]
    assert facts["step"] == RECIPES[name].training.steps
    assert facts["licence"] == "MIT"
    assert facts["training_seconds"] > 0
    assert set(facts["software"]) == {"torch", "python"}


def test_nothing_lies_about_and_all_is_small() -> None:
    expected = {p.with_suffix(s).name for p in FILES for s in (".safetensors", ".json")}
    found = {path.name for path in FOLDER.iterdir() if path.suffix != ".png"}
    assert found == expected
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 40e6


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_networks_are_whole_and_denoise_as_their_cards_say(path: Path) -> None:
    network = load_network(path)
    assert not network.training
    for name, value in network.state_dict().items():
        assert value.dtype == torch.float32, name
        assert bool(torch.isfinite(value).all()), name
        if name.endswith("running_sd"):
            assert value.min() > 0, name
    facts = read_card(path.with_suffix(".json"))
    assert facts["parameters"] == sum(p.numel() for p in network.parameters())
    settings = Run.from_json(facts["run"]).images
    small = replace(settings, n_train=1) if settings.data == "fashion" else settings
    images = load_images(small).test
    promised = facts["measured"]["psnr"]["test"][SIGMAS.index(0.1)]
    assert float(card_psnr(network, images, 0.1).mean()) == pytest.approx(promised, abs=0.01)


def card_psnr(network: ResidualNetwork, images: Tensor, sigma: float) -> Tensor:
    """The PSNR of every image, written out; every set of a card has the noise of one seed."""
    y = images + sigma * torch.randn(images.shape, generator=seeded(0))
    with torch.no_grad():
        parts = zip(y.split(250), images.split(250), strict=True)
        return torch.cat([psnr(network(noisy), clean) for noisy, clean in parts])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fashion-10-B", "fashion-300-A", "c_alpha-4"])
def test_every_figure_of_a_card_is_found_again(name: str) -> None:
    run = RECIPES[name]
    promised = read_card(FOLDER / f"{name}.json")["measured"]
    found = measure(load_network(FOLDER / f"{name}.safetensors"), load_images(run.images))
    assert promised["psnr"].keys() == found["psnr"].keys()
    for row, values in found["psnr"].items():
        assert promised["psnr"][row] == pytest.approx(values, abs=0.01), row
    assert promised["asymmetry"] == pytest.approx(found["asymmetry"], abs=0.002)
    assert promised["homogeneity_error"] < 1e-5
    assert found["homogeneity_error"] < 1e-5


def test_a_shipped_network_is_ready_to_use(trained_a: ResidualNetwork) -> None:
    assert isinstance(trained_a, UNet)
    assert trained_a.image_shape == (1, 28, 28)
    assert sum(p.numel() for p in trained_a.parameters()) == 114_496


@pytest.mark.parametrize(
    "wrong",
    [
        {"n_train": 2},
        {"n_train": 30_000, "half": "C"},
        {"n_train": 30_000, "variant": "width7"},
        {"alpha": 2.0},
        {},
    ],
)
def test_unknown_networks_are_refused_with_the_list_of_known_ones(wrong: dict[str, Any]) -> None:
    for function in (load_denoiser, card):
        with pytest.raises(ConfigError, match=r"The package has: fashion-1-A, fashion-1-B"):
            function("fashion", **wrong)


def test_a_snapshot_is_another_network_and_another_step_is_refused() -> None:
    y = intensities(1, 1, 28, 28)
    early, late = (load_denoiser("fashion", n_train=100, step=step) for step in (500, 4_000))
    assert not torch.equal(early(y), late(y))
    assert torch.equal(late(y), load_denoiser("fashion", n_train=100)(y))
    assert card("fashion", n_train=100, step=500)["step"] == 500
    with pytest.raises(ConfigError, match=r"at step 5; expected one of \(500, 1000, 2000, 4000\)"):
        load_denoiser("fashion", n_train=100, step=5)
    with pytest.raises(ConfigError, match=r"at step 500; expected one of \(4000,\)"):
        load_denoiser("fashion", n_train=100, half="B", step=500)


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
def test_the_data_hash_of_a_card_is_that_of_its_half(half: Literal["A", "B"]) -> None:
    images = fashion("train", half=half)
    assert images.shape == (30_000, 1, 28, 28)
    digest = hashlib.sha256((images * 255).round().byte().numpy().tobytes()).hexdigest()
    assert card("fashion", n_train=30_000, half=half)["data_sha256"] == digest


# What the book says of them


def test_the_gap_between_training_and_test_images_closes_with_their_number() -> None:
    gaps = []
    for n in LADDER:
        measured = card("fashion", n_train=n)["measured"]
        rows = zip(measured["psnr"]["train"], measured["psnr"]["other_half"], strict=True)
        gaps.append(max(train - other for train, other in rows))
    for fewer, more in pairwise(gaps[:6]):
        assert more < fewer
    assert min(gaps[:2]) > 14
    assert max(gaps[6:]) < 0.3


@pytest.mark.parametrize("half", HALVES)
def test_images_never_seen_are_denoised_as_well_as_those_trained_on(
    half: Literal["A", "B"], trained_a: ResidualNetwork, trained_b: ResidualNetwork
) -> None:
    # The same images and noise for both networks: some images are harder than others, and between
    # two sets of 500 that alone makes a tenth of a decibel.
    images = fashion("train", half=half, n=500)
    own, other = (trained_a, trained_b) if half == "A" else (trained_b, trained_a)
    for sigma in SIGMAS:
        gap = float((card_psnr(own, images, sigma) - card_psnr(other, images, sigma)).mean())
        assert abs(gap) <= 0.15, sigma


@pytest.mark.slow
@pytest.mark.parametrize(("beta", "least"), [(0.1, 0.93), (0.3, 0.94)])
def test_the_two_networks_turn_the_same_noise_into_nearly_the_same_images(
    beta: float, least: float, trained_a: ResidualNetwork, trained_b: ResidualNetwork
) -> None:
    # As many as it takes for the median to be known to half a hundredth.
    pairs = sample_pairs(
        trained_a, trained_b, 512, config=SampleConfig(beta=beta), generator=seeded(10)
    )
    assert float(pairs.similarity.median()) >= least


def test_with_ten_images_samples_are_copies() -> None:
    samples = load_result("dim-samples-10", experiments.Samples)
    assert len(samples.to_own) == 256
    assert float((samples.to_own > 0.95).float().mean()) >= 0.9
    assert float((samples.ratio < 1 / 3).float().mean()) >= 0.9
    assert float(samples.to_other.median()) < 0.9


def test_with_30_000_images_samples_are_no_nearer_to_their_own_training_images() -> None:
    samples = load_result("samples-30000", experiments.Samples)
    own, other, real = (
        float(values.median()) for values in (samples.to_own, samples.to_other, samples.real_to_own)
    )
    assert abs(own - other) <= 0.01
    assert own <= real
