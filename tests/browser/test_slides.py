"""The lectures' slides in a browser: they turn, fit, and their explorers move."""

import json
from pathlib import Path

import pytest

import lectures
from browser.conftest import SITE
from browser.test_pages import weights

pytestmark = pytest.mark.browser
NUMBERS = lectures.numbers()
WIDE = {"width": 1280, "height": 720}
# What a lecture may weigh, packed with gzip, before anybody turns to an explorer: it holds the
# pictures of a chapter or two in its HTML, and is opened once for 90 minutes.
MOST_BYTES = 5_000_000
READY = "() => window.Reveal?.isReady() && !document.documentElement.classList.contains('starting')"


def explorers(number):
    """Return the places of a lecture's explorers among its slides, from 0; the cover is 0."""
    tagged = list(lectures.tagged(number))
    sources = {
        path: {c["id"]: "".join(c["source"]) for c in json.loads(path.read_text())["cells"]}
        for path, _, _ in tagged
    }
    return [i for i, (path, id_, _) in enumerate(tagged, 1) if "Explorer(" in sources[path][id_]]


@pytest.fixture
def slides(site, visit):
    def open_lecture(number, address="", **settings):
        page = visit(f"{site}/slides/lecture-{number}.html{address}", viewport=WIDE, **settings)
        page.page.wait_for_function(READY)
        return page

    return open_lecture


def place(page):
    return page.page.evaluate("Reveal.getIndices().h")


@pytest.mark.parametrize("number", NUMBERS)
def test_keys_lead_through_a_lecture_and_every_slide_fits(slides, number):
    page = slides(number)
    seen, asked = {place(page)}, 0
    for _ in range(60):
        page.page.keyboard.press("ArrowRight")
        asked += page.page.evaluate("Reveal.getCurrentSlide().querySelectorAll('.fragment').length")
        # Explorers may scroll on a low screen; nothing else may be cut off.
        cut = page.page.evaluate(
            """() => {
              const parts = Reveal.getCurrentSlide().querySelectorAll(".part:not(.explorer)");
              const high = (e) => e.scrollHeight > e.clientHeight + 6;
              const wide = (e) => e.scrollWidth > e.clientWidth + 6;
              return [...parts].filter((e) => high(e) || wide(e)).map((e) => e.className);
            }"""
        )
        assert cut == [], f"slide {place(page)}"
        seen.add(place(page))
        if page.page.evaluate("Reveal.isLastSlide()"):
            break
    total = 1 + len(list(lectures.tagged(number)))
    assert seen == set(range(total))
    assert asked > 0


@pytest.mark.parametrize("number", NUMBERS)
def test_explorers_are_drawn(slides, number):
    page = slides(number)
    for index in explorers(number):
        page.page.evaluate("(h) => Reveal.slide(h)", index)
        drawn = page.page.locator("section.present section.present [data-drawn] canvas").first
        drawn.wait_for(state="visible")
        assert drawn.evaluate("(c) => c.width > 50 && c.height > 50")


@pytest.mark.parametrize("kind", ["input", "canvas"])
def test_arrow_keys_move_what_has_the_focus(slides, kind):
    """And letters, such as reveal.js has for the next slide, do nothing there."""
    (index,) = explorers(2)
    page = slides(2, f"#/{index}")
    root = page.page.locator("section.present section.present .gx-explorer")
    slider = root.get_by_role("slider", name="noise").first
    chosen = slider if kind == "input" else root.locator("canvas[tabindex='0']").first
    chosen.focus()
    before = slider.evaluate("(e) => e.value ?? e.getAttribute('aria-valuenow')")
    page.page.keyboard.press("ArrowRight")
    moved = "([e, before]) => (e.value ?? e.getAttribute('aria-valuenow')) !== before"
    page.page.wait_for_function(moved, arg=[slider.element_handle(), before])
    page.page.keyboard.press("n")
    assert place(page) == index
    page.page.keyboard.press("Escape")
    page.page.keyboard.press("ArrowLeft")
    assert place(page) == index - 1


def test_what_is_asked_is_answered_with_the_next_key(slides):
    page = slides(1, "#/1")
    answer = page.page.locator("section.present section.present img")
    assert not answer.is_visible()
    page.page.keyboard.press("ArrowRight")
    answer.wait_for(state="visible")
    assert place(page) == 1


def test_speaker_sees_notes_before_the_answer(slides):
    page = slides(1, "#/2")
    with page.page.expect_popup() as opened:
        page.page.keyboard.press("s")
    words = lectures.read(1).cells[1, "hook-denoised"]
    opened.value.get_by_text(words.notes).wait_for(state="visible")


def test_speaker_turns_the_slides(slides):
    page = slides(1, "#/1")
    with page.page.expect_popup() as opened:
        page.page.keyboard.press("s")
    speaker = opened.value
    current = speaker.frame_locator("#current-slide iframe")
    current.locator(".reveal.ready").wait_for()
    current.locator("body").press("ArrowRight")  # the answer
    current.locator("body").press("ArrowRight")
    page.page.wait_for_function("Reveal.getIndices().h === 2")


def test_no_stranger_turns_the_slides(slides):
    """As a page could that shows a lecture in a frame; a frame in a sandbox is as strange."""
    page = slides(1, "#/1")
    message = '{"method": "slide", "args": [3]}'
    page.page.evaluate(
        """(message) => new Promise((loaded) => {
          const frame = document.createElement("iframe");
          frame.sandbox = "allow-scripts";
          frame.srcdoc = `<script>parent.postMessage('${message}', "*")</script>`;
          frame.onload = () => setTimeout(loaded, 500);
          document.body.append(frame);
        })""",
        message,
    )
    assert place(page) == 1
    page.page.evaluate("(message) => postMessage(message)", message)  # it would have been obeyed
    page.page.wait_for_function("Reveal.getIndices().h === 3")


@pytest.mark.parametrize("number", NUMBERS)
def test_a_lecture_is_not_too_heavy(slides, site, number):
    page = slides(number)
    page.page.wait_for_load_state("networkidle")
    sizes = weights(page.page, site)
    assert len(sizes) > 5
    assert sum(sizes.values()) <= MOST_BYTES, sizes


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_follow_the_system(slides, scheme):
    page = slides(3, color_scheme=scheme)
    ground = page.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, ground[4:-1].split(","))) > 3 * 128) == (scheme == "light")


@pytest.mark.parametrize("number", NUMBERS)
def test_narrow_screens_show_a_page_with_the_notes(site, visit, number):
    page = visit(f"{site}/slides/lecture-{number}.html", viewport={"width": 390, "height": 844})
    page.page.wait_for_load_state("networkidle")
    assert not page.scrolls_sideways()
    notes = page.page.locator("aside.notes")
    assert notes.count() == len(list(lectures.tagged(number)))
    assert notes.last.is_visible()


def test_page_of_a_wide_screen(site, visit):
    page = visit(f"{site}/slides/lecture-2.html?page", viewport=WIDE)
    page.page.wait_for_load_state("networkidle")
    assert page.page.locator(".reveal").count() == 0
    assert page.page.locator("h2").last.is_visible()


def test_slides_open_as_files(visit):
    page = visit(Path(SITE, "slides", "lecture-4.html").resolve().as_uri(), viewport=WIDE)
    page.page.wait_for_function(READY)
    page.page.keyboard.press("ArrowRight")
    assert place(page) == 1
