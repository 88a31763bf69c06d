"""The explorer of the sampler, on pages made here, against Python's own numbers."""

import re

import pytest
import torch

import gahr_lib as gahr
from browser.visits import PHONE, Explorer
from gahr_lib.sampling import SampleConfig
from gahr_lib.widgets.sampler_explorer import SamplerExplorer
from helpers import seeded

pytestmark = pytest.mark.browser

FRAMES = 12
# Each thing that the button says.
NOTE_WORDS = """(button) => {
  window.said = [];
  const note = () => window.said.push(button.textContent);
  new MutationObserver(note).observe(button, { childList: true });
}"""
# Presses the button as soon as the path has left its start: a hand may come when it is at its end.
STOP_AFTER_THE_START = """(slider, [button, last]) => {
  window.stopped = false;
  new MutationObserver((_, observer) => {
    if (slider.valueAsNumber < 1 || slider.valueAsNumber === last) return;
    observer.disconnect();
    button.click();
    window.stopped = true;
  }).observe(slider, { attributes: true });
}"""
EVERYTHING = {"state-0", "state-1", "guess-0", "guess-1", "plots"}
START = {"noise": 0, "sampler": "β = 0.3", "moment": 4}


class Shown(Explorer):
    """The controls and pictures of a `SamplerExplorer` on a page."""

    def __init__(self, visit, index: int = 0) -> None:
        super().__init__(visit, index)
        self.play = self.root.locator(".gx-play")

    def moment(self) -> int:
        self.settle()
        return int(self.slider.input_value())

    def go(self, moment: int) -> None:
        self.slider.fill(str(moment))
        self.settle()


@pytest.fixture(scope="module")
def explorer():
    # Trained on ten images each: the two networks come to different samples.
    networks = {half: gahr.load_denoiser("fashion", n_train=10, half=half) for half in "AB"}
    configs = {f"β = {beta:g}": SampleConfig(beta=beta, mean=0.3) for beta in (0.3, 1)}
    return SamplerExplorer(networks, configs, n=2, frames=FRAMES, generator=seeded(1))


@pytest.fixture
def open_explorer(show_explorer, explorer):
    """Opens a page with the explorer, shown once or more."""

    def open_page(*, copies: int = 1, start=START, **settings) -> Shown:
        for name, value in start.items():
            setattr(explorer, name, value)
        return show_explorer(*[explorer] * copies, kind=Shown, **settings)

    return open_page


def test_pictures_and_numbers_are_those_of_python(explorer, open_explorer):
    shown = open_explorer()
    for sampler, noise in (("β = 0.3", 0), ("β = 1", 1)):
        shown.choose("sampler", sampler)
        shown.choose("noise", str(noise + 1))
        explorer.sampler, explorer.noise = sampler, noise
        for moment in (0, 5, FRAMES - 1):
            shown.go(moment)
            explorer.moment = moment
            for i, name in enumerate("AB"):
                there = explorer.shown(name)
                for kind in ("state", "guess"):
                    pixels = torch.tensor(shown.pixels(f"{kind}-{i}", 28))
                    expected = getattr(there, kind).flatten().float()
                    assert float((pixels - expected).abs().max()) <= 1
                caption = shown.root.locator(f".gx-state-{i} .gx-caption").inner_text()
                assert f"step {there.step} of {there.steps}" in caption
                sigma = float(re.search(r"σ = ([\d.]+)", caption)[1])
                assert sigma == pytest.approx(there.sigma, rel=0.06)
            text = shown.summary.inner_text()
            assert f"cosine of the guesses {explorer.cosine():.2f}" in text


def test_first_values_are_those_that_python_chose(explorer, open_explorer):
    shown = open_explorer(start={"noise": 1, "sampler": "β = 1", "moment": 9})
    assert shown.moment() == 9
    assert shown.radio("noise", "2").is_checked()
    assert shown.radio("sampler", "β = 1").is_checked()
    caption = shown.root.locator(".gx-state-1 .gx-caption").inner_text()
    assert f"step {explorer.shown('B').step} of" in caption


