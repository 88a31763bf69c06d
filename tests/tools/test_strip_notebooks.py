import copy
import json
import subprocess
import sys

import pytest

import strip_notebooks


def code_cell(source, outputs=(), count=7, **metadata):
    return {
        "cell_type": "code",
        "id": "a",
        "source": [source],
        "outputs": list(outputs),
        "execution_count": count,
        "metadata": metadata,
    }


PRINTED = {"output_type": "stream", "name": "stdout", "text": ["3\n"]}
WARNED = {"output_type": "stream", "name": "stderr", "text": ["careful\n"]}
VALUE = {
    "output_type": "execute_result",
    "data": {"text/plain": ["3"], "text/html": ["<b>3</b>"], "image/png": "AAAA"},
    "metadata": {"isolated": True},
    "execution_count": 7,
}
FIGURE = {
    "output_type": "display_data",
    "data": {"image/png": "AAAA", "text/plain": ["<Figure>"]},
    "metadata": {},
}


@pytest.fixture
def notebook():
    return {
        "cells": [
            {
                "cell_type": "markdown",
                "id": "b",
                "source": ["text"],
                "metadata": {"editable": True},
            },
            code_cell("3", [VALUE, PRINTED, FIGURE], mystnb={"image": {"alt": "x"}}, scrolled=True),
            code_cell("# NBVAL_CHECK_OUTPUT\n3", [VALUE, PRINTED, WARNED, FIGURE], tags=["t"]),
        ],
        "metadata": {"kernelspec": {"name": "my-env"}, "widgets": {"state": {}}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def test_outputs_go_and_the_sources_stay(notebook):
    before = copy.deepcopy(notebook)
    _, plain, _ = strip_notebooks.stripped(notebook)["cells"]
    assert plain == {**before["cells"][1], **{"outputs": [], "execution_count": None}} | {
        "metadata": {"mystnb": {"image": {"alt": "x"}}}
    }
    assert notebook == before


def test_text_of_marked_cells_is_kept_for_nbval(notebook):
    marked = strip_notebooks.stripped(notebook)["cells"][2]
    assert marked["outputs"] == [
        {**VALUE, "data": {"text/plain": ["3"]}, "metadata": {}, "execution_count": 1},
        PRINTED,
    ]
    assert marked["execution_count"] == 1
    assert marked["metadata"] == {"tags": ["t"]}


def test_metadata_of_the_machine_goes(notebook):
    metadata = strip_notebooks.stripped(notebook)["metadata"]
    assert metadata["kernelspec"]["name"] == "python3"
    assert "widgets" not in metadata


def test_stripping_twice_changes_nothing(notebook):
    once = strip_notebooks.stripped(notebook)
    assert strip_notebooks.stripped(once) == once


def test_check_names_the_file_and_leaves_it(tmp_path, notebook):
    file = tmp_path / "chapter.ipynb"
    text = json.dumps(notebook)
    file.write_text(text)
    command = [sys.executable, strip_notebooks.__file__]
    checked = subprocess.run([*command, "--check", file], capture_output=True, text=True)
    assert checked.returncode == 1
    assert "chapter.ipynb" in checked.stdout
    assert file.read_text() == text
    subprocess.run([*command, file], check=True, capture_output=True)
    subprocess.run([*command, "--check", file], check=True)
