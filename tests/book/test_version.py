"""What pages say of the version that they belong to."""

import importlib.metadata
import os
import re
import subprocess
from pathlib import Path

import pytest

from version_in_footer import describe

ROOT = Path(__file__).parents[2]
SITE = Path(os.environ.get("GAHR_SITE", ROOT / "_build" / "html")).resolve()
VERSION = f"gahr_lib {importlib.metadata.version('gahr-lib')}"


def test_every_page_says_its_version_and_leads_to_the_others():
    pages = [*SITE.glob("book/**/*.html"), SITE / "search.html", SITE / "genindex.html"]
    said = set()
    for page in pages:
        text = page.read_text(encoding="utf-8")
        (version,) = re.findall(r'<span class="book-version">(.*?)</span>', text)
        (link,) = re.findall(r'<a class="book-versions" href="(.*?)"', text)
        assert (page.parent / link).resolve() == SITE / "versions.html", page
        said.add(version)
    (version,) = said  # the same on all
    assert_complete(version)


def test_every_lecture_says_its_version():
    lectures = sorted(SITE.glob("slides/*.html"))
    assert len(lectures) == 4
    for lecture in lectures:
        text = lecture.read_text(encoding="utf-8")
        (version,) = re.findall(r'<span class="book-version">(.*?)</span>', text)
        assert_complete(version)


def assert_complete(version):
    assert version.startswith(VERSION)
    if (ROOT / ".git").exists():
        assert re.search(r", commit [0-9a-f]{10,} of \d{4}-\d\d-\d\d", version)


@pytest.fixture
def clone(tmp_path, monkeypatch):
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, "/dev/null")
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "nobody")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "nobody@localhost")
        monkeypatch.setenv(f"GIT_{who}_DATE", "2026-02-28T23:30:00-0500")
    (tmp_path / "page.md").write_text("one")
    for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-m", "One"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    return tmp_path


def test_a_clone_has_its_commit_and_the_date_of_that(clone):
    name = subprocess.run(
        ["git", "rev-parse", "--short=10", "HEAD"], cwd=clone, capture_output=True, text=True
    ).stdout.strip()
    assert describe(clone) == f"{VERSION}, commit {name} of 2026-02-28"
    assert describe(clone) == describe(clone)


def test_changes_since_the_commit_are_told(clone):
    (clone / "new.md").write_text("not yet followed by git, as what a build writes")
    assert "later changes" not in describe(clone)
    (clone / "page.md").write_text("two")
    assert describe(clone).endswith(" of 2026-02-28, with later changes")


def test_a_folder_that_is_no_clone_has_the_version_alone(clone, monkeypatch):
    (clone / "unpacked").mkdir()  # inside a clone of something else
    assert describe(clone / "unpacked") == VERSION
    (clone / ".git").rename(clone / "elsewhere")
    assert describe(clone) == VERSION


def test_without_git_there_is_the_version_alone(clone, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert describe(clone) == VERSION
