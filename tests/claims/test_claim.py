"""Claims and measurements: what they are made of, and what they refuse."""

import math
from typing import Any

import pytest
import torch

from gahr_lib.claims import STATUSES, Claim, Measured
from gahr_lib.errors import ConfigError
from helpers import seeded

ENTRIES: dict[str, Any] = {
    "id": "rates-slope-2",
    "chapter": 4,
    "sentence": "The slope is that of the best basis.",
    "source": "figure 4",
    "paper": "0.61",
    "quantity": "slope of the PSNR",
    "ours": 0.63,
    "spread": 0.02,
    "unit": "dB",
    "scale": "small",
    "expected": (0.6, 0.7),
    "status": "reproduced",
    "tolerance": 0.01,
    "cell": "slopes",
    "why": "",
}


def claim(**entries: Any) -> Claim:
    return Claim(**ENTRIES | entries)


def test_a_claim_knows_which_numbers_support_it() -> None:
    assert [claim().supports(value) for value in (0.59, 0.6, 0.7, 0.71)] == [
        False,
        True,
        True,
        False,
    ]
    assert claim(expected=(0.0, math.inf)).supports(1e9)


@pytest.mark.parametrize(
    ("status", "inside", "outside"),
    [
        ("reproduced", True, False),
        ("partly", True, True),
        ("not at this scale", False, True),
        ("contradicted", False, True),
    ],
)
def test_a_status_can_be_said_of_numbers_in_or_outside_the_range(
    status: str, inside: bool, outside: bool
) -> None:
    good = 0.63 if inside else 0.9
    made = claim(status=status, ours=good, why="because")
    assert (made.agrees(0.63), made.agrees(0.9)) == (inside, outside)
    assert status in STATUSES


def test_the_signs_tell_the_statuses_apart() -> None:
    assert len(set(STATUSES.values())) == len(STATUSES) == 4


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"id": "Slope 2"}, "entry id .* is 'Slope 2'; expected words in lower case"),
        ({"chapter": 0}, "entry chapter .* is 0; expected a whole number from 1"),
        ({"chapter": True}, "entry chapter"),
        ({"sentence": " "}, "entry sentence"),
        ({"quantity": ""}, "entry quantity .* is ''; expected a text"),
        ({"quantity": "much " * 20}, "entry quantity .* expected 60 characters at most. Say"),
        ({"scale": 3}, "entry scale .* is 3; expected a text"),
        ({"ours": math.nan}, "entry ours .* is nan; expected a finite number. Measure it"),
        ({"ours": "0.63"}, "entry ours"),
        ({"spread": -0.1}, "entry spread"),
        ({"tolerance": 0.0}, "entry tolerance"),
        ({"expected": (0.7, 0.6)}, "entry expected .* the smaller one first"),
        ({"expected": [0.6, 0.7]}, "entry expected"),
        ({"expected": (0.6,)}, "entry expected"),
        ({"expected": ("0.6", "0.7")}, "entry expected"),
        ({"status": "true"}, "entry status .* is 'true'; expected one of reproduced, partly"),
        ({"cell": "the cell"}, "entry cell"),
        ({"ours": 0.9}, "'reproduced', but its number 0.9 lies outside .* from 0.6 to 0.7"),
        ({"status": "contradicted", "why": "it is"}, "'contradicted', but .* lies in the expected"),
        ({"status": "partly"}, "entry why .* expected a reason"),
    ],
)
def test_entries_that_are_wrong_or_contradict_one_another_are_refused(
    entries: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        claim(**entries)


def test_a_mean_comes_with_the_interval_of_its_standard_error() -> None:
    values = torch.tensor([[1.0, 2.0], [3.0, 6.0]])
    found = Measured.of_mean(values)
    assert found.value == 3
    assert found.spread == pytest.approx(1.96 * math.sqrt(14 / 3) / 2)


def test_a_ratio_has_the_spread_that_its_mean_has_over_many_sets() -> None:
    values = torch.randn(2, 400, 50, generator=seeded(), dtype=torch.float64) + 10
    found = [Measured.of_ratio(above, below) for above, below in values.transpose(0, 1)]
    true = 1.96 * float(torch.tensor([m.value for m in found]).std())
    claimed = float(torch.tensor([m.spread for m in found]).mean())
    assert claimed == pytest.approx(true, rel=0.1)
    assert Measured.of_ratio(2 * values[0, 0], values[0, 0]).spread == pytest.approx(0, abs=1e-12)


def test_an_interval_becomes_half_its_width() -> None:
    assert Measured.of_interval(1.0, 0.5, torch.tensor(1.25)) == Measured(1.0, 0.375)


@pytest.mark.parametrize("pair", [(math.nan, 0.0), (1.0, math.inf), (1.0, -1.0), ("1", 0.0)])
def test_what_is_no_measurement_is_refused(pair: tuple[Any, Any]) -> None:
    with pytest.raises(ConfigError, match="expected"):
        Measured(*pair)
    with pytest.raises(ConfigError, match="two at least"):
        Measured.of_mean(torch.ones(1))
