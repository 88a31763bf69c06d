"""The "Paper and book" table of a chapter, drawn from the ledger."""

import html
import math
from dataclasses import dataclass

from gahr_lib.claims.claim import STATUSES, Claim
from gahr_lib.claims.ledger import claims_of
from gahr_lib.claims.sources import PAPER, pieces

__all__ = ["PaperAndBook", "as_number", "as_text", "paper_and_book"]

# From the page of a chapter to that of the ledger, in the built book.
_LEDGER_PAGE = "../appendix/claims.html"
# Least widths in units of the letters: together a page; on a telephone the table scrolls by itself.
_HEAD = (("Claim", 14), ("Paper", 8), ("Here", 7), ("Status, and why", 12))
# The theme puts what is no data frame on a light sheet in the dark, and Jupyter aligns numbers.
# On a telephone book.css makes a list of the table: the roles stay, and labels stand before cells.
_TABLE = '<table class="table dataframe paper-and-book" role="table" style="font-size: 0.9em">'
_LEFT = "text-align: left"
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class PaperAndBook:
    """What the paper says and what a chapter found; a notebook shows it as a table.

    Attributes
    ----------
    chapter
        The number of the chapter.
    claims
        Its claims.
    """

    chapter: int
    claims: tuple[Claim, ...]

    def _repr_html_(self) -> str:
        head = "".join(
            f'<th scope="col" role="columnheader" style="min-width: {width}em; {_LEFT}">{name}</th>'
            for name, width in _HEAD
        )
        rows = "\n".join(_row(claim) for claim in self.claims)
        caption = (
            f"Claims of the paper and what Chapter {self.chapter} measured of them; ± is half of a "
            "95 % interval."
        )
        return (
            f"{_TABLE}\n"
            f'<caption style="{_LEFT}">{caption}</caption>\n'
            f'<thead role="rowgroup"><tr role="row">{head}</tr></thead>\n'
            f'<tbody role="rowgroup">\n{rows}\n</tbody></table>'
        )

    def _repr_markdown_(self) -> str:
        names = [name for name, _ in _HEAD]
        rows = [names, ["---"] * len(names)]
        for claim in self.claims:
            status = f"{STATUSES[claim.status]} {claim.status}{_reason(claim)}"
            source = "".join(
                f"[{text}]({address})" if address else text
                for text, address in pieces(claim.source)
            )
            here = f"{as_text(claim)}, {claim.quantity}"
            cells = (claim.sentence, f"{claim.paper} ({source})", here, status)
            rows.append([cell.replace("|", "\\|") for cell in cells])
        return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def paper_and_book(chapter: int) -> PaperAndBook:
    """Return the table of the claims that a chapter shows, for the end of that chapter.

    Each row leads to the cell that shows the claim, to its entry in the ledger, and to its source.

    Parameters
    ----------
    chapter
        The number of the chapter.

    Raises
    ------
    ConfigError
        If the ledger has no claim of that chapter.
    """
    return PaperAndBook(chapter, claims_of(chapter))


def as_text(claim: Claim) -> str:
    """Return our number of a claim with spread and unit, in as many digits as the spread allows."""
    unit = f" {claim.unit}" if claim.unit else ""
    return as_number(claim.ours, claim.spread) + unit


def as_number(value: float, spread: float = 0.0) -> str:
    """Return a number as one writes it: two digits of its spread, or four in all without one."""
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    size = max(abs(value), spread)
    if 0 < size < 1e-3:
        exponent = math.floor(math.log10(size))
        scaled = as_number(value / 10**exponent, spread / 10**exponent)
        bracketed = f"({scaled})" if spread else scaled
        return f"{bracketed} × 10{str(exponent).translate(_SUPERSCRIPTS)}"
    if spread:
        digits = min(max(1 - math.floor(math.log10(spread)), 0), 4)
        text = f"{value:,.{digits}f} ± {spread:,.{digits}f}"
    else:
        text = f"{value:,.0f}" if size >= 1_000 else f"{value:.4g}"
    return text.replace("-", "−")


def _row(claim: Claim) -> str:
    links = (
        f'<a href="#cell-{claim.cell}" aria-label="shown: cell {claim.cell}">shown</a> · '
        f'<a href="{_LEDGER_PAGE}#claim-{claim.id}" aria-label="ledger: {claim.id}">ledger</a>'
    )
    number = f'<span style="white-space: nowrap">{html.escape(as_text(claim))}</span>'
    # "N = 10" stays on a line.
    quantity = html.escape(claim.quantity).replace(" = ", "\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}")
    quantity = f'<small style="font-size: 0.88em">{quantity}</small>'
    sign = f'<span aria-hidden="true">{STATUSES[claim.status]}</span>'
    return (
        f'<tr role="row"><th scope="row" role="rowheader" style="{_LEFT}; font-weight: normal">'
        f"{html.escape(claim.sentence)}<br>{links}</th>"
        f"{_cell('Paper', f'{html.escape(claim.paper)} ({_source(claim)})')}"
        f"{_cell('Here', f'{number}<br>{quantity}')}"
        f"{_cell('Status', f'{sign} {claim.status}{html.escape(_reason(claim))}')}</tr>"
    )


def _cell(label: str, content: str) -> str:
    return f'<td role="cell" data-label="{label}" style="{_LEFT}">{content}</td>'


def _source(claim: Claim) -> str:
    """Return the source of a claim with links to where it can be read."""
    parts = []
    for text, address in pieces(claim.source):
        shown = html.escape(text)
        # "figure 4" alone does not say to whoever hears it that the link leads out of the book.
        label = f' aria-label="{shown} (the paper)"' if address == PAPER else ""
        parts.append(f'<a href="{address}"{label}>{shown}</a>' if address else shown)
    return "".join(parts)


def _reason(claim: Claim) -> str:
    return f". {claim.why}" if claim.why else ""
