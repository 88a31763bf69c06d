"""The ledger: every claim of the paper that the book touches, read from one file."""

import tomllib
from collections import Counter
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from gahr_lib.claims.claim import Claim
from gahr_lib.errors import ConfigError, DataFileError

__all__ = ["CLAIMS", "LEDGER", "claims_of", "find_claim", "read_ledger"]

LEDGER = Path(__file__).with_name("ledger.toml")
"""The file that holds the claims.

:meta hide-value:
"""
_NAMES = tuple(field.name for field in fields(Claim))


def read_ledger(path: str | Path = LEDGER) -> tuple[Claim, ...]:
    """Return the claims of a ledger, in its order.

    Parameters
    ----------
    path
        The file; the book's own if not given.

    Raises
    ------
    DataFileError
        If the file cannot be read or is no TOML, an entry is missing, unknown or wrong, two claims
        have one id, or the chapters are not in order.
    """
    path = Path(path)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataFileError(
            f"The ledger {path} cannot be read: {error}. Restore it from the source of the book."
        ) from error
    rows = content.get("claim")
    if set(content) != {"claim"} or not isinstance(rows, list):
        raise DataFileError(
            f"The ledger {path} holds {', '.join(content) or 'nothing'}; expected claims, each "
            "below a line [[claim]]."
        )
    claims = tuple(_claim(row, path) for row in rows)
    counts = Counter(claim.id for claim in claims)
    if twice := [name for name, count in counts.items() if count > 1]:
        raise DataFileError(
            f"The ledger {path} has several claims of the id {twice[0]}; expected one. Rename the "
            "others."
        )
    chapters = [claim.chapter for claim in claims]
    if chapters != sorted(chapters):
        raise DataFileError(
            f"The ledger {path} has its chapters in the order {list(dict.fromkeys(chapters))}; "
            "expected them to rise. Put each claim below the line of its chapter."
        )
    return claims


def find_claim(name: str, claims: Sequence[Claim] | None = None) -> Claim:
    """Return the claim of an id.

    Raises
    ------
    ConfigError
        If there is none.
    """
    among = CLAIMS if claims is None else claims
    for claim in among:
        if claim.id == name:
            return claim
    raise ConfigError(
        f"There is no claim {name!r}. There are: {', '.join(claim.id for claim in among)}."
    )


def claims_of(chapter: int) -> tuple[Claim, ...]:
    """Return the claims that a chapter shows.

    Raises
    ------
    ConfigError
        If there are none.
    """
    found = tuple(claim for claim in CLAIMS if claim.chapter == chapter)
    if not found:
        known = ", ".join(str(number) for number in sorted({claim.chapter for claim in CLAIMS}))
        raise ConfigError(f"Chapter {chapter!r} has no claims; chapters with claims are {known}.")
    return found


def _claim(row: Any, path: Path) -> Claim:
    name = row.get("id", "without an id") if isinstance(row, dict) else "that is no table"
    where = f"The claim {name} of the ledger {path}"
    given = set(row) if isinstance(row, dict) else set()
    if missing := [entry for entry in _NAMES if entry not in given]:
        raise DataFileError(f"{where} lacks {', '.join(missing)}. Add the missing entries.")
    if unknown := sorted(given - set(_NAMES)):
        raise DataFileError(
            f"{where} has {', '.join(unknown)}; expected {', '.join(_NAMES)}. Look for a slip."
        )
    if isinstance(row["expected"], list):
        row = {**row, "expected": tuple(row["expected"])}
    try:
        return Claim(**row)
    except ConfigError as error:
        raise DataFileError(f"The ledger {path} is wrong. {error}") from error


CLAIMS = read_ledger()
"""The claims of the book, by chapter.

:meta hide-value:
"""
