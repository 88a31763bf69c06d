"""Serve the built book on this machine alone: python tools/serve.py FOLDER PORT."""

import functools
import http.server
import sys


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Files of a folder, without a line in the terminal for each."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


def main(folder: str, port: int) -> None:
    handler = functools.partial(QuietHandler, directory=folder)
    try:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as error:
        sys.exit(f"Port {port} cannot be used ({error.strerror}). Try: make serve PORT={port + 1}")
    print(f"The book is at http://127.0.0.1:{server.server_port}/ (Ctrl+C ends)", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
