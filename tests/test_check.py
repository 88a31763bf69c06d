"""Answers to exercises are judged, and never given away."""

import math

import pytest

from gahr_lib.check import Verdict, check, hint
from gahr_lib.errors import ConfigError
from gahr_lib.exercises import EXERCISES

LABEL = "shrinkage-noise-level"
RIGHT = 10 ** (-26 / 20)


def test_right_answer_within_its_tolerance():
    assert check(LABEL, RIGHT).correct
    assert check(LABEL, RIGHT * 1.009).correct


def test_near_answer_is_told_that_it_is_near():
    verdict = check(LABEL, RIGHT * 1.03)
    assert not verdict.correct
    assert "almost" in verdict.message


def test_wrong_answer_gets_the_first_hint():
    assert check(LABEL, 26) == Verdict(False, hint(LABEL, 1))


def test_not_a_number_is_wrong():
    assert not check(LABEL, math.nan).correct


def test_pairs_by_hand():
    squares = [1, 0.25, 0.04, 0.0064, 0.0009]
    error = 3 * 0.01 + sum(squares[3:])
    assert check("shrinkage-how-many", (3, error)).correct
    assert not check("shrinkage-how-many", (2, error)).correct
    assert "2 numbers" in check("shrinkage-how-many", 3).message
    assert "that is one number." in check(LABEL, (1, 2)).message


@pytest.mark.parametrize(
    ("label", "answer"),
    [
        ("memorization-ray", 20 + 10 * math.log10(784)),
        ("memorization-weights", (1 / (1 + math.exp(-1)), 1 / (1 + math.exp(-4)))),
        ("memorization-twins", (1 / 4, 3 / 8)),
        ("memorization-doubled", (3 / 4, math.log(9))),
    ],
)
def test_answers_by_hand(label, answer):
    assert check(label, answer).correct


@pytest.mark.parametrize("label", EXERCISES)
def test_hints_and_verdicts_do_not_contain_the_answer(label):
    truth = EXERCISES[label].truth()
    wrong = check(label, [value * 3 + 1 for value in truth])
    assert not wrong.correct
    said = [wrong.message, *EXERCISES[label].hints]
    # Small whole numbers occur in any sentence; an answer is long enough to be told apart.
    telling = [f"{value:.3g}" for value in truth if len(f"{value:.3g}") > 2]
    assert not [number for number in telling for text in said if number in text]


@pytest.mark.parametrize("label", EXERCISES)
def test_every_truth_is_accepted(label):
    assert check(label, EXERCISES[label].truth()).correct


def test_bad_calls_are_typed_errors():
    with pytest.raises(ConfigError, match=r"There are: .*shrinkage-noise-level"):
        check("nonsense", 1)
    with pytest.raises(ConfigError, match="expected one noise level"):
        check(LABEL, "a twentieth")
    for level in (0, 3, 1.5, "1", None):
        with pytest.raises(ConfigError, match="hints 1 to 2"):
            hint(LABEL, level)


def test_verdict_shows_itself_as_text_and_as_escaped_html():
    verdict = Verdict(False, "a < b")
    assert str(verdict) == "Not yet: a < b"
    assert "a &lt; b" in verdict._repr_html_()
