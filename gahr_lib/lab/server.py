"""A server of the laboratory on this machine alone."""

import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from mimetypes import guess_type
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gahr_lib.errors import ConfigError
from gahr_lib.lab.files import laboratory_files, laboratory_page

__all__ = ["ADDRESS", "laboratory_server"]

_LOCAL = "127.0.0.1"
ADDRESS = "/lab/"
"""Where the page is. Its files are where they are in the book, in _static/lab."""

_TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm"}
# Scripts and WebAssembly of this server alone, and nothing from elsewhere.
_POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; "
    "connect-src 'self'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


def laboratory_server(port: int) -> ThreadingHTTPServer:
    """Return a server of the laboratory, which listens on 127.0.0.1 and still has to be run.

    It knows the addresses of its files, and looks nowhere else for what it is asked.

    Parameters
    ----------
    port
        Where it listens; 0 for any free port.

    Raises
    ------
    ConfigError
        If the port cannot be used.
    """
    files = laboratory_files()
    pages: dict[str, Path | bytes] = {f"/_static/lab/{name}": file for name, file in files.items()}
    pages[ADDRESS] = laboratory_page()
    try:
        return _Server((_LOCAL, port), pages)
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"Port {port} cannot be used ({error}); expected a free one. "
            "Name another with --port, or 0 for any."
        ) from error


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], pages: dict[str, Path | bytes]) -> None:
        self.pages = pages
        super().__init__(address, _Handler)
        # A page of another site that had its name lead here would come with that name.
        self.hosts = {f"{name}:{self.server_port}" for name in (_LOCAL, "localhost")}
        if self.server_port == 80:  # which browsers leave out
            self.hosts |= {_LOCAL, "localhost"}

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a browser that has hung up: a reader has closed the page."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "gahr"
    sys_version = ""
    timeout = 60  # of a connection that says nothing

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def _answer(self) -> None:
        if self.headers.get("Host") not in self.server.hosts:
            return self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
        try:
            path = urlsplit(self.path).path
        except ValueError:  # no address at all, as "http://["
            return self.send_error(HTTPStatus.BAD_REQUEST)
        if path == "/":
            self.send_response(HTTPStatus.FOUND)
            self.send_header("Location", ADDRESS)
            self.send_header("Content-Length", "0")
            return self.end_headers()
        file = self.server.pages.get(path)
        if file is None:
            return self.send_error(HTTPStatus.NOT_FOUND)
        content = file if isinstance(file, bytes) else file.read_bytes()
        self.send_response(HTTPStatus.OK)
        name = "index.html" if path == ADDRESS else path
        self.send_header("Content-Type", _content_type(name))
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Security-Policy", _POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        # Names with a hash never change what they mean.
        keep = "/data/" in path
        self.send_header("Cache-Control", "max-age=31536000, immutable" if keep else "no-cache")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)
        return None

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing: a line in the terminal for each file helps nobody."""


def _content_type(name: str) -> str:
    suffix = Path(name).suffix
    known = _TYPES.get(suffix) or guess_type(name)[0] or "application/octet-stream"
    return f"{known}; charset=utf-8" if known.startswith("text/") else known
