"""Build the package, install it into a new environment, and use it.

    python tools/clean_install.py [DIST]

What was built stays in the folder DIST, if one is named. It needs the package `build` and a package
index. As for make, the variable TORCH_INDEX names one of PyTorch's own, for the small build; what
is installed is of the newest versions.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command, show what it says, and return that; if it fails, end with it."""
    print("$", *command, flush=True)
    done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, text=True)
    print(done.stdout, flush=True)
    if done.returncode:
        sys.exit("The last command failed; what it says stands above.")
    return done.stdout


def of_the_book() -> set[str]:
    """Return what only the notebooks and the book need, which come as extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    names = {Requirement(line).name for line in extras["notebook"] + extras["book"]}
    return {canonicalize_name(name) for name in names - {project["name"]}}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dist", nargs="?", type=Path, metavar="DIST")
    kept = parser.parse_args().dist
    index = os.environ.get("TORCH_INDEX")
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        dist = kept.resolve() if kept else scratch / "dist"
        # The source distribution, and the wheel from it: a file that the first lacks is missed.
        run(sys.executable, "-m", "build", "--outdir", dist, ROOT, cwd=scratch)
        (wheel,) = dist.glob("*.whl")
        venv.create(scratch / "clean", with_pip=True, symlinks=True)
        python = scratch / "clean" / "bin" / "python"
        from_torch = ["--extra-index-url", index] if index else []
        run(python, "-m", "pip", "install", "--quiet", *from_torch, wheel, cwd=scratch)
        run(python, "-m", "pip", "check", cwd=scratch)
        listed = run(python, "-m", "pip", "list", "--format", "json", cwd=scratch)
        installed = {canonicalize_name(package["name"]) for package in json.loads(listed)}
        if too_many := installed & of_the_book():
            sys.exit(f"Installed without having been asked for: {', '.join(sorted(too_many))}.")
        run(python, "-I", "-W", "error", ROOT / "tools" / "smoke.py", cwd=scratch)


if __name__ == "__main__":
    main()
