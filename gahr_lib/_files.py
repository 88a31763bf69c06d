"""Writing a file so that it is whole or not there."""

import contextlib
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def whole_or_none(path: Path) -> Iterator[Path]:
    """Give the name of a file to write, which takes the place of `path` when the block ends.

    An older file of that name lives until then. Whatever ends the block early, Ctrl-C too, leaves
    it untouched and nothing half-written.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        partial.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise


def write_whole(path: Path, content: bytes, error: type[Exception]) -> None:
    """Write a file; an older one of that name lives until the new one is whole.

    Raises
    ------
    error
        If it cannot be written; nothing half-written is left.
    """
    try:
        with whole_or_none(path) as partial:
            partial.write_bytes(content)
    except OSError as problem:
        raise error(
            f"{path} could not be written ({problem}). Free some space or name another folder."
        ) from problem
