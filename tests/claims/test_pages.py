"""The page of the ledger, and that the one of the book shows the ledger as it is."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

import claims
from gahr_lib.claims import CLAIMS, MEASURES, Claim, Measured
from gahr_lib.claims.pages import Chapter, ledger_page, source_of
from gahr_lib.claims.sources import PAPER

ROOT = Path(__file__).parents[2]
ADDRESS = "https://host/files"
CLAIM = Claim(
    id="topic-name",
    chapter=2,
    sentence="The slope is 2^[n] * x_1.",
    source="figure 4",
    paper="0.61",
    quantity="slope of x_1",
    ours=0.5,
    spread=0.02,
    unit="dB",
    scale="small",
    expected=(float("-inf"), 1.0),
    status="reproduced",
    tolerance=0.1,
    cell="Slopes",
    why="",
)
BOOK = {
    2: Chapter(2, "Second", "../chapters/02_second.ipynb"),
    5: Chapter(5, "Fifth", "../chapters/05_fifth.ipynb"),
}


A_MEASURE = MEASURES["shrinkage-rate"]


def test_an_entry_leads_to_source_test_and_cell() -> None:
    page = ledger_page([CLAIM], BOOK, {"topic-name": A_MEASURE}, ADDRESS)
    path, line = source_of(A_MEASURE)
    assert path == "gahr_lib/claims/shrinkage.py"
    assert f"[`{path}`, line {line}]({ADDRESS}/{path}#L{line})" in page
    for words in (
        "(claim-topic-name)=\n### topic-name\n",
        "The slope is 2^\\[n\\] \\* x\\_1.",
        "- ✓ **reproduced**\n",
        f"- Paper: 0.61 ([figure 4]({PAPER}))",
        "- Here: **0.500 ± 0.020 dB**, slope of x\\_1; −∞ to 1 would support the claim",
        "{ref}`cell Slopes <cell-2-slopes>`",
        f"({ADDRESS}/tests/test_claims.py): `pytest tests/test_claims.py -k topic-name`",
    ):
        assert words in page


def test_the_source_of_a_measure_is_the_function_and_not_what_it_was_given() -> None:
    made = {claim.id: source_of(MEASURES[claim.id]) for claim in CLAIMS}
    for path, line in made.values():
        text = (ROOT / path).read_text(encoding="utf-8").splitlines()[line - 1]
        assert re.match(r"def |@|\S.*lambda|\s+\S.*lambda", text), (path, line)


def test_the_summary_counts_every_claim_once() -> None:
    rows = [
        CLAIM,
        replace(CLAIM, id="b", status="partly", why="so"),
        replace(CLAIM, id="c", chapter=5, ours=2.0, status="contradicted", why="so"),
    ]
    page = ledger_page(rows, BOOK, dict.fromkeys(("topic-name", "b", "c"), A_MEASURE), ADDRESS)
    table = [line for line in page.splitlines() if line.startswith("|")]
    assert table[2:] == [
        "| [2](../chapters/02_second.ipynb) | 1 | 1 | 0 | 0 | 2 |",
        "| [5](../chapters/05_fifth.ipynb) | 0 | 0 | 0 | 1 | 1 |",
        "| all | 1 | 1 | 0 | 1 | 3 |",
    ]
    assert page.index("## Chapter 2: Second") < page.index("### b") < page.index("## Chapter 5")
    assert "- ✗ **contradicted**: so" in page


def test_the_page_of_the_book_shows_the_ledger_as_it_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert claims.main(["--check"]) == 0, capsys.readouterr().out


def test_a_page_that_differs_is_found_and_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "claims.md"
    monkeypatch.setattr(claims, "PAGE", page)
    monkeypatch.setattr(claims, "page", lambda: "new")
    assert claims.main(["--check"]) == 1
    assert "Run python tools/claims.py" in capsys.readouterr().out
    assert claims.main([]) == 0
    assert page.read_text() == "new"
    assert claims.main(["--check"]) == 0


def test_what_is_measured_stands_beside_what_is_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(claims, "CLAIMS", (CLAIM,))
    monkeypatch.setattr(claims, "find_claim", lambda name: CLAIM)
    for name, found, words in (
        ("topic-name", Measured(0.55, 0.02), "now 0.55 ± 0.02   ledger 0.5 ± 0.02.*agrees"),
        ("topic-name", Measured(0.7, 0.02), "DIFFERS"),
        ("topic-name", Measured(0.5, 0.2), "DIFFERS"),
        ("new", Measured(0.5), "not in the ledger"),
    ):
        monkeypatch.setattr(claims, "measure", lambda _, found=found: found)
        assert claims.main(["--measure", name]) == 0
        assert re.search(words, capsys.readouterr().out)
