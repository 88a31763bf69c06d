"""Chapter 5, the full sampler."""

from gahr_lib.exercises.exercise import Exercise

__all__ = ["EXERCISES"]


EXERCISES: dict[str, Exercise] = {}
