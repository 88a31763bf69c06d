import errno
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gahr_lib.analysis import psnr_curve
from gahr_lib.errors import ConfigError, SamplingError, TrainingError
from gahr_lib.jobs import ImageSets, Monitor
from gahr_lib.jobs import monitor as module
from gahr_lib.models import UNet
from gahr_lib.training import TrainConfig, TrainState, train
from helpers import intensities, seeded

pytestmark = pytest.mark.usefixtures("untouched_random_state")

SETS = ImageSets(intensities(6, 1, 8, 8), intensities(5, 1, 8, 8, seed=1))
FRESH = ImageSets(lambda n, g: torch.rand(n, 1, 8, 8, generator=g), SETS.test)
CONFIG = TrainConfig(steps=45, batch_size=4, warmup=2)


@pytest.fixture(autouse=True)
def quick_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "sample", lambda *_, **__: torch.full((16, 1, 8, 8), 0.5))


def states(sets: ImageSets = SETS, **kwargs: Any) -> Any:
    network = UNet(width=2, blocks=1, generator=seeded())
    return train(network, sets.train, CONFIG, generator=seeded(1), **kwargs)


def watch(monitor: Monitor, sets: ImageSets = SETS, stop: int = 45, **kwargs: Any) -> list[Any]:
    seen: list[TrainState] = []
    for state in states(sets, **kwargs):
        if monitor.follow(state):
            monitor.write(state, sets)
        seen.append(state)
        if state.step == stop:
            break
    monitor.close()
    return seen


def wait_for_another_second() -> None:
    """So that files of events, which have the time in their names, are read in their order."""
    time.sleep(1 - time.time() % 1)


def curves(folder: Path) -> dict[str, list[tuple[int, float]]]:
    events = EventAccumulator(str(folder)).Reload()
    return {
        tag: [(event.step, event.value) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


def test_losses_are_means_over_the_steps_since_the_last(tmp_path: Path) -> None:
    losses = [state.loss for state in watch(Monitor(tmp_path, every=1000))]
    expected = [(20, losses[:20]), (40, losses[20:40]), (45, losses[40:])]
    for (step, value), (when, which) in zip(curves(tmp_path)["loss"], expected, strict=True):
        assert step == when
        assert value == pytest.approx(sum(which) / len(which), rel=1e-5)


def test_curves_are_those_of_the_averaged_network(tmp_path: Path) -> None:
    last = watch(Monitor(tmp_path, every=15))[-1]
    found = curves(tmp_path)
    for name, images in (("train", SETS.train), ("test", SETS.test)):
        expected = psnr_curve(last.denoiser(), images, [0.1], generator=seeded(0))  # type: ignore[arg-type]
        points = found[f"psnr_{name}/sigma_0.1"]
        assert [step for step, _ in points] == [15, 30, 45]
        assert points[-1][1] == pytest.approx(float(expected.mean()), rel=1e-5)
    assert len([tag for tag in found if tag.startswith("psnr_test")]) == 6


def test_fresh_images_have_no_training_curve(tmp_path: Path) -> None:
    watch(Monitor(tmp_path, every=45), FRESH)
    assert not any(tag.startswith("psnr_train") for tag in curves(tmp_path))


def test_a_grid_of_samples_comes_with_every_fifth_measurement_and_at_the_end(
    tmp_path: Path,
) -> None:
    watch(Monitor(tmp_path, every=5))
    events = EventAccumulator(str(tmp_path)).Reload()
    assert [event.step for event in events.Images("samples")] == [25, 45]


def test_samples_that_come_to_nothing_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise SamplingError("no end")

    monkeypatch.setattr(module, "sample", fail)
    watch(Monitor(tmp_path, every=45))
    assert "psnr_test/sigma_0.1" in curves(tmp_path)


def test_watching_changes_no_bit(tmp_path: Path) -> None:
    watched = watch(Monitor(tmp_path, every=3))[-1]
    *_, alone = states()
    for ours, theirs in zip(
        watched.network.state_dict().values(), alone.network.state_dict().values(), strict=True
    ):
        assert torch.equal(ours, theirs)


def test_after_a_restart_lost_steps_are_taken_back(tmp_path: Path) -> None:
    first = watch(Monitor(tmp_path / "events", every=10), stop=42)
    assert len(first) == 42
    for state in states():
        if state.step == 10:
            state.save(tmp_path / "run.pt")
            break
    wait_for_another_second()
    watch(Monitor(tmp_path / "events", every=10), resume=tmp_path / "run.pt")
    steps = [step for step, _ in curves(tmp_path / "events")["psnr_test/sigma_0.1"]]
    assert steps == [10, 20, 30, 40, 45]


def test_without_tensorboard_the_remedy_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ConfigError, match=r"pip install tensorboard.*--no-tensorboard"):
        Monitor(tmp_path)


def test_a_full_disk_is_a_typed_error(tmp_path: Path) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monitor = Monitor(tmp_path, every=1)
    monitor._make_writer = full  # type: ignore[assignment]
    state = next(states())
    monitor.follow(state)
    with pytest.raises(TrainingError, match=r"No space left.*training resumes"):
        monitor.write(state, SETS)


def test_a_measurement_needs_a_distance(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="every is 0"):
        Monitor(tmp_path, every=0)


def test_a_closed_monitor_can_be_gone_on_with(tmp_path: Path) -> None:
    monitor = Monitor(tmp_path, every=20)
    watch(monitor, stop=20)
    wait_for_another_second()
    watch(monitor)
    assert [step for step, _ in curves(tmp_path)["psnr_test/sigma_0.1"]] == [20, 40, 45]


def test_closing_on_a_full_disk_hides_no_other_error(tmp_path: Path) -> None:
    monitor = Monitor(tmp_path, every=20)
    monitor.close()  # before anything was written
    monitor._writer = SimpleNamespace(close=Path("/no/such/file").read_bytes)  # type: ignore[assignment]
    monitor.close()
    assert monitor._writer is None
