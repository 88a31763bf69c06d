"""Where the source of a claim can be read."""

import re

__all__ = ["PAPER", "pieces"]

PAPER = "https://arxiv.org/abs/2310.02557"
"""The paper of this book."""

_ELSEWHERE = re.compile(r"arXiv (?P<number>\d{4}\.\d{5})|(?P<page>github\.com(?:/[\w.-]*\w)+)")


def pieces(source: str) -> list[tuple[str, str | None]]:
    """Return the source of a claim in pieces, each with the address that it leads to.

    A number of arXiv and an address on GitHub lead to what they name. A source without either is a
    place in the paper of this book, and leads there as a whole.

    Parameters
    ----------
    source
        The source, as in the ledger.

    Returns
    -------
    list
        Texts that make up the source, each with its address; None if it leads to nothing.
    """
    found: list[tuple[str, str | None]] = []
    end = 0
    for match in _ELSEWHERE.finditer(source):
        found.append((source[end : match.start()], None))
        number, page = match["number"], match["page"]
        address = f"https://arxiv.org/abs/{number}" if number else f"https://{page}"
        found.append((match.group(), address))
        end = match.end()
    if not found:
        return [(source, PAPER)]
    return [(text, address) for text, address in [*found, (source[end:], None)] if text]
