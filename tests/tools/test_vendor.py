import shutil

import pytest

import vendor


@pytest.fixture
def copied(tmp_path, monkeypatch):
    shutil.copytree(vendor.VENDOR, tmp_path / "vendor")
    monkeypatch.setattr(vendor, "VENDOR", tmp_path / "vendor")
    return tmp_path / "vendor"


def test_vendored_files_are_unchanged():
    assert vendor.differences() == []


def test_every_package_has_its_licence_and_is_listed():
    listed = (vendor.VENDOR / "VENDORED.md").read_text()
    for package in vendor.PACKAGES:
        assert (vendor.VENDOR / package.name / "LICENSE").is_file()
        row = (package.name, package.version, package.licence, package.archive_sha256)
        assert all(value in listed for value in row)
    folders = {path.name for path in vendor.VENDOR.iterdir() if path.is_dir()}
    assert folders == {package.name for package in vendor.PACKAGES}


def test_differences_are_named(copied):
    (copied / "mathjax" / "LICENSE").write_text("mine")
    (copied / "mathjax" / "tex-chtml.js").unlink()
    (copied / "mathjax" / "extra.js").write_text("")
    assert vendor.differences() == [
        "mathjax/LICENSE: changed",
        "mathjax/extra.js: unknown",
        "mathjax/tex-chtml.js: missing",
    ]
