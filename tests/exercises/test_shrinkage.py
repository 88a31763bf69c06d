"""Answers of chapter 1 that can be had in a second way."""

import numpy as np
import pytest

from gahr_lib.check import check
from gahr_lib.exercises.shrinkage import _shrink_by_sure


def test_half_a_direction_integrated_numerically() -> None:
    sigma = np.linspace(0.01, 1, 2_000_001)
    nats = float(np.trapezoid(0.5 * sigma**2 * sigma**-3, sigma))
    assert check("shrinkage-half-direction", (nats, nats / np.log(2))).correct
    assert not check("shrinkage-half-direction", (2 * nats, 2 * nats / np.log(2))).correct


@pytest.mark.parametrize("sigma", [0.05, 0.4])
def test_shrinking_by_sure_tries_every_threshold(sigma: float) -> None:
    random = np.random.default_rng(0)
    c = random.normal(0, sigma, 300) + np.where(random.random(300) < 0.2, 1.0, 0.0)
    candidates = []
    for t in np.arange(41) / 10 * sigma:
        moved = np.sign(c) * np.maximum(np.abs(c) - t, 0)
        # Stein's formula: how far the image moves, and twice sigma^2 times the trace.
        risk = ((moved - c) ** 2).sum() + 2 * sigma**2 * (moved != 0).sum() - len(c) * sigma**2
        candidates.append((risk, moved))
    best = min(candidates, key=lambda candidate: candidate[0])[1]
    np.testing.assert_allclose(_shrink_by_sure(c, sigma), best, rtol=0, atol=1e-12)