def test_still_picture_stays_without_javascript(explorer, open_widgets):
    page = open_widgets(explorer, java_script_enabled=False).page
    assert page.get_by_role("img").get_attribute("alt") == explorer.describe()


def test_every_control_changes_what_it_should(open_explorer):
    shown = open_explorer()
    changed_by = shown.changed_by
    assert changed_by(lambda: shown.go(8)) == EVERYTHING
    assert changed_by(shown.radio("noise", "2").click) == EVERYTHING
    assert changed_by(shown.radio("sampler", "β = 1").click) == EVERYTHING
    shown.go(0)
    # All settings start from one noise, and A and B are there in one state.
    assert changed_by(shown.radio("sampler", "β = 0.3").click) == {"plots"}
    assert shown.picture("state-0") == shown.picture("state-1")


def test_slider_moves_by_mouse(open_explorer):
    shown = open_explorer()
    box = shown.slider.bounding_box()
    middle = box["y"] + box["height"] / 2

    def drag():
        shown.page.mouse.move(box["x"] + 11 + (box["width"] - 22) * 4 / (FRAMES - 1), middle)
        shown.page.mouse.down()
        shown.page.mouse.move(box["x"] + 0.9 * box["width"], middle, steps=4)
        shown.page.mouse.up()

    assert shown.changed_by(drag) == EVERYTHING
    assert shown.moment() == 10


def test_slider_moves_by_keyboard_and_keys_stay_inside(open_explorer):
    shown = open_explorer()
    shown.slider.focus()
    last = FRAMES - 1
    for key, moment in [
        ("ArrowRight", 5), ("ArrowUp", 6), ("ArrowLeft", 5), ("ArrowDown", 4),
        ("PageUp", 8), ("PageDown", 4), ("End", last), ("ArrowRight", last), ("Home", 0),
        ("ArrowLeft", 0),
    ]:  # fmt: skip
        shown.page.keyboard.press(key)
        assert shown.moment() == moment, key
        spoken = shown.slider.get_attribute("aria-valuetext")
        assert spoken.startswith(f"{moment + 1} of {FRAMES}")
    shown.radio("noise", "1").focus()
    shown.page.keyboard.press("ArrowRight")
    assert shown.radio("noise", "2").is_checked()
    shown.radio("sampler", "β = 0.3").focus()
    shown.page.keyboard.press("ArrowRight")
    assert shown.radio("sampler", "β = 1").is_checked()
    assert shown.page.evaluate("heard") == []


def test_tab_reaches_every_control(open_explorer):
    shown = open_explorer()
    reached = []
    for _ in range(4):
        shown.page.keyboard.press("Tab")
        reached.append(shown.page.evaluate("document.activeElement.type"))
    assert reached == ["radio", "radio", "button", "range"]


def test_plot_of_moments_can_be_clicked_and_dragged(open_explorer):
    shown = open_explorer()
    box = shown.plot.bounding_box()
    left, width = box["x"] + 42, box["width"] - 42 - 14
    y = box["y"] + 60
    shown.page.mouse.move(left + width * 2 / (FRAMES - 1), y)
    shown.page.mouse.down()
    assert shown.moment() == 2
    shown.page.mouse.move(left + width * 7 / (FRAMES - 1), box["y"] + 350)
    assert shown.moment() == 7  # the panel in which a drag began decides
    shown.page.mouse.move(left - 100, y)
    assert shown.moment() == 0
    shown.page.mouse.up()
    shown.page.mouse.move(left + width, y)
    assert shown.moment() == 0


