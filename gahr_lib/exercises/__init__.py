"""The right answers to the book's exercises, each computed by a function when it is asked for.

They stand apart from `gahr_lib.check` so that a reader who looks up how to check an answer does not
read one.
"""

from gahr_lib.exercises import (
    harmonic_bases,
    memorization,
    open_questions,
    rates,
    sampling,
    shrinkage,
)
from gahr_lib.exercises.exercise import Exercise

__all__ = ["EXERCISES", "Exercise"]

EXERCISES: dict[str, Exercise] = {
    **shrinkage.EXERCISES,
    **memorization.EXERCISES,
    **harmonic_bases.EXERCISES,
    **rates.EXERCISES,
    **sampling.EXERCISES,
    **open_questions.EXERCISES,
}
