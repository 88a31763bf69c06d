"""The command, inside this process where that is enough, and as a process that is killed."""

import inspect
import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import fields
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from gahr_lib import cli
from gahr_lib.jobs import Images, Run
from gahr_lib.jobs import job as job_module
from gahr_lib.models import NetworkConfig
from gahr_lib.training import TrainConfig, TrainState
from gahr_lib.weights import load_network
from own_processes import command_with_many_checkpoints, start, start_two

pytestmark = pytest.mark.usefixtures("untouched_random_state")

SMALL = (
    *("train", "--n-train", "6", "--width", "2", "--depth", "1", "--steps", "9", "--batch", "4"),
    *("--device", "cpu", "--no-tensorboard"),
)


def call(*arguments: str) -> int:
    with pytest.raises(SystemExit) as left:
        cli.main(arguments)
    assert isinstance(left.value.code, int)
    return left.value.code


def only_line(text: str) -> str:
    """The one line of an error message, without the progress bar."""
    (line,) = [line for line in text.splitlines() if line.startswith("gahr: ")]
    assert "Traceback" not in text
    return line


def test_a_network_is_trained_and_loaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(*SMALL, "--out", str(tmp_path / "run")) == 0
    out, err = capsys.readouterr()
    assert out.strip() == f"The weights are {tmp_path}/run/weights.safetensors"
    assert "fashion-6-A: 100%" in err
    assert "36.0/36.0" in err
    assert "images/s" in err
    load_network(tmp_path / "run" / "weights.safetensors")
    assert call(*SMALL, "--out", str(tmp_path / "run")) == 0
    assert "is finished" in capsys.readouterr().out


def test_results_lie_in_a_folder_of_the_run_s_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call(*SMALL, "--half", "B", "--seed", "2", "--quiet") == 0
    assert (tmp_path / "runs" / "fashion-6-B-seed2" / "weights.json").exists()
    assert capsys.readouterr() == ("", "")


def test_every_option_reaches_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[Any] = []

    def remember(job: Any, quiet: bool) -> int:
        found.append(job)
        return 0

    monkeypatch.setattr(cli, "_carry_out", remember)
    options = {
        "data": "c_alpha",
        "half": "B",
        "n-train": 5,
        "size": 12,
        "alpha": 2.5,
        "beta": 8.0,
        "shuffled": 4,
        "channels": 1,
        "architecture": "bf_cnn",
        "width": 3,
        "depth": 4,
        "steps": 7,
        "batch": 5,
        "optimizer": "adam",
        "learning-rate": 0.01,
        "schedule": "halving",
        "warmup": 3,
        "average": 0.5,
        "sigma-power": 1.25,
        "sigma-min": 0.02,
        "weight-power": 0.5,
        "seed": 11,
        "every": 3,
        "out": tmp_path / "run",
    }
    arguments = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    arguments += ["--bias", "--snapshots", "2", "--snapshots", "4", "--device", "cpu"]
    assert call("train", *arguments) == 0
    (job,) = found
    run = job.run
    assert run.network.bias is True
    assert run.snapshots == (2, 4)
    values = {**vars(run.images), **vars(run.network), **vars(run.training), "seed": run.seed}
    values |= {"batch": values["batch_size"], "out": job.folder.path, "every": job.monitor.every}
    for name, value in options.items():
        assert values[name.replace("-", "_")] == value, name


def test_every_setting_is_an_option() -> None:
    """So that a network of the zoo can be made with the command, whatever its recipe."""
    settings = {f.name for kind in (Images, NetworkConfig, TrainConfig) for f in fields(kind)}
    settings |= {f.name for f in fields(Run)} - {"images", "network", "training"}
    options = set(inspect.signature(cli.train).parameters)
    assert settings - options == {"first_layer_linear"}  # for networks of others


def test_photographs_are_cropped_and_denoised(tmp_path: Path) -> None:
    arguments = ("--data", "photographs", "--size", "16", "--n-train", "3", "--batch", "2")
    small = ("--width", "2", "--depth", "1", "--steps", "2", "--no-tensorboard", "--quiet")
    assert call("train", *arguments, *small, "--bias", "--out", str(tmp_path)) == 0
    network = load_network(tmp_path / "weights.safetensors")
    assert network.image_shape == (1, 16, 16)
    assert any(name.endswith("bias") for name, _ in network.named_parameters())


def test_snapshots_lie_beside_the_weights(tmp_path: Path) -> None:
    arguments = ("--snapshots", "6", "--snapshots", "3", "--quiet", "--out", str(tmp_path))
    assert call(*SMALL, *arguments) == 0
    early, late = (load_network(tmp_path / f"step{n}.safetensors").state_dict() for n in (3, 6))
    assert not any(torch.equal(early[name], late[name]) for name in early)


