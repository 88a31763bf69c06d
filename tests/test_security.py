"""What the project never does: run what a file holds, trust a download, listen to others."""

import ast
import json
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gahr_lib.lab import laboratory_server

ROOT = Path(__file__).parents[1]
FOLDERS = ("gahr_lib", "book", "tools", "benchmarks", "teaching")
SOURCES = [
    path
    for folder in FOLDERS
    for suffix in ("*.py", "*.ipynb")
    for path in sorted((ROOT / folder).rglob(suffix))
    if ".ipynb_checkpoints" not in path.parts
]
# Their files are code in disguise, or hold it.
UNPICKLERS = {"pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
SAFE_LOADERS = {"SafeLoader", "CSafeLoader"}


def code_of(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return text
    cells = json.loads(text)["cells"]
    lines = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code").split("\n")
    # Magic commands are no Python; those of the chapters install the package.
    return "\n".join(re.sub(r"^(\s*)[%!].*", r"\1pass", line) for line in lines)


def called(node: ast.Call) -> str:
    """The dotted name of what is called, or as much of it as is one."""
    return ast.unparse(node.func)


def keyword(node: ast.Call, name: str) -> object:
    """The value of a keyword that is written down there, or None."""
    for given in node.keywords:
        if given.arg == name:
            return given.value.value if isinstance(given.value, ast.Constant) else given.value
    return None


def faults(code: str) -> Iterator[str]:
    """What in some code runs or trusts what it reads."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            modules = {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules = {(node.module or "").split(".")[0]}
        else:
            modules = set()
        if found := modules & UNPICKLERS:
            yield f"line {node.lineno}: imports {', '.join(found)}"
        if isinstance(node, ast.Call) and (fault := fault_of(node)):
            yield f"line {node.lineno}: {fault}"


def fault_of(node: ast.Call) -> str | None:
    name = called(node)
    if name.endswith(("torch.load", "serialization.load")):
        return None if keyword(node, "weights_only") is True else f"{name} without weights_only"
    if name.endswith(("np.load", "numpy.load", "read_pickle")):
        return f"{name} may unpickle" if keyword(node, "allow_pickle") or "pickle" in name else None
    if name.endswith(("yaml.load", "yaml.unsafe_load", "yaml.full_load")):
        loader = ast.unparse(node.args[1]) if len(node.args) > 1 else ""
        return None if loader.rpartition(".")[2] in SAFE_LOADERS else f"{name} makes any object"
    if name in ("eval", "exec", "os.system") or keyword(node, "shell") is True:
        return f"{name} runs a text"
    if name.endswith("pooch.retrieve"):
        return f"{name} checks no hash" if keyword(node, "known_hash") is None else None
    if name.endswith("pooch.create") and "None" in ast.unparse(node):
        return f"{name} checks no hash"
    if name.endswith(("urlopen", "urlretrieve", "requests.get", "hub.load")):
        return f"{name} checks no hash"
    return None


# Pooch knows no git blob ids, by which those files are named; the function compares them itself.
# tests/zoo/test_authors.py sees that it refuses what has another.
EXCUSED = {("gahr_lib/zoo/authors.py", "pooch.create checks no hash")}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_runs_or_trusts_what_it_reads(path):
    name = path.relative_to(ROOT).as_posix()
    found = list(faults(code_of(path)))
    assert [f for f in found if (name, f.partition(": ")[2]) not in EXCUSED] == []


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from joblib import load",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "torch.load(path, weights_only=trust)",
        "np.load(path, allow_pickle=True)",
        "pandas.read_pickle(path)",
        "yaml.load(text)",
        "yaml.load(text, yaml.Loader)",
        "eval(text)",
        "subprocess.run(text, shell=True)",
        "pooch.retrieve(url, None)",
        "pooch.retrieve(url, known_hash=None)",
        "pooch.create(path=a, base_url=b, registry={name: None})",
        "urllib.request.urlopen(url)",
    ],
)
def test_faults_are_seen(code):
    assert list(faults(code))


@pytest.mark.parametrize(
    "code",
    [
        "import json",
        "torch.load(path, map_location='cpu', weights_only=True)",
        "np.load(path)",
        "np.load(path, allow_pickle=False)",
        "yaml.safe_load(text)",
        "yaml.load(text, yaml.SafeLoader)",
        "network.eval()",
        "pooch.retrieve(url, known_hash=HASHES[name])",
    ],
)
def test_what_is_safe_is_allowed(code):
    assert list(faults(code)) == []


@contextmanager
def make_serve():
    """The server of `make serve`, and its port."""
    command = [sys.executable, ROOT / "tools" / "serve.py", ROOT / "book" / "_root", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield int(re.search(r"http://127\.0\.0\.1:(\d+)/", process.stdout.readline())[1])
        finally:
            process.terminate()


@contextmanager
def gahr_lab():
    """The server of `gahr lab`, and its port."""
    with laboratory_server(0) as server:
        threading.Thread(target=server.serve_forever).start()
        yield server.server_port
        server.shutdown()


@contextmanager
def everywhere():
    """A server that listens to everyone, and its port."""
    with socket.create_server(("", 0)) as server:
        yield server.getsockname()[1]


def answers(host: str, port: int) -> bool:
    with socket.socket() as client:
        client.settimeout(2)
        return client.connect_ex((host, port)) == 0


@pytest.mark.parametrize("serving", [make_serve, gahr_lab])
def test_servers_listen_to_this_machine_alone(serving):
    """127.0.0.2 is this machine too, so that a server for everyone answers there; see below."""
    with serving() as port:
        assert answers("127.0.0.1", port)
        assert not answers("127.0.0.2", port)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere 127.0.0.2 is no address")
def test_a_server_for_everyone_would_be_seen():
    with everywhere() as port:
        assert answers("127.0.0.2", port)


def test_make_serve_and_gahr_lab_are_what_runs():
    assert "tools/serve.py $(HTML) $(PORT)" in (ROOT / "Makefile").read_text()
    assert "laboratory_server(" in (ROOT / "gahr_lib" / "cli.py").read_text()
