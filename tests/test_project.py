"""The files around the code agree with one another."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import gahr_lib
import preflight
from address import Address

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text())
ADDRESS = Address(CONFIG["repository"]["url"], CONFIG["repository"]["branch"])


def locked() -> list[Requirement]:
    lines = (line.split("#")[0].strip() for line in open_text("constraints.txt").splitlines())
    return [Requirement(line) for line in lines if line]


def declared() -> list[Requirement]:
    extras = PROJECT["optional-dependencies"].values()
    lines = [*PROJECT["dependencies"], *(line for extra in extras for line in extra)]
    requirements = [Requirement(line) for line in lines]
    return [requirement for requirement in requirements if requirement.name != PROJECT["name"]]


def open_text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_lock_has_exact_versions_only():
    for requirement in locked():
        (version,) = requirement.specifier
        assert version.operator == "==", requirement
        assert requirement.url is None, requirement
        assert not requirement.extras, requirement


@pytest.mark.parametrize("requirement", declared(), ids=str)
def test_lock_satisfies_every_declared_dependency(requirement):
    name = canonicalize_name(requirement.name)
    pins = [pin for pin in locked() if canonicalize_name(pin.name) == name]
    assert pins, f"{requirement.name} is not in constraints.txt: run make lock"
    for pin in pins:
        (version,) = pin.specifier
        assert requirement.specifier.contains(version.version), f"{pin}: run make lock"


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14"])
@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_lock_names_one_version_for_every_platform(platform, version):
    environment = {
        "sys_platform": platform,
        "platform_system": platform.capitalize(),
        "platform_machine": "arm64" if platform == "darwin" else "x86_64",
        "python_version": version,
        "python_full_version": f"{version}.7",
    }
    pins = [pin for pin in locked() if pin.marker is None or pin.marker.evaluate(environment)]
    names = [pin.name for pin in pins]
    assert len(names) == len(set(names))
    asked = [r for r in declared() if r.marker is None or r.marker.evaluate(environment)]
    assert {canonicalize_name(r.name) for r in asked} <= {canonicalize_name(n) for n in names}


def test_extras_that_readers_are_told_about_exist():
    extras = PROJECT["optional-dependencies"].keys()
    assert {"book", "export", "interop", "notebook", "test", "zoo"} <= extras


def test_packages_that_are_installed_apart_are_locked_and_lack_nothing():
    makefile = open_text("Makefile").replace("\\\n", " ")
    (line,) = re.findall(r"--target \$\(INTEROP\) --constraint \$\(CONSTRAINTS\) (.*)", makefile)
    apart = set(line.split())
    locked_names = {canonicalize_name(pin.name) for pin in locked()}
    assert apart <= locked_names
    # Whatever only those packages ask for is installed with them: the lock says who asks.
    asked_by = re.findall(r"^([\w-]+)==.*# via (.*)$", open_text("constraints.txt"), re.MULTILINE)
    (declared_apart,) = PROJECT["optional-dependencies"]["interop"]
    missing = {
        name for name, askers in asked_by if set(askers.split(", ")) <= apart and name not in apart
    }
    assert not missing
    assert Requirement(declared_apart).name in apart


def test_python_versions_agree():
    assert PROJECT["requires-python"] == ">=" + ".".join(map(str, preflight.OLDEST))
    find_python = open_text("tools/find_python.sh")
    assert f"{preflight.OLDEST} <= sys.version_info[:2] <= {preflight.NEWEST}" in find_python


def test_one_address_of_the_source_everywhere():
    source, site = ADDRESS.url, ADDRESS.site
    assert PROJECT["urls"] == {
        "Homepage": site,
        "Documentation": f"{site}book/appendix/api.html",
        "Source": source,
        "Issues": f"{source}/issues",
        "Changelog": f"{source}/blob/{ADDRESS.ref}/CHANGELOG.md",
    }
    citation = yaml.safe_load(open_text("CITATION.cff"))
    assert citation["repository-code"] == source
    assert citation["url"] == site
    # Pages get these two from book/_ext/address.py.
    assert "baseurl" not in CONFIG["html"]
    assert "ogp_site_url" not in CONFIG["sphinx"]["config"]
    owner_and_name = source.removeprefix("https://github.com/")
    name = owner_and_name.split("/")[1]
    pages = [*ROOT.glob("*.md"), *(ROOT / "book").rglob("*.md"), *ROOT.glob("book/*/*.ipynb")]
    for page in [*pages, ROOT / "book" / "_root" / "versions.html"]:
        named = re.findall(rf"github\.com/([\w.-]+/{name})\b", page.read_text(encoding="utf-8"))
        assert set(named) <= {owner_and_name}, page


def test_version_is_the_same_everywhere():
    version = PROJECT["version"]
    assert yaml.safe_load(open_text("CITATION.cff"))["version"] == version
    assert f"`gahr_lib` {version}" in open_text("CHANGELOG.md")
    assert gahr_lib.__version__ == version


def test_citation_describes_what_zenodo_archives():
    """Zenodo reads CITATION.cff where there is no .zenodo.json, which would say it all again."""
    assert not (ROOT / ".zenodo.json").exists()
    citation = yaml.safe_load(open_text("CITATION.cff"))
    assert citation["title"] == CONFIG["title"]
    assert citation["authors"] == [{"name": CONFIG["author"]}] == PROJECT["authors"]
    assert citation["license"] == PROJECT["license"]
    assert citation["abstract"]
    assert citation["keywords"]


def test_make_takes_files_whose_names_have_spaces(tmp_path):
    page = tmp_path / "book" / "chapters" / "09 my own.ipynb"
    page.parent.mkdir(parents=True)
    names = ("_config.yml", "_toc.yml", "pyproject.toml", "constraints.txt", ".venv/ready")
    for path in (page, *(tmp_path / name for name in names)):
        path.parent.mkdir(exist_ok=True)
        path.touch()
    settings = ["--dry-run", "--file", ROOT / "Makefile", "PYTHON=python3"]
    command = ["make", *settings, "_build/stamps/book"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "jupyter-book build" in done.stdout


def test_make_alone_lists_every_target():
    targets = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    for target in ("book", "serve", "test", "lint", "bench", "clean", "lock", "format"):
        assert f"make {target} " in targets
    for setting in ("PYTHON", "TORCH_INDEX", "CONSTRAINTS", "PORT"):
        assert setting in targets