def test_alone_it_shows_what_it_can(capsys: pytest.CaptureFixture[str]) -> None:
    assert call() == 0
    assert "train" in capsys.readouterr().out
    assert call("train", "--help") == 0
    assert "--learning-rate" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("evaluate",), "No such command"),
        (("train", "--stepz", "3"), "No such option"),
        (("train", "--steps", "many"), "'--steps'"),
        (("train", "--half", "C"), "'--half'"),
        (("train", "--steps", "0"), "steps is 0; expected a whole number of at least 1"),
        (("train", "--data", "no/such/folder"), "or a folder of images. Check the spelling"),
        (("train", "--depth", "3"), "Take a smaller depth"),
        (("train", "--data", "c_alpha"), "expected a number for c_alpha"),
        (("train", "--n-train", "30001"), "n is 30001; expected a whole number from 1 to 30,000"),
        (("train", "--every", "0"), "every is 0"),
        (("train", "--optimizer", "sgd"), "'--optimizer'"),
        (("train", "--snapshots", "4000"), "A snapshot is 4000; expected a whole number from 1"),
        (("train", "--device", "cpu", "--precision", "tf32"), "A CPU has no TF32"),
    ],
)
def test_mistakes_end_it_with_one_line_before_any_work(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call(*arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words in only_line(err)
    assert len(err.splitlines()) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_missing_gpu_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("train", "--device", "cuda", "--out", str(tmp_path / "run")) == 2
    assert "Use the device cpu" in only_line(capsys.readouterr().err)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("module", "remedy"),
    [
        ("lightning_fabric", "pip install lightning-fabric"),
        ("torch.utils.tensorboard", "pip install tensorboard"),
    ],
)
def test_what_is_not_installed_is_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    module: str,
    remedy: str,
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    assert call("train", "--out", str(tmp_path / "run")) == 2
    assert remedy in only_line(capsys.readouterr().err)


def test_without_typer_it_is_one_line() -> None:
    code = "import sys; sys.modules['typer'] = None; from gahr_lib.cli import main"
    left = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert left.returncode == 2
    assert "pip install lightning-fabric tensorboard typer" in only_line(left.stderr)


def test_the_memory_of_a_gpu_that_is_too_small_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object, **__: object) -> Iterator[TrainState]:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB.\nGPU 0 has ...")
        yield

    monkeypatch.setattr(job_module, "train", full)
    assert call(*SMALL, "--out", str(tmp_path)) == 1
    line = only_line(capsys.readouterr().err)
    assert (
        line
        == "gahr: CUDA out of memory. Tried to allocate 9 GiB. Take a smaller --batch or --width."
    )


def test_ctrl_c_before_the_first_step_is_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "load_images", interrupt)
    assert call(*SMALL, "--out", str(tmp_path / "run")) == 128 + signal.SIGINT
    assert "Traceback" not in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ({"LOCAL_RANK": "1"}, False),
        ({"LOCAL_RANK": "0", "RANK": "4"}, True),
        ({"SLURM_LOCALID": "3"}, False),
    ],
)
def test_a_machine_tells_a_mistake_once(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    place: dict[str, str],
    told: bool,
) -> None:
    for name, value in place.items():
        monkeypatch.setenv(name, value)
    assert call("train", "--steps", "0") == 2
    assert bool(capsys.readouterr().err) is told


def test_another_run_s_folder_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(*SMALL, "--quiet", "--out", str(tmp_path)) == 0
    before = (tmp_path / "weights.safetensors").read_bytes()
    assert call(*SMALL, "--seed", "1", "--out", str(tmp_path)) == 2
    assert "seed differ. Name another folder" in only_line(capsys.readouterr().err)
    assert (tmp_path / "weights.safetensors").read_bytes() == before


def test_a_damaged_checkpoint_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], interrupted: Any
) -> None:
    interrupted(tmp_path, at=3)
    (tmp_path / "checkpoint.pt").write_bytes(b"half of a checkpoint")
    assert call(*SMALL, "--quiet", "--out", str(tmp_path)) == 2
    assert "missing or damaged" in only_line(capsys.readouterr().err)


def test_a_loss_that_is_not_finite_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wild = ("--learning-rate", "1e30", "--warmup", "0", "--out", str(tmp_path))
    assert call(*SMALL, *wild) == 1
    assert "Lower the learning rate (1e+30)" in only_line(capsys.readouterr().err)
    # Nothing is worth keeping, so that the folder takes the better rate.
    assert call(*SMALL, "--quiet", "--out", str(tmp_path)) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of files")
