"""Where the source of a claim can be read: one click away."""

import pytest

from gahr_lib.claims import CLAIMS, Claim
from gahr_lib.claims.sources import PAPER, pieces


@pytest.mark.parametrize(
    ("source", "links"),
    [
        ("figure 4", {"figure 4": PAPER}),
        ("Kadkhodaie et al., figure 2", {"Kadkhodaie et al., figure 2": PAPER}),
        (
            "A, arXiv 2412.20292; B, arXiv 2411.19339, abstract",
            {
                "arXiv 2412.20292": "https://arxiv.org/abs/2412.20292",
                "arXiv 2411.19339": "https://arxiv.org/abs/2411.19339",
            },
        ),
        (
            "a reproduction, github.com/who/what-else.",
            {"github.com/who/what-else": "https://github.com/who/what-else"},
        ),
    ],
)
def test_a_source_leads_to_what_it_names(source: str, links: dict[str, str]) -> None:
    found = pieces(source)
    assert "".join(text for text, _ in found) == source
    assert {text: address for text, address in found if address} == links
    assert all(text for text, _ in found)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_every_claim_has_a_source_that_one_can_open(claim: Claim) -> None:
    assert any(address for _, address in pieces(claim.source))
