"""Chapter 4, optimality."""

from gahr_lib.exercises.exercise import Exercise

__all__ = ["EXERCISES"]


EXERCISES: dict[str, Exercise] = {}
