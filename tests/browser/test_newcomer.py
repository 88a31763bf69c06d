"""A newcomer, who has the README and nothing else: its commands run as they stand, in a new clone.

They take half an hour, so `make test` leaves them to the weekly workflow; tests/test_readme.py has
what is quick. To try them: .venv/bin/pytest -m newcomer tests/browser/test_newcomer.py. With
GAHR_LINKED=1 the newcomer's environment is made of links to this one, which saves a download.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Browser

import readme
from browser.live_jupyter import SETTINGS, Jupyter, Notebook, wait_for
from browser.visits import Explorer, Visit
from colab_trial import URL, instead_of_the_address
from gahr_lib.weights import load_network
from linked_environment import link_environment

pytestmark = [pytest.mark.browser, pytest.mark.newcomer, pytest.mark.slow]

NAME = URL.rpartition("/")[2]
CHAPTER = "01_denoising_as_shrinkage"
LINKED = bool(os.environ.get("GAHR_LINKED"))
# What this process has, and a newcomer's terminal has not.
OURS = ("MAKE", "VIRTUAL_ENV", "PYTHONPATH", "PYTEST", "GAHR_", "JUPYTER", "MFLAGS")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new folder, and what `git clone` finds at the address: the working tree."""
    folder = tmp_path_factory.mktemp("newcomer")
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=readme.ROOT, check=True, capture_output=True, text=True)
    for name in filter(None, names.stdout.split("\0")):
        if (readme.ROOT / name).exists():
            (folder / "origin" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(readme.ROOT / name, folder / "origin" / name)
    git = [
        "git",
        "-C",
        folder / "origin",
        "-c",
        "user.name=test",
        "-c",
        "user.email=test@localhost",
    ]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "The working tree"]):
        subprocess.run([*git, *command], check=True)
    return folder


@pytest.fixture(scope="module")
def variables(home: Path) -> dict[str, str]:
    mine = {k: v for k, v in os.environ.items() if not k.startswith(OURS)}
    return mine | instead_of_the_address(home / "origin")


@pytest.fixture(scope="module")
def clone(home: Path, variables: dict[str, str]) -> Path:
    """The folder in which the first commands of the README left a built book."""
    built = readme.BUILD.replace("\nmake test ", "\n: make test ")  # every push runs it
    assert built != readme.BUILD
    if LINKED:
        fetch, build = built.split("\nmake ", 1)
        run(fetch, home, variables)
        link_environment(home / NAME / ".venv", home / "links")
        built = f"cd {NAME}\nmake {build}"
    run(built, home, variables)
    return home / NAME


def run(commands: str, folder: Path, variables: dict[str, str]) -> None:
    done = subprocess.run(
        ["bash", "-e", "-c", commands], cwd=folder, env=variables, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{commands}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"


def test_from_a_clone_to_the_built_book(clone: Path) -> None:
    site = clone / "_build" / "html"
    assert (site / "index.html").is_file()
    for path in (readme.ROOT / "book" / "chapters").glob("*.ipynb"):
        assert "gahr" in (site / "book" / "chapters" / f"{path.stem}.html").read_text()


def test_to_a_passing_test(clone: Path, variables: dict[str, str]) -> None:
    run(readme.TEST, clone, variables)


@pytest.fixture
def jupyter(clone: Path, variables: dict[str, str]) -> Iterator[Jupyter]:
    """The server that the README starts; only settings are ours: a port, no token, no browser."""
    server = Jupyter(clone)
    folders = clone / ".jupyter"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {
        "ServerApp": {
            "port": port,
            "open_browser": False,
            "allow_root": True,
            "disable_check_xsrf": True,
        },
        "IdentityProvider": {"token": ""},
    }
    for name, content in SETTINGS.items():
        file = folders / "SETTINGS" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(content))
    (folders / "CONFIG").mkdir()
    (folders / "CONFIG" / "jupyter_server_config.json").write_text(json.dumps(settings))
    places = {f"JUPYTER_{name}_DIR": str(folders / name) for name in ("CONFIG", "RUNTIME")}
    places |= {f"JUPYTERLAB_{n}_DIR": str(folders / n) for n in ("SETTINGS", "WORKSPACES")}
    log = folders / "server.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            ["bash", "-e", "-c", readme.NOTEBOOKS],
            cwd=clone,
            env=variables | places | {"OMP_NUM_THREADS": "1"},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    server.url, server._runtime = f"http://127.0.0.1:{port}", folders / "RUNTIME"
    try:
        wait_for(server._answers, log.read_text)
        yield server
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=30)


def test_to_a_changed_slider_in_a_live_notebook(jupyter: Jupyter, browser: Browser) -> None:
    path = f"{CHAPTER}.ipynb"
    visit = Visit(browser, f"{jupyter.url}/lab/tree/{path}")
    try:
        visit.page.set_default_timeout(30_000)
        visit.page.locator(".jp-CodeCell").first.wait_for()
        wait_for(lambda: path in jupyter.sessions())
        kernel = jupyter.sessions()[path]["kernel"]["id"]
        visit.page.locator(".lm-MenuBar-itemLabel", has_text="Run").click()
        visit.page.locator(".lm-Menu-itemLabel:text-is('Run All Cells')").click()
        explorer = Explorer(visit)
        explorer.root.wait_for(timeout=400_000)
        explorer.root.scroll_into_view_if_needed()
        with jupyter._client(kernel) as client:
            python = Notebook(visit, client)
            wait_for(lambda: idle(jupyter, path), seconds=400)
            kept, before = python.ask("explorer.kept"), explorer.picture()
            explorer.slider.focus()
            visit.page.keyboard.press("ArrowRight")
            python.knows("explorer.kept", kept + 1)
            assert explorer.picture() != before
    finally:
        visit.close()


def idle(jupyter: Jupyter, path: str) -> bool:
    return jupyter.sessions()[path]["kernel"]["execution_state"] == "idle"


def draw_photographs(folder: Path) -> None:
    """Forty colourful images of different sizes, as a reader's might be."""
    folder.mkdir(parents=True)
    for i in range(40):
        image = Image.new("RGB", (64 + i, 60), (6 * i, 120, 255 - 6 * i))
        ImageDraw.Draw(image).ellipse((i, 10, i + 30, 40), fill=(250, 5 * i, 40))
        image.save(folder / f"{i:02}.{'jpg' if i % 2 else 'png'}")


def test_to_a_trained_network_of_ones_own_images(clone: Path, variables: dict[str, str]) -> None:
    draw_photographs(clone / "my" / "photographs")
    steps = os.environ.get("GAHR_STEPS")  # fewer, to try this test
    lines = readme.TRAIN.splitlines()
    lines = [
        f"{line.split('#')[0]} --steps {steps}" if steps and "gahr train" in line else line
        for line in lines
    ]
    # The environment in which the book was built; `pip install` finds it complete.
    run("\n".join(["source .venv/bin/activate", *lines]), clone, variables)
    cards = sorted(path.parent.name for path in (clone / "runs").glob("*/weights.json"))
    assert len(cards) == 2
    (colour,) = (path for path in (clone / "runs").glob("photographs*/weights.safetensors"))
    network = load_network(colour)
    assert network.image_shape[0] == 3
    if not steps:
        measured = json.loads(colour.with_name("weights.json").read_text())["measured"]
        noisy, denoised = measured["references"]["input"], measured["psnr"]["test"]
        assert all(after > before + 3 for before, after in zip(noisy, denoised, strict=True))
