"""Chromium, and a server on 127.0.0.1 for what it opens."""

import os
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from browser.visits import Visit
from chromium import NoChromiumError, find, launch

ROOT = Path(__file__).parents[2]
SITE = Path(os.environ.get("GAHR_SITE", ROOT / "_build" / "html"))


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
