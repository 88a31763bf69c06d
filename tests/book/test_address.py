"""Where the links of pages lead that were built here, in a fork, and for a release."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from address import Address, built_in

ROOT = Path(__file__).parents[2]
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
OURS = Address(CONFIG["repository"]["url"], CONFIG["repository"]["branch"])
NAME = OURS.url.rpartition("/")[2]
CHAPTER = "book/chapters/00_in_five_minutes"
PAGE = f"""# Title

[The source]({OURS.url}), [a file of it]({OURS.url}/blob/{OURS.ref}/README.md) at <{OURS.url}>,
<a href="{OURS.site}book/index.html">the pages</a>, and the work [of others](https://github.com/x/y).

```sh
git clone {OURS.url}
cd {NAME}
make book
```

```{{toctree}}
```
"""
COMMIT = "0123456789abcdef0123456789abcdef01234567"
FORK = {
    "GITHUB_REPOSITORY": "Some-Teacher/my-course",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REF_TYPE": "branch",
    "GITHUB_REF_NAME": "12/merge",
    "GITHUB_SHA": COMMIT,
}
RELEASE = FORK | {
    "GITHUB_REPOSITORY": OURS.url.removeprefix("https://github.com/"),
    "GITHUB_REF_TYPE": "tag",
    "GITHUB_REF_NAME": "v1.2.0",
}


def outside(environment):
    """The variables of this process, less those by which GitHub speaks."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith("GITHUB_")}
    return mine | environment


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """Builds a book of two pages, with the configuration of this one, and returns its pages."""

    def run(environment):
        folder = tmp_path_factory.mktemp("book")
        config = CONFIG | {"execute": {"execute_notebooks": "off"}}
        (folder / "_config.yml").write_text(yaml.safe_dump(config))
        (folder / "_toc.yml").write_text(
            f"format: jb-book\nroot: book/index\nchapters:\n- file: {CHAPTER}\n"
        )
        (folder / CHAPTER).parent.mkdir(parents=True)
        (folder / "book" / "index.md").write_text(PAGE)
        shutil.copy(ROOT / f"{CHAPTER}.ipynb", (folder / CHAPTER).parent)
        for name in ("_ext", "_root", "references.bib"):
            (folder / "book" / name).symlink_to(ROOT / "book" / name)
        (folder / "book" / "_static").mkdir()
        shutil.copy(ROOT / "book" / "_static" / "favicon.svg", folder / "book" / "_static")
        subprocess.run(
            [Path(sys.executable).with_name("jupyter-book"), "build", "-q", folder],
            check=True,
            capture_output=True,
            env=outside(environment),
        )
        return folder / "_build" / "html"

    return run


@pytest.fixture(scope="module")
def fork(build):
    return build(FORK)


def urls(text):
    return set(re.findall(r'href="(https://[^"]+)"', text))


def test_pages_of_a_fork_lead_to_the_fork(fork):
    source = "https://github.com/Some-Teacher/my-course"
    front = (fork / "book" / "index.html").read_text()
    chapter = (fork / f"{CHAPTER}.html").read_text()
    # What the author of the page wrote.
    assert {source, f"{source}/blob/main/README.md", "https://github.com/x/y"} <= urls(front)
    assert "https://some-teacher.github.io/my-course/book/index.html" in urls(front)
    clone = re.sub(r"<[^>]+>", "", re.search(r"<pre>(.*?)</pre>", front, re.DOTALL)[1])
    assert clone == f"git clone {source}\ncd my-course\nmake book\n"
    # What the theme adds.
    assert f"{source}/edit/main/book/index.md" in urls(front)
    assert any(url.startswith(f"{source}/issues/new?") for url in urls(front))
    lab = f"lab/tree/{CHAPTER}.ipynb"
    assert f"https://mybinder.org/v2/gh/Some-Teacher/my-course/main?urlpath={lab}" in urls(chapter)
    colab = "https://colab.research.google.com/github/Some-Teacher/my-course/blob/colab"
    assert f"{colab}/{CHAPTER}.ipynb" in urls(chapter)
    canonical = "https://some-teacher.github.io/my-course/book/index.html"
    assert f'<link rel="canonical" href="{canonical}"' in front
    assert f'<meta property="og:url" content="{canonical}"' in front
    # Nothing of the original is left on any page, nor in what pages offer for download.
    for path in fork.rglob("*"):
        if path.suffix in (".html", ".md", ".ipynb"):
            text = path.read_text(encoding="utf-8")
            assert OURS.url not in text, path
            assert OURS.site not in text, path


def test_notebooks_of_a_fork_install_its_package_of_this_commit(fork):
    (notebook,) = fork.rglob("_sources/**/*.ipynb")
    cells = ["".join(c["source"]) for c in json.loads(notebook.read_text())["cells"]]
    (install,) = (cell for cell in cells if "git+" in cell)
    assert f"git+https://github.com/Some-Teacher/my-course@{COMMIT}" in install
    original = json.loads((ROOT / f"{CHAPTER}.ipynb").read_text())["cells"]
    assert len(cells) == len(original)


def test_pages_of_a_release_lead_to_its_tag(build):
    site = build(RELEASE)
    front = (site / "book" / "index.html").read_text()
    chapter = (site / f"{CHAPTER}.html").read_text()
    assert {OURS.url, f"{OURS.url}/blob/v1.2.0/README.md"} <= urls(front)
    assert not [url for url in urls(front) if "/edit/" in url]  # a tag cannot be edited
    opened = [url for url in urls(chapter) if "mybinder" in url or "colab" in url]
    assert len(opened) == 2
    for url in opened:
        assert "/v1.2.0?" in url or "/blob/colab-v1.2.0/" in url


def test_without_a_workflow_the_address_is_that_of_the_configuration():
    assert built_in({}, OURS) == OURS
    assert built_in({"GITHUB_REPOSITORY": ""}, OURS) == OURS
    assert OURS.replace(PAGE, OURS) == PAGE


@pytest.mark.parametrize(
    ("repository", "site"),
    [
        ("Owner/Name", "https://owner.github.io/Name/"),
        ("Owner/owner.github.io", "https://owner.github.io/"),
    ],
)
def test_the_pages_are_where_github_publishes_them(repository, site):
    assert Address(f"https://github.com/{repository}", "main").site == site


@pytest.mark.parametrize("suffix", ["", ".git", "@main", "@v1.0.0", "@0123abc", "@a/branch"])
def test_what_a_notebook_installs_is_of_this_commit(suffix):
    fork = built_in(FORK, OURS)
    line = f'%pip install "gahr-lib[notebook] @ git+{fork.url}{suffix}"'
    assert fork.pin(line) == f'%pip install "gahr-lib[notebook] @ git+{fork.url}@{COMMIT}"'


@pytest.mark.parametrize("other", ["git+https://github.com/x/y", "git+{}-2", "{}@main"])
def test_what_comes_from_elsewhere_is_not_pinned(other):
    fork = built_in(FORK, OURS)
    assert fork.pin(other.format(fork.url)) == other.format(fork.url)
    assert OURS.pin(f"git+{OURS.url}") == f"git+{OURS.url}"  # the commit is not known


def test_an_address_within_an_address_is_replaced():
    fork = built_in(FORK, OURS)
    pull = "https://HUB/hub/user-redirect/git-pull?repo=https%3A%2F%2Fgithub.com%2F{}&branch=main"
    ours = OURS.url.removeprefix("https://github.com/").replace("/", "%2F")
    assert fork.replace(pull.format(ours), OURS) == pull.format("Some-Teacher%2Fmy-course")


def test_addresses_of_others_stay():
    fork = built_in(FORK, OURS)
    text = "git+https://github.com/x/y@main https://github.com/x/y/blob/main/a https://x.github.io/"
    assert fork.replace(text, OURS) == text
