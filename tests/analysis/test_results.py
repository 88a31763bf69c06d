from dataclasses import FrozenInstanceError, dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from gahr_lib.analysis.probes import Estimate
from gahr_lib.analysis.results import Result
from gahr_lib.errors import DataFileError


@dataclass(frozen=True)
class Found(Result):
    vectors: Tensor
    score: float
    name: str


@dataclass(frozen=True)
class Other(Result):
    vectors: Tensor


FOUND = Found(torch.rand(3, 2, dtype=torch.float64).T, 0.25, "a name")


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    FOUND.save(tmp_path / "deeper" / "found.safetensors")
    loaded = Found.load(tmp_path / "deeper" / "found.safetensors")
    assert torch.equal(loaded.vectors, FOUND.vectors)
    assert loaded.vectors.dtype == torch.float64
    assert (loaded.score, loaded.name) == (0.25, "a name")


def test_numbers_alone_can_be_saved(tmp_path: Path) -> None:
    estimate = Estimate(1 / 3, float("inf"))
    estimate.save(tmp_path / "estimate.safetensors")
    assert Estimate.load(tmp_path / "estimate.safetensors") == estimate


def test_results_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        FOUND.score = 1.0  # type: ignore[misc]


def test_missing_files_are_said(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match=r"missing or damaged.*Compute and save it again"):
        Found.load(tmp_path / "nothing.safetensors")


@pytest.mark.parametrize("damage", [lambda b: b[:-9], lambda b: b"", lambda b: b"x" * len(b)])
def test_damaged_files_are_said(tmp_path: Path, damage: object) -> None:
    path = tmp_path / "found.safetensors"
    FOUND.save(path)
    path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator]
    with pytest.raises(DataFileError, match="missing or damaged"):
        Found.load(path)


def test_other_files_are_said(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    Other(torch.zeros(2)).save(path)
    with pytest.raises(DataFileError, match=r"holds Other .*expected Found with name, score, vec"):
        Found.load(path)
    save_file({"vectors": torch.zeros(2)}, path)
    with pytest.raises(DataFileError, match="holds something else with vectors"):
        Found.load(path)
    save_file({"vectors": torch.zeros(2)}, path, metadata={"result": "Found", "values": "{}"})
    with pytest.raises(DataFileError, match="expected Found"):
        Found.load(path)


def test_a_folder_that_cannot_be_written_is_said_and_the_old_file_lives(tmp_path: Path) -> None:
    path = tmp_path / "found.safetensors"
    FOUND.save(path)
    with pytest.raises(DataFileError, match="could not be written"):
        FOUND.save(path / "below a file")
    assert Found.load(path).score == 0.25
