"""The ledger as a page of the book."""

import inspect
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from gahr_lib.claims.box import as_number, as_text
from gahr_lib.claims.claim import STATUSES, Claim, Measured
from gahr_lib.claims.sources import pieces

__all__ = ["Chapter", "ledger_page", "source_of"]

_INTRODUCTION = """\
# Claims of the paper

<!-- Written by tools/claims.py from gahr_lib/claims/ledger.toml: change that, not this. -->

This page lists what the book takes from the paper {{footcite:p}}`kadkhodaie2024generalization` and
looks into: {count} claims, each with the paper's number, ours, and a verdict. The boxes "Paper and
book" at the end of the chapters are parts of the same list.

A verdict follows from a range: the numbers that would support the claim, read from what the paper
says of it.

{verdicts}

*Here* is our number and what it is. After ± stands half the width of its 95 % interval, which is
about images, samples or draws of noise. It says nothing of other networks: where a claim is about
networks, one or two of them stand for all.

No number is typed from memory. Each claim has a function that measures it again, from the networks
and the cached results of the package. A test fails if the number has moved by more than the
tolerance or the verdict no longer follows from it. All claims together take about 40 seconds of one
core (an AMD EPYC, in November 2026):

```sh
pytest tests/test_claims.py
```

With `-k` and the name of a claim, only claims whose names contain it are measured. `python
tools/claims.py --measure` with a name shows what is measured beside what is written.

{summary}
"""
_MEANINGS = {
    "reproduced": "our number lies in the range.",
    "partly": "a part of the claim holds, or holds under a condition that the paper does not name.",
    "not at this scale": (
        "our number lies outside, and it may be due to what we had: small images, small networks, "
        "short training."
    ),
    "contradicted": "our number lies outside, and none of that explains it.",
}
_END = """\
## References

```{footbibliography}
```
"""


@dataclass(frozen=True)
class Chapter:
    """A chapter that shows claims.

    Attributes
    ----------
    number
        Its number.
    title
        Its title.
    page
        The way to it from the page of the ledger.
    """

    number: int
    title: str
    page: str


def ledger_page(
    claims: Sequence[Claim],
    chapters: Mapping[int, Chapter],
    measures: Mapping[str, Callable[[], Measured]],
    repository: str,
) -> str:
    """Return the page of some claims, in MyST Markdown.

    Parameters
    ----------
    claims
        The claims, by chapter.
    chapters
        The chapters that show them, by number.
    measures
        What measures them, by their ids.
    repository
        The address of the files of the source, without a slash at its end.

    Raises
    ------
    KeyError
        If a chapter or a measure of a claim is missing.
    """
    verdicts = "\n".join(
        f"- {sign} **{status}**: {_MEANINGS[status]}" for status, sign in STATUSES.items()
    )
    introduction = _INTRODUCTION.format(
        count=len(claims), verdicts=verdicts, summary=_summary(claims, chapters)
    )
    parts = [introduction]
    for number in sorted({claim.chapter for claim in claims}):
        chapter = chapters[number]
        parts.append(f"## Chapter {number}: {_escape(chapter.title)}\n")
        parts += [
            _entry(claim, source_of(measures[claim.id]), repository)
            for claim in claims
            if claim.chapter == number
        ]
    return "\n".join([*parts, _END])


def source_of(measure: Callable[[], Measured]) -> tuple[str, int]:
    """Return the file of the function that measures a claim, from the root, and its first line."""
    function = measure.func if isinstance(measure, partial) else inspect.unwrap(measure)
    path = Path(inspect.getsourcefile(function) or "")
    package = next(parent for parent in path.parents if parent.name == "gahr_lib")
    return path.relative_to(package.parent).as_posix(), inspect.getsourcelines(function)[1]


def _summary(claims: Sequence[Claim], chapters: Mapping[int, Chapter]) -> str:
    """Return a table of how many claims of each chapter have which status."""
    counts = Counter((claim.chapter, claim.status) for claim in claims)
    numbers = sorted({claim.chapter for claim in claims})
    rows = [["Chapter", *STATUSES, "all"], ["---", *["--:"] * (len(STATUSES) + 1)]]
    for number in numbers:
        of_chapter = [counts[number, status] for status in STATUSES]
        link = f"[{number}]({chapters[number].page})"
        rows.append([link, *map(str, of_chapter), str(sum(of_chapter))])
    total = [sum(counts[number, status] for number in numbers) for status in STATUSES]
    rows.append(["all", *map(str, total), str(sum(total))])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _entry(claim: Claim, source: tuple[str, int], repository: str) -> str:
    """Return one claim as a section of its own."""
    path, line = source
    low, high = (as_number(end) for end in claim.expected)
    lines = [
        f"(claim-{claim.id})=",
        f"### {claim.id}",
        "",
        f"{_escape(claim.sentence)}",
        "",
        f"- {STATUSES[claim.status]} **{claim.status}**"
        + (f": {_escape(claim.why)}" if claim.why else ""),
        f"- Paper: {_escape(claim.paper)} ({_source(claim)})",
        f"- Here: **{as_text(claim)}**, {_escape(claim.quantity)}; {low} to {high} would support "
        "the claim",
        f"- Measured on: {_escape(claim.scale)}",
        f"- Shown in Chapter {claim.chapter}, "
        f"{{ref}}`cell {claim.cell} <cell-{claim.chapter}-{claim.cell.lower()}>`",
        f"- Measured by [`{path}`, line {line}]({repository}/{path}#L{line})",
        f"- Guarded to ± {as_number(claim.tolerance)} by [`tests/test_claims.py`]"
        f"({repository}/tests/test_claims.py): `pytest tests/test_claims.py -k {claim.id}`",
        "",
    ]
    return "\n".join(lines)


def _source(claim: Claim) -> str:
    """Return the source of a claim with links to where it can be read."""
    return "".join(
        f"[{_escape(text)}]({address})" if address else _escape(text)
        for text, address in pieces(claim.source)
    )


def _escape(text: str) -> str:
    """Return plain text so that Markdown shows it as it is."""
    return re.sub(r"([\\`*_{}\[\]<>|$#])", r"\\\1", text)
