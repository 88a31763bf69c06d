"""Chapter 6, what is not settled."""

from gahr_lib.exercises.exercise import Exercise

__all__ = ["EXERCISES"]


EXERCISES: dict[str, Exercise] = {}
