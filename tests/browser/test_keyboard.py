"""The book without a mouse: where Tab leads, and that one sees where one is."""

import pytest

from browser.test_explorers_in_pages import EXPLORERS

pytestmark = pytest.mark.browser

# Where the focus is: in which part of the page and in which control of which explorer (of a group
# of radio buttons Tab reaches the chosen one), and whether a reader sees it.
FOCUS = """() => {
  const at = document.activeElement;
  const box = at.getBoundingClientRect();
  const part = at.closest(
    ".skip-link, .bd-sidebar-primary, .bd-sidebar-secondary, .bd-header-article, article, footer");
  const explorers = [...document.querySelectorAll(".gx-explorer")];
  const explorer = explorers.findIndex((root) => root.contains(at));
  const marked = (node) => {
    const style = getComputedStyle(node);
    return (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0)
      || style.boxShadow !== "none";
  };
  // A radio button lies invisible over its text, which is marked for it.
  const bearers = at.type === "radio" ? [at.nextElementSibling] : [at];
  return {
    text: at.textContent.trim().slice(0, 40),
    part: part && (part.classList[0] || part.localName),
    explorer,
    control: explorer < 0 ? -1 : CONTROLS(explorers[explorer]).indexOf(at),
    seen: box.bottom > 0 && box.top < innerHeight && bearers.some(marked),
    html: at.outerHTML.slice(0, 150),
  };
}"""
CONTROLS = """() => {
  window.CONTROLS = (root) =>
    [...root.querySelectorAll("select, button, input, [tabindex='0']")].filter(
      (node) => !node.disabled && node.offsetParent && (node.type !== "radio" || node.checked));
}"""

# Go to an explorer by its button, or, if it is drawn already, to its first control; and whether the
# focus is there.
ENTER = """(i) => {
  const place = document.querySelectorAll("[data-explorer]")[i];
  const first = 'select, button, input:not([type="radio"]), input:checked, [tabindex="0"]';
  const goal = place.querySelector(".still-start, .gx-explorer");
  (goal.matches("button") ? goal : goal.querySelector(first)).focus({ preventScroll: true });
}"""
INSIDE = """(i) => {
  const place = document.querySelectorAll("[data-explorer]")[i];
  return place.querySelector(".gx-explorer")?.contains(document.activeElement);
}"""


def walk(page, until):
    """Press Tab until a place fulfils a condition; return all places that it led to."""
    page.evaluate(CONTROLS)
    page.add_style_tag(content="* { transition: none !important; }")  # what appears, appears now
    places = []
    while not places or not until(places[-1]):
        page.keyboard.press("Tab")
        # The button before an explorer loads it and hands the focus on.
        page.wait_for_function("!document.activeElement.matches('.still-start')")
        places.append(page.evaluate(FOCUS))
        assert len(places) < 600, places[-3:]
    return places


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_tab_leads_from_the_top_through_the_page(scheme, site, visit):
    """The skip link, the search, the chapters, the buttons, and the text with its explorer."""
    url = f"{site}/book/chapters/03_geometry_adaptive_harmonic_bases.html"
    page = visit(url, color_scheme=scheme).page
    page.wait_for_load_state("networkidle")
    page.evaluate("MathJax.startup.promise.then(() => null)")  # formulas can have the focus, too
    places = walk(page, until=lambda place: place["explorer"] == 0)
    assert places[0]["text"] == "Skip to main content"
    parts = [place["part"] for place in places]
    order = ["bd-sidebar-primary", "bd-header-article", "bd-article"]
    firsts = [parts.index(part) for part in order]
    assert firsts == sorted(firsts)
    assert any("Search" in place["text"] for place in places)
    assert any("Chapter" in place["html"] or "01_" in place["html"] for place in places)
    lost = [i for i, place in enumerate(places) if not place["seen"]]
    assert [(places[i - 1]["html"], places[i]["html"]) for i in lost] == []


def test_skip_link_leads_to_the_text(site, visit):
    page = visit(f"{site}/book/index.html").page
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null")


@pytest.mark.parametrize("chapter", EXPLORERS)
def test_tab_reaches_every_control_of_every_explorer(chapter, site, visit):
    page = visit(f"{site}/book/chapters/{chapter}.html").page
    for i in range(len(EXPLORERS[chapter])):
        # From outside: the last place before the explorer that can have the focus.
        page.evaluate(ENTER, i)
        page.wait_for_function(INSIDE, arg=i)
        page.keyboard.press("Shift+Tab")
        places = walk(page, until=lambda place, i=i: place["explorer"] == i)
        places += walk(page, until=lambda place, i=i: place["explorer"] != i)
        inside = [place for place in places if place["explorer"] == i]
        controls = page.locator(".gx-explorer").nth(i).evaluate("(root) => CONTROLS(root).length")
        assert [place["control"] for place in inside] == list(range(controls))
        assert controls > 0
        assert [place["html"] for place in inside if not place["seen"]] == []
