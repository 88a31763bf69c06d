"""Keeping results: a frozen dataclass of tensors and numbers, in one safetensors file."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any, Self

from torch import Tensor

from gahr_lib._files import write_whole
from gahr_lib.errors import DataFileError

__all__ = ["Result"]


class Result:
    """A result that can be kept in a file; the base of frozen dataclasses.

    Their fields are tensors, or values that JSON knows.
    """

    def save(self, path: str | Path) -> None:
        """Write the result to a file: its tensors as they are, numbers and texts as JSON.

        Parameters
        ----------
        path
            Where to write, usually ``*.safetensors``; an older file lives until the new one is
            whole.

        Raises
        ------
        DataFileError
            If the file cannot be written.
        """
        from safetensors.torch import save

        tensors, others = {}, {}
        for name in _names(type(self)):
            value = getattr(self, name)
            if isinstance(value, Tensor):
                tensors[name] = value.detach().contiguous()
            else:
                others[name] = value
        facts = {"result": type(self).__name__, "values": json.dumps(others)}
        write_whole(Path(path), save(tensors, metadata=facts), DataFileError)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Return the result that `save` wrote, its tensors on the CPU.

        Parameters
        ----------
        path
            The file.

        Raises
        ------
        DataFileError
            If the file is missing, damaged or holds another kind of result.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(str(path), framework="pt") as file:
                facts = file.metadata() or {}
                content = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            content |= json.loads(facts.get("values", "{}"))
        except (SafetensorError, OSError, ValueError, TypeError) as error:
            raise DataFileError(
                f"The result {path} is missing or damaged ({error}). Compute and save it again."
            ) from error
        found = facts.get("result", "something else")
        if found != cls.__name__ or content.keys() != _names(cls):
            raise DataFileError(
                f"{path} holds {found} with {', '.join(sorted(content)) or 'nothing'}; expected "
                f"{cls.__name__} with {', '.join(sorted(_names(cls)))}. Compute and save it again."
            )
        return cls(**content)


def _names(kind: Any) -> set[str]:
    return {field.name for field in fields(kind)}
