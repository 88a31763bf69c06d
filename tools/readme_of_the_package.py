"""Make the README readable on the package index, where its relative links would lead nowhere.

Hatchling runs this whenever it builds the package (`tool.hatch.metadata` in pyproject.toml).
"""

import re
from pathlib import Path

from hatchling.metadata.plugin.interface import MetadataHookInterface

_LINK = re.compile(r"(!?)(\[[^\]]*\])\((?!https?:|#)([^)\s]+)\)")


def with_full_addresses(text: str, source: str, ref: str) -> str:
    """Return a Markdown text whose links lead into a repository, and whose pictures lie there."""

    def full(link: re.Match[str]) -> str:
        picture, label, path = link.groups()
        return f"{picture}{label}({source}/{'raw' if picture else 'blob'}/{ref}/{path})"

    return _LINK.sub(full, text)


class ReadmeHook(MetadataHookInterface):
    """Fills in the field `readme`."""

    def update(self, metadata: dict) -> None:
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        # What is uploaded is a release, whose files lie under its tag.
        text = with_full_addresses(text, metadata["urls"]["Source"], f"v{metadata['version']}")
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
