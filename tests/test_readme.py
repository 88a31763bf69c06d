"""The code of the README runs as it is pasted.

What takes minutes, a new clone and its built book, is in tests/browser/test_newcomer.py.
"""

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
import tomllib

import pytest
from PIL import Image

import readme
from colab_trial import URL
from gahr_lib.weights import load_network
from readme import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_first_lines_build_and_test():
    first_block = re.search(r"```sh\n(.*?)```", readme.TEXT, flags=re.DOTALL)
    assert readme.TEXT[: first_block.start()].count("\n") <= 4
    lines = [line.split("#")[0].split() for line in first_block[1].splitlines()]
    assert lines == [
        ["git", "clone", URL],
        ["cd", URL.rpartition("/")[2]],
        ["make", "book"],
        ["make", "test"],
    ]


def test_the_example_prints_eigenvalues_that_shrink():
    (example,) = re.findall(r"```python\n(.*?)```", readme.TEXT, flags=re.DOTALL)
    assert example.count("\n") <= 12
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(example, "README.md", "exec"), {})
    before, after = (float(n) for n in re.findall(r"([\d.]+) dB", printed.getvalue()))
    assert before < 21 < after
    listed = re.search(r"\[(.*)\]", printed.getvalue(), flags=re.DOTALL)[1]
    values = [float(value) for value in listed.split(",")]
    assert values == sorted(values, reverse=True)
    assert 0.5 < values[0] < 2


def test_pictures_and_links_exist_and_are_described():
    pictures = re.findall(r"!\[(.*?)\]\((.*?)\)", readme.TEXT)
    assert pictures
    for alt, path in pictures:
        assert len(alt) >= 20
        assert (ROOT / path).is_file(), path
    for path in re.findall(r"\]\(([^):\s]+)\)", readme.TEXT):
        assert (ROOT / path).is_file(), path


@pytest.mark.parametrize("block", readme.BLOCKS, ids=lambda block: block.splitlines()[-1])
def test_commands_are_a_script(block):
    done = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_targets_of_make_exist():
    targets = set(re.findall(r"\bmake ([a-z]+)", readme.TEXT))
    assert {"book", "test", "serve", "pdf", "offline"} <= targets
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_extras_exist():
    extras = set(re.findall(r"\.\[(\w+)\]", readme.TEXT))
    assert {"notebook", "train"} <= extras <= PROJECT["optional-dependencies"].keys()


def test_make_book_brings_what_the_notebooks_and_tests_need():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    installed = re.search(r"--editable '\.\[([\w,]+)\]'", makefile)[1].split(",")
    asked = " ".join(line for e in installed for line in PROJECT["optional-dependencies"][e])
    for program in ("jupyter lab", "pytest"):
        assert program.replace(" ", "") in asked
    assert (ROOT / readme.NOTEBOOKS.split("jupyter lab ")[1].strip()).is_dir()


def test_the_test_of_one_file_passes():
    """With the Python that runs, whose environment need not be called .venv."""
    command, file = readme.TEST.split("#")[0].split()
    assert command == ".venv/bin/pytest"
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", file], cwd=ROOT)
    assert done.returncode == 0


@pytest.mark.slow
def test_images_of_ones_own_train_a_network(tmp_path):
    """As the README says, but for five steps, and without curves and samples."""
    (line,) = (line for line in readme.TRAIN.splitlines() if "--data" in line)
    program, *options = shlex.split(line)
    assert program == "gahr"
    folder = tmp_path / options[options.index("--data") + 1]
    folder.mkdir(parents=True)
    for i in range(20):
        Image.new("RGB", (50 + i, 60), (12 * i, 100, 20)).save(folder / f"{i}.png")
    done = subprocess.run(
        [sys.executable, "-m", "gahr_lib.cli", *options, "--steps", "5", "--no-tensorboard"],
        cwd=tmp_path,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    (weights,) = tmp_path.glob("runs/*/weights.safetensors")
    assert load_network(weights).image_shape == (3, 48, 48)
