"""Chromium, and a server on 127.0.0.1 for what it opens."""

import os
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ipywidgets import Widget
from playwright.sync_api import Browser, expect, sync_playwright

from browser.visits import PATIENCE_MS, Explorer, Visit
from browser.widget_pages import SCRIPT, as_page
from chromium import NoChromiumError, find, launch

ROOT = Path(__file__).parents[2]
SITE = Path(os.environ.get("GAHR_SITE", ROOT / "_build" / "html"))
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of the Chromium of this machine."""
    try:
        return find()
    except NoChromiumError as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = launch(playwright, chromium)
        yield browser
        browser.close()


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture(scope="session")
def serve() -> Iterator[Callable[[Path], str]]:
    """Serves folders: the address at which a folder can be opened."""
    servers: list[tuple[ThreadingHTTPServer, threading.Thread]] = []

    def start(folder: Path) -> str:
        handler = partial(QuietHandler, directory=str(folder))
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server, thread in servers:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="session")
def site(serve: Callable[[Path], str]) -> str:
    """The address of the built book."""
    if not (SITE / "index.html").is_file():
        pytest.fail(f"There is no built book in {SITE}: run make book, or set GAHR_SITE.")
    return serve(SITE)


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Visit]]:
    """Opens pages in fresh contexts, and fails if one of them complained or asked another host."""
    visits: list[Visit] = []

    def open_page(url: str, **settings: object) -> Visit:
        visits.append(Visit(browser, url, **settings))
        return visits[-1]

    yield open_page
    for page in visits:
        page.close()
    complaints = [complaint for page in visits for complaint in page.complaints]
    assert complaints == []


@pytest.fixture(scope="session")
def scratch(serve: Callable[[Path], str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of what holds tmp_path: one server for all tests, as each takes time to stop."""
    return serve(tmp_path_factory.getbasetemp())


@pytest.fixture
def open_widgets(tmp_path: Path, scratch: str, visit: Callable[..., Visit]) -> Callable[..., Visit]:
    """Opens a page made of widgets, which is page.html in tmp_path."""

    def open_page(
        *widgets: Widget,
        script: str = SCRIPT,
        edit: Callable[[dict[str, Any]], None] = lambda state: None,
        **settings: object,
    ) -> Visit:
        (tmp_path / "page.html").write_text(as_page(widgets, script, edit=edit), encoding="utf-8")
        return visit(f"{scratch}/{tmp_path.name}/page.html", **settings)

    return open_page


@pytest.fixture
def show_explorer(open_widgets: Callable[..., Visit]) -> Callable[..., Explorer]:
    """Opens a page made of widgets, and waits for the first explorer on it, of some class."""

    def show(*widgets: Widget, kind: type[Explorer] = Explorer, **settings: object) -> Explorer:
        explorer = kind(open_widgets(*widgets, **settings))
        explorer.root.wait_for()
        return explorer

    return show
