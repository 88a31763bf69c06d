import hashlib
import json
import zipfile

import pytest

import small_site
from zip_book import FOLDER, OPTIONS, OfflineError, contents, main, pack


@pytest.fixture
def site(tmp_path):
    site, _ = small_site.build(tmp_path)
    (site / OPTIONS).write_text("const DOCUMENTATION_OPTIONS = { SHOW_SEARCH_SUMMARY: true };")
    chapter = site / "_sources" / "chapters" / "waves.ipynb"
    chapter.parent.mkdir(parents=True)
    chapter.write_text(json.dumps({"cells": []}))
    (site / ".buildinfo").write_text("of no use to readers")
    return site


def test_it_holds_the_site_the_notebooks_and_what_to_open(site):
    files = contents(site)
    for path in (path for path in site.rglob("*") if path.is_file()):
        name = path.relative_to(site).as_posix()
        if name in (OPTIONS, ".buildinfo"):
            continue
        assert files[name] == path.read_bytes()
    assert json.loads(files["notebooks/waves.ipynb"]) == {"cells": []}
    assert b"Open index.html" in files["README.txt"]
    assert b".pdf" not in files["README.txt"]
    assert ".buildinfo" not in files


def test_the_pdf_lies_beside_it_and_is_named(site, tmp_path):
    pdf = tmp_path / "small.pdf"
    pdf.write_bytes(b"%PDF-1.4")
    files = contents(site, pdf)
    assert files["small.pdf"] == b"%PDF-1.4"
    assert b"small.pdf is the whole book" in files["README.txt"]


def test_the_search_does_not_ask_for_pages(site):
    assert b"SHOW_SEARCH_SUMMARY: false" in contents(site)[OPTIONS]


def test_it_unpacks_into_one_folder(site, tmp_path):
    files = contents(site)
    pack(files, tmp_path / "out" / "book.zip")
    with zipfile.ZipFile(tmp_path / "out" / "book.zip") as archive:
        assert archive.testzip() is None
        assert {name.split("/")[0] for name in archive.namelist()} == {FOLDER}
        assert {name.partition("/")[2] for name in archive.namelist()} == set(files)
        modes = {entry.external_attr >> 16 for entry in archive.infolist()}
    assert modes == {0o644}


def test_the_same_files_make_the_same_zip(site, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    files = contents(site)
    digests = set()
    for order in (files, dict(reversed(files.items()))):
        pack(order, tmp_path / "book.zip")
        digests.add(hashlib.sha256((tmp_path / "book.zip").read_bytes()).hexdigest())
    assert len(digests) == 1


def test_a_link_that_leads_nowhere_is_named(site):
    (site / "genindex.html").unlink()
    with pytest.raises(OfflineError, match=r"index\.html: genindex\.html#W names no file"):
        contents(site)


def test_a_link_to_a_folder_is_named(site):
    """A server answers with the index.html in it; a browser that opens files shows a list."""
    (site / "chapters" / "index.html").write_text("")
    page = site / "index.html"
    page.write_text(page.read_text() + '<a href="chapters/">all</a>')
    with pytest.raises(OfflineError, match=r"index\.html: chapters/ names a folder"):
        contents(site)


def test_an_empty_folder_is_no_book(tmp_path):
    with pytest.raises(OfflineError, match="holds no built book: run make book"):
        contents(tmp_path)


def test_another_search_is_noticed(site):
    (site / OPTIONS).write_text("const OTHER = {};")
    with pytest.raises(OfflineError, match="SHOW_SEARCH_SUMMARY"):
        contents(site)


def test_faults_are_plain_errors(site, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "sys.argv", ["zip_book.py", str(tmp_path / "none"), str(tmp_path / "x.zip")]
    )
    with pytest.raises(SystemExit, match=r"could not be packed: .*run make book"):
        main()
    arguments = ["zip_book.py", str(site), str(tmp_path / "x.zip"), str(tmp_path / "no.pdf")]
    monkeypatch.setattr("sys.argv", arguments)
    with pytest.raises(SystemExit, match=r"could not be packed: .*no\.pdf"):
        main()
