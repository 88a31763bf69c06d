import subprocess
import sys

import pytest

import check_links
from check_links import broken_links


@pytest.fixture
def site(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "picture.png").write_bytes(b"")
    (tmp_path / "index.html").write_text('<h1 id="top-of-it">Title</h1><a name="old"></a>')
    return tmp_path


def check(site, link):
    (site / "sub" / "page.html").write_text(f'<p id="here é"></p><a href="{link}">x</a>')
    return broken_links(site)


@pytest.mark.parametrize(
    "link",
    [
        "../index.html#top-of-it",
        "../index.html#old",
        "../index.html?highlight=x",
        "..",
        "#",
        "#here%20%C3%A9",
        "../picture.png",
        "https://example.org/nowhere#at-all",
        "mailto:someone@example.org",
        "data:image/png;base64,AAAA",
    ],
)
def test_links_that_lead_somewhere(site, link):
    assert check(site, link) == []


@pytest.mark.parametrize(
    ("link", "words"),
    [
        ("../missing.html", "names no file"),
        ("../index.html#missing", "names no place"),
        ("#missing", "names no place"),
        ("/index.html", "leaves the site"),
        ("../../outside.html", "leaves the site"),
    ],
)
def test_links_that_do_not(site, link, words):
    (fault,) = check(site, link)
    assert fault.startswith(f"sub/page.html: {link} ")
    assert words in fault


def test_a_folder_without_pages_is_not_a_site_without_faults(tmp_path):
    command = [sys.executable, check_links.__file__, tmp_path / "none"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.endswith("holds no pages: make book\n")


def test_pictures_are_links(site):
    (site / "index.html").write_text('<img src="missing.png">')
    assert broken_links(site) == ["index.html: missing.png names no file"]
