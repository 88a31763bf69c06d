"""Instant answers to the exercises: right, nearly right, or a hint.

    check("shrinkage-noise-level", 0.05)

The right answer of an exercise is computed when it is asked for, by code that follows the text
of the exercise and not its solution. Nothing here prints; a notebook shows the verdict that a cell
returns.
"""

import html
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gahr_lib._checks import check_count
from gahr_lib.errors import ConfigError
from gahr_lib.exercises import EXERCISES, Exercise

__all__ = ["Verdict", "check", "hint"]

_ALMOST = 5  # an answer within this many tolerances is told that it is close


@dataclass(frozen=True)
class Verdict:
    """What is said of an answer.

    Attributes
    ----------
    correct
        Whether the answer is right.
    message
        A sentence for the reader.
    """

    correct: bool
    message: str

    def __str__(self) -> str:
        """Return the message, marked by a word and not by a colour alone."""
        return f"{'Correct' if self.correct else 'Not yet'}: {self.message}"

    def _repr_html_(self) -> str:
        kind = "tip" if self.correct else "warning"
        return f'<div class="admonition {kind}"><p>{html.escape(str(self))}</p></div>'


def check(label: str, answer: float | Sequence[float]) -> Verdict:
    """Compare an answer with the right one.

    Parameters
    ----------
    label
        The label of the exercise, given in its text.
    answer
        A number, or a sequence of numbers where the exercise asks for several.

    Returns
    -------
    Verdict
        Never contains the right answer.

    Raises
    ------
    ConfigError
        If there is no such exercise, or the answer is not made of numbers.
    """
    exercise = _find(label)
    try:
        numbers = np.atleast_1d(np.asarray(answer, dtype=float)).ravel()
    except (TypeError, ValueError) as error:
        raise ConfigError(f"The answer is {answer!r}; expected {exercise.asks_for}.") from error
    truth = exercise.truth()
    if len(numbers) != len(truth):
        count = "one number" if len(truth) == 1 else f"{len(truth)} numbers"
        return Verdict(False, f"expected {exercise.asks_for}, that is {count}.")
    if not np.isfinite(numbers).all():
        return Verdict(False, "an answer is not a finite number.")
    # In tolerances: how far the worst of the numbers is from the truth.
    distance = max(
        abs(number - right) / (exercise.tolerance * max(abs(right), 1e-12))
        for number, right in zip(numbers, truth, strict=True)
    )
    if distance <= 1:
        return Verdict(True, "well done.")
    if distance <= _ALMOST:
        return Verdict(False, "almost. Look at rounding, and at the units that are asked for.")
    return Verdict(False, exercise.hints[0])


def hint(label: str, level: int = 1) -> str:
    """Return a hint of an exercise; level 1 says least.

    Raises
    ------
    ConfigError
        If there is no such exercise or level.
    """
    hints = _find(label).hints
    remedy = f"This exercise has hints 1 to {len(hints)}."
    return hints[check_count(level, "level", most=len(hints), remedy=remedy) - 1]


def _find(label: str) -> Exercise:
    if label not in EXERCISES:
        known = ", ".join(sorted(EXERCISES))
        raise ConfigError(f"There is no exercise {label!r}. There are: {known}.")
    return EXERCISES[label]
