"""The laboratory: networks that run in the reader's browser, in the book and by ``gahr lab``.

Python computes nothing there. It says which files make the laboratory, and serves them.
"""

from gahr_lib.lab.files import GRAPHS, NETWORKS, WEIGHTS_FILE, laboratory_files, tensor_places
from gahr_lib.lab.server import ADDRESS, laboratory_server

__all__ = [
    "ADDRESS",
    "GRAPHS",
    "NETWORKS",
    "WEIGHTS_FILE",
    "laboratory_files",
    "laboratory_server",
    "tensor_places",
]
