"""`tools/find_python.sh` with made-up Pythons on the path."""

import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "tools" / "find_python.sh"


@pytest.fixture
def find(tmp_path):
    def find_among(**pythons: bool) -> str:
        for name, fits in pythons.items():
            executable = tmp_path / name.replace("_", ".")
            executable.write_text(f"#!/bin/sh\nexit {int(not fits)}\n")
            executable.chmod(0o755)
        run = subprocess.run(
            ["/bin/sh", SCRIPT], env={"PATH": str(tmp_path)}, capture_output=True, text=True
        )
        return run.stdout.strip()

    return find_among


def test_the_users_own_python_comes_first(find):
    assert find(python3=True, python3_12=True) == "python3"


def test_a_newer_one_is_found_beside_an_old_python3(find):
    assert find(python3=False, python3_12=True) == "python3.12"


def test_an_unfit_one_is_named_if_it_is_all_there_is(find):
    assert find(python3=False).endswith("/python3")


def test_nothing_is_printed_if_there_is_none(find):
    assert find() == ""
