"""Pages with widgets, made as the book's are but by themselves: no book has to be built."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ipywidgets import Widget
from ipywidgets.embed import dependency_state, embed_data

ROOT = Path(__file__).parents[2]
SCRIPT = (ROOT / "book" / "_static" / "static-widgets.js").read_text(encoding="utf-8")

# Keys that come out of an explorer: a page may turn its own pages by them.
_HEARD = "window.heard = []; document.addEventListener('keydown', (e) => heard.push(e.key));"


def as_page(
    widgets: Sequence[Widget],
    script: str = SCRIPT,
    *,
    edit: Callable[[dict[str, Any]], None] = lambda state: None,
) -> str:
    """A page as the book's are: the state of the widgets, and each of them where it is shown.

    Its `heard` are the keys whose presses reached the document.
    """
    # Of these alone: other tests have left widgets of theirs in the process.
    models = dependency_state(widgets, drop_defaults=False)
    state = embed_data(views=widgets, drop_defaults=False, state=models)["manager_state"]
    edit(state["state"])
    shown = "".join(
        bundle.get("text/html")
        or '<div><script type="application/vnd.jupyter.widget-view+json">'
        + json.dumps(bundle["application/vnd.jupyter.widget-view+json"])
        + "</script></div>"
        for bundle in map(_bundle, widgets)
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Widgets</title>'
        '<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">'
        '<script type="application/vnd.jupyter.widget-state+json">'
        + json.dumps(state).replace("</", "<\\/")
        + f"</script><script>{_HEARD}</script><script>{script}</script><body>{shown}"
    )


def _bundle(widget: Widget) -> dict[str, Any]:
    bundle = widget._repr_mimebundle_()
    return bundle[0] if isinstance(bundle, tuple) else bundle
