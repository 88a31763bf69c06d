"""Binder's environment: what environment.yml, pyproject.toml and constraints.txt say together."""

import re
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

import chapter_memory

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ENVIRONMENT = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
PINS = [
    Requirement(line.split("#")[0])
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if line.split("#")[0].strip()
]


def from_pip() -> list[str]:
    """The lines that conda hands to pip."""
    (lines,) = (d["pip"] for d in ENVIRONMENT["dependencies"] if isinstance(d, dict))
    return lines


def option(name: str) -> str:
    """The value of an option that one of the lines gives to pip."""
    (line,) = (line for line in from_pip() if line.startswith(f"--{name}"))
    return line.removeprefix(f"--{name}").strip(" =")


def test_binder_reads_this_file_and_no_other():
    """It would prefer a folder `binder` and a Dockerfile, and leave out requirements.txt."""
    others = ("binder", ".binder", "Dockerfile", "requirements.txt", "runtime.txt", "Pipfile")
    assert not [name for name in others if (ROOT / name).exists()]


def test_it_is_what_conda_expects():
    assert ENVIRONMENT.keys() == {"name", "channels", "dependencies"}
    assert ENVIRONMENT["channels"] == ["conda-forge"]
    python, pip, last = ENVIRONMENT["dependencies"]
    version = re.fullmatch(r"python=(3\.\d+)", python)[1]
    assert version in SpecifierSet(PROJECT["requires-python"])
    assert pip == "pip"  # without it conda warns, and takes one that it chooses
    assert last.keys() == {"pip"}
    assert [line.split()[0] for line in from_pip()] == [
        "--extra-index-url",
        "--constraint",
        "--editable",
    ]


def test_python_is_that_of_the_checks():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "checks.yml").read_text())
    (setup,) = (s for s in workflow["jobs"]["test"]["steps"] if "setup-python" in str(s))
    assert f"python={setup['with']['python-version']}" in ENVIRONMENT["dependencies"]


def test_it_installs_what_chapters_need_in_the_locked_versions():
    """As an editable install: a chapter that a reader changes uses the package beside it."""
    assert (ROOT / option("constraint")).samefile(ROOT / "constraints.txt")
    path, extra = re.fullmatch(r"(\S+)\[(\w+)\]", option("editable")).groups()
    assert (ROOT / path).samefile(ROOT)
    assert extra == "notebook"
    asked = PROJECT["dependencies"] + PROJECT["optional-dependencies"][extra]
    for requirement in map(Requirement, asked):
        pins = [p for p in PINS if canonicalize_name(p.name) == canonicalize_name(requirement.name)]
        assert pins, requirement
        for pin in pins:
            (version,) = pin.specifier
            assert requirement.specifier.contains(version.version), pin


def test_pytorch_is_the_small_build():
    """Of equal versions pip takes the one with a label, and that index has only `+cpu`."""
    (index,) = re.findall(r"TORCH_INDEX=(https\S+)\"", (ROOT / "Makefile").read_text())
    assert option("extra-index-url") == index
    assert index.endswith("/cpu")
    (pin,) = (p for p in PINS if p.name == "torch")
    (locked,) = pin.specifier
    small = Version(f"{locked.version}+cpu")
    assert pin.specifier.contains(small)
    assert small > Version(locked.version)


# How much memory chapters take. All seven take minutes: the weekly workflow measures them.


def notebook(path: Path, source: str) -> Path:
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)]), path)
    return path


@pytest.mark.filterwarnings("ignore")  # of Jupyter, about how it speaks with its kernels
def test_the_memory_of_a_kernel_is_measured(tmp_path, monkeypatch, capsys):
    source = "import os; held = bytearray(os.urandom(1)) * 300_000_000"
    large = notebook(tmp_path / "large.ipynb", source)
    small = notebook(tmp_path / "small.ipynb", "")
    peaks = {path: chapter_memory.peak_memory(path) for path in (large, small)}
    assert 250e6 < peaks[large] - peaks[small] < 400e6
    monkeypatch.setattr(chapter_memory, "peak_memory", peaks.get)
    limit = f"--limit={peaks[large] - 1}"
    monkeypatch.setattr(sys, "argv", ["chapter_memory.py", limit, str(small), str(large)])
    with pytest.raises(SystemExit, match="large"):
        chapter_memory.main()
    assert "small" in capsys.readouterr().out


def test_a_chapter_may_take_less_than_binder_gives():
    assert chapter_memory.LIMIT + chapter_memory.SERVER <= 2 * 10**9
