"""The first cell of every chapter: what it does on Colab, and that it does nothing elsewhere."""

import importlib.metadata
import json
import sys
import types
from pathlib import Path

import pytest
import torch
from IPython.core.inputtransformer2 import TransformerManager
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import colab_cell
import colab_trial
from linked_environment import OFFLINE, link_environment

ROOT = Path(__file__).parents[1]
CHAPTERS = sorted((ROOT / "book" / "chapters").glob("*.ipynb"))


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_it_is_the_same_in_every_chapter(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    first = next(cell for cell in notebook["cells"] if cell["cell_type"] == "code")
    assert first["id"] == colab_cell.ID
    assert "".join(first["source"]) == colab_cell.text(), "run python tools/colab_cell.py"
    assert first["metadata"] == {"tags": ["remove-cell"]}


class Shell:
    """A stand-in for IPython, which notes what is asked of it."""

    def __init__(self):
        self.asked = []

    def run_line_magic(self, name, line):
        self.asked.append(f"%{name} {line}")


def run_the_cell(names=None):
    """Run the text as IPython does; return the magic commands that it gives."""
    shell = Shell()
    code = TransformerManager().transform_cell(colab_cell.text())
    names = {} if names is None else names
    names["get_ipython"] = lambda: shell
    exec(compile(code, "colab", "exec"), names)
    return shell.asked


@pytest.fixture
def on_colab(monkeypatch):
    google, colab = types.ModuleType("google"), types.ModuleType("google.colab")
    google.colab = colab
    monkeypatch.setitem(sys.modules, "google", google)
    monkeypatch.setitem(sys.modules, "google.colab", colab)


def test_elsewhere_it_does_nothing(monkeypatch, capsys):
    """Even where the package is missing: a reader's own environment is not ours to change."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert run_the_cell() == []
    assert capsys.readouterr().out == ""


def test_it_installs_nothing_where_the_package_is(on_colab, capsys):
    assert run_the_cell() == []
    assert capsys.readouterr().out == ""


def test_it_installs_the_package_and_keeps_torch(on_colab, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    names = {}
    (line,) = run_the_cell(names)
    assert line == '%pip install --quiet {kept} "{package}"'
    assert names["kept"] == "torch==" + importlib.metadata.version("torch")
    assert names["package"] == f"gahr-lib[notebook] @ git+{colab_trial.URL}"


def test_it_says_that_a_gpu_is_on(on_colab, monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Tesla T4")
    run_the_cell()
    (line,) = capsys.readouterr().out.splitlines()
    assert "GPU, Tesla T4" in line
    assert "book's scale" in line


def test_colabs_widgets_are_new_enough():
    """Colab has version 7.7.1 of ipywidgets, and shows no explorer where it is replaced by 8."""
    (widgets,) = (v for v in colab_trial.SEEN if v.startswith("ipywidgets"))
    project = colab_trial.tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [Requirement(line) for line in project["optional-dependencies"]["notebook"]]
    (ours,) = (requirement for requirement in asked if requirement.name == "ipywidgets")
    assert ours.specifier.contains(widgets.partition("==")[2])


def test_constraints_fit_what_a_chapter_asks_for(tmp_path):
    listed = tmp_path / "colab.txt"
    listed.write_text("absl-py==1.4.0\nIPYTHON==7.34.0\nnumpy==2.1.3\ntorch==2.11.0\n")
    assert colab_trial.wanted_there(listed) == ["ipython", "numpy", "torch"]


# A trial with real programs, but without a network.


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    folder = tmp_path_factory.mktemp("colab")
    python = link_environment(folder / "colab", folder / "links")
    colab_trial.add_colab(python)
    return python


@pytest.fixture(scope="module")
def commit(environment):
    return colab_trial.repository(environment.parents[2] / "source")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Colab is a Linux")
def test_a_published_chapter_runs_in_a_folder_of_its_own(environment, commit):
    folder = environment.parents[2]
    before = colab_trial.versions(environment)
    assert "gahr-lib" not in before
    notebook = colab_trial.published(CHAPTERS[0], commit, folder / "content")
    source = colab_trial.instead_of_the_address(folder / "source")
    variables = source | OFFLINE | {"OMP_NUM_THREADS": "1"}
    # Up to the cell that imports the package and takes the scale.
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    count = [cell["id"] for cell in cells].index("imports") + 1
    colab_trial.execute(notebook, environment, variables, count)

    after = colab_trial.versions(environment)
    assert {canonicalize_name(name) for name in after.keys() - before.keys()} == {"gahr-lib"}
    assert {name: after[name] for name in before} == before
    (record,) = (folder / "colab").glob("lib/python*/site-packages/gahr_lib-*/direct_url.json")
    installed = json.loads(record.read_text())
    assert installed["url"] == colab_trial.URL
    assert installed["vcs_info"]["commit_id"] == commit
    assert [path.name for path in (folder / "content").iterdir()] == [notebook.name]


def test_a_chapter_that_installs_from_elsewhere_is_refused(tmp_path):
    other = tmp_path / "other.ipynb"
    other.write_text('{"cells": ["git+https://example.org/other"]}')
    with pytest.raises(SystemExit, match="does not install"):
        colab_trial.published(other, "0" * 40, tmp_path / "content")