def test_plot_of_steps_goes_to_the_nearest_step(explorer, open_explorer):
    shown = open_explorer()
    box = shown.plot.bounding_box()
    left, width = box["x"] + 42, box["width"] - 42 - 14
    a, b = (explorer.shown(name) for name in "AB")
    longest = max(a.steps, b.steps)
    middle = []
    for explorer.moment in range(FRAMES):
        middle.append(sum(explorer.shown(name).step for name in "AB") / 2)
    for moment in (1, 6, FRAMES - 1):
        at = left + width * (middle[moment] - 1) / (longest - 1)
        shown.page.mouse.click(at, box["y"] + 320)
        assert middle[shown.moment()] == pytest.approx(middle[moment], abs=1)


def test_touch_moves_the_plot(open_explorer):
    shown = open_explorer(has_touch=True, viewport=PHONE)
    shown.plot.scroll_into_view_if_needed()
    box = shown.plot.bounding_box()
    shown.tap(box["x"] + 0.8 * box["width"], box["y"] + 60)
    assert shown.moment() > 7


def test_play_goes_to_the_end_and_begins_anew(open_explorer):
    shown = open_explorer()
    shown.go(FRAMES - 3)
    assert "play" in shown.play.inner_text()
    shown.play.evaluate(NOTE_WORDS)
    shown.play.click()
    shown.page.wait_for_function("window.said.at(-1)?.includes('play')")
    assert "pause" in shown.page.evaluate("window.said[0]")
    assert shown.moment() == FRAMES - 1
    shown.slider.evaluate(STOP_AFTER_THE_START, [shown.play.element_handle(), FRAMES - 1])
    shown.play.focus()
    shown.page.keyboard.press("Space")
    shown.page.wait_for_function("window.stopped")
    moment = shown.moment()
    assert 1 <= moment < FRAMES - 1
    shown.page.wait_for_timeout(400)
    assert shown.moment() == moment


def test_a_hand_on_the_slider_stops_the_play(open_explorer):
    shown = open_explorer()
    shown.play.click()
    shown.go(2)
    shown.page.wait_for_timeout(400)
    assert shown.moment() == 2


def test_nothing_moves_by_itself_for_readers_who_want_that(open_explorer):
    shown = open_explorer(reduced_motion="reduce")
    assert "next" in shown.play.inner_text()
    shown.play.click()
    assert shown.moment() == 5
    shown.page.wait_for_timeout(400)
    assert shown.moment() == 5
    shown.go(FRAMES - 1)
    shown.play.click()
    assert shown.moment() == 0


def test_one_widget_shown_twice_is_one_widget(open_explorer):
    """Also what a change from Python does: the second is told of it by the model alone."""
    first = open_explorer(copies=2)
    second = Shown(first, 1)
    second.root.wait_for()
    first.go(9)
    first.choose("noise", "2")
    first.choose("sampler", "β = 1")
    assert second.moment() == 9
    assert second.radio("noise", "2").is_checked()
    assert second.radio("sampler", "β = 1").is_checked()
    assert second.seen() == first.seen()


def test_dark_mode_changes_the_plot_and_keeps_the_photographs(open_explorer):
    shown = open_explorer()
    assert shown.changed_by(shown.darken) == {"plots"}


def test_changes_are_spoken_when_the_hand_rests(open_explorer):
    shown = open_explorer()
    assert shown.live.text_content() == ""
    shown.go(3)
    shown.wait_until_said(f"Moment 4 of {FRAMES}")


def test_everything_has_room_on_a_telephone(open_explorer):
    shown = open_explorer(viewport=PHONE)
    assert shown.cramped() == []
    assert shown.canvas("guess-0").bounding_box()["width"] >= 140


def test_every_control_and_picture_has_a_name(open_explorer):
    shown = open_explorer()
    assert shown.nameless() == []
    described = shown.root.locator("canvas").evaluate_all(
        "nodes => nodes.map(n => [n.getAttribute('role'), n.getAttribute('aria-label')])"
    )
    assert len(described) == 5
    assert all(role == "img" and len(label) > 5 for role, label in described)
