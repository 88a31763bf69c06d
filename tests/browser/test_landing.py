"""The figure of the landing page, which moves from noise to pictures."""

import re
from pathlib import Path

import pytest
from PIL import Image

import draw_landing

STATIC = Path(__file__).parents[2] / "book" / "_static"
MOST_BYTES = 200_000
pytestmark = pytest.mark.browser


# All that the button has said, from the beginning.
NOTE_WORDS = """
window.said = [];
new MutationObserver(() => {
  const text = document.querySelector(".landing-controls button")?.textContent;
  if (text && text !== window.said.at(-1)) window.said.push(text);
}).observe(document, { subtree: true, childList: true });
"""
PRESS = "(button) => (button.click(), button.textContent)"
# Plays until the picture has moved, and pauses: a hand may come when the last one is there.
PLAY_A_LITTLE = """async ([button, slider]) => {
  button.click();
  const first = slider.value;
  while (slider.value === first) await new Promise((done) => setTimeout(done, 10));
  button.click();
}"""


class Landing:
    def __init__(self, visit, url, **settings):
        self.page = visit("about:blank", **settings).page
        self.page.add_init_script(NOTE_WORDS)
        self.page.goto(url)
        self.button = self.page.locator(".landing-controls button")
        self.slider = self.page.get_by_role("slider", name="From noise to pictures")
        self.canvas = self.page.locator(".landing-sheet canvas")
        self.slider.wait_for()

    def frame(self) -> int:
        return int(self.slider.input_value())

    def picture(self) -> str:
        return self.canvas.evaluate("(canvas) => canvas.toDataURL()")


def opened(name: str) -> Image.Image:
    with Image.open(STATIC / name) as image:
        return image.copy()


@pytest.fixture
def landing(visit, site):
    def open_page(motion="no-preference"):
        return Landing(visit, f"{site}/book/index.html", reduced_motion=motion)

    return open_page


def test_it_plays_once_within_five_seconds(landing):
    shown = landing()
    shown.page.get_by_role("button", name="Play").wait_for()
    assert shown.page.evaluate("window.said") == ["Pause", "Play"]
    script = (STATIC / "landing.js").read_text(encoding="utf-8")
    assert draw_landing.FRAMES * int(re.search(r"FRAME_MS = (\d+);", script)[1]) < 5_000
    assert shown.frame() == draw_landing.FRAMES - 1
    assert not shown.canvas.is_visible(), "the still picture is the last frame"


def test_it_stands_still_for_who_asked_for_that(landing):
    shown = landing(motion="reduce")
    shown.page.wait_for_timeout(500)
    assert shown.page.evaluate("window.said") == ["Play"]
    assert shown.frame() == draw_landing.FRAMES - 1
    assert not shown.canvas.is_visible()
    assert shown.button.evaluate(PRESS) == "Pause"


def test_it_can_be_paused_and_moved_by_keyboard(landing):
    shown = landing(motion="reduce")
    parts = [shown.button.element_handle(), shown.slider.element_handle()]
    shown.page.evaluate(PLAY_A_LITTLE, parts)
    stopped = shown.frame()
    assert 0 < stopped < draw_landing.FRAMES - 1
    assert shown.canvas.is_visible()
    shown.page.wait_for_timeout(400)
    assert shown.frame() == stopped
    shown.slider.press("Home")
    noise = shown.picture()
    assert shown.slider.get_attribute("aria-valuetext") == f"step 1 of {draw_landing.FRAMES}"
    for _ in range(3):
        shown.slider.press("ArrowRight")
    assert shown.frame() == 3
    assert shown.picture() != noise


def test_still_picture_has_words_and_stays_without_scripts(browser, site):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site}/book/index.html")
    still = page.locator("#fig-pair img")
    assert still.is_visible()
    assert "clothes" in still.get_attribute("alt")
    assert page.locator(".landing-controls").count() == 0
    context.close()


def test_script_and_pictures_agree():
    script = (STATIC / "landing.js").read_text(encoding="utf-8")
    numbers = re.search(r"\[FRAMES, COLUMNS, SIDE, STEP\] = \[(.*?)\]", script)[1]
    side, step = draw_landing.SIDE, draw_landing.SIDE + draw_landing.GAP
    frames, columns = draw_landing.FRAMES, draw_landing.SHOWN
    assert [int(number) for number in numbers.split(",")] == [frames, columns, side, step]
    steps = opened("pair-steps.webp")
    assert steps.size == (columns * side, frames * 2 * side)
    still = opened("pair.png")
    gap = draw_landing.GAP
    assert still.width * (2 * step - gap) == still.height * (columns * step - gap)


def test_last_step_is_the_still_picture():
    side, step, scale = draw_landing.SIDE, draw_landing.SIDE + draw_landing.GAP, 4
    still = opened("pair.png").convert("L")
    steps = opened("pair-steps.webp").convert("L")
    top = (draw_landing.FRAMES - 1) * 2 * side
    for row in range(2):
        for column in range(draw_landing.SHOWN):
            x, y = column * side, top + row * side
            drawn = steps.crop((x, y, x + side, y + side))
            x, y = scale * column * step, scale * row * step
            kept = still.crop((x, y, x + scale * side, y + scale * side)).resize((side, side), 0)
            pairs = zip(drawn.tobytes(), kept.tobytes(), strict=True)
            assert sum(abs(a - b) for a, b in pairs) / side**2 < 8, "of 255, as compressed"


def test_pictures_are_small():
    assert (STATIC / "pair-steps.webp").stat().st_size <= MOST_BYTES
    assert opened("social.png").size == (1200, 630)
    assert (STATIC / "social.png").stat().st_size <= MOST_BYTES


def test_a_shared_link_shows_a_picture_with_words(browser, site):
    page = browser.new_page()
    page.goto(f"{site}/book/index.html")
    content = "(name) => document.querySelector(`meta[property='${name}']`).content"
    assert page.evaluate(content, "og:image").endswith("/_static/social.png")
    assert "two networks" in page.evaluate(content, "og:image:alt")
    address = page.evaluate(content, "og:image").rsplit("/_static/")[1]
    assert page.request.get(f"{site}/_static/{address}").ok
    page.close()
