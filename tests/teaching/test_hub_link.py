"""The guide's link to a JupyterHub is the one that the launch button of a chapter gets."""

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import nbformat
import yaml

ROOT = Path(__file__).parents[2]
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
REPOSITORY = CONFIG["repository"]["url"]

CONFIGURATION = """
project, author = "book", "nobody"
extensions = ["myst_nb"]
nb_execution_mode = "off"
html_theme = "sphinx_book_theme"
html_theme_options = {
    "repository_url": %r,
    "repository_branch": "main",
    "path_to_docs": "book/chapters",
    "use_repository_button": True,
    "launch_buttons": {"notebook_interface": %r, "jupyterhub_url": "https://HUB"},
}
"""


def button(folder: Path) -> str:
    """Build a book of one chapter for the hub, and return the address on its button."""
    interface = CONFIG["launch_buttons"]["notebook_interface"]
    (folder / "conf.py").write_text(CONFIGURATION % (REPOSITORY, interface))
    cells = [nbformat.v4.new_markdown_cell("# A chapter"), nbformat.v4.new_code_cell("1 + 1")]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), folder / "index.ipynb")
    subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", folder, folder / "html"],
        check=True,
        capture_output=True,
    )
    html = (folder / "html" / "index.html").read_text(encoding="utf-8")
    (link,) = set(re.findall(r'href="([^"]*git-pull[^"]*)"', html))
    return link.replace("&amp;", "&")


def test_the_guide_describes_the_link_of_the_button(tmp_path):
    guide = (ROOT / "book" / "appendix" / "teaching.md").read_text(encoding="utf-8")
    (pattern,) = re.findall(r"^https://HUB/hub/\S+$", guide, flags=re.MULTILINE)
    address = re.search(r"`(https%3A\S+)`", guide)[1]
    described = (
        pattern.replace("REPOSITORY", address)
        .replace("BRANCH", "main")
        .replace("FOLDER", REPOSITORY.rpartition("/")[2])
        .replace("FILE", "book/chapters/index.ipynb")
    )
    found = button(tmp_path)
    ours, theirs = (
        dict(p.split("=") for p in u.split("?")[1].split("&")) for u in (described, found)
    )
    assert described.split("?")[0] == found.split("?")[0]
    assert {k: unquote(v) for k, v in ours.items()} == {k: unquote(v) for k, v in theirs.items()}
