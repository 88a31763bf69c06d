"""A file of the package imports only from its own folder and from the floors below."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "gahr_lib"
FLOORS = [
    {"errors"},
    {"_checks", "_files"},
    {"noise", "metrics", "bases"},
    {"data"},
    {"models"},
    {"training", "sampling", "weights"},
    {"analysis", "export", "inverse_problems", "schedules"},
    {"jobs"},
    {"zoo"},
    {"lab"},
    {"cli"},
    {"exercises", "claims", "figures"},
    {"widgets", "check", "record"},
]
FLOOR = {name: floor for floor, names in enumerate(FLOORS) for name in names}
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def modules_imported(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "gahr_lib":
            names = [f"gahr_lib.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        else:
            continue
        for name in names:
            if name.startswith("gahr_lib."):
                yield name.split(".")[1]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_downwards(path):
    ours = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    wrong = [
        theirs
        for theirs in modules_imported(path)
        if theirs != ours and FLOOR[theirs] >= FLOOR[ours]
    ]
    assert not wrong, f"{ours} (floor {FLOOR[ours]}) imports {wrong}"
