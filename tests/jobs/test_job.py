import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from gahr_lib.errors import TrainingError
from gahr_lib.jobs import Job, Monitor, Run, RunFolder, load_images, make_run
from gahr_lib.jobs import job as module
from gahr_lib.training import TrainState, connect
from gahr_lib.weights import load_network

pytestmark = pytest.mark.usefixtures("untouched_random_state")

RUN = make_run(n_train=6, width=2, depth=1, steps=9, batch_size=3, warmup=2)


def job(path: Path, run: Run = RUN, **kwargs: Any) -> Job:
    folder = RunFolder(path)
    folder.claim(run)
    return Job(run, folder, load_images(run.images), connect("cpu"), **kwargs)


def content(path: Path) -> bytes:
    return RunFolder(path).weights.read_bytes()


@pytest.fixture
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cards without what takes a second to measure."""
    monkeypatch.setattr(module, "measure", lambda *_: {})


@pytest.fixture
def every_step(monkeypatch: pytest.MonkeyPatch, unmeasured: None) -> None:
    monkeypatch.setattr(module, "CHECKPOINT_SECONDS", -1.0)


def test_a_run_leaves_weights_and_a_card(tmp_path: Path) -> None:
    states = list(job(tmp_path).states())
    assert [state.step for state in states] == list(range(1, 10))
    network = load_network(tmp_path / "weights.safetensors")
    trained = states[-1].denoiser().state_dict()
    assert all(torch.equal(v, trained[k]) for k, v in network.state_dict().items())
    assert network.image_shape == (1, 28, 28)
    assert {p.name for p in tmp_path.iterdir()} == {
        "run.json",
        "weights.json",
        "weights.safetensors",
    }
    card = json.loads((tmp_path / "weights.json").read_text())
    assert card["name"] == "fashion-6-A"
    assert Run.from_json(card["run"]) == RUN
    assert card["step"] == 9
    assert {name: len(row) for name, row in card["measured"]["psnr"].items()} == {
        "train": 6,
        "other_half": 6,
        "test": 6,
    }
    assert RunFolder(tmp_path).claim(RUN) is True


@pytest.mark.usefixtures("unmeasured")
def test_snapshots_are_the_networks_of_their_steps(tmp_path: Path) -> None:
    run = replace(RUN, snapshots=(2, 5))
    networks = {state.step: state.denoiser() for state in job(tmp_path, run).states()}
    folder = RunFolder(tmp_path)
    for step in (2, 5):
        ours = load_network(folder.snapshot(step))
        theirs = networks[step].state_dict()
        assert all(torch.equal(v, theirs[k]) for k, v in ours.state_dict().items())
        card = json.loads((tmp_path / f"step{step}.json").read_text())
        assert (card["step"], card["name"]) == (step, f"fashion-6-A-step{step}")
        assert Run.from_json(card["run"]) == run
    list(job(tmp_path / "without").states())
    assert content(tmp_path) == content(tmp_path / "without")


def test_fresh_images_and_their_card(tmp_path: Path) -> None:
    run = make_run(
        data="discs", size=16, width=2, depth=1, steps=3, batch_size=2, architecture="unet"
    )
    list(job(tmp_path, run).states())
    card = json.loads((tmp_path / "weights.json").read_text())
    assert card["run"]["images"]["n_train"] is None
    assert card["data_sha256"] is None
    assert list(card["measured"]["psnr"]) == ["test"]
    assert load_network(tmp_path / "weights.safetensors").image_shape == (1, 16, 16)


@pytest.mark.usefixtures("every_step")
@pytest.mark.parametrize("done", [1, 4, 8])
def test_a_run_that_ends_anywhere_goes_on(tmp_path: Path, done: int) -> None:
    list(job(tmp_path / "whole").states())
    states = job(tmp_path / "parts").states()
    for _ in range(done):
        next(states)
    states.close()  # type: ignore[attr-defined]
    assert not (tmp_path / "parts" / "weights.json").exists()
    rest = list(job(tmp_path / "parts").states())
    assert [state.step for state in rest] == list(range(done + 1, 10))
    assert content(tmp_path / "parts") == content(tmp_path / "whole")


@pytest.mark.usefixtures("unmeasured")
def test_a_request_to_stop_writes_a_checkpoint(tmp_path: Path) -> None:
    asked: list[int] = []

    def stop() -> bool:
        asked.append(1)
        return len(asked) == 4

    assert [state.step for state in job(tmp_path).states(stop)] == [1, 2, 3, 4]
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["step"] == 4
    assert [state.step for state in job(tmp_path).states()] == [5, 6, 7, 8, 9]


@pytest.mark.usefixtures("unmeasured")
def test_checkpoints_are_written_when_they_are_due(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 1000, 10))  # one step takes ten seconds
    monkeypatch.setattr(module.time, "monotonic", lambda: next(clock))
    written: list[int] = []
    monkeypatch.setattr(TrainState, "save", lambda self, path: written.append(self.step))
    list(job(tmp_path).states())
    assert len(written) >= 2
    assert max(b - a for a, b in zip([0, *written], [*written, 9], strict=True)) * 10 <= 60


@pytest.mark.usefixtures("every_step")
def test_a_full_disk_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    list(job(tmp_path / "whole").states())
    states = job(tmp_path / "run").states()
    next(states), next(states)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(torch, "save", full)
        with pytest.raises(TrainingError, match="Free some space"):
            next(states)
    assert [state.step for state in job(tmp_path / "run").states()] == list(range(3, 10))
    assert content(tmp_path / "run") == content(tmp_path / "whole")


@pytest.mark.usefixtures("every_step")
def test_a_damaged_checkpoint_is_named_and_kept(tmp_path: Path) -> None:
    states = job(tmp_path).states()
    next(states)
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(TrainingError, match=r"checkpoint.pt is missing or damaged.*Remove it"):
        next(job(tmp_path).states())
    assert path.stat().st_size == 1000


@pytest.mark.usefixtures("every_step")
def test_a_loss_that_is_not_finite_leaves_the_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = job(tmp_path)
    states = start.states()
    for _ in range(3):
        state = next(states)
    with torch.no_grad():
        next(state.network.parameters()).fill_(torch.nan)
    with pytest.raises(TrainingError, match="loss is nan at step 4"):
        next(states)
    saved = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert saved["step"] == 3
    assert all(bool(value.isfinite().all()) for value in saved["network"].values())


@pytest.mark.usefixtures("unmeasured")
def test_curves_are_written_beside_the_weights(tmp_path: Path) -> None:
    list(job(tmp_path, monitor=Monitor(tmp_path, every=4)).states())
    assert len(list(tmp_path.glob("events.out.tfevents.*"))) == 1
    list(job(tmp_path / "without").states())
    assert content(tmp_path) == content(tmp_path / "without")


@pytest.mark.usefixtures("unmeasured")
@pytest.mark.parametrize("how", ["to the end", "stopped", "failed", "abandoned"])
def test_curves_are_closed_however_a_run_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    closed: list[int] = []
    monkeypatch.setattr(Monitor, "close", lambda self: closed.append(1))
    states = job(tmp_path, monitor=Monitor(tmp_path)).states(lambda: how == "stopped")
    state = next(states)
    assert not closed
    if how == "abandoned":
        states.close()  # type: ignore[attr-defined]
    elif how == "failed":
        with torch.no_grad():
            next(state.network.parameters()).fill_(torch.nan)
        with pytest.raises(TrainingError, match="loss is nan"):
            next(states)
    else:
        list(states)
    assert closed == [1]


def test_all_processes_agree_on_what_any_of_them_wishes(tmp_path: Path) -> None:
    class Two:
        world_size, device = 2, torch.device("cpu")

        def all_reduce(self, flags: Tensor, reduce_op: str) -> Tensor:
            assert reduce_op == "sum"
            return flags + torch.tensor([0.0, 1.0, 1.0])

    two = replace(job(tmp_path), fabric=Two())  # type: ignore[arg-type]
    assert two._agree(False, False, True) == [False, True, True]
    assert job(tmp_path)._agree(False, False, True) == [False, False, True]
