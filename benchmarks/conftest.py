"""What the benchmarks share: the table that they fill, and where it is printed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from browser.conftest import browser, chromium, serve, site, visit
from speeds import Speeds

__all__ = ["browser", "chromium", "serve", "site", "visit"]  # fixtures: one browser for all

_SPEEDS = Speeds()


@pytest.fixture(scope="session")
def speeds() -> Speeds:
    return _SPEEDS


@pytest.fixture
def one_core() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--table", type=Path, help="where to write the table of the book's appendix")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not _SPEEDS.lines:
        return
    text = _SPEEDS.markdown()
    terminalreporter.section("speeds")
    terminalreporter.write_line(text)
    path = terminalreporter.config.getoption("table")
    if path is not None:
        path.write_text(text)
