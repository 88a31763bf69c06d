import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gahr_lib.errors import WeightsError
from gahr_lib.jobs import make_run
from gahr_lib.models import ResidualNetwork, build_network
from gahr_lib.weights import check_weights, load_network, read_card, save_network
from helpers import intensities, seeded, settled

pytestmark = pytest.mark.usefixtures("untouched_random_state")

RUN = make_run(n_train=10, width=2, depth=1, steps=1)
FACTS = {"name": "small", "run": asdict(RUN), "image_shape": [1, 8, 8]}


def new_network(seed: int = 0, **kwargs: Any) -> ResidualNetwork:
    run = make_run(**{"width": 2, "depth": 1} | kwargs)
    return settled(build_network(run.network, generator=seeded(seed)), seed)


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Path, ResidualNetwork]:
    """A small network, saved, and the path of its weights."""
    path, network = tmp_path / "deep" / "small.safetensors", new_network()
    save_network(network, path, FACTS)
    return path, network


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


@pytest.mark.parametrize(
    "settings", [{"bias": True}, {"architecture": "bf_cnn", "depth": 4}, {"width": 3}]
)
def test_the_card_says_which_network_to_build(tmp_path: Path, settings: dict[str, Any]) -> None:
    network = new_network(**settings)
    run = make_run(**{"width": 2, "depth": 1} | settings)
    save_network(network, tmp_path / "a.safetensors", {**FACTS, "run": asdict(run)})
    y = intensities(2, 1, 8, 8)
    assert torch.equal(load_network(tmp_path / "a.safetensors")(y), network(y))


def test_a_loaded_network_is_ready_to_use(saved: tuple[Path, ResidualNetwork]) -> None:
    loaded = load_network(str(saved[0]))
    assert not loaded.training
    assert not any(p.requires_grad for p in loaded.parameters())
    assert loaded.image_shape == (1, 8, 8)
    assert {p.device.type for p in loaded.parameters()} == {"cpu"}


def test_saving_leaves_two_files_and_the_network_as_it_was(tmp_path: Path) -> None:
    network = new_network().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    before = {name: value.clone() for name, value in network.state_dict().items()}
    save_network(network, tmp_path / "a.safetensors", FACTS)
    assert {path.name for path in tmp_path.iterdir()} == {"a.json", "a.safetensors"}
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_a_card_holds_the_facts_and_the_hash(saved: tuple[Path, ResidualNetwork]) -> None:
    path, network = saved
    facts = read_card(path.with_suffix(".json"))
    assert facts == {
        **json.loads(json.dumps(FACTS)),
        "parameters": sum(p.numel() for p in network.parameters()),
        "weights_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }


def test_a_card_may_hold_integers_of_numpy(tmp_path: Path) -> None:
    save_network(new_network(), tmp_path / "a.safetensors", {**FACTS, "step": np.int64(7)})
    assert read_card(tmp_path / "a.json")["step"] == 7


def test_facts_that_make_no_card_write_no_weights(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        save_network(new_network(), tmp_path / "a.safetensors", {**FACTS, "run": object()})
    assert not list(tmp_path.iterdir())


def test_equal_networks_make_equal_files(
    saved: tuple[Path, ResidualNetwork], tmp_path: Path
) -> None:
    path, network = saved
    save_network(network, tmp_path / "again" / path.name, FACTS)
    for file in path.parent.iterdir():
        assert file.read_bytes() == (tmp_path / "again" / file.name).read_bytes()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(WeightsError, match=r"could not be written.*name another folder"):
        save_network(new_network(), tmp_path / "file" / "a.safetensors", FACTS)


def test_a_full_disk_leaves_the_old_files(
    saved: tuple[Path, ResidualNetwork], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = saved
    before = {file: file.read_bytes() for file in path.parent.iterdir()}

    def half(self: Path, content: bytes) -> None:
        with self.open("wb") as file:
            file.write(content[: len(content) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(WeightsError, match="No space left on device"):
        save_network(new_network(5), path, FACTS)
    assert {file: file.read_bytes() for file in path.parent.iterdir()} == before


# Damaged files


@pytest.mark.parametrize("read", [load_network, check_weights])
def test_weights_that_are_cut_short_are_refused(
    saved: tuple[Path, ResidualNetwork], read: Callable[[Path], object]
) -> None:
    path, _ = saved
    read(path)
    content = path.read_bytes()
    for length in (0, 7, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(WeightsError, match=r"damaged or cut short.*Install the package again"):
            read(path)


@pytest.mark.parametrize("read", [load_network, check_weights])
def test_one_changed_bit_is_found_out(
    saved: tuple[Path, ResidualNetwork], read: Callable[[Path], object]
) -> None:
    path, _ = saved
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="SHA-256"):
        read(path)


@pytest.mark.parametrize("read", [load_network, check_weights])
def test_missing_files_are_named(
    saved: tuple[Path, ResidualNetwork], read: Callable[[Path], object]
) -> None:
    path, _ = saved
    path.unlink()
    with pytest.raises(WeightsError, match=r"small.safetensors cannot be read"):
        read(path)
    path.with_suffix(".json").unlink()
    with pytest.raises(WeightsError, match=r"card .*small.json is missing or damaged"):
        read(path)


@pytest.mark.parametrize("content", ["", "{", "\xff", "[]", "null", '"card"', "{}"])
def test_a_damaged_card_is_refused(saved: tuple[Path, ResidualNetwork], content: str) -> None:
    saved[0].with_suffix(".json").write_bytes(content.encode("latin-1"))
    with pytest.raises(WeightsError, match=r"[Tt]he card .*(damaged|says nothing of)"):
        load_network(saved[0])


@pytest.mark.parametrize("part", ["run", "image_shape", "weights_sha256"])
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
        {"architecture": "unet", "channels": 1, "width": 2, "depth": 1, "bias": True},
        {"architecture": "unet", "channels": 1, "width": 2, "depth": 1, "bias": "False"},
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
    edit_card(saved[0], lambda facts: facts["run"].update(network=network))
    with pytest.raises(WeightsError, match="do not fit their card"):
        load_network(saved[0])
    check_weights(saved[0])  # which builds no network


@pytest.mark.parametrize("run", [None, "run", [], {}])
def test_a_card_without_a_network_is_refused(
    saved: tuple[Path, ResidualNetwork], run: object
) -> None:
    edit_card(saved[0], lambda facts: facts.update(run=run))
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


@pytest.mark.parametrize(
    "shape",
    [None, 28, "abc", [1, 2], [], [1, 8, 8, 8], [1, 8, 0], [1, 7, 8], [3, 8, 8], [1, 8.5, 8]],
)
def test_a_card_with_an_impossible_image_shape_is_refused(
    saved: tuple[Path, ResidualNetwork], shape: object
) -> None:
    edit_card(saved[0], lambda facts: facts.update(image_shape=shape))
    with pytest.raises(WeightsError, match="do not fit their card"):
        load_network(saved[0])
