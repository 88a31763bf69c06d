"""The live explorer in pages: without Python, and with a kernel that a test plays."""

import json
from typing import Any

import pytest
import torch

import gahr_lib as gahr
from browser.visits import PHONE, Explorer
from browser.widget_pages import SCRIPT
from gahr_lib.widgets import LiveEigenbasisExplorer
from helpers import seeded, small_unet

pytestmark = pytest.mark.browser

# A model as one with a kernel has it; what it saves goes nowhere until the test answers.
PLAYED = "save_changes() { window.model = this; window.saved = (window.saved ?? 0) + 1; }"


class Shown(Explorer):
    def __init__(self, visit, index: int = 0) -> None:
        super().__init__(visit, index)
        self.slider = self.root.locator(".gx-plots .gx-slider")
        self.number = self.root.locator(".gx-kept input")
        self.level = self.root.locator(".gx-level")
        self.seed = self.root.get_by_label("noise seed")
        self.status = self.root.get_by_role("status")
        self.detail = self.root.locator(".gx-detail")
        self.cancel = self.root.locator(".gx-cancel")

    def asked(self) -> dict[str, Any]:
        self.settle()
        names = json.dumps(["network", "image", "sigma", "seed"])
        return self.page.evaluate(
            f"Object.fromEntries({names}.map((name) => [name, model.get(name)]))"
        )

    def say(self, **work: Any) -> None:
        """Be Python, at work."""
        self.page.evaluate("(work) => model.set('_work', work)", work)
        self.settle()

    def busy(self) -> bool:
        self.settle()
        return self.root.locator(".gx-body").get_attribute("aria-busy") == "true"


def images() -> torch.Tensor:
    return gahr.data.fashion("test", n=2)[..., 6:22, 6:22].contiguous()


def make(**choices: Any) -> LiveEigenbasisExplorer:
    networks = {"one": small_unet(), "two": small_unet(seed=1)}
    choices = {"names": ["boot", "pullover"], "k": 12, "sigma": 0.2, **choices}
    return LiveEigenbasisExplorer(networks, images(), **choices)


@pytest.fixture
def show(show_explorer):
    def open_page(*widgets, kernel: bool = False, **settings) -> Shown:
        if kernel:
            assert "save_changes() {}" in SCRIPT
            played = SCRIPT.replace("save_changes() {}", f"widget_manager = {{}}; {PLAYED}")
            settings["script"] = played
        return show_explorer(*widgets, kind=Shown, **settings)

    return open_page


# ------------------------------------------------------------------------- without Python


def test_without_python_it_shows_what_was_computed_and_k_moves(show):
    widget = make(network="two", image=1, sigma=0.3, seed=4, index=3)
    shown = show(widget)
    assert shown.psnr() == pytest.approx(widget.psnr(), abs=0.006)
    before = shown.picture()
    shown.slider.focus()
    shown.page.keyboard.press("ArrowRight")
    widget.index = 4
    assert shown.kept() == 4
    assert shown.picture() != before
    assert shown.psnr() == pytest.approx(widget.psnr(), abs=0.006)
    pixels = torch.tensor(shown.pixels("noisy", 16)) / 255
    y = gahr.add_noise(images()[1:], 0.3, generator=seeded(4)).clamp(0, 1).flatten()
    assert float((pixels - y).abs().max()) < 1.1 / 255
    shown.choose("vectors", "eigenvectors of (J + Jᵀ)/2")
    widget.vectors = "eigen"
    assert shown.psnr() == pytest.approx(widget.psnr(), abs=0.006)


def test_without_python_it_says_so_and_offers_nothing_else(show):
    shown = show(make(network="two", image=1, sigma=0.3, seed=4))
    assert "need Python" in shown.status.inner_text()
    assert "Binder" in shown.status.inner_text()
    assert shown.cancel.count() == 0
    for control in (shown.radio("network", "one"), shown.image, shown.level, shown.seed):
        assert control.is_disabled()
    assert shown.radio("network", "two").is_checked()
    assert shown.image.input_value() == "pullover"
    assert shown.level.get_attribute("aria-valuetext") == "σ = 0.3"
    assert shown.seed.input_value() == "4"
    assert not shown.busy()


def test_large_images_have_eigenvectors_alone(show):
    x = gahr.data.fashion("test", n=1)
    x = torch.nn.functional.pad(x, (4, 4, 4, 8))  # 40 x 36: more pixels than are decomposed
    widget = LiveEigenbasisExplorer({"one": small_unet()}, x, k=4, sigma=0.2, index=3)
    shown = show(widget)
    assert shown.root.get_by_role("radio", name="read and written").count() == 0
    assert shown.psnr() == pytest.approx(widget.psnr(), abs=0.006)
    summary = shown.summary.inner_text()
    assert "The first 4 of 1440 terms are known." in summary
    assert f"≈ {widget.answer().asymmetry:.2f}" in summary


# ------------------------------------------------------------------------- with Python


