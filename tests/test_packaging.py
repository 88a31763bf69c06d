"""What is published as gahr-lib: complete, alone, and described."""

import email
import os
import re
import runpy
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LIMIT = 100 * 2**20  # bytes of one file that the package index takes

# Modules that only extras install.
OF_EXTRAS = [
    *("anywidget", "filelock", "IPython", "ipywidgets", "lightning", "lightning_fabric"),
    *("matplotlib", "onnx", "onnxscript", "skimage", "snakemake", "tensorboard", "typer", "yaml"),
]
ALONE = [sys.executable, "-I"]  # without the folders of this project
WITHOUT_EXTRAS = f"""
import runpy, sys
sys.modules.update(dict.fromkeys({OF_EXTRAS}))  # an import of one of them fails
sys.path.insert(0, sys.argv[1])
runpy.run_path(sys.argv[2], run_name="__main__")
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built as the index gets it: from the source distribution."""
    folder = tmp_path_factory.mktemp("dist")
    (sdist,) = SdistBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    with tarfile.open(sdist) as tar:
        tar.extractall(folder, filter="data")
    (source,) = (path for path in folder.iterdir() if path.is_dir())
    (wheel,) = WheelBuilder(str(source)).build(directory=str(folder), versions=["standard"])
    return Path(wheel)


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    zipfile.ZipFile(wheel).extractall(folder)
    return folder


def test_wheel_holds_every_file_of_the_package(wheel):
    held = set(zipfile.ZipFile(wheel).namelist())
    package = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "gahr_lib").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert package <= held
    assert "gahr_lib/py.typed" in held
    assert any(name.endswith("licenses/LICENSE") for name in held)
    assert {name.split("/")[0] for name in held} == {
        "gahr_lib",
        f"gahr_lib-{PROJECT['version']}.dist-info",
    }


def test_the_index_takes_the_files(wheel):
    for file in wheel.parent.glob("gahr_lib-*.*"):
        if file.is_file():
            assert file.stat().st_size < LIMIT, file.name


def test_installed_package_works_without_any_extra(installed):
    done = subprocess.run(
        [*ALONE, "-W", "error", "-c", WITHOUT_EXTRAS, installed, ROOT / "tools" / "smoke.py"],
        capture_output=True,
        text=True,
        cwd=installed,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"gahr_lib {PROJECT['version']} in {installed / 'gahr_lib'}\n")
    assert "Denoising gained" in done.stdout


def test_the_command_says_what_it_lacks(installed):
    code = WITHOUT_EXTRAS.replace("runpy.run_path(sys.argv[2]", "runpy.run_module('gahr_lib.cli'")
    done = subprocess.run([*ALONE, "-c", code, installed], capture_output=True, text=True)
    assert done.returncode == 2
    assert "pip install" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_is_needed_is_little():
    """torch, NumPy, and what the analysis takes; the book and its explorers are extras."""
    assert {canonicalize_name(Requirement(line).name) for line in PROJECT["dependencies"]} == {
        "numpy",
        "pillow",
        "pooch",
        "pywavelets",
        "safetensors",
        "scipy",
        "torch",
        "torchmetrics",
        "tqdm",
    }


def test_metadata_describes_the_package(installed):
    (folder,) = installed.glob("*.dist-info")
    metadata = email.message_from_string((folder / "METADATA").read_text(encoding="utf-8"))
    assert metadata["Name"] == "gahr-lib"
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Description-Content-Type"] == "text/markdown"
    links = dict(entry.split(", ", 1) for entry in metadata.get_all("Project-URL"))
    assert {"Homepage", "Documentation", "Source", "Issues", "Changelog"} <= links.keys()
    classifiers = metadata.get_all("Classifier")
    assert "Typing :: Typed" in classifiers
    for version in ("3.11", "3.12", "3.13", "3.14"):
        assert f"Programming Language :: Python :: {version}" in classifiers


def test_pictures_of_the_readme_are_seen_on_the_index(installed):
    """There the README stands alone: a relative link leads nowhere."""
    (folder,) = installed.glob("*.dist-info")
    text = (folder / "METADATA").read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    assert targets
    assert [target for target in targets if not target.startswith("https://")] == []


def test_names_of_the_book_are_those_of_clean_install():
    """The weekly workflow looks for them where the package is installed alone."""
    names = runpy.run_path(str(ROOT / "tools" / "clean_install.py"))["of_the_book"]()
    assert {"anywidget", "ipywidgets", "jupyter-book", "matplotlib"} <= names
    assert not names & {canonicalize_name(Requirement(d).name) for d in PROJECT["dependencies"]}


def test_clean_install_shows_what_a_command_says_that_fails(tmp_path, capsys):
    run = runpy.run_path(str(ROOT / "tools" / "clean_install.py"))["run"]
    with pytest.raises(SystemExit, match="failed"):
        run(sys.executable, "-c", "print('a is missing'); raise SystemExit(1)", cwd=tmp_path)
    assert "a is missing" in capsys.readouterr().out
