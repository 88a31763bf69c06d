"""Writing a file so that it is whole or not there."""

import contextlib
from pathlib import Path


def write_whole(path: Path, content: bytes, error: type[Exception]) -> None:
    """Write a file; an older one of that name lives until the new one is whole.

    Raises
    ------
    error
        If it cannot be written; nothing half-written is left.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as problem:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise error(
            f"{path} could not be written ({problem}). Free some space or name another folder."
        ) from problem
