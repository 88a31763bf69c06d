"""Whoever looks at what `check` works with does not meet an answer."""

import dataclasses
import io
import math
import pydoc
import re
from functools import cache

import pytest

import gahr_lib.check
import gahr_lib.exercises
from gahr_lib.check import check, hint
from gahr_lib.exercises import EXERCISES


@cache
def truth(label: str) -> list[float]:
    return [float(value) for value in EXERCISES[label].truth()]


def digits(number: str) -> int:
    """Return how many digits say something: three in 0.0501, one in 0.05."""
    return len(number.replace(".", "").lstrip("0"))


def telling(label: str, least: int) -> list[float]:
    """Return the answers that are long enough to be told from any other number of a sentence."""
    return [value for value in truth(label) if digits(f"{abs(value):.{least}g}") >= least]


def shows(text: str, value: float) -> bool:
    """Return whether a text has the value to three digits or more."""
    found = re.findall(r"\d+\.\d+|\d+", text.replace(",", ""))
    return any(digits(n) >= 3 and math.isclose(float(n), value, rel_tol=2e-3) for n in found)


def test_what_would_show_an_answer_is_noticed():
    assert shows("it is 0.0501 or so", 0.0501)
    assert shows("1,234", 1234)
    assert not shows("level 0.05", 0.0501)


@pytest.mark.parametrize("label", EXERCISES)
def test_neither_the_exercise_nor_a_verdict_shows_an_answer(label):
    exercise = EXERCISES[label]
    hints = [hint(label, level) for level in range(1, len(exercise.hints) + 1)]
    wrong = check(label, [value + 1e3 for value in truth(label)])
    said = [
        repr(exercise),
        pydoc.plain(pydoc.render_doc(exercise)),
        *hints,
        repr(wrong),
        wrong._repr_html_(),
    ]
    assert not [(v, text) for v in telling(label, 3) for text in said if shows(text, v)]
    held = {field.name for field in dataclasses.fields(exercise)}
    assert held == {"truth", "asks_for", "hints", "tolerance"}
    assert callable(exercise.truth)  # what would have to be stored to be found


def test_verdicts_hold_a_word_and_a_sentence_alone():
    verdict = check("shrinkage-noise-level", 1.0)
    assert {field.name for field in dataclasses.fields(verdict)} == {"correct", "message"}


@pytest.mark.parametrize("module", [gahr_lib.check, gahr_lib.exercises])
def test_documentation_shows_no_answer(module):
    text = io.StringIO()
    pydoc.Helper(output=text).help(module)
    assert "def " not in text.getvalue()  # no source
    said = text.getvalue()
    assert not [v for label in EXERCISES for v in telling(label, 4) if shows(said, v)]
