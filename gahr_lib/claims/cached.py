"""Cached results for claims: those that the networks of today have given, and no others."""

from typing import TypeVar

from gahr_lib.analysis.results import Result
from gahr_lib.errors import DataFileError
from gahr_lib.zoo.results import is_current_result, load_result

__all__ = ["current_result"]

_Kind = TypeVar("_Kind", bound=Result)


def current_result(name: str, kind: type[_Kind]) -> _Kind:
    """Return a cached result.

    Raises
    ------
    ConfigError
        If there is no such result, or it is of another kind.
    DataFileError
        If it is missing or damaged, or made of other networks than those that are there.
    """
    if not is_current_result(name):
        raise DataFileError(
            f"The result {name} is damaged, or made of other networks than those that are there. "
            "Make it again with gahr zoo build."
        )
    return load_result(name, kind)
