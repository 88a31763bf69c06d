import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from check_links import broken_links
from merge_versions import merge

ROOT = Path(__file__).parents[2]
PAGE = "book/index.html"


def write_site(folder, text):
    """A site of one page that leads to its list of versions, as the foot of every page does."""
    (folder / "book").mkdir(parents=True)
    shutil.copy(ROOT / "book" / "_root" / "versions.html", folder)
    (folder / PAGE).write_text(f'<p>{text}</p><a href="../versions.html">other versions</a>')
    return folder


@pytest.fixture
def site(tmp_path):
    return write_site(tmp_path / "newest", "the newest")


@pytest.fixture
def releases(tmp_path):
    for name in ("v0.9.0", "v0.10.0", "v0.2.0"):
        packed = shutil.make_archive(tmp_path / name, "zip", write_site(tmp_path / name, name))
        (tmp_path / "releases").mkdir(exist_ok=True)
        shutil.move(packed, tmp_path / "releases")
    return tmp_path / "releases"


def test_versions_lie_side_by_side_the_newest_first(site, releases, tmp_path):
    out = tmp_path / "out"
    assert merge(site, releases, out) == ["v0.10.0", "v0.9.0", "v0.2.0"]
    assert "the newest" in (out / PAGE).read_text()
    for name in ("v0.9.0", "v0.10.0", "v0.2.0"):
        assert f"<p>{name}</p>" in (out / name / PAGE).read_text()


def test_every_version_leads_to_every_other(site, releases, tmp_path):
    out = tmp_path / "out"
    names = merge(site, releases, out)
    assert broken_links(out) == []
    for here in (".", *names):
        folder = (out / here).resolve()
        text = (folder / "versions.html").read_text()
        assert text.count('aria-current="page"') == 1
        assert "stands alone" not in text
        pages = {(out / name / PAGE).resolve() for name in (".", *names)} - {folder / PAGE}
        linked = {(folder / link).resolve() for link in re.findall(r'href="([^"]+)"', text)}
        assert pages <= linked


def test_a_book_without_releases_lists_itself(site, tmp_path):
    (tmp_path / "none").mkdir()
    assert merge(site, tmp_path / "none", tmp_path / "out") == []
    assert "this one" in (tmp_path / "out" / "versions.html").read_text()


def test_archives_cannot_write_elsewhere(site, releases, tmp_path):
    with zipfile.ZipFile(releases / "v0.9.0.zip", "a") as archive:
        archive.writestr("../../escaped.html", "x")
    merge(site, releases, tmp_path / "out")
    assert not (tmp_path / "escaped.html").exists()
    assert (tmp_path / "out" / "v0.9.0" / "escaped.html").exists()


@pytest.mark.parametrize("name", ["latest", "1.0.0", "v1", "v1.0.0rc1", "v1.0 .0"])
def test_other_names_are_refused(name, site, releases, tmp_path):
    shutil.copy(releases / "v0.9.0.zip", releases / f"{name}.zip")
    with pytest.raises(SystemExit, match="expected the name of a release"):
        merge(site, releases, tmp_path / "out")


def test_a_site_without_a_place_for_the_list_is_refused(site, releases, tmp_path):
    (site / "versions.html").write_text("<p>Nothing</p>")
    with pytest.raises(SystemExit, match="between its two comments"):
        merge(site, releases, tmp_path / "out")


def test_the_command_says_what_it_did(site, releases, tmp_path):
    command = [sys.executable, ROOT / "tools" / "merge_versions.py", site, releases, tmp_path / "o"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.endswith("and v0.10.0, v0.9.0, v0.2.0.\n")
