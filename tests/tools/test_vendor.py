import shutil

import pytest

import vendor

SHELVES = sorted({package.shelf for package in vendor.PACKAGES})


@pytest.fixture
def copied(tmp_path, monkeypatch):
    for shelf in SHELVES:
        shutil.copytree(vendor.ROOT / shelf, tmp_path / shelf)
    monkeypatch.setattr(vendor, "ROOT", tmp_path)
    return tmp_path / vendor.PAGES


def test_vendored_files_are_unchanged():
    assert vendor.differences() == []


@pytest.mark.parametrize("shelf", SHELVES)
def test_every_package_has_its_licence_and_is_listed(shelf):
    packages = [package for package in vendor.PACKAGES if package.shelf == shelf]
    listed = (vendor.ROOT / shelf / "VENDORED.md").read_text()
    for package in packages:
        assert (package.target / "LICENSE").is_file()
        row = (package.name, package.version, package.licence, package.archive_sha256)
        assert all(value in listed for value in row)
    folders = {path.name for path in (vendor.ROOT / shelf).iterdir() if path.is_dir()}
    assert folders == {package.target.name for package in packages}


def test_differences_are_named(copied):
    (copied / "mathjax" / "LICENSE").write_text("mine")
    (copied / "mathjax" / "tex-chtml.js").unlink()
    (copied / "mathjax" / "extra.js").write_text("")
    assert vendor.differences() == [
        "mathjax/LICENSE: changed",
        "mathjax/extra.js: unknown",
        "mathjax/tex-chtml.js: missing",
    ]


def test_a_folder_that_is_missing_is_named_with_a_remedy(copied, monkeypatch):
    shutil.rmtree(copied / "mathjax")
    monkeypatch.setattr("sys.argv", ["vendor.py", "--check"])
    with pytest.raises(SystemExit, match=r"^mathjax/SHA256SUMS: missing\npython tools/vendor.py"):
        vendor.main()


def test_packages_that_nobody_lists_are_refused(capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["vendor.py", "no-such-package"])
    with pytest.raises(SystemExit):
        vendor.main()
    assert "unknown: no-such-package; there are mathjax" in capsys.readouterr().err
