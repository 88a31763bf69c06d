import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import preflight

SCRIPT = Path(preflight.__file__)


@pytest.mark.parametrize(
    ("version", "word"), [((3, 10, 4), "too old"), ((2, 7, 18), "too old"), ((3, 15, 0), "too new")]
)
def test_unfit_python_is_named_with_a_remedy(version, word):
    problem = preflight.python_problem(version)
    assert f"Python {'.'.join(map(str, version))} is {word}" in problem
    assert "make PYTHON=" in problem


@pytest.mark.parametrize("minor", [11, 12, 13, 14])
def test_fit_python_passes(minor):
    assert preflight.python_problem((3, minor, 0)) is None


@pytest.mark.parametrize("module", ["venv", "ensurepip"])
def test_missing_venv_names_the_package_to_install(module):
    problem = preflight.venv_problem(lambda name: None if name == module else object())
    assert module in problem
    assert "apt install python3-venv" in problem
    assert preflight.venv_problem(lambda name: object()) is None


def test_too_little_disk():
    problem = preflight.disk_problem(1.5 * preflight.GIB)
    assert "Only 1.5 GB are free" in problem
    assert "need 3 GB" in problem
    assert preflight.disk_problem(3 * preflight.GIB) is None


def test_hint_to_the_small_build_only_where_cuda_would_come():
    free = 5 * preflight.GIB
    assert "TORCH_INDEX" in preflight.disk_hint(free, "linux", None)
    assert preflight.disk_hint(free, "linux", "https://index.example/cpu") is None
    assert preflight.disk_hint(free, "darwin", None) is None
    assert preflight.disk_hint(9 * preflight.GIB, "linux", None) is None


@pytest.mark.parametrize(
    ("log", "words"),
    [
        ("ERROR: [Errno 28] No space left on device", "disk is full"),
        ("NewConnectionError(...): Temporary failure in name resolution", "cannot be reached"),
        ("ERROR: No matching distribution found for torch==2.13.0", "does not exist"),
        # Without a network pip also says that nothing matches: the network is the cause.
        (
            "Failed to establish a new connection\nERROR: No matching distribution found for torch",
            "cannot be reached",
        ),
        ("something else", "Its own message is above"),
    ],
)
def test_pip_failures_are_explained(tmp_path, log, words):
    assert words in preflight.explain_pip(log)
    file = tmp_path / "pip.log"
    file.write_text(log)
    run = subprocess.run([sys.executable, SCRIPT, file], capture_output=True, text=True)
    assert run.returncode == 1
    assert words in run.stderr


def test_runs_here():
    run = subprocess.run([sys.executable, SCRIPT], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_old_pythons_can_read_it():
    source = SCRIPT.read_text()
    ast.parse(source, feature_version=(3, 4))
    assert not any(isinstance(node, ast.JoinedStr) for node in ast.walk(ast.parse(source)))
    assert importlib.util.find_spec("preflight").origin == str(SCRIPT)
