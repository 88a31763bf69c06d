import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gahr_lib.errors import ConfigError
from gahr_lib.jobs import SCALES, Images, Run, make_run
from gahr_lib.models import NetworkConfig, build_network
from gahr_lib.training import TrainConfig


def parameters(run: Run) -> int:
    with torch.device("meta"):
        network = build_network(run.network, generator=torch.Generator())
    return sum(p.numel() for p in network.parameters())


def test_the_scale_of_the_book_is_small() -> None:
    run = make_run()
    assert run.images == Images("fashion", "A", None, 28)
    assert run.training == TrainConfig(
        4_000, 32, optimizer="muon", learning_rate=0.008, sigma_power=1.5
    )
    assert parameters(run) == 114_496
    assert make_run(data="discs").images.size == 40


def test_the_scale_of_the_paper_is_its_largest_network_and_its_steps() -> None:
    run = make_run("paper", data="discs")
    assert parameters(run) == 7_659_264
    assert run.images.size == 80
    # 1,000 epochs of 250,000 images, in batches of 512
    assert run.training.steps == pytest.approx(1000 * 250_000 / 512, rel=0.01)
    assert run.training.batch_size == 512
    assert parameters(make_run("paper", data="discs", architecture="bf_cnn")) == 702_784
    assert (run.training.optimizer, run.training.learning_rate) == ("adam", 1e-3)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("architecture", ["unet", "bf_cnn"])
def test_steps_do_not_depend_on_the_number_of_images(scale: str, architecture: str) -> None:
    runs = [
        make_run(scale, data="discs", n_train=n, architecture=architecture)
        for n in (1, 10**5, None)
    ]
    assert len({run.training for run in runs}) == 1


def test_what_is_given_takes_the_place_of_what_a_scale_has() -> None:
    run = make_run(
        "paper", data="c_alpha", alpha=2, size=40, depth=2, steps=7, schedule="halving", width=None
    )
    assert run.images == Images("c_alpha", size=40, alpha=2)
    assert run.network == NetworkConfig("unet", width=64, depth=2)
    assert run.training == TrainConfig(
        steps=7, batch_size=512, optimizer="adam", learning_rate=1e-3, schedule="halving"
    )


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"data": "c_alpha", "alpha": 1.5, "beta": 8},
        {"n_train": 7, "bias": True, "shuffled": 3, "snapshots": (5, 20), "seed": 2},
        {"data": "photographs", "size": 48, "architecture": "bf_cnn", "optimizer": "adam"},
    ],
)
def test_a_run_survives_json(settings: dict[str, Any]) -> None:
    run = make_run(**settings)
    facts = json.loads(json.dumps(asdict(run)))
    assert Run.from_json(facts) == run


def test_the_crop_of_a_folder_survives_json(tmp_path: Path) -> None:
    run = make_run(data=str(tmp_path), crop=(29, 9))
    assert Run.from_json(json.loads(json.dumps(asdict(run)))) == run


@pytest.mark.parametrize("part", ["images", "network", "training", "seed", "snapshots"])
def test_settings_of_another_version_are_refused(part: str) -> None:
    facts = asdict(make_run())
    with pytest.raises(ConfigError, match="not the settings of a run"):
        Run.from_json({name: value for name, value in facts.items() if name != part})
    if isinstance(facts[part], dict):
        with pytest.raises(ConfigError, match="colour_of_the_sky"):
            Run.from_json({**facts, part: {**facts[part], "colour_of_the_sky": "blue"}})


def test_snapshots_are_plain_numbers_in_order() -> None:
    run = make_run(snapshots=[np.int64(30), 20, 30])
    assert run.snapshots == (20, 30)
    assert {type(step) for step in run.snapshots} == {int}


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({}, "fashion-all-A"),
        ({"n_train": 100, "half": "B", "seed": 3}, "fashion-100-B-seed3"),
        ({"data": "c_alpha", "alpha": 2}, "c_alpha2-40-fresh"),
        ({"data": "discs", "n_train": 5, "size": 48}, "discs-48-5-A"),
        ({"data": "discs", "half": "B"}, "discs-40-fresh"),
        ({"data": "photographs", "half": "B"}, "photographs-40-fresh-B"),
        ({"n_train": 9, "shuffled": 0, "seed": 1}, "fashion-9-A-shuffled0-seed1"),
    ],
)
def test_runs_are_named_after_their_images(settings: dict[str, Any], name: str) -> None:
    assert make_run(**settings).name == name


def test_a_folder_gives_its_name(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    assert make_run(data=str(tmp_path / "photos")).name == "photos-40-all-A"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"data": "/no/such/folder"}, "expected fashion, c_alpha, discs, .*or a folder"),
        ({"half": "C"}, "half is 'C'"),
        ({"n_train": 0}, "n_train is 0"),
        ({"size": 40}, "size is 40; the images of fashion have 28"),
        ({"data": "discs", "size": 4}, "size is 4"),
        ({"data": "c_alpha"}, "alpha is None .*expected a number for c_alpha"),
        ({"alpha": 2.0}, "alpha is 2.0 for the data set fashion"),
        ({"beta": 2.0}, "beta is 2.0"),
        ({"crop": (1, 1)}, "crop is .*for a folder"),
        ({"channels": 3}, "fashion are grey"),
        ({"channels": 2}, "channels is 2"),
        ({"width": 0}, "width is 0"),
        ({"depth": 0}, "depth is 0"),
        ({"architecture": "bf_cnn", "depth": 2}, "depth is 2"),
        ({"architecture": "vit"}, "architecture is 'vit'; expected one of unet, bf_cnn"),
        ({"depth": 3}, "28 pixels are no multiple of 8. Take a smaller depth or 24"),
        ({"steps": 0}, "steps is 0"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"schedule": "linear"}, "schedule is 'linear'"),
        ({"seed": 2**64}, "seed is"),
        ({"optimizer": "sgd"}, "optimizer is 'sgd'"),
        ({"shuffled": 0.5}, "shuffled is 0.5"),
        ({"shuffled": -(2**64)}, "shuffled is"),
        ({"snapshots": (4_000,)}, "from 1 to 3,999. The last step is kept by itself"),
        ({"snapshots": (0,)}, "A snapshot is 0"),
        ({"scale": "huge"}, "scale is 'huge'; expected one of book, paper"),
        ({"stepz": 3}, "no setting stepz"),
    ],
)
def test_mistakes_are_found_before_any_work(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make_run(**settings)
