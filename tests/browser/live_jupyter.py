"""A Jupyter for tests: JupyterLab and Notebook 7 on 127.0.0.1, and what their kernels know."""

import importlib.util
import json
import os
import re
import socket
import subprocess
import sys
import time
from ast import literal_eval
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import nbformat
import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from playwright.sync_api import Browser, Locator

from browser.visits import Visit

FRONT_ENDS = {"JupyterLab": ("jupyterlab", "lab/tree"), "Notebook 7": ("notebook", "notebooks")}
TESTS = Path(__file__).parents[1]

SETTINGS = {
    "notebook-extension/tracker": {"windowingMode": "none"},  # cells out of sight are there as well
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}


def wait_for(condition: Callable[[], bool], why=lambda: "", seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s in vain: {why()}"
        time.sleep(0.05)


class Jupyter:
    """A server whose folder is `folder`, and whose settings are those of a fresh installation."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def serving(self) -> Iterator["Jupyter"]:
        home = self.folder / ".jupyter"
        self._runtime = home / "RUNTIME"
        folders = ("CONFIG", "DATA", "RUNTIME")
        environment = {f"JUPYTER_{name}_DIR": str(home / name) for name in folders}
        for name in ("SETTINGS", "WORKSPACES"):
            environment[f"JUPYTERLAB_{name}_DIR"] = str(home / name)
        environment |= {"IPYTHONDIR": str(home / "ipython"), "PYTHONPATH": str(TESTS)}
        environment |= {"OMP_NUM_THREADS": "1"}
        for name, value in SETTINGS.items():
            file = home / "SETTINGS" / "@jupyterlab" / f"{name}.jupyterlab-settings"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(value))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1"]
        command += [f"--port={port}", "--ServerApp.port_retries=0", "--IdentityProvider.token="]
        command += [f"--ServerApp.root_dir={self.folder}", "--allow-root"]
        command += [
            "--ServerApp.disable_check_xsrf=True"
        ]  # the test ends kernels, and has no cookie
        log = self.folder / "server.log"
        with log.open("w") as output:
            server = subprocess.Popen(
                command, env={**os.environ, **environment}, stdout=output, stderr=output
            )
        self.url = f"http://127.0.0.1:{port}"
        try:
            wait_for(self._answers, log.read_text)
            yield self
        finally:
            server.terminate()
            server.wait(timeout=60)

    def _answers(self) -> bool:
        try:
            with urlopen(f"{self.url}/api") as response:
                return response.status == 200
        except OSError:
            return False

    def sessions(self) -> dict[str, dict[str, Any]]:
        """The sessions by the path of their notebook."""
        with urlopen(f"{self.url}/api/sessions") as response:
            return {session["path"]: session for session in json.load(response)}

    @contextmanager
    def open(self, front_end: str, browser: Browser, *sources: str) -> Iterator["Notebook"]:
        """Write a notebook with a cell for each source, and open it with a kernel."""
        module, place = FRONT_ENDS[front_end]
        need(module)
        path = f"{module}-{time.monotonic_ns()}.ipynb"
        cells = [nbformat.v4.new_code_cell(source) for source in sources]
        kernel = {"name": "python3", "display_name": "Python 3"}
        notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
        nbformat.write(notebook, self.folder / path)
        visit = Visit(browser, f"{self.url}/{place}/{path}")
        try:
            visit.page.set_default_timeout(90_000)
            visit.page.locator(".jp-CodeCell").nth(len(cells) - 1).wait_for()
            idle = lambda s: path in s and s[path]["kernel"]["execution_state"] == "idle"  # noqa: E731
            wait_for(lambda: idle(self.sessions()))
            session = self.sessions()[path]
            with self._client(session["kernel"]["id"]) as client:
                yield Notebook(visit, client)
            urlopen(Request(f"{self.url}/api/sessions/{session['id']}", method="DELETE")).close()
        finally:
            visit.close()

    @contextmanager
    def _client(self, kernel: str) -> Iterator[BlockingKernelClient]:
        client = BlockingKernelClient(connection_file=str(self._runtime / f"kernel-{kernel}.json"))
        client.load_connection_file()
        client.start_channels()
        try:
            client.wait_for_ready(timeout=120)
            yield client
        finally:
            client.stop_channels()


class Notebook:
    """An open notebook: its page, and its kernel, with which the test speaks past the page."""

    def __init__(self, visit: Visit, client: BlockingKernelClient) -> None:
        self.visit, self.page, self._client = visit, visit.page, client

    def run_cell(self, index: int) -> None:
        """Run a cell as a reader does, and wait until it has its number."""
        cell = self.page.locator(".jp-CodeCell").nth(index)
        prompt = cell.locator(".jp-InputPrompt")

        def begun() -> bool:
            return "*" in prompt.inner_text() or self._ran(prompt)

        for _ in range(4):  # a page that is still being set up loses keys
            cell.locator(".cm-content").click()
            self.page.keyboard.press("Shift+Enter")
            end = time.monotonic() + 15
            while not begun() and time.monotonic() < end:
                time.sleep(0.05)
            if begun():
                break
        wait_for(lambda: self._ran(prompt), prompt.inner_text, 300)

    @staticmethod
    def _ran(prompt: Locator) -> bool:
        return re.search(r"\[\d+\]", prompt.inner_text()) is not None

    def do(self, code: str) -> None:
        """Run code in the kernel that is in no cell."""
        self._execute(code, {})

    def ask(self, expression: str) -> Any:
        """What an expression is in the kernel: anything that Python can read back."""
        it = self._execute("", {"it": expression})["user_expressions"]["it"]
        assert it["status"] == "ok", it
        return literal_eval(it["data"]["text/plain"])

    def _execute(self, code: str, expressions: dict[str, str]) -> dict[str, Any]:
        reply = self._client.execute(
            code, store_history=False, user_expressions=expressions, reply=True, timeout=120
        )["content"]
        assert reply["status"] == "ok", reply
        return reply

    def knows(self, expression: str, expected: Any) -> None:
        """Wait until an expression is in the kernel what it should be."""
        wait_for(lambda: self.ask(expression) == expected, lambda: self.ask(expression))

    def complaints(self) -> list[str]:
        """What of the complaints of the page is about explorers: front ends have some of theirs."""
        ours = ("gx-", "anywidget", "host", "widget")
        return [text for text in self.visit.complaints if any(word in text for word in ours)]


def need(module: str) -> None:
    """Skip a test that needs a package, or fail where all of them should be."""
    if importlib.util.find_spec(module) is None:
        reason = f"{module} is not installed: pip install {module}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
