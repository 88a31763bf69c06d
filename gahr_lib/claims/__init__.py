"""The claims ledger: what the paper says, what this book measured, and what guards the number.

The ledger is one data file, `ledger.toml`. A function in the file of its chapter measures each
claim again; a test compares. The boxes "Paper and book" and a page of the book are drawn from it.
"""

from gahr_lib.claims.box import PaperAndBook, paper_and_book
from gahr_lib.claims.claim import STATUSES, Claim, Measured
from gahr_lib.claims.ledger import CLAIMS, LEDGER, claims_of, find_claim, read_ledger
from gahr_lib.claims.measures import MEASURES, measure

__all__ = [
    "CLAIMS",
    "LEDGER",
    "MEASURES",
    "STATUSES",
    "Claim",
    "Measured",
    "PaperAndBook",
    "claims_of",
    "find_claim",
    "measure",
    "paper_and_book",
    "read_ledger",
]
