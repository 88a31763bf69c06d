"""Give every cell of a chapter an address in the built page, so that one can link to it.

The cell `slopes` of Chapter 4 is at `#cell-slopes` in its page, and other pages refer to it as
``{ref}`text <cell-4-slopes>` ``. A notebook whose name has no number gets the first alone. MyST-NB
knows cells by their position alone; their ids are in the notebook's file.
"""

import json
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

# MyST-NB counts lines from this multiple of the number of the cell, from 1.
_LINES_OF_A_CELL = 10_000
_WITHOUT_PLACE = (nodes.document, nodes.target, nodes.Invisible, nodes.Inline)


class CellAnchors(SphinxTransform):
    """Gives an id to the first thing that the page shows of each cell."""

    default_priority = 500

    def apply(self) -> None:
        """Look up the cell of every node by its line."""
        path = Path(self.env.doc2path(self.env.docname))
        if path.suffix != ".ipynb":
            return
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        number, _, _ = path.stem.partition("_")
        seen = set()
        for node in self.document.findall(nodes.Element):
            if isinstance(node, _WITHOUT_PLACE) or not node.line:
                continue
            index = node.line // _LINES_OF_A_CELL - 1
            if not 0 <= index < len(cells) or index in seen:
                continue
            seen.add(index)
            cell = cells[index].get("id")
            if cell is None:  # a notebook older than nbformat 4.5
                continue
            anchor = f"cell-{cell}"
            node["ids"].append(anchor)
            self.document.ids[anchor] = node
            if number.isdecimal():
                name = f"cell-{int(number)}-{cell}".lower()
                self.document.nameids[name] = anchor
                self.document.nametypes[name] = True  # as a target that an author wrote


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_transform(CellAnchors)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
