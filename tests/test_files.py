from pathlib import Path

import pytest

from gahr_lib._files import write_whole
from gahr_lib.errors import WeightsError


def test_a_file_is_whole_and_alone(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    write_whole(path, b"old", WeightsError)
    write_whole(path, b"new", WeightsError)
    assert path.read_bytes() == b"new"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("stop", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_what_stops_a_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: BaseException
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def half(self: Path, content: bytes) -> None:
        with self.open("wb") as file:
            file.write(content[: len(content) // 2])
        raise stop

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", half)
        expected = WeightsError if isinstance(stop, OSError) else KeyboardInterrupt
        with pytest.raises(expected):
            write_whole(path, b"new", WeightsError)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_made_is_the_callers_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(WeightsError, match=r"could not be written.*name another folder"):
        write_whole(tmp_path / "file" / "deep", b"", WeightsError)
