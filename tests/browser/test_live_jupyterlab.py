"""The explorer in a JupyterLab with a kernel: what the reader moves, Python knows, and back."""

import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
from ast import literal_eval
from urllib.request import urlopen

import nbformat
import pytest

from browser.visits import Explorer, Visit

# The kernel writes what it knows to a file: the test then sees Python's side, not the page's.
MAKE = """
from pathlib import Path
import torch
import gahr_lib as gahr
from gahr_lib.widgets import ShrinkageExplorer

explorer = ShrinkageExplorer(
    gahr.load_denoiser("fashion", n_train=30_000, half="A"),
    gahr.data.fashion("test", n=2),
    (0.1, 0.4),
    generator=torch.Generator().manual_seed(0),
    vectors_bytes=200_000,
)

def write(change=None):
    choices = explorer.image, explorer.sigma, explorer.basis, explorer.kept, explorer.factors
    Path("heard.txt").write_text(repr((*choices, explorer.psnr())))

explorer.observe(write, ["image", "sigma", "basis", "kept", "factors"])
write()
explorer
"""
CHANGE = "explorer.basis, explorer.kept = 'wavelet', 7"

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def lab(tmp_path):
    """The address of a fresh JupyterLab whose folder is `tmp_path`."""
    if importlib.util.find_spec("jupyterlab") is None:
        reason = "jupyterlab is not installed: pip install jupyterlab"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    folders = ("CONFIG", "DATA", "RUNTIME")
    environment = {f"JUPYTER_{name}_DIR": str(tmp_path / ".jupyter" / name) for name in folders}
    for name in ("SETTINGS", "WORKSPACES"):
        environment[f"JUPYTERLAB_{name}_DIR"] = str(tmp_path / ".jupyter" / name)
    environment["IPYTHONDIR"] = str(tmp_path / ".jupyter" / "ipython")
    settings = tmp_path / ".jupyter" / "SETTINGS" / "@jupyterlab"
    for name, value in {
        "notebook-extension/tracker": {"windowingMode": "none"},
        "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    }.items():
        file = settings / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(value))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1"]
    command += [f"--port={port}", "--ServerApp.port_retries=0", "--IdentityProvider.token="]
    command += [f"--ServerApp.root_dir={tmp_path}", "--allow-root"]
    log = tmp_path / "lab.log"
    with log.open("w") as output:
        server = subprocess.Popen(
            command, env={**os.environ, **environment}, stdout=output, stderr=output
        )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: answers(f"{url}/api"), log.read_text)
        yield url
    finally:
        server.terminate()
        server.wait(timeout=20)


def answers(url: str) -> bool:
    try:
        with urlopen(url) as response:
            return response.status == 200
    except OSError:
        return False


def wait_for(condition, why=lambda: "", seconds: float = 40) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s in vain: {why()}"
        time.sleep(0.1)


def test_explorer_and_kernel_hear_each_other(lab, tmp_path, browser):
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(MAKE), nbformat.v4.new_code_cell(CHANGE)],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    nbformat.write(notebook, tmp_path / "explorer.ipynb")
    heard = tmp_path / "heard.txt"

    def python_knows(**choices):
        names = ("image", "sigma", "basis", "kept", "factors", "psnr")

        def it_does():
            known = dict(zip(names, literal_eval(heard.read_text() or "()"), strict=False))
            return all(known.get(name) == value for name, value in choices.items())

        wait_for(it_does, lambda: f"{choices}, but {heard.read_text()}", 20)
        return literal_eval(heard.read_text())[-1]

    visit = Visit(browser, f"{lab}/lab/tree/explorer.ipynb?reset")
    page = visit.page
    page.set_default_timeout(30_000)

    def kernel_is_idle():
        with urlopen(f"{lab}/api/sessions") as response:
            sessions = json.load(response)
        return bool(sessions) and sessions[0]["kernel"]["execution_state"] == "idle"

    page.locator(".jp-CodeCell").nth(1).wait_for()
    wait_for(kernel_is_idle)
    page.locator(".jp-CodeCell .cm-content").first.click()
    page.keyboard.press("Shift+Enter")
    shown = Explorer(visit)
    shown.root.wait_for()
    wait_for(heard.exists)

    # The page moves, the kernel follows: every control once, M by mouse and by keyboard.
    shown.choose("noise σ", "0.4")
    shown.choose("basis", "network’s")
    shown.choose("kept ones times", "eigenvalue λₖ")
    shown.choose_image(1)
    python_knows(image=1, sigma=0.4, basis="network", factors="shrinkage")
    before = shown.picture()
    shown.keep(20)
    assert python_knows(kept=20) == pytest.approx(shown.psnr(), abs=0.05)
    shown.slider.focus()
    page.keyboard.press("ArrowRight")
    assert python_knows(kept=21) == pytest.approx(shown.psnr(), abs=0.05)
    box = shown.slider.bounding_box()
    page.mouse.click(box["x"] + 0.4 * box["width"], box["y"] + box["height"] / 2)
    moved = shown.kept()
    assert moved not in (20, 21)
    assert python_knows(kept=moved) == pytest.approx(shown.psnr(), abs=0.05)
    assert shown.picture() != before

    # The kernel moves, the page follows.
    page.locator(".jp-CodeCell .cm-content").nth(1).click()
    page.keyboard.press("Shift+Enter")
    wait_for(lambda: shown.kept() == 7)
    assert shown.radio("basis", "wavelet").is_checked()
    assert python_knows(basis="wavelet", kept=7) == pytest.approx(shown.psnr(), abs=0.05)

    # The dark theme of JupyterLab is heard of as well.
    plotted = shown.plotted()
    page.evaluate("document.body.dataset.jpThemeLight = 'false'")
    assert shown.plotted() != plotted
    page.screenshot(path=tmp_path / "lab.png")
    assert [c for c in visit.complaints if "gx-" in c or "anywidget" in c or "host" in c] == []
    visit.close()
