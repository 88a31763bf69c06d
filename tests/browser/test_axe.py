"""What axe-core finds on every page of the site, in both themes, with its explorers drawn."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from browser.test_pages import PAGES
from browser.visits import Visit
from lectures import numbers

AXE = Path(__file__).parent / "vendor" / "axe-core" / "axe.min.js"
LECTURES = [f"slides/lecture-{number}.html" for number in numbers()]
OTHERS = [
    "versions.html",
    "prf-prf.html",
    "py-modindex.html",
    "_modules/gahr_lib/bases.html",  # the rest of them is made alike
    LECTURES[0],  # its first slide, and reveal.js around it
    *(f"{lecture}?page" for lecture in LECTURES),  # all slides
]
pytestmark = pytest.mark.browser

RUN = """async ([options, within]) => {
  const all = { resultTypes: ["violations"], ...options };
  const { violations, passes } = await axe.run(within ? { include: [[within]] } : document, all);
  const faults = violations.flatMap(({ id, impact, help, nodes }) =>
    nodes.map(({ target, html }) => ({
      id, impact, help, target: target.join(" "), html: html.slice(0, 200),
    })),
  );
  return { faults, passed: passes.length };
}"""
# Between the themes only colours differ, and between the widths what has room.
COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
ROOM = {"runOnly": {"type": "rule", "values": ["scrollable-region-focusable", "target-size"]}}
OPEN = """() => {
  document.querySelectorAll("details").forEach((node) => (node.open = true));
  const folded = "toggle-hidden"; // solutions, hints
  document.querySelectorAll(`.${folded}`).forEach((node) => node.classList.remove(folded));
}"""


@pytest.fixture(scope="module", params=PAGES + OTHERS)
def page(request, site, browser) -> Iterator[Visit]:
    visit = Visit(browser, f"{site}/{request.param}", color_scheme="light")
    visit.page.wait_for_load_state("networkidle")
    visit.page.evaluate("window.gahrWidgets?.showAll()")
    visit.page.evaluate(OPEN)
    # A colour on its way from one theme to the other is none of the page's.
    visit.page.add_style_tag(content="* { transition: none !important; }")
    visit.page.evaluate(AXE.read_text(encoding="utf-8"))
    yield visit.page
    visit.close()


def test_axe_finds_nothing(page):
    assert at_rest(page, {}) == []


def test_axe_finds_nothing_in_the_dark(page):
    page.emulate_media(color_scheme="dark")
    # The page of the versions has no theme: its colours are the system's.
    page.wait_for_function("document.documentElement.dataset.theme !== 'light'")
    assert faults(page, COLOURS) == []


def test_keys_and_fingers_reach_everything_on_a_telephone(page):
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_timeout(500)  # the theme looks at what scrolls after a third of a second
    assert at_rest(page, ROOM) == []


def at_rest(page, options: dict[str, object]) -> list[str]:
    """What axe complains of even when the theme has had time to look at what scrolls."""
    for _ in range(30):
        if not (found := faults(page, options)):
            break
        page.wait_for_timeout(1000)
    return found


def faults(page, options: dict[str, object], within: str | None = None) -> list[str]:
    """What axe calls critical, serious or moderate, and where; of a part of the page, if named."""
    found = page.evaluate(RUN, [options, within])
    if not options:
        assert found["passed"] > 10, "axe has looked at the page"
    return [json.dumps(fault, indent=1) for fault in found["faults"] if fault["impact"] != "minor"]
