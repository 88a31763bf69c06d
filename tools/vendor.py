"""Bring third-party browser files into book/_static/vendor, so that a page asks no other host.

    python tools/vendor.py            fetch the packages below with npm, check and copy them
    python tools/vendor.py --check    compare the copies with their SHA-256, without a network

To take a new release, change its version and archive hash below and run the first command.
"""

import argparse
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

VENDOR = Path(__file__).parents[1] / "book" / "_static" / "vendor"
SUMS = "SHA256SUMS"


@dataclass(frozen=True)
class Package:
    """An npm package, and which of its files the book needs."""

    name: str
    version: str
    licence: str
    archive_sha256: str
    root: str  # the folder inside the archive that becomes the vendored one
    patterns: tuple[str, ...]
    unwanted: tuple[str, ...] = ()


PACKAGES = [
    Package(
        name="mathjax",
        version="3.2.2",
        licence="Apache-2.0",
        archive_sha256="1b9c0a1c44df864e915690558e72adb9cc5203360daefd385084ced3b6c64c09",
        root="es5",
        patterns=(
            "tex-chtml.js",
            "input/tex/extensions/*.js",
            "output/chtml/fonts/woff-v2/*.woff",
        ),
        unwanted=("all-packages.js",),  # every extension once more, in one file
    ),
]


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def fetch(package: Package, scratch: Path) -> Path:
    """Return the unpacked folder of the package, after comparing its archive's hash."""
    wanted = f"{package.name}@{package.version}"
    subprocess.run(["npm", "pack", "--silent", wanted], cwd=scratch, check=True)
    (archive,) = scratch.glob("*.tgz")
    if sha256(archive) != package.archive_sha256:
        sys.exit(f"{wanted}: the archive's SHA-256 is {sha256(archive)}, not the one listed.")
    with tarfile.open(archive) as tar:
        tar.extractall(scratch, filter="data")
    return scratch / "package"


def copy(package: Package, unpacked: Path) -> None:
    target = VENDOR / package.name
    shutil.rmtree(target, ignore_errors=True)
    root = unpacked / package.root
    for pattern in package.patterns:
        for file in sorted(root.glob(pattern)):
            if file.name not in package.unwanted:
                copied = target / file.relative_to(root)
                copied.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, copied)
    shutil.copyfile(unpacked / "LICENSE", target / "LICENSE")
    files = [file for file in sorted(target.rglob("*")) if file.is_file()]
    sums = "".join(f"{sha256(file)}  {file.relative_to(target).as_posix()}\n" for file in files)
    (target / SUMS).write_text(sums)


def write_list() -> None:
    rows = [
        f"| [{p.name}]({p.name}) | {p.version} | {p.licence} | `{p.archive_sha256}` |\n"
        for p in PACKAGES
    ]
    (VENDOR / "VENDORED.md").write_text(
        "# Files of others\n\n"
        "Copied unchanged from npm packages by `tools/vendor.py`, which also writes this page.\n"
        f"Each folder holds the licence of its files and their SHA-256 in {SUMS}.\n\n"
        "| package | version | licence | SHA-256 of the npm archive |\n"
        "|---|---|---|---|\n" + "".join(rows)
    )


def differences() -> list[str]:
    """Name every vendored file that is missing, changed or unknown."""
    faults = []
    for package in PACKAGES:
        folder = VENDOR / package.name
        expected = dict(
            reversed(line.split("  ", 1)) for line in (folder / SUMS).read_text().splitlines()
        )
        present = {f.relative_to(folder).as_posix() for f in folder.rglob("*") if f.is_file()}
        faults += [f"{package.name}/{name}: unknown" for name in present - {*expected, SUMS}]
        for name, digest in expected.items():
            if name not in present:
                faults.append(f"{package.name}/{name}: missing")
            elif sha256(folder / name) != digest:
                faults.append(f"{package.name}/{name}: changed")
    return sorted(faults)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="only compare the copies")
    if not parser.parse_args().check:
        for package in PACKAGES:
            with tempfile.TemporaryDirectory() as scratch:
                copy(package, fetch(package, Path(scratch)))
        write_list()
    if faults := differences():
        sys.exit("\n".join(faults))


if __name__ == "__main__":
    main()
