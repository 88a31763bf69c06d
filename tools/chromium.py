"""Find Chromium on this machine, and start it so that it asks nobody for anything."""

import shutil
from pathlib import Path

from playwright.sync_api import Browser, Playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_MACOS = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
_QUIET = ("--no-first-run", "--disable-background-networking", "--disable-component-update")
_FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-sync", *_QUIET)


class NoChromiumError(Exception):
    """No Chromium and no Chrome is installed; the text says how to get one."""


def find() -> str:
    """Return the path of this machine's Chromium or Chrome."""
    found = [path for path in map(shutil.which, _NAMES) if path]
    found += [path for path in _MACOS if Path(path).is_file()]
    if not found:
        raise NoChromiumError(
            f"none of {', '.join(_NAMES)} is installed. On Debian or Ubuntu: "
            "apt-get install chromium; on macOS: brew install --cask google-chrome"
        )
    return found[0]


def launch(playwright: Playwright, path: str) -> Browser:
    """Start the Chromium or Chrome at a path."""
    return playwright.chromium.launch(executable_path=path, args=[*_FLAGS])
