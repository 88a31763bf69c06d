import pickle
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Literal

import pytest
import torch

from gahr_lib.errors import TrainingError
from gahr_lib.models import BFCNN, UNet
from gahr_lib.training import ImageSource, TrainConfig, train
from helpers import seeded
from training.small_runs import CONFIG, IMAGES, equal, fresh, new_network, run, weights

pytestmark = pytest.mark.usefixtures("untouched_random_state")


@pytest.mark.parametrize("images", [IMAGES, fresh], ids=["a set", "a source"])
@pytest.mark.parametrize("stop", [1, 3, 5])
@pytest.mark.parametrize("optimizer", ["muon", "adam"])
def test_a_resumed_run_is_the_run_that_never_stopped(
    tmp_path: Path, images: ImageSource, stop: int, optimizer: Literal["muon", "adam"]
) -> None:
    config = replace(CONFIG, optimizer=optimizer)
    whole = run(config, images)
    path = tmp_path / "run.pt"
    interrupted = train(new_network(), images, config, generator=seeded(1))
    for _ in range(stop):
        state = next(interrupted)
    state.save(path)
    # Another network and another generator: the checkpoint decides.
    rest = list(train(new_network(7), images, config, generator=seeded(8), resume=path))
    assert [s.step for s in rest] == list(range(stop + 1, 7))
    assert [s.loss for s in rest] == [s.loss for s in whole[stop:]]
    assert equal(weights(rest[-1].network), weights(whole[-1].network))
    assert equal(weights(rest[-1].averaged), weights(whole[-1].averaged))
    assert rest[0].seconds > state.seconds


def test_a_finished_run_has_nothing_to_resume(tmp_path: Path) -> None:
    run()[-1].save(tmp_path / "run.pt")
    assert run(resume=tmp_path / "run.pt") == []


def test_saving_makes_the_folder_and_leaves_one_file(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "folder" / "run.pt"
    next(train(new_network(), IMAGES, CONFIG, generator=seeded(1))).save(path)
    assert list(path.parent.iterdir()) == [path]


def test_a_new_checkpoint_takes_the_place_of_the_old(tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    states = train(new_network(), IMAGES, CONFIG, generator=seeded(1))
    next(states).save(path)
    next(states).save(str(path))
    assert list(tmp_path.iterdir()) == [path]
    assert [state.step for state in run(resume=path)] == [3, 4, 5, 6]


def half_written(error: BaseException) -> Callable[..., None]:
    def save(content: object, path: Path) -> None:
        Path(path).write_bytes(b"half of a checkpoint")
        raise error

    return save


@pytest.mark.parametrize("error", [OSError("No space left"), RuntimeError("write failed")])
def test_an_interrupted_write_leaves_the_old_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    path = tmp_path / "run.pt"
    states = train(new_network(), IMAGES, CONFIG, generator=seeded(1))
    next(states).save(path)
    old = path.read_bytes()
    monkeypatch.setattr(torch, "save", half_written(error))
    with pytest.raises(TrainingError, match=r"could not be written.*older one is untouched"):
        next(states).save(path)
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]


def test_an_interruption_leaves_the_old_checkpoint_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.pt"
    states = train(new_network(), IMAGES, CONFIG, generator=seeded(1))
    next(states).save(path)
    old = path.read_bytes()
    monkeypatch.setattr(torch, "save", half_written(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        next(states).save(path)
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_made_is_a_typed_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    state = next(train(new_network(), IMAGES, CONFIG, generator=seeded(1)))
    with pytest.raises(TrainingError, match="name another folder"):
        state.save(tmp_path / "file" / "run.pt")


def test_damaged_checkpoints_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    next(train(new_network(), IMAGES, CONFIG, generator=seeded(1))).save(path)
    content = path.read_bytes()
    for length in (0, 1, 100, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(TrainingError, match=r"missing or damaged.*Remove it"):
            run(resume=path)
    path.write_bytes(b"no checkpoint at all")
    with pytest.raises(TrainingError, match="missing or damaged"):
        run(resume=path)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of files")
def test_a_file_that_may_not_grow_leaves_the_old_checkpoint(tmp_path: Path) -> None:
    import resource

    path = tmp_path / "run.pt"
    states = train(new_network(), IMAGES, CONFIG, generator=seeded(1))
    next(states).save(path)
    old = path.read_bytes()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(old) // 2, before[1]))
    try:
        with pytest.raises(TrainingError, match=r"could not be written.*Free some space"):
            next(states).save(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]


def test_a_checkpoint_from_before_a_setting_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    run()[0].save(path)
    content = torch.load(path, weights_only=True)
    del content["config"]["optimizer"]
    torch.save(content, path)
    with pytest.raises(TrainingError, match="another configuration: optimizer differ"):
        run(resume=path)


def test_a_missing_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="missing or damaged"):
        run(resume=tmp_path / "none.pt")


def test_a_checkpoint_runs_no_code(tmp_path: Path) -> None:
    class Malicious:
        def __reduce__(self) -> tuple[object, tuple[Path]]:
            return Path.touch, (tmp_path / "touched",)

    (tmp_path / "run.pt").write_bytes(pickle.dumps(Malicious()))
    with pytest.raises(TrainingError, match="missing or damaged"):
        run(resume=tmp_path / "run.pt")
    assert not (tmp_path / "touched").exists()


def test_a_checkpoint_of_another_configuration_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    run()[0].save(path)
    other = TrainConfig(**{**asdict(CONFIG), "steps": 7, "learning_rate": 0.5})
    with pytest.raises(TrainingError, match="learning_rate, steps differ"):
        run(other, resume=path)


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    run()[0].save(path)
    for other in (
        UNet(width=3, blocks=1, generator=seeded()),
        UNet(width=2, blocks=2, generator=seeded()),
        BFCNN(width=2, layers=3, generator=seeded()),
    ):
        with pytest.raises(TrainingError, match="does not fit this network"):
            next(train(other, IMAGES, CONFIG, generator=seeded(1), resume=path))


@pytest.mark.parametrize("part", ["step", "seconds", "network", "optimizer", "generator"])
def test_an_incomplete_checkpoint_is_refused(tmp_path: Path, part: str) -> None:
    path = tmp_path / "run.pt"
    run()[0].save(path)
    content = torch.load(path, weights_only=True)
    del content[part]
    torch.save(content, path)
    with pytest.raises(TrainingError, match="does not fit"):
        run(resume=path)


def test_a_checkpoint_of_another_kind_of_device_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    run()[0].save(path)
    content = torch.load(path, weights_only=True)
    content["generator"] = torch.zeros(16, dtype=torch.uint8)  # the length of a GPU's
    torch.save(content, path)
    with pytest.raises(TrainingError, match="does not fit this network or kind of device"):
        run(resume=path)
