"""The addresses of cells, in a small book: of a chapter, and of a notebook that is none."""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_markdown_cell, new_notebook

ROOT = Path(__file__).parents[2]
CONFIG = f"""
import sys
sys.path.insert(0, {str(ROOT / "book" / "_ext")!r})
extensions = ["myst_nb", "cell_anchors"]
nb_execution_mode = "off"
html_theme = "basic"
"""
TOC = "```{toctree}\n04_waves\nnotes\nold\n```"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    source, target = (tmp_path_factory.mktemp(name) for name in ("source", "target"))
    (source / "conf.py").write_text(CONFIG)
    link = "{ref}`there <cell-4-slopes>`"
    for name, texts in {
        "index": ["# Book", TOC],
        "04_waves": ["# Waves", "They are steep."],
        "notes": ["# Notes", f"As {link}."],
        "old": ["# Old", "Before cells had names."],
    }.items():
        cells = [new_markdown_cell(text, id=f"{i}-of-it") for i, text in enumerate(texts)]
        cells[1].id = "slopes"
        notebook = new_notebook(cells=cells)
        if name == "old":
            notebook.nbformat_minor = 4
            for cell in cells:
                del cell["id"]
        nbformat.write(notebook, source / f"{name}.ipynb")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", source, target]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return target


def test_a_cell_of_a_chapter_can_be_linked_to(site):
    assert 'id="cell-slopes"' in (site / "04_waves.html").read_text()
    assert 'href="04_waves.html#cell-slopes"' in (site / "notes.html").read_text()


def test_a_notebook_without_a_number_has_addresses_too(site):
    assert 'id="cell-slopes"' in (site / "notes.html").read_text()


def test_a_notebook_whose_cells_have_no_names_has_none(site):
    assert 'id="cell-' not in (site / "old.html").read_text()
