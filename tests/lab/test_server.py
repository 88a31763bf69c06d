"""The server of the laboratory: on this machine alone, and for its files alone."""

import http.client
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from gahr_lib.errors import ConfigError
from gahr_lib.lab import ADDRESS, laboratory_files, laboratory_server


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    server = laboratory_server(0)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


def ask(port: int, path: str, method: str = "GET", **headers: str):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer, content


def test_every_file_is_served_as_it_is(port):
    for name, file in laboratory_files().items():
        answer, content = ask(port, f"/_static/lab/{name}")
        assert answer.status == 200, name
        assert content == (file if isinstance(file, bytes) else file.read_bytes())
        kept = answer.headers["Cache-Control"]
        assert ("immutable" in kept) == name.startswith("data/"), name


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (ADDRESS, "text/html; charset=utf-8"),
        ("/_static/lab/lab.js", "text/javascript; charset=utf-8"),
        ("/_static/lab/lab.css", "text/css; charset=utf-8"),
        ("/_static/lab/still.png", "image/png"),
        ("/_static/lab/manifest.json", "application/json"),
        (
            "/_static/lab/vendor/onnxruntime-web/ort.wasm.bundle.min.mjs",
            "text/javascript; charset=utf-8",
        ),
    ],
)
def test_answers_say_what_they_are(port, path, kind):
    answer, content = ask(port, f"{path}?v=1")
    assert answer.headers["Content-Type"] == kind
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert int(answer.headers["Content-Length"]) == len(content)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "'unsafe-inline'" not in policy
    assert "'unsafe-eval'" not in policy.replace("'wasm-unsafe-eval'", "")


def test_page_has_no_script_of_its_own(port):
    _, content = ask(port, ADDRESS)
    page = content.decode()
    assert 'id="laboratory"' in page
    assert re.findall(r"<script(?![^>]*\bsrc=)", page) == []
    assert not re.search(r"\son\w+=", page)


def test_top_leads_to_the_page(port):
    answer, _ = ask(port, "/")
    assert (answer.status, answer.headers["Location"]) == (302, ADDRESS)


def test_head_has_no_body(port):
    answer, content = ask(port, ADDRESS, "HEAD")
    assert answer.status == 200
    assert content == b""
    assert int(answer.headers["Content-Length"]) > 500


@pytest.mark.parametrize(
    "path",
    [
        "/../pyproject.toml",
        "/_static/lab/../../../../../etc/passwd",
        "/_static/lab/%2e%2e/%2e%2e/server.py",
        "/_static/lab/..%2f..%2fserver.py",
        "/_static/lab//etc/passwd",
        "//etc/passwd",
        "/etc/passwd",
        "/_static/lab/",
        "/_static/lab/data/",
        "/_static/lab/page/lab.js",
        "/_static/lab/lab.html",
        "/_static/lab/lab.js%00.png",
        "/server.py",
        "/favicon.ico",
    ],
)
def test_other_paths_lead_nowhere(port, path):
    answer, content = ask(port, path)
    assert answer.status == 404
    assert b"root:" not in content


def test_what_is_no_address_is_refused(port):
    assert ask(port, "http://[", Host=f"localhost:{port}")[0].status == 400


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_can_be_written(port, method):
    assert ask(port, ADDRESS, method)[0].status == 501


def test_pages_of_other_names_are_not_answered(port):
    """Another site whose name leads to this machine does not get in."""
    assert ask(port, ADDRESS, Host=f"evil.example:{port}")[0].status == 421
    assert ask(port, ADDRESS, Host=f"localhost:{port}")[0].status == 200


def test_other_addresses_of_the_machine_are_closed(port):
    with pytest.raises(OSError), socket.create_connection(("127.0.0.2", port), timeout=2):  # noqa: PT011
        pass


def test_a_page_that_is_closed_while_it_loads_is_no_error(port, capsys):
    (large,) = (name for name in laboratory_files() if "threaded.jspi" in name)
    for _ in range(3):
        before = set(threading.enumerate())
        with socket.create_connection(("127.0.0.1", port)) as connection:
            request = f"GET /_static/lab/{large} HTTP/1.0\r\nHost: localhost:{port}\r\n\r\n"
            connection.sendall(request.encode())
            connection.recv(100)
            # Closed at once, with most of the answer on its way.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        for thread in set(threading.enumerate()) - before:
            thread.join(60)
    assert capsys.readouterr().err == ""
    assert ask(port, ADDRESS)[0].status == 200


@pytest.mark.parametrize("wrong", [-1, 65_536])
def test_ports_that_are_none_are_refused(wrong):
    with pytest.raises(ConfigError, match=f"Port {wrong} cannot be used"):
        laboratory_server(wrong)


def test_a_port_in_use_is_refused(port):
    with pytest.raises(ConfigError, match="Name another with --port"):
        laboratory_server(port)


def test_command_serves_until_it_is_stopped():
    command = [sys.executable, "-m", "gahr_lib.cli", "lab", "--port", "0"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # What a shell starts in the background ignores this signal, and so would its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        (port,) = re.findall(r"^The laboratory is at http://127\.0\.0\.1:(\d+)/ \(Ctrl\+C", line)
        assert ask(int(port), ADDRESS)[0].status == 200
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, errors) == (0, "")


def test_command_says_what_is_wrong_in_one_line(port):
    command = [sys.executable, "-m", "gahr_lib.cli", "lab", "--port", str(port)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert result.returncode == 2
    assert result.stderr.startswith(f"gahr: Port {port} cannot be used")
    assert result.stderr.count("\n") == 1
