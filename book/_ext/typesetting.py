"""Set numbers, formulas and links as a careful printer would, wherever they stand in a sentence.

A negative number that a cell computed has a minus and no hyphen. A number stays on one line with
its unit, and a formula with the bracket or the stop beside it. No link begins with a blank.
"""

import re

from docutils import nodes
from sphinx.application import Sphinx

_UNIT = re.compile(r"^ (?=%|dB\b)")
_BEFORE = re.compile(r"[(\[“]+$")
_BEHIND = re.compile(r"^[)\].,;:?!”]+")


def set_in_type(app: Sphinx, document: nodes.document, page: str) -> None:
    for number in list(document.findall(_is_number)):
        for text in list(number.findall(nodes.Text)):
            _put(text, re.sub(r"^-(?=\d)", "\N{MINUS SIGN}", text))
        behind = _text_at(number, 1)
        if behind is not None:
            _put(behind, _UNIT.sub("\N{NO-BREAK SPACE}", behind))
    for formula in list(document.findall(nodes.math)):
        _hold_together(formula)
    for link in list(document.findall(nodes.reference)):
        text = next(iter(link.findall(nodes.Text)), None)
        if text is not None and text.startswith(" "):  # sphinx-exercise puts it there
            link.parent.insert(link.parent.index(link), nodes.Text(" "))
            _put(text, text.lstrip(" "))


def _is_number(node: nodes.Node) -> bool:
    return isinstance(node, nodes.inline) and "pasted-text" in node["classes"]


def _text_at(node: nodes.Node, step: int) -> nodes.Text | None:
    """Return the text right before (-1) or right behind (1) a node."""
    place = node.parent.index(node) + step
    beside = node.parent[place] if 0 <= place < len(node.parent) else None
    return beside if isinstance(beside, nodes.Text) else None


def _put(old: nodes.Text, new: str) -> None:
    # Not by `replace`, which would take the first text of the same letters.
    place = next(i for i, node in enumerate(old.parent) if node is old)
    old.parent[place] = nodes.Text(new)


def _hold_together(formula: nodes.math) -> None:
    """Put a formula and the brackets and stops that touch it where no line is broken."""
    before, behind = _text_at(formula, -1), _text_at(formula, 1)
    opening = _BEFORE.search(before) if before is not None else None
    closing = _BEHIND.search(behind) if behind is not None else None
    if not opening and not closing:
        return
    held = nodes.inline(classes=["held"])
    formula.parent.replace(formula, held)
    if opening:
        _put(before, before[: opening.start()])
        held += nodes.Text(opening[0])
    held += formula
    if closing:
        _put(behind, behind[closing.end() :])
        held += nodes.Text(closing[0])


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("doctree-resolved", set_in_type)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
