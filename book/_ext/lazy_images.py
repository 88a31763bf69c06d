"""Pictures further down a page are loaded when a reader comes near them."""

from typing import Any


def setup(app: Any) -> dict[str, bool]:
    """Have docutils mark every picture as one that may be loaded late."""
    app.connect("builder-inited", _mark)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _mark(app: Any) -> None:
    app.env.settings["image_loading"] = "lazy"
