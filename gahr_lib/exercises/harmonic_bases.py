"""Chapter 3, geometry-adaptive harmonic bases."""

from gahr_lib.exercises.exercise import Exercise

__all__ = ["EXERCISES"]


EXERCISES: dict[str, Exercise] = {}
