import shutil
import sys

import pytest
import torch

from gahr_lib.errors import ConfigError
from gahr_lib.training import connect
from gahr_lib.training.devices import _layout

VARIABLES = (
    *("TORCHELASTIC_RUN_ID", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "SLURM_NTASKS", "SLURM_STEP_ID"),
    *("SLURM_NTASKS_PER_NODE", "SLURM_NNODES", "SLURM_JOB_NAME"),
)


def within(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with two old GPUs, as far as PyTorch can tell."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (7, 5))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Old GPU")


def test_one_process_on_the_cpu() -> None:
    fabric = connect("cpu", "32")
    assert (fabric.world_size, fabric.global_rank, fabric.device) == (1, 0, torch.device("cpu"))


def test_a_slurm_that_is_not_used_is_no_reason_for_a_warning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    within(monkeypatch)
    monkeypatch.setattr(shutil, "which", lambda name, **_: f"/usr/bin/{name}")
    assert connect("cpu").world_size == 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_missing_gpu_is_refused_and_auto_does_without() -> None:
    with pytest.raises(ConfigError, match=r"0 CUDA GPUs here.*Use the device cpu"):
        connect("cuda")
    assert connect("auto").device.type == "cpu"


def test_every_process_needs_a_gpu(monkeypatch: pytest.MonkeyPatch, gpus: None) -> None:
    within(monkeypatch, TORCHELASTIC_RUN_ID="x", WORLD_SIZE="4", LOCAL_WORLD_SIZE="4")
    with pytest.raises(ConfigError, match=r"2 CUDA GPUs here for 4 processes.*fewer processes"):
        connect("auto")


@pytest.mark.parametrize("precision", ["tf32", "bf16"])
def test_a_gpu_without_the_precision_is_refused(gpus: None, precision: str) -> None:
    with pytest.raises(ConfigError, match=f"Old GPU does not have {precision}.*precision 32"):
        connect("cuda", precision)  # type: ignore[arg-type]


def test_a_cpu_has_no_tf32() -> None:
    with pytest.raises(ConfigError, match="no TF32"):
        connect("cpu", "tf32")


@pytest.mark.parametrize("arguments", [("gpu", "32"), ("cpu", "16")])
def test_unknown_words_are_refused(arguments: tuple[str, str]) -> None:
    with pytest.raises(ConfigError, match="expected one of"):
        connect(*arguments)  # type: ignore[arg-type]


def test_without_lightning_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lightning_fabric", None)
    with pytest.raises(ConfigError, match="pip install lightning-fabric"):
        connect("cpu")


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, (1, 1)),
        ({"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "8", "LOCAL_WORLD_SIZE": "4"}, (4, 2)),
        ({"SLURM_NTASKS": "1"}, (1, 1)),
        ({"SLURM_NTASKS": "4", "SLURM_JOB_NAME": "bash"}, (1, 1)),
        (
            {
                "SLURM_NTASKS": "8",
                "SLURM_STEP_ID": "0",
                "SLURM_NTASKS_PER_NODE": "4",
                "SLURM_NNODES": "2",
            },
            (4, 2),
        ),
    ],
)
def test_processes_and_nodes_are_those_of_the_launcher(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: tuple[int, int]
) -> None:
    within(monkeypatch, **variables)
    assert _layout() == expected


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"SLURM_NTASKS": "4", "SLURM_NTASKS_PER_NODE": "4"}, "Put srun before the command"),
        ({"SLURM_NTASKS": "4", "SLURM_STEP_ID": "0"}, "--ntasks-per-node"),
    ],
)
def test_a_slurm_job_that_would_wait_for_ever_is_refused(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], words: str
) -> None:
    within(monkeypatch, **variables)
    with pytest.raises(ConfigError, match=words):
        connect("cpu")
