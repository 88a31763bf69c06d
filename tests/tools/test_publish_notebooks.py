import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "tools" / "publish_notebooks.sh"
NOTEBOOK = "book/chapters/01_a.ipynb"


def git(folder, *arguments):
    return subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
    ).stdout


def publish(*arguments):
    return subprocess.run([SCRIPT, *arguments], capture_output=True, text=True)


@pytest.fixture
def remote(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")  # as on a machine that nobody set up
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")
    git(tmp_path, "init", "--quiet", "--bare", "remote.git")
    return tmp_path / "remote.git"


@pytest.fixture
def site(tmp_path):
    sources = tmp_path / "a site" / "_sources"
    (sources / "book" / "chapters").mkdir(parents=True)
    (sources / NOTEBOOK).write_text("{}")
    (sources / "book" / "index.md").write_text("# Title")
    return sources.parent


def test_the_branch_holds_the_notebooks_alone(site, remote):
    assert publish(site, remote, "colab").returncode == 0
    assert git(remote, "ls-tree", "-r", "--name-only", "colab").split() == [NOTEBOOK]
    assert git(remote, "show", f"colab:{NOTEBOOK}") == "{}"


def test_a_later_publication_replaces_the_branch_and_no_other(site, remote):
    publish(site, remote, "colab-v1.0.0")
    publish(site, remote, "colab")
    (site / "_sources" / NOTEBOOK).write_text('{"later": 1}')
    assert publish(site, remote, "colab").returncode == 0
    assert git(remote, "show", f"colab:{NOTEBOOK}") == '{"later": 1}'
    assert git(remote, "rev-list", "--count", "colab").strip() == "1"
    assert git(remote, "show", f"colab-v1.0.0:{NOTEBOOK}") == "{}"


def test_the_site_is_left_as_it_was(site, remote):
    publish(site, remote, "colab")
    assert (site / "_sources" / "book" / "index.md").is_file()


def test_a_site_without_notebooks_is_refused(site, remote):
    (site / "_sources" / NOTEBOOK).unlink()
    done = publish(site, remote, "colab")
    assert done.returncode == 1
    assert "has no notebooks" in done.stderr
    assert git(remote, "branch") == ""


def test_arguments_that_are_missing_are_asked_for(site):
    done = publish(site)
    assert done.returncode == 2
    assert "usage" in done.stderr
