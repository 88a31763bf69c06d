from pathlib import Path

import pytest

from gahr_lib.errors import ConfigError, TrainingError
from gahr_lib.jobs import RunFolder, make_run


def test_a_new_folder_is_made_and_claimed_again(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "deep" / "run")
    for _ in range(2):
        assert folder.claim(make_run(n_train=3)) is False
    assert list(folder.path.iterdir()) == [folder.settings]


@pytest.mark.parametrize("work", ["checkpoint.pt", "weights.json", "step20.safetensors"])
def test_a_folder_with_work_of_another_run_is_refused(tmp_path: Path, work: str) -> None:
    folder = RunFolder(tmp_path)
    folder.claim(make_run(n_train=3))
    (tmp_path / work).touch()
    before = folder.settings.read_bytes()
    words = r"another run: images.n_train, network.width, seed differ.*Name another folder"
    with pytest.raises(ConfigError, match=words):
        folder.claim(make_run(n_train=4, width=5, seed=1))
    assert folder.settings.read_bytes() == before
    assert folder.claim(make_run(n_train=3)) is (work == "weights.json")


def test_a_run_that_came_to_nothing_gives_its_folder_away(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.claim(make_run(n_train=3))
    assert folder.claim(make_run(n_train=4)) is False
    (tmp_path / "checkpoint.pt").touch()
    assert folder.claim(make_run(n_train=4)) is False


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ConfigError, match="neither an empty folder nor that of a run"):
        RunFolder(tmp_path).claim(make_run())
    with pytest.raises(ConfigError, match="neither an empty folder"):
        RunFolder(tmp_path / "thesis.txt").claim(make_run())
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_folder_that_cannot_be_made_is_a_typed_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TrainingError, match="name another folder"):
        RunFolder(tmp_path / "file" / "run").claim(make_run())


@pytest.mark.parametrize("content", ["", "{", "[]"])
def test_damaged_settings_protect_what_is_there(tmp_path: Path, content: str) -> None:
    (tmp_path / "run.json").write_text(content)
    (tmp_path / "checkpoint.pt").touch()
    with pytest.raises(ConfigError, match="Name another folder"):
        RunFolder(tmp_path).claim(make_run())
