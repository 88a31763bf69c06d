"""Answers of chapter 2 that can be had in a second way."""

import math

import numpy as np
import pytest

from gahr_lib.check import check
from gahr_lib.exercises import EXERCISES


def test_mean_of_a_logarithm_is_lower_than_the_logarithm_of_the_mean() -> None:
    """The solution of memorization-ray gives what lies between the two in closed form."""
    square = np.random.default_rng(0).normal(size=4_000_000) ** 2
    decibels = 10 * (np.euler_gamma + math.log(2)) / math.log(10)
    assert decibels == pytest.approx(5.5, abs=0.05)
    assert -10 * np.log10(square).mean() == pytest.approx(decibels, abs=0.02)


def test_the_twin_knows_the_duplicate_and_not_its_neighbours() -> None:
    shared, others = EXERCISES["memorization-shared"].truth()
    assert shared > others + 1
    assert not check("memorization-shared", (others, shared)).correct
