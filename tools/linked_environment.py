"""An environment like this one, made in a second and without a network, that lacks the project.

Its packages are links to those of the Python that runs. So pip finds everything there but
`gahr-lib`, installs that as a reader's does, and leaves the environment that runs alone.
"""

import os
import re
import sys
import sysconfig
import venv
from pathlib import Path

# With these pip takes what is there and asks nobody.
OFFLINE = {
    "PIP_CONFIG_FILE": os.devnull,
    "PIP_NO_INDEX": "1",
    "PIP_NO_BUILD_ISOLATION": "0",  # a switch that is turned round: 0 means without isolation
}

_PROJECT = re.compile(r"(__editable__.*|_editable_impl_)?gahr_lib")


def link_environment(folder: Path, links: Path) -> Path:
    """Make an environment whose packages are links, which lie in another folder.

    Returns
    -------
    Path
        Its Python.
    """
    venv.create(folder, with_pip=False, symlinks=True)
    links.mkdir(parents=True)
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        # Files *.pth say where projects are that are installed as editable, this one among them.
        if not _PROJECT.match(path.name) and path.suffix != ".pth":
            (links / path.name).symlink_to(path)
    (site,) = (folder / "lib").glob("python*/site-packages")
    (site / "links.pth").write_text(f"{links}\n")
    for name in ("share/jupyter", "etc/jupyter"):  # JupyterLab's pages, kernels and extensions
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).symlink_to(Path(sys.prefix, name))
    _copy_commands(Path(sys.executable).parent, folder / "bin")
    return folder / "bin" / "python"


def _copy_commands(source: Path, target: Path) -> None:
    """Copy scripts, whose head names the Python that runs them; programs become links."""
    for path in source.iterdir():
        if (target / path.name).exists() or path.name.startswith(("python", "activate", "gahr")):
            continue
        with path.open("rb") as file:
            is_script = file.read(2) == b"#!"
        if is_script:
            text = path.read_text(encoding="utf-8")
            # Not always in the first line: pip puts a path with spaces, or a long one, below it.
            text = text.replace(f"{source}/python", f"{target}/python", 1)
            (target / path.name).write_text(text, encoding="utf-8")
            (target / path.name).chmod(0o755)
        else:
            (target / path.name).symlink_to(path)
