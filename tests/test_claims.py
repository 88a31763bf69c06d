"""Every claim of the ledger is measured again; pytest tests/test_claims.py -k ID is one of them.

Networks and cached results are those of the package, so a change of weights, of a result or of the
code that a number comes from is seen here.
"""

import json
import math
import re
from pathlib import Path

import pytest

from gahr_lib.claims import CLAIMS, MEASURES, Claim, measure
from gahr_lib.claims import measures as chapters_of_measures

CHAPTERS = Path(__file__).parents[1] / "book" / "chapters"

each = pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)

pytestmark = pytest.mark.usefixtures("untouched_random_state")


def cells(chapter: int) -> dict[str, str]:
    """Return the text of each cell of a chapter, by its id."""
    (path,) = CHAPTERS.glob(f"{chapter:02}_*.ipynb")
    notebook = json.loads(path.read_text(encoding="utf-8"))
    return {cell["id"]: "".join(cell["source"]) for cell in notebook["cells"]}


@each
def test_measured_again_it_is_what_the_ledger_says(claim: Claim) -> None:
    found = measure(claim.id)
    assert found.value == pytest.approx(claim.ours, rel=0, abs=claim.tolerance)
    assert found.spread == pytest.approx(claim.spread, rel=0, abs=claim.tolerance)
    assert claim.agrees(found.value)


@each
def test_its_chapter_has_the_cell_that_shows_it(claim: Claim) -> None:
    assert claim.cell in cells(claim.chapter)


@each
def test_its_tolerance_is_narrow(claim: Claim) -> None:
    """Or numbers would pass that are not what was measured."""
    low, high = claim.expected
    part_of_range = (high - low) / 10 if math.isfinite(high - low) else 0.0
    assert claim.tolerance <= max(claim.spread, abs(claim.ours) / 20, part_of_range)


@each
def test_a_few_words_say_what_its_number_is(claim: Claim) -> None:
    assert 3 <= len(claim.quantity.split()) <= 13, "signs and numbers count as words"
    assert len(claim.quantity) <= 60
    assert claim.quantity[-1] not in ".;"


@each
def test_its_texts_have_signs_of_multiplication(claim: Claim) -> None:
    texts = (claim.sentence, claim.paper, claim.quantity, claim.scale, claim.why)
    assert not re.search(r"\dx\d", " ".join(texts))


def test_every_claim_has_a_measure_and_every_measure_a_claim() -> None:
    assert {claim.id for claim in CLAIMS} == set(MEASURES)


def test_no_measure_hides_another() -> None:
    files = ("shrinkage", "memorization", "harmonic_bases", "rates", "sampling", "open_questions")
    counts = [len(getattr(chapters_of_measures, name).MEASURES) for name in files]
    assert sum(counts) == len(MEASURES)


def test_there_are_enough() -> None:
    assert len(CLAIMS) >= 40


@pytest.mark.parametrize("chapter", sorted({claim.chapter for claim in CLAIMS}))
def test_a_chapter_with_claims_shows_them(chapter: int) -> None:
    assert any(f"paper_and_book(chapter={chapter})" in source for source in cells(chapter).values())
