"""What is done to numbers, formulas and links of a page, in paragraphs made by hand."""

import pytest
from docutils import nodes
from docutils.utils import new_document

from typesetting import set_in_type


def number(text):
    return nodes.inline("", text, classes=["pasted-text"])


def formula(text="x"):
    return nodes.math("", text)


def link(text):
    return nodes.reference("", "", nodes.Text(text), refuri="#there")


def paragraph(*parts):
    """A paragraph of these parts, as it is set."""
    document = new_document("page")
    document += nodes.paragraph(
        "", "", *(nodes.Text(part) if isinstance(part, str) else part for part in parts)
    )
    set_in_type(None, document, "page")
    return document[0]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (("from ", number("-0.13"), " to"), "from \u22120.13 to"),
        (("from ", number("0.13"), " to"), "from 0.13 to"),
        (("on ", number("2026-11-30"), "."), "on 2026-11-30."),
        ((number("-"), " nothing"), "- nothing"),
        ((number("7"), " % of it"), "7\u00a0% of it"),
        ((number("7"), " dB of it"), "7\u00a0dB of it"),
        ((number("7"), " dBs"), "7 dBs"),
        ((number("7"), " of ", number("9"), " % more"), "7 of 9\u00a0% more"),
        ((link("a"), " % of ", number("9"), " % of "), "a % of 9\u00a0% of "),
    ],
)
def test_numbers_keep_their_sign_and_their_unit(parts, expected):
    assert paragraph(*parts).astext() == expected


@pytest.mark.parametrize(
    ("parts", "held"),
    [
        (("at ", formula(), ", summed"), ["x,"]),
        (("at (", formula("y"), "), or [", formula(), "]"), ["(y),", "[x]"]),
        (("at ", formula(), " and"), []),
        ((formula(),), []),
        ((formula("y"), ", ", formula(), "."), ["y,", "x."]),
        ((link("a"), ", ", formula(), ", ", link("b")), ["x,"]),
        ((link("a"), " (", link("b"), " (", formula(), ")"), ["(x)"]),
    ],
)
def test_formulas_keep_the_stops_that_touch_them(parts, held):
    before = "".join(part if isinstance(part, str) else part.astext() for part in parts)
    shown = paragraph(*parts)
    assert shown.astext() == before
    found = [
        part.astext()
        for part in shown
        if "held" in getattr(part, "attributes", {}).get("classes", ())
    ]
    assert found == held


def test_no_link_begins_with_a_blank():
    shown = paragraph("Solution to", link(" Exercise 2.1"), " and ", link("more"))
    assert shown.astext() == "Solution to Exercise 2.1 and more"
    assert [part.astext() for part in shown.findall(nodes.reference)] == ["Exercise 2.1", "more"]
