"""What an exercise of the book asks for, and what answers it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

__all__ = ["Exercise"]


@dataclass(frozen=True)
class Exercise:
    """What `gahr_lib.check` knows of an exercise.

    Attributes
    ----------
    truth
        Computes the right numbers.
    asks_for
        What an answer is made of, for a message.
    hints
        From the one that says least to the one that says most.
    tolerance
        The relative error that a right answer may have.
    """

    truth: Callable[[], Sequence[float]]
    asks_for: str
    hints: tuple[str, ...]
    tolerance: float = 0.01
