"""A ledger is read whole or not at all."""

import json
from pathlib import Path
from typing import Any

import pytest

from gahr_lib.claims import CLAIMS, LEDGER, claims_of, find_claim, measure, read_ledger
from gahr_lib.errors import ConfigError, DataFileError

FIRST: dict[str, Any] = {
    "id": "first-of-all",
    "chapter": 1,
    "sentence": "So it is.",
    "source": "figure 1",
    "paper": "1",
    "quantity": "number of all",
    "ours": 1,
    "spread": 0.0,
    "unit": "",
    "scale": "small",
    "expected": [0.9, 1.1],
    "status": "reproduced",
    "tolerance": 0.01,
    "cell": "a",
    "why": "",
}


def written(folder: Path, *rows: dict[str, Any]) -> Path:
    path = folder / "ledger.toml"
    # JSON's numbers, lists and texts are TOML's, too.
    tables = ["\n".join(f"{k} = {json.dumps(v)}" for k, v in row.items()) for row in rows]
    path.write_text("".join(f"[[claim]]\n{table}\n" for table in tables), encoding="utf-8")
    return path


def test_the_ledger_of_the_book_is_read_in_order() -> None:
    assert read_ledger(LEDGER) == CLAIMS
    assert [claim.chapter for claim in CLAIMS] == sorted(claim.chapter for claim in CLAIMS)
    assert claims_of(2) == tuple(claim for claim in CLAIMS if claim.chapter == 2)
    assert find_claim(CLAIMS[-1].id) is CLAIMS[-1]


def test_a_ledger_is_what_its_file_says(tmp_path: Path) -> None:
    path = written(tmp_path, FIRST, FIRST | {"id": "second", "chapter": 3, "unit": "dB"})
    first, second = read_ledger(path)
    assert (first.id, first.expected, first.ours) == ("first-of-all", (0.9, 1.1), 1)
    assert (second.chapter, second.unit) == (3, "dB")
    assert find_claim("second", (first, second)) is second


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ours": 2.0}, "first-of-all is called 'reproduced', but"),
        ({"toleranse": 0.1}, "first-of-all of the ledger .* has toleranse; expected id, chapter"),
        ({"expected": 1.0}, "entry expected"),
    ],
)
def test_a_wrong_claim_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(DataFileError, match=message):
        read_ledger(written(tmp_path, FIRST | change))


def test_a_missing_entry_is_named(tmp_path: Path) -> None:
    row = {name: value for name, value in FIRST.items() if name not in ("cell", "why")}
    with pytest.raises(DataFileError, match="lacks cell, why"):
        read_ledger(written(tmp_path, row))


def test_ids_are_unique_and_chapters_in_order(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="several claims of the id first-of-all"):
        read_ledger(written(tmp_path, FIRST, FIRST))
    with pytest.raises(DataFileError, match=r"in the order \[2, 1\]"):
        read_ledger(written(tmp_path, FIRST | {"id": "second", "chapter": 2}, FIRST))


@pytest.mark.parametrize("text", ["[[claim]\n", "", "claim = 1\n", "[other]\n", "\udcff"])
def test_what_is_no_ledger_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "ledger.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(DataFileError, match=r"ledger\.toml"):
        read_ledger(path)


def test_a_claim_has_to_be_a_table(tmp_path: Path) -> None:
    path = tmp_path / "ledger.toml"
    path.write_text("claim = [1]\n")
    with pytest.raises(DataFileError, match="that is no table"):
        read_ledger(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="cannot be read"):
        read_ledger(tmp_path / "none.toml")


def test_what_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"There is no claim 'none'. There are: shrinkage-"):
        find_claim("none")
    with pytest.raises(ConfigError, match=r"Chapter 99 has no claims; .* are 1, 2"):
        claims_of(99)
    with pytest.raises(ConfigError, match="Nothing measures the claim 'none'"):
        measure("none")
