"""The API page has what the package offers."""

import importlib
import os
import pkgutil
import types
from pathlib import Path

import pytest
from sphinx.util.inventory import InventoryFile

import gahr_lib

ROOT = Path(__file__).parents[2]
INVENTORY = Path(os.environ.get("GAHR_SITE", ROOT / "_build" / "html")) / "objects.inv"
# A command, the right answers to the exercises, and what serves the laboratory are not for readers
# to import from; the page tells of them elsewhere or had better not.
NOT_FOR_READERS = {"gahr_lib.cli", "gahr_lib.exercises", "gahr_lib.lab"}
# What lies deeper in the package is offered by the module above it, or is a means.
MODULES = [
    importlib.import_module(name)
    for name in (
        "gahr_lib",
        *(m.name for m in pkgutil.iter_modules(gahr_lib.__path__, "gahr_lib.")),
    )
    if name not in NOT_FOR_READERS and "._" not in name
]
OFFERED = {
    f"{module.__name__}.{name}": getattr(module, name)
    for module in MODULES
    for name in module.__all__
    if not isinstance(getattr(module, name), types.ModuleType)
}


@pytest.fixture(scope="module")
def described():
    """The things that the API page describes, by the last part of their names."""
    assert INVENTORY.is_file(), "the book is not built: run make book"
    with INVENTORY.open("rb") as file:
        inventory = InventoryFile.load(file, "", lambda site, page: page)
    things = {}
    for kind in ("py:class", "py:data", "py:exception", "py:function"):
        for place, (_, _, page, _) in inventory[kind].items():
            assert page.startswith("book/appendix/api.html#"), place
            module, _, name = place.rpartition(".")
            things.setdefault(name, []).append(getattr(importlib.import_module(module), name))
    return things


def test_there_is_much_to_describe():
    assert len(OFFERED) > 150


@pytest.mark.parametrize("name", OFFERED)
def test_what_is_offered_is_described(name, described):
    # It may be offered in more places than the one where it is described.
    same = [x for x in described.get(name.rpartition(".")[2], ()) if x is OFFERED[name]]
    assert same, f"describe {name} in book/appendix/api.md"
