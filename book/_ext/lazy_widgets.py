"""Explorers are loaded when a reader comes near them.

MyST-NB writes the state of all widgets into the head of their page: megabytes, before the first
sentence. This puts what each explorer needs, and its still picture, into files next to the pages,
with the hash of their content in their name, and leaves the names. `static-widgets.js` loads the
data later, as a script that hands it over: browsers allow that in pages opened as files, too.
"""

import base64
import hashlib
import json
import re
import struct
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

_FOLDER = "_static/explorers"
_STATE = "application/vnd.jupyter.widget-state+json"
_VIEW = r'<script type="application/vnd\.jupyter\.widget-view\+json">(.*?)</script>'
_PLACE = re.compile(  # as gahr_lib.widgets writes it
    r'<div data-widget><img data-still([^>]*?) src="data:image/png;base64,([^"]+)"([^>]*)>' + _VIEW
)
# What a page says by itself; the script that it speaks of hides it.
_NOTE = (
    '<p class="still-note">This is the still picture of an explorer. To move it takes JavaScript '
    "and the file <code>static-widgets.js</code> of this book: one of them is off or was "
    "blocked.</p>"
)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("html-page-context", _lighten, priority=900)  # after MyST-NB
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _lighten(app: Sphinx, page: str, template: str, context: dict[str, Any], tree: object) -> None:
    """Take the data and the still pictures of explorers out of a page about to be written."""
    body = context.get("body", "")
    shown = {json.loads(view)["model_id"] for view in re.findall(_VIEW, body)}
    kinds: dict[str, str] = {}

    def write(content: bytes, suffix: str) -> str:
        name = hashlib.sha256(content).hexdigest()[:16] + suffix
        path = Path(app.outdir, _FOLDER, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        url: str = context["pathto"](f"{_FOLDER}/{name}", resource=True)
        return url

    def names_only(state: str) -> str:
        models = {}
        for name, model in json.loads(state)["state"].items():
            if name not in shown:  # the layouts of widgets, and what no cell ended with
                continue
            if model["model_module"] == "anywidget":
                kinds[name] = model["state"]["_anywidget_id"].rpartition(".")[2]
                model["state"].pop("layout", None)  # a name that is new in each run of a chapter
                packed = json.dumps(model, sort_keys=True, separators=(",", ":"))
                model = {"file": write(f"gahrWidgets.receive({packed});".encode(), ".js")}
            models[name] = model
        return json.dumps({"state": models}).replace("</", "<\\/")

    def light_place(place: re.Match[str]) -> str:
        before, data, after, view = place.groups()
        png = base64.b64decode(data)
        width, height = struct.unpack(">II", png[16:24])  # they keep the place of the picture
        kind = kinds[json.loads(view)["model_id"]]  # the style sheet keeps the explorer's
        return (
            f'<div data-widget data-explorer="{kind}"><img data-still{before} width="{width}" '
            f'height="{height}" loading="lazy" src="{write(png, ".png")}"{after}>{_NOTE}'
            f'<script type="application/vnd.jupyter.widget-view+json">{view}</script>'
        )

    for script in context.get("script_files", ()):
        if script.attributes.get("type") == _STATE:
            script.attributes["body"] = names_only(script.attributes["body"])
    if shown:
        context["body"] = _PLACE.sub(light_place, body)