def test_every_control_asks_by_mouse_and_keyboard(show):
    shown = show(make(), kernel=True)
    page = shown.page
    shown.radio("network", "two").click()
    assert shown.asked() == {"network": "two", "image": 0, "sigma": 0.2, "seed": 0}
    shown.choose_image(1)
    assert shown.asked()["image"] == 1
    box = shown.level.bounding_box()
    page.mouse.click(box["x"] + 0.9 * box["width"], box["y"] + box["height"] / 2)
    sigma = shown.asked()["sigma"]
    assert 0.5 < sigma < 1
    shown.level.focus()
    page.keyboard.press("ArrowLeft")
    assert 0.97 * sigma < shown.asked()["sigma"] < sigma
    page.keyboard.press("End")
    assert shown.asked()["sigma"] == 1
    page.keyboard.press("Home")
    assert shown.asked()["sigma"] == 0.02
    assert shown.level.get_attribute("aria-valuetext") == "σ = 0.02"
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowUp")
    assert shown.asked()["seed"] == 1
    for typed, taken in (("-3", 0), ("99999999999", 2**31 - 1), ("12", 12)):
        shown.seed.fill(typed)
        assert shown.asked()["seed"] == taken
    shown.seed.fill("")
    assert shown.asked()["seed"] == 12


def test_while_python_works_the_page_says_how_far_it_is_and_shows_the_old_pictures(show):
    shown = show(make(), kernel=True)
    before = shown.picture("noisy")
    assert not shown.busy()
    assert shown.cancel.is_disabled()
    shown.level.fill("150")
    assert shown.busy()  # at once, whatever Python is doing
    assert shown.status.inner_text() == "Computing …"
    assert shown.cancel.is_enabled()
    shown.say(text="112 of 256 columns of J", share=0.3)
    assert shown.detail.inner_text() == "112 of 256 columns of J"
    assert shown.root.get_by_role("progressbar").evaluate("(bar) => bar.value") == 0.3
    shown.say(text="8 products with J", share=None)
    assert shown.root.get_by_role("progressbar").evaluate("(bar) => bar.position") == -1
    assert shown.picture("noisy") == before
    assert "σ = 0.2:" in shown.summary.inner_text()
    shown.keep(5)  # k moves in what is shown
    assert shown.busy()


def test_the_answer_takes_its_place(show):
    widget, other = make(), make(network="two", sigma=0.5, seed=9, index=5)
    shown = show(widget, other, kernel=True)
    # The data that Python would send are those of the other explorer.
    Shown(shown, 1).keep(6)
    shown.page.evaluate("window.sent = model.get('_data')")
    shown.keep(5)
    shown.page.evaluate(
        "for (const [name, value] of Object.entries(sent.shown)) model.set(name, value);"
    )
    assert shown.busy()
    shown.page.evaluate("model.set({ _data: sent, _work: {} })")
    assert not shown.busy()
    assert shown.status.inner_text() == "Done."
    assert shown.psnr() == pytest.approx(other.psnr(), abs=0.006)
    assert "Network two" in shown.summary.inner_text()


def test_cancel_sets_all_choices_back_at_once(show):
    shown = show(make(), kernel=True)
    shown.radio("network", "two").click()
    shown.level.fill("150")
    saved = shown.page.evaluate("saved")
    shown.cancel.focus()
    shown.page.keyboard.press("Enter")
    assert shown.asked() == {"network": "one", "image": 0, "sigma": 0.2, "seed": 0}
    assert shown.page.evaluate("saved") == saved + 1  # so Python hears of it in one message
    assert not shown.busy()
    assert shown.status.inner_text() == "Cancelled."
    assert shown.radio("network", "one").is_checked()
    assert shown.level.get_attribute("aria-valuetext") == "σ = 0.2"


def test_an_error_is_text_and_one_can_go_back(show):
    shown = show(make(), kernel=True)
    shown.level.fill("150")
    shown.say(error="<b>The derivative</b> is infinite.")
    assert not shown.busy()
    assert "<b>The derivative</b> is infinite." in shown.status.inner_text()
    assert shown.cancel.inner_text() == "Go back"
    shown.cancel.click()
    assert shown.asked()["sigma"] == 0.2
    shown.say()
    assert shown.status.inner_text() == ""


def test_a_silent_python_is_remarked_on(show):
    shown = show(make(), kernel=True)
    shown.page.clock.install(time=0)
    shown.page.clock.pause_at(1000)  # or it would go on, however long the test takes
    shown.level.fill("150")
    shown.page.clock.run_for(1000)
    assert "answered" not in shown.status.inner_text()
    shown.page.clock.run_for(5000)
    assert "Python has not answered" in shown.status.inner_text()
    shown.page.evaluate("model.set('_work', { text: '56 of 256 columns of J', share: 0.2 })")
    shown.page.clock.run_for(100)
    assert shown.status.inner_text() == "Computing …"
    assert shown.detail.inner_text() == "56 of 256 columns of J"


def test_everything_has_room_on_a_telephone_and_a_name(show):
    shown = show(make(), kernel=True, viewport=PHONE)
    shown.level.fill("150")
    shown.say(text="3,584 of 4,096 columns of J", share=0.8)
    assert shown.cramped() == []
    assert shown.nameless() == []


def test_still_picture_stays_without_javascript(open_widgets):
    widget = make(sigma=0.3)
    page = open_widgets(widget, java_script_enabled=False).page
    assert page.get_by_role("img").get_attribute("alt") == widget.describe()
