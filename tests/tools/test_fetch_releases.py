import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "tools" / "fetch_releases.sh"

# GitHub's command, on a repository with three releases, one of which has no pages.
GH = """#!/usr/bin/env bash
set -eu
case "$1 $2" in
    "release list") printf 'v0.3.0\\nv0.2.0\\nv0.1.0\\n' | head -n "$5" ;;
    "release view") printf 'gahr-book.pdf\\n'; [[ $3 == v0.2.0 ]] || echo site.zip ;;
    "release download")
        [[ -z "${NO_NETWORK:-}" && $4 == --pattern && $5 == site.zip && $6 == --output ]]
        echo "$3" > "$7" ;;
esac
"""


@pytest.fixture
def fetch(tmp_path, monkeypatch):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "gh").write_text(GH)
    (tmp_path / "bin" / "gh").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    folder = tmp_path / "releases"

    def run(how_many):
        done = subprocess.run([SCRIPT, how_many, folder], capture_output=True, text=True)
        return done, {path.name: path.read_text() for path in folder.iterdir()}

    return run


def test_pages_of_releases_are_fetched_under_their_tags(fetch):
    done, files = fetch("8")
    assert done.returncode == 0
    assert files == {"v0.3.0.zip": "v0.3.0\n", "v0.1.0.zip": "v0.1.0\n"}
    assert done.stdout == "v0.2.0 has no pages (site.zip): it is left out.\n"


def test_only_the_last_are_fetched(fetch):
    _, files = fetch("1")
    assert list(files) == ["v0.3.0.zip"]


def test_a_release_that_cannot_be_fetched_is_an_error(fetch, monkeypatch):
    """Or a version would vanish from the published book."""
    monkeypatch.setenv("NO_NETWORK", "1")
    done, _ = fetch("8")
    assert done.returncode != 0
