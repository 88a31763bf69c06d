"""Pictures further down a page are loaded when a reader comes near them; their room is kept."""

import re
import struct
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

_IMAGE = re.compile(r'<img ([^>]*?src="(?:[^"]*/)?_images/([^"/]+\.png)"[^>]*>)')


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("builder-inited", _mark)
    app.connect("html-page-context", _keep_room)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _mark(app: Sphinx) -> None:
    """Have docutils mark every picture as one that may be loaded late."""
    app.env.settings["image_loading"] = "lazy"


def _keep_room(app: Sphinx, page: str, template: str, context: dict[str, Any], _: object) -> None:
    """Write the size of every picture beside its address, so that nothing jumps when it comes."""
    sources = {name: Path(app.srcdir, source) for source, name in app.builder.images.items()}

    def sized(image: re.Match[str]) -> str:
        rest, name = image.groups()
        if name not in sources or " width=" in rest:
            return image[0]
        with sources[name].open("rb") as file:
            width, height = struct.unpack(">II", file.read(24)[16:])
        return f'<img width="{width}" height="{height}" {rest}'

    if "body" in context:
        context["body"] = _IMAGE.sub(sized, context["body"])
