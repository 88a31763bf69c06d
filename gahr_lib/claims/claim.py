"""A claim of the paper beside what this book measured of it."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Self

from torch import Tensor

from gahr_lib.errors import ConfigError

__all__ = ["STATUSES", "Claim", "Measured"]

STATUSES: Mapping[str, str] = MappingProxyType(
    {"reproduced": "✓", "partly": "◐", "not at this scale": "○", "contradicted": "✗"}
)
"""What can be said of a claim, with the sign that stands beside the word."""

_NORMAL = 1.96  # standard errors in half of a 95 % interval
_TEXTS = (
    "id",
    "sentence",
    "source",
    "paper",
    "quantity",
    "unit",
    "scale",
    "status",
    "cell",
    "why",
)
_MAY_BE_EMPTY = {"unit", "why"}
_LONGEST_QUANTITY = 60  # characters: three lines of the narrow column of a table


@dataclass(frozen=True)
class Measured:
    """A number that was measured.

    Attributes
    ----------
    value
        The number.
    spread
        Half the width of its 95 % interval; 0 for what has no randomness in it.
    """

    value: float
    spread: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what is no measurement."""
        if not (_is_number(self.value) and _is_number(self.spread)):
            raise ConfigError(
                f"The measurement is {self.value!r} ± {self.spread!r}; expected two finite "
                "numbers. Look for an empty mean or a division by zero in the measure."
            )
        if self.spread < 0:
            raise ConfigError(f"The spread is {self.spread!r}; expected one that is not negative.")

    @classmethod
    def of_mean(cls, values: Tensor) -> Self:
        """Return the mean of independent values with the interval of their standard error.

        Parameters
        ----------
        values
            At least two numbers, of any shape.
        """
        flat = values.double().flatten()
        if len(flat) < 2:
            raise ConfigError(f"There are {len(flat)} values; expected two at least.")
        return cls(float(flat.mean()), float(_NORMAL * flat.std() / len(flat) ** 0.5))

    @classmethod
    def of_ratio(cls, above: Tensor, below: Tensor) -> Self:
        """Return the ratio of two means over the same images, with the interval they give it.

        Parameters
        ----------
        above, below
            A number for each image, (B,), two at least.
        """
        ratio = above.double().mean() / below.double().mean()
        # To first order the ratio errs as the mean of these does.
        residuals = (above.double() - ratio * below.double()) / below.double().mean()
        return cls(float(ratio), cls.of_mean(residuals).spread)

    @classmethod
    def of_interval(cls, value: float | Tensor, low: float | Tensor, high: float | Tensor) -> Self:
        """Return a value with the ends of its 95 % interval, such as a bootstrap's."""
        return cls(float(value), (float(high) - float(low)) / 2)


@dataclass(frozen=True)
class Claim:
    """One claim of the paper, what we found of it, and what guards that.

    Attributes
    ----------
    id
        Its name: the topic and a few words, in lower case, joined by hyphens.
    chapter
        The chapter that shows it.
    sentence
        The claim, in our words.
    source
        The figure, equation or section of the paper.
    paper
        The paper's number or statement.
    quantity
        What our number is, in a few words.
    ours, spread, unit
        Our number, half the width of its 95 % interval, and their unit; "" if there is none.
    scale
        What it was measured on.
    expected
        The ends of the range in which our number supports the claim; infinite where it has none.
    status
        One of `STATUSES`. "reproduced" needs a number in that range, "not at this scale" and
        "contradicted" one outside; "partly" says that a part of the claim holds.
    tolerance
        How far the number may be from ours when it is measured again.
    cell
        The id of the cell of the chapter that shows it.
    why
        Why ours differs; may be empty if it is reproduced.

    Raises
    ------
    ConfigError
        If an entry has the wrong type, or the entries contradict one another.
    """

    id: str
    chapter: int
    sentence: str
    source: str
    paper: str
    quantity: str
    ours: float
    spread: float
    unit: str
    scale: str
    expected: tuple[float, float]
    status: str
    tolerance: float
    cell: str
    why: str

    def __post_init__(self) -> None:
        """Refuse entries that are of the wrong type or contradict one another."""
        self._check_texts()
        self._check_numbers()
        self._check_status()

    def supports(self, value: float) -> bool:
        """Return whether a number lies in the range that supports the claim."""
        return self.expected[0] <= value <= self.expected[1]

    def agrees(self, value: float) -> bool:
        """Return whether the status can be said of a number."""
        if self.status == "partly":
            return True
        return self.supports(value) == (self.status == "reproduced")

    def _check_texts(self) -> None:
        for name in _TEXTS:
            text = getattr(self, name)
            if not isinstance(text, str) or (not text.strip() and name not in _MAY_BE_EMPTY):
                raise self._wrong(name, "a text", "Write it, in quotation marks.")
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", self.id):
            raise self._wrong("id", "words in lower case joined by hyphens", "Rename it.")
        if not re.fullmatch(r"[A-Za-z0-9_-]+", self.cell):
            raise self._wrong("cell", "the id of a cell", "Look it up in the chapter's file.")
        if len(self.quantity) > _LONGEST_QUANTITY:
            raise self._wrong(
                "quantity", f"{_LONGEST_QUANTITY} characters at most", "Say the rest in scale."
            )

    def _check_numbers(self) -> None:
        if isinstance(self.chapter, bool) or not isinstance(self.chapter, int) or self.chapter < 1:
            raise self._wrong("chapter", "a whole number from 1", "Give the chapter's number.")
        for name in ("ours", "spread", "tolerance"):
            if not _is_number(getattr(self, name)):
                raise self._wrong(name, "a finite number", "Measure it; do not guess.")
        if self.spread < 0:
            raise self._wrong("spread", "a number that is not negative", "Measure it.")
        if self.tolerance <= 0:
            raise self._wrong("tolerance", "a positive number", "Take a part of the spread.")
        ends = self.expected
        if (
            not isinstance(ends, tuple)
            or len(ends) != 2
            or not all(isinstance(end, int | float) for end in ends)
            or not ends[0] < ends[1]
        ):
            raise self._wrong(
                "expected", "two numbers, the smaller one first", "Use -inf or inf for no limit."
            )

    def _check_status(self) -> None:
        if self.status not in STATUSES:
            raise self._wrong("status", f"one of {', '.join(STATUSES)}", "Choose one.")
        if not self.agrees(self.ours):
            low, high = self.expected
            inside = "in" if self.supports(self.ours) else "outside"
            raise ConfigError(
                f"The claim {self.id} is called {self.status!r}, but its number {self.ours:g} lies "
                f"{inside} the expected range from {low:g} to {high:g}. Change the status, and "
                "not the range, which follows from what the paper says."
            )
        if self.status != "reproduced" and not self.why.strip():
            raise self._wrong("why", "a reason, as it is not reproduced", "Say why ours differs.")

    def _wrong(self, name: str, expected: str, remedy: str) -> ConfigError:
        return ConfigError(
            f"The entry {name} of the claim {self.id} is {getattr(self, name)!r}; expected "
            f"{expected}. {remedy}"
        )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
