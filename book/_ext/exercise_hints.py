"""Fold the hints of every exercise below its text, for readers who have no Python at hand.

The hints are those that `gahr_lib.check.hint` returns in a notebook.
"""

import re
from html import escape

from docutils import nodes
from sphinx.application import Sphinx
from sphinx_exercise.nodes import exercise_enumerable_node

from gahr_lib.exercises import EXERCISES


def add_hints(app: Sphinx, document: nodes.document) -> None:
    for exercise in document.findall(exercise_enumerable_node):
        known = EXERCISES.get(exercise["label"])
        for number, hint in enumerate(known.hints if known else (), start=1):
            folded = (
                f'<details class="hint"><summary>Hint {number}</summary>'
                f"<p>{_as_html(hint)}</p></details>"
            )
            exercise += nodes.raw("", folded, format="html")


def _as_html(hint: str) -> str:
    return re.sub(r"`([^`]+)`", r'<code class="literal">\1</code>', escape(hint))


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("doctree-read", add_hints)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