def test_a_full_disk_is_one_line_and_loses_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], interrupted: Any
) -> None:
    import resource

    assert call(*SMALL, "--quiet", "--out", str(tmp_path / "whole")) == 0
    interrupted(tmp_path / "run", at=3)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    length = (tmp_path / "whole" / "weights.safetensors").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (length // 2, before[1]))
    try:
        code = call(*SMALL, "--quiet", "--out", str(tmp_path / "run"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert code == 1
    assert "could not be written" in only_line(capsys.readouterr().err)
    assert torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)["step"] == 3
    assert call(*SMALL, "--quiet", "--out", str(tmp_path / "run")) == 0
    name = "weights.safetensors"
    assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run the small run and send a signal to this process while it does a step."""

    def start(out: Path, *, at: int, number: int = signal.SIGTERM) -> tuple[int, str]:
        real = job_module.train

        def train(*args: Any, **kwargs: Any) -> Iterator[TrainState]:
            for state in real(*args, **kwargs):
                if state.step == at:
                    signal.raise_signal(number)
                yield state

        with monkeypatch.context() as patched:
            patched.setattr(job_module, "train", train)
            code = call(*SMALL, "--out", str(out))
        return code, capsys.readouterr().err

    return start


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_with_a_checkpoint(
    tmp_path: Path, interrupted: Any, capsys: pytest.CaptureFixture[str], number: int
) -> None:
    handlers = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    code, err = interrupted(tmp_path / "run", at=4, number=number)
    assert code == 128 + number
    assert "Stopped after step 4. The same command goes on from there." in err
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == handlers
    assert call(*SMALL, "--out", str(tmp_path / "run")) == 0
    assert "100%" in capsys.readouterr().err
    assert call(*SMALL, "--quiet", "--out", str(tmp_path / "whole")) == 0
    name = "weights.safetensors"
    assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_the_library_trains_without_what_the_command_needs() -> None:
    code = (
        "import sys\n"
        "for name in ('lightning_fabric', 'tensorboard', 'typer'): sys.modules[name] = None\n"
        "import torch, gahr_lib as gahr\n"
        "network = gahr.models.UNet(width=2, blocks=1, generator=torch.Generator())\n"
        "config = gahr.training.TrainConfig(steps=2, batch_size=2)\n"
        "images = torch.zeros(1, 1, 8, 8)\n"
        "list(gahr.training.train(network, images, config, generator=torch.Generator()))\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=60)


# Real processes

LONG = (
    *("train", "--n-train", "20", "--width", "2", "--depth", "1", "--steps", "300", "--batch"),
    *("4", "--device", "cpu", "--quiet", "--every", "100"),
)


@pytest.mark.slow
def test_a_run_that_is_killed_at_random_ends_with_the_same_bits(tmp_path: Path) -> None:
    assert call(*LONG, "--out", str(tmp_path / "whole")) == 0
    out, chance = tmp_path / "killed", random.Random()
    checkpoint, steps = out / "checkpoint.pt", [0]
    while True:
        running = start(command_with_many_checkpoints, *LONG, "--out", str(out))
        last = _changed(checkpoint)
        while running.is_alive() and _changed(checkpoint) == last:
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 0.5))
        if len(steps) == 5 or not running.is_alive():
            break
        running.kill()
        running.join(10)
        assert running.exitcode == -signal.SIGKILL
        steps.append(torch.load(checkpoint, weights_only=True)["step"])
    running.join(120)
    assert running.exitcode == 0
    assert len(steps) > 2, "the machine was too fast for this test: raise --steps"
    assert all(before < after for before, after in pairwise(steps)), steps
    name = "weights.safetensors"
    assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert {path.name.split(".")[0] for path in out.iterdir()} <= {
        *("run", "weights", "events", "checkpoint"),
    }


def _changed(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0


@pytest.mark.slow
def test_two_processes_reach_the_psnr_of_one(tmp_path: Path) -> None:
    arguments = (
        *("train", "--n-train", "50", "--width", "4", "--steps", "80", "--batch", "8"),
        *("--warmup", "20", "--snapshots", "40", "--device", "cpu", "--every", "40"),
    )
    for process in start_two(cli.main, (*arguments, "--out", str(tmp_path / "two"))):
        process.join(120)
        assert process.exitcode == 0
    assert call(*arguments, "--out", str(tmp_path / "one")) == 0
    files = [
        {path.name.split(".tf")[0] for path in folder.iterdir()} for folder in tmp_path.iterdir()
    ]
    assert files[0] == files[1]
    one, two = (_psnr(tmp_path / name) for name in ("one", "two"))
    for which in ("train", "other_half", "test"):
        assert two[which] == pytest.approx(one[which], abs=0.05)
    # Both have learned: more than the noisy images have, 20 dB at sigma = 0.1.
    assert one["test"][2] > 21


def _psnr(folder: Path) -> dict[str, list[float]]:
    return json.loads((folder / "weights.json").read_text())["measured"]["psnr"]
