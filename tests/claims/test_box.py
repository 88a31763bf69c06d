"""The table "Paper and book": what it says, and that everyone can read it."""

import math
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from gahr_lib.claims import STATUSES, Claim, PaperAndBook, claims_of, paper_and_book
from gahr_lib.claims.box import as_number, as_text
from gahr_lib.claims.sources import PAPER
from gahr_lib.errors import ConfigError

ROOT = Path(__file__).parents[2]
CLAIM = Claim(
    id="rates-slope",
    chapter=4,
    sentence="Slope < 1 & falling | somewhere",
    source="figure 4",
    paper="0.61",
    quantity="slope < at N = 3",
    ours=-2.5,
    spread=0.25,
    unit="dB",
    scale="small",
    expected=(0.0, 1.0),
    status="contradicted",
    tolerance=0.1,
    cell="slopes",
    why="<who> knows",
)


class Cells(HTMLParser):
    """The cells of a table, each with its tag, its attributes and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.cells: list[tuple[str, dict[str, str | None], str]] = []
        self.links: list[str | None] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("th", "td", "caption"):
            self.cells.append((tag, dict(attrs), ""))
        if tag == "a":
            self.links.append(dict(attrs)["href"])

    def handle_data(self, data: str) -> None:
        if self.cells:
            tag, attributes, text = self.cells[-1]
            self.cells[-1] = tag, attributes, text + data


def test_a_row_says_what_paper_here_status_and_why_and_leads_to_cell_and_ledger() -> None:
    page = Cells(PaperAndBook(4, (CLAIM,))._repr_html_())
    texts = [text.strip() for _, _, text in page.cells]
    assert texts[1:5] == ["Claim", "Paper", "Here", "Status, and why"]
    assert texts[5].startswith("Slope < 1 & falling | somewhere")
    here = "−2.50 ± 0.25 dBslope < at N\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}3"
    assert texts[6:] == ["0.61 (figure 4)", here, "✗ contradicted. <who> knows"]
    assert page.links == ["#cell-slopes", "../appendix/claims.html#claim-rates-slope", PAPER]


def test_the_source_of_a_claim_is_a_link_that_says_where_it_leads() -> None:
    other = replace(CLAIM, source="Somebody, arXiv 2412.20292, abstract")
    of_paper, of_other = (PaperAndBook(4, (claim,))._repr_html_() for claim in (CLAIM, other))
    assert f'<a href="{PAPER}" aria-label="figure 4 (the paper)">figure 4</a>)' in of_paper
    address = "https://arxiv.org/abs/2412.20292"
    assert f'(Somebody, <a href="{address}">arXiv 2412.20292</a>, abstract)' in of_other
    assert f"0.61 ([figure 4]({PAPER}))" in PaperAndBook(4, (CLAIM,))._repr_markdown_()


def test_the_table_has_a_caption_and_its_heads_a_scope() -> None:
    cells = Cells(PaperAndBook(4, (CLAIM, replace(CLAIM, id="other")))._repr_html_()).cells
    assert [tag for tag, _, _ in cells].count("caption") == 1
    assert "Chapter 4" in cells[0][2]
    scopes = [attributes["scope"] for tag, attributes, _ in cells if tag == "th"]
    assert scopes == ["col"] * 4 + ["row"] * 2


def test_as_a_list_on_a_telephone_its_cells_have_labels_and_stay_cells() -> None:
    page = PaperAndBook(4, (CLAIM,))._repr_html_()
    assert 'class="table dataframe paper-and-book" role="table"' in page
    cells = [attributes for tag, attributes, _ in Cells(page).cells if tag != "caption"]
    assert [cell["role"] for cell in cells] == ["columnheader"] * 4 + ["rowheader"] + ["cell"] * 3
    assert [cell.get("data-label") for cell in cells[5:]] == ["Paper", "Here", "Status"]
    style = (ROOT / "book" / "_static" / "book.css").read_text(encoding="utf-8")
    assert "table.paper-and-book td::before" in style
    assert "content: attr(data-label)" in style


@pytest.mark.parametrize("status", STATUSES)
def test_a_status_is_a_word_beside_a_sign_for_the_eye(status: str) -> None:
    ours = 0.5 if status == "reproduced" else -2.5
    page = PaperAndBook(4, (replace(CLAIM, status=status, ours=ours),))._repr_html_()
    assert f'<span aria-hidden="true">{STATUSES[status]}</span> {status}. &lt;who' in page


def test_as_markdown_it_is_a_table_with_as_many_cells_in_every_row() -> None:
    head, rule, row = PaperAndBook(4, (CLAIM,))._repr_markdown_().splitlines()
    assert rule == "| --- | --- | --- | --- |"
    assert head.count(" | ") == 3
    assert row.replace("\\|", "").count(" | ") == 3
    assert "✗ contradicted" in row
    assert "−2.50 ± 0.25 dB, slope < at N = 3" in row


def test_the_box_of_a_chapter_has_its_claims() -> None:
    box = paper_and_book(chapter=1)
    assert box.claims == claims_of(1)
    html = box._repr_html_()
    assert all(f"#claim-{claim.id}" in html for claim in box.claims)
    with pytest.raises(ConfigError, match="has no claims"):
        paper_and_book(chapter=99)


@pytest.mark.parametrize(
    ("value", "spread", "text"),
    [
        (0.7371, 0.0129, "0.737 ± 0.013"),
        (585.02, 25.4, "585 ± 25"),
        (12345.6, 0.0, "12,346"),
        (0.66466, 0.0, "0.6647"),
        (-2.892, 0.0, "−2.892"),
        (0.0, 0.0, "0"),
        (3.16e-7, 0.0, "3.16 × 10⁻⁷"),
        (3.16e-4, 2.0e-5, "(3.16 ± 0.20) × 10⁻⁴"),
        (0.0079, 0.0167, "0.008 ± 0.017"),
        (math.inf, 0.0, "∞"),
        (-math.inf, 0.0, "−∞"),
    ],
)
def test_numbers_have_the_digits_that_they_deserve(value: float, spread: float, text: str) -> None:
    assert as_number(value, spread) == text


def test_a_number_has_its_unit() -> None:
    assert as_text(CLAIM) == "−2.50 ± 0.25 dB"
    assert as_text(replace(CLAIM, unit="")) == "−2.50 ± 0.25"
