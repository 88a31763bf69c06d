"""Try here what Colab does with a chapter: tools/colab_trial.py [--constraints FILE] [CHAPTER].

The chapter runs as the only file of a folder, in an environment that lacks the package and has a
module `google.colab`; there its first cell installs the package from the address that it names, as
a notebook does that was published. Git is told that this address is a copy of the working tree. The
trial fails if pip replaced anything that was there before.

The environment has the versions in FILE, or else those of `SEEN`.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

import nbformat
import yaml
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
FIRST = ROOT / "book" / "chapters" / "00_in_five_minutes.ipynb"
URL = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["repository"]["url"]

# What the package is built from.
SOURCES = ("gahr_lib", "tools", "*.md", "CITATION.cff", "LICENSE*", "pyproject.toml")

# A part of what Colab had in September 2026; the rest is as new as these allow. PyTorch is missing
# here: Colab had 2.11, of which no index has a small build for all machines.
SEEN = (
    "ipykernel==6.17.1",
    "ipython==7.34.0",
    "ipywidgets==7.7.1",
    "matplotlib==3.10.0",
    "numpy==2.1.3",
)

COLAB = """\
\"\"\"What `import google.colab` finds in a trial.\"\"\"
from . import output
"""
OUTPUT = """\
def enable_custom_widget_manager():
    print("Colab's own widget manager is on.")
"""


def run(*command: str | Path) -> str:
    """Run a command and return what it says; if it fails, show that."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def repository(folder: Path) -> str:
    """Make a repository of the working tree in a new folder; return its only commit."""
    folder.mkdir()
    for pattern in SOURCES:
        for path in ROOT.glob(pattern):
            if path.is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(path, folder / path.name, ignore=ignored)
            else:
                shutil.copy(path, folder)
    who = ("-c", "user.name=trial", "-c", "user.email=trial@localhost")
    git = ("git", "-C", folder, *who, "-c", "commit.gpgsign=false")  # nobody is there to sign
    run(*git, "init", "--quiet")
    run(*git, "add", "--all")
    run(*git, "commit", "--quiet", "--message", "The working tree")
    return run(*git, "rev-parse", "HEAD").strip()


def instead_of_the_address(folder: Path) -> dict[str, str]:
    """Return variables with which Git takes a folder for the address of the source."""
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{folder.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": URL,
    }


def add_colab(python: Path) -> None:
    """Put the module into an environment."""
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    package = Path(run(python, "-c", where).strip()) / "google" / "colab"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(COLAB)
    (package / "output.py").write_text(OUTPUT)


def published(chapter: Path, commit: str, folder: Path) -> Path:
    """Copy a chapter into a new folder as it is published: it installs what a commit holds."""
    folder.mkdir()
    text = chapter.read_text(encoding="utf-8")
    if text.count(f"git+{URL}") != 1:
        sys.exit(f"{chapter.name} does not install the package from {URL}.")
    copy = folder / chapter.name
    copy.write_text(text.replace(f"git+{URL}", f"git+{URL}@{commit}"), encoding="utf-8")
    return copy


def execute(notebook: Path, python: Path, variables: dict[str, str], cells: int | None) -> str:
    """Run the first cells of a notebook in an environment; return what its code cells print."""
    kernel = notebook.parent.parent / "share" / "kernels" / "trial"
    kernel.mkdir(parents=True, exist_ok=True)
    command = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": command, "display_name": "trial", "language": "python", "env": variables}
    (kernel / "kernel.json").write_text(json.dumps(spec))
    os.environ["JUPYTER_PATH"] = str(kernel.parents[1])
    content = nbformat.read(notebook, as_version=4)
    content.cells = content.cells[:cells]
    resources = {"metadata": {"path": str(notebook.parent)}}
    client = NotebookClient(content, timeout=600, kernel_name="trial", resources=resources)
    try:
        client.execute()
    except CellExecutionError as error:
        sys.exit(f"{said(content)}\n{error}")
    return said(content)


def said(notebook: nbformat.NotebookNode) -> str:
    """Return what the cells of a notebook have printed."""
    outputs = [o for c in notebook.cells if c.cell_type == "code" for o in c.outputs]
    return "".join(o.text for o in outputs if o.output_type == "stream")


def versions(python: Path) -> dict[str, str]:
    """Return what is installed in an environment."""
    code = (
        "import importlib.metadata as m, json;"
        "print(json.dumps({d.name.lower(): d.version for d in m.distributions()}))"
    )
    return dict(json.loads(run(python, "-c", code)))


def wanted_there(constraints: Path) -> list[str]:
    """Return what a chapter asks for and Colab's list names, and the kernel."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = project["dependencies"] + project["optional-dependencies"]["notebook"]
    names = {Requirement(line).name.lower() for line in asked} | {"ipykernel", "ipython"}
    lines = constraints.read_text(encoding="utf-8").splitlines()
    return sorted(names & {Requirement(line).name.lower() for line in lines})


def environment(folder: Path, constraints: Path | None) -> Path:
    """Make an environment as on Colab; return its Python."""
    venv.create(folder, with_pip=True, symlinks=True)
    python = folder / "bin" / "python"
    install = (python, "-m", "pip", "install", "--quiet")
    index = os.environ.get("TORCH_INDEX")
    indexes = ["--extra-index-url", index] if index else []
    if constraints is None:
        run(*install, *indexes, "torch", *SEEN)
    else:
        run(*install, *indexes, "--constraint", constraints, *wanted_there(constraints))
    add_colab(python)
    return python


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("chapter", nargs="?", type=Path, default=FIRST)
    parser.add_argument("--constraints", type=Path, help="of tools/colab_constraints.py")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        commit = repository(scratch / "source")
        python = environment(scratch / "colab", arguments.constraints)
        before = versions(python)
        notebook = published(arguments.chapter, commit, scratch / "content")
        variables = instead_of_the_address(scratch / "source")
        print(execute(notebook, python, variables, None))
        after = versions(python)
    new = {name: version for name, version in after.items() if name not in before}
    print("Was there:", ", ".join(f"{name} {version}" for name, version in before.items()))
    print("Installed:", ", ".join(f"{name} {version}" for name, version in new.items()))
    replaced = [name for name in before if after.get(name) != before[name]]
    if replaced:
        sys.exit(f"Replaced, although it was there: {', '.join(replaced)}.")
    if "gahr-lib" not in new:
        sys.exit("The first cell did not install the package.")


if __name__ == "__main__":
    main()
