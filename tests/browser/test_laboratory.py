"""The laboratory in Chromium, by mouse and by keyboard."""

import math
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from browser.laboratory import READY_MS, WORK_MS, Laboratory, images, served
from browser.test_axe import AXE, faults
from browser.visits import Visit

pytestmark = pytest.mark.browser

PLACES = ["first", "second"]

# Everything that a reader was told, and shown, while the laboratory was loaded.
WATCH = """() => {
  const root = document.querySelector("#laboratory");
  const notice = root.querySelector("[data-notice]");
  window.told = [notice.textContent];
  window.shown = [];
  new MutationObserver(() => {
    const text = root.querySelector(".lab-loaded")?.textContent;
    if (text && text !== window.shown.at(-1)?.[0]) {
      window.shown.push([text, root.querySelector("progress").value]);
    }
  }).observe(root, { childList: true, subtree: true });
  const tell = () => window.told.push(notice.textContent);
  new MutationObserver(tell).observe(notice, { childList: true });
}"""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with served() as address:
        yield address


@pytest.fixture(scope="module")
def lab(address, browser) -> Iterator[Laboratory]:
    """A laboratory that several tests use, one after the other."""
    visit = Visit(browser, f"{address}/")
    yield Laboratory(visit).start()
    visit.close()
    assert visit.complaints == []


def requested(visit: Visit) -> list[str]:
    return visit.page.evaluate("performance.getEntriesByType('resource').map(({ name }) => name)")


def test_nothing_of_weight_is_loaded_before_the_start(address, visit):
    lab = Laboratory(visit(f"{address}/"))
    lab.page.wait_for_load_state("networkidle")
    names = {url.rsplit("/", 1)[1] for url in requested(lab.visit)}
    assert names == {"lab.css", "page.css", "theme.js", "start.js", "still.png"}
    assert lab.root.locator("img").get_attribute("alt")
    assert lab.root.locator("img").evaluate("(image) => image.naturalWidth") > 1000


def test_start_tells_how_far_it_is(address, visit):
    lab = Laboratory(visit(f"{address}/"))
    lab.page.evaluate(WATCH)
    lab.start()
    shown = lab.page.evaluate("window.shown")
    parts = [re.fullmatch(r"([\d.]+) of ([\d.]+) MB", text) for text, _ in shown]
    received = [float(part[1]) for part in parts]
    totals = {float(part[2]) for part in parts}
    assert len(received) > 5
    assert received == sorted(received)
    (total,) = totals
    assert 14 < total < 16  # the page says 15 to 17, the latter with WebGPU
    bars = [bar for _, bar in shown]
    assert bars == sorted(bars)
    assert bars[-1] > 0.8
    # A screen reader says each of these: no numbers that are others a moment later.
    told = lab.page.evaluate("window.told")
    assert told[1:] == ["Loading …", "Starting the networks …"]
    loaded = [url for url in requested(lab.visit) if "/data/" in url]
    assert not [url for url in loaded if "jspi" in url]


def test_the_book_has_it_too(site, visit):
    lab = Laboratory(visit(f"{site}/book/laboratory.html")).start()
    assert lab.results("denoise")["networks"]
    said = lab.root.locator(".gx-summary").last.inner_text()
    assert said == "Computed by the processor (WebAssembly): as you chose."
    lab.page.evaluate(AXE.read_text(encoding="utf-8"))
    assert faults(lab.page, {}) == []


def test_start_by_keyboard(address, visit):
    lab = Laboratory(visit(f"{address}/"))
    lab.starter.press("Enter")
    expect(lab.root.locator(".lab-open")).to_be_focused(timeout=READY_MS)
    lab.page.keyboard.press("Tab")
    select = lab.network("first").get_by_label("training images N")
    expect(select).to_be_focused()


@pytest.mark.parametrize(
    ("kind", "control"),
    [
        ("first", lambda lab: lab.network("first").get_by_label("training images N")),
        ("second", lambda lab: lab.network("second").get_by_label("training images N")),
        ("image", lambda lab: lab.denoise.get_by_label("image", exact=True)),
        ("noisy", lambda lab: lab.denoise.get_by_label("noise σ")),
        ("noisy", lambda lab: lab.denoise.get_by_label("seed of the noise")),
    ],
    ids=["first N", "second N", "image", "noise", "seed"],
)
def test_arrow_keys_change_what_is_shown(kind, control, lab):
    before = lab.pixels(lab.denoise, kind)
    widget = control(lab)
    widget.focus()
    lab.page.keyboard.press("ArrowUp")
    lab.settle()
    if lab.pixels(lab.denoise, kind) == before:  # it was the first of a list
        lab.page.keyboard.press("ArrowDown")
        lab.settle()
    assert lab.pixels(lab.denoise, kind) != before


@pytest.mark.parametrize("place", PLACES)
def test_halves_change_by_mouse_and_by_keyboard(place, lab):
    lab.choose_half(place, "A")
    of_a = lab.pixels(lab.denoise, place)
    lab.page.keyboard.press("ArrowRight")
    lab.settle()
    of_b = lab.pixels(lab.denoise, place)
    assert of_a != of_b
    lab.choose_half(place, "A")
    assert lab.pixels(lab.denoise, place) == of_a
    assert "A, N = " in lab.denoise.locator(f".lab-{place}").inner_text()


def test_another_noise_by_its_button(lab):
    before = lab.pixels(lab.denoise, "noisy")
    seed = lab.denoise.get_by_label("seed of the noise")
    first = int(seed.input_value())
    lab.denoise.get_by_role("button", name="another").click()
    lab.settle()
    assert int(seed.input_value()) == first + 1
    assert lab.pixels(lab.denoise, "noisy") != before
    said = [lab.denoise.locator(f".lab-{kind} .gx-value").last.inner_text() for kind in PLACES]
    words = f"PSNR {said[0]} by the first network, {said[1]} by the second."
    expect(lab.denoise.locator("> [aria-live=polite]")).to_have_text(words)  # for who cannot see it


# Chooses two images one after the other, before the first has been denoised. Notes for each answer
# the PSNR that is shown, and the error of the noisy image.
TWO_AT_ONCE = """(root) => {
  const select = document.getElementById(
    [...root.querySelectorAll("label")].find((label) => label.textContent === "image").htmlFor);
  let last = root.results.denoise;
  window.answers = [];
  new MutationObserver(() => {
    if (root.results.denoise === last) return;
    last = root.results.denoise;
    const error = last.y.reduce((sum, v, i) => sum + (v - last.image[i]) ** 2, 0) / last.y.length;
    const shown = [...root.querySelectorAll(".lab-noisy .gx-value")].at(-1).textContent;
    window.answers.push([shown, error]);
  }).observe(root, { subtree: true, childList: true });
  for (const value of ["3", "4"]) {
    select.value = value;
    select.dispatchEvent(new Event("change"));
  }
}"""


def test_numbers_are_those_of_the_image_that_was_denoised(lab):
    lab.root.evaluate(TWO_AT_ONCE)
    lab.settle()
    answers = lab.page.evaluate("window.answers")
    assert answers
    for shown, error in answers:
        assert float(shown.removesuffix(" dB")) == pytest.approx(-10 * math.log10(error), abs=0.051)
    lab.denoise.get_by_label("image", exact=True).select_option("test image 1")
    lab.settle()


@pytest.mark.parametrize("wrong", ["", "-1", "1.5", "4294967296"])
def test_seeds_that_are_none_are_marked_and_not_used(wrong, lab):
    seed = lab.denoise.get_by_label("seed of the noise")
    seed.fill("7")
    lab.settle()
    seed.fill(wrong)
    lab.settle()
    assert seed.get_attribute("aria-invalid") == "true"
    assert lab.results("denoise")["seed"] == 7
    seed.fill("8")
    lab.settle()
    assert seed.get_attribute("aria-invalid") is None


def test_no_noise_is_no_error(lab):
    lab.set_sigma(0)
    assert "∞ dB" in lab.denoise.locator(".lab-noisy").inner_text()
    lab.set_sigma(0.3)


def test_drawing_with_the_mouse(lab):
    lab.denoise.get_by_label("image", exact=True).select_option("draw")
    pad = lab.root.locator(".lab-pad")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()

    def at(column, row):
        return box["x"] + box["width"] * column / 28, box["y"] + box["height"] * row / 28

    lab.page.mouse.move(*at(5, 14))
    lab.page.mouse.down()
    lab.page.mouse.move(*at(23, 14), steps=3)
    lab.page.mouse.up()
    lab.settle()
    image = images(lab.results("denoise")["image"])[0, 0]
    assert image[13:15, 5:23].min() > 0.9
    assert image[:10].max() == image[18:].max() == 0
    lab.root.get_by_role("button", name="clear").click()
    lab.settle()
    assert max(lab.results("denoise")["image"]) == 0


def test_drawing_with_the_keyboard(lab):
    lab.denoise.get_by_label("image", exact=True).select_option("draw")
    lab.root.locator(".lab-pad").focus()
    for _ in range(6):
        lab.page.keyboard.press("ArrowUp")  # moves the pen alone
    heard = lab.root.locator(".lab-drawing [aria-live=polite]")
    expect(heard).to_have_text("Pen at column 14, row 8 of 28.")  # for who cannot see it
    lab.settle()
    assert max(lab.results("denoise")["image"]) == 0
    lab.page.keyboard.down(" ")
    for _ in range(8):
        lab.page.keyboard.press("ArrowRight")
    expect(heard).to_have_text("Drawing at column 22, row 8 of 28.")
    lab.page.keyboard.up(" ")
    lab.page.keyboard.press("ArrowDown")
    lab.settle()
    image = images(lab.results("denoise")["image"])[0, 0]
    assert image[7:9, 14:22].min() > 0.9
    assert image[:, :10].max() == image[12:].max() == 0
    lab.denoise.get_by_label("image", exact=True).select_option("test image 1")
    lab.settle()


def test_samples_appear_while_they_are_drawn_and_can_be_cancelled(lab):
    section = lab.sampling
    section.get_by_label("steps", exact=True).select_option("paper")
    section.get_by_role("button", name="Sample").click()
    where = section.locator(".lab-row .gx-of")
    expect(where).to_have_text(re.compile(r"step [1-9]\d+"), timeout=READY_MS)
    seen = lab.pixels(section, "state-0")
    expect(where).to_have_text(re.compile(r"step [1-9]\d\d"), timeout=READY_MS)
    canvas = section.locator(".lab-state-0 canvas").element_handle()
    lab.page.wait_for_function(
        "([canvas, seen]) => canvas.toDataURL() !== seen", arg=[canvas, seen]
    )
    cancel = section.get_by_role("button", name="Cancel")
    cancel.focus()
    lab.page.keyboard.press("Enter")
    expect(section.get_by_role("status")).to_have_text("Cancelled.")
    expect(section.get_by_role("button", name="Sample")).to_be_focused()
    expect(cancel).to_be_disabled()
    section.get_by_label("steps", exact=True).select_option("ascent")
    assert "cosine" in lab.work(section)


# Cancels a task as soon as it says how far it is: a hand may come when it is done.
CANCEL_ON_THE_WAY = """(section) => {
  const now = section.querySelector(".lab-row .gx-of");
  const cancel = [...section.querySelectorAll("button")].find((b) => b.textContent === "Cancel");
  new MutationObserver((_, observer) => {
    if (!/[1-9]\\d? %/.test(now.textContent)) return;
    observer.disconnect();
    cancel.click();
  }).observe(now, { childList: true });
}"""


def test_eigenvectors_can_be_cancelled_and_computed_again(lab):
    lab.choose_half("first", "A")
    lab.choose_half("second", "B")
    section = lab.eigenvectors
    section.evaluate(CANCEL_ON_THE_WAY)
    assert lab.work(section) == "Cancelled."
    assert lab.results("basis") is None
    assert "16 leading eigenvectors" in lab.work(section)
    assert section.locator("canvas").count() == 16
    first = lab.results("basis")["values"][0]
    label = f"eigenvector 1, eigenvalue {first:.3f}"
    expect(section.get_by_role("img", name=label, exact=True)).to_be_visible()
    first = lab.pixels(section, "vector-0")
    section.get_by_role("radio", name="second", exact=True).click()
    lab.work(section)
    assert lab.pixels(section, "vector-0") != first


# Asks for other noise while the eigenvectors are computed. Notes its seed, once it is there, and
# whether they were still being computed then; and how long they took.
ASK_MEANWHILE = """(root) => {
  const button = (text) => [...root.querySelectorAll("button")].find((b) => b.textContent === text);
  const long = button("Compute the eigenvectors");
  const before = root.results.denoise;
  window.answer = window.took = null;
  new MutationObserver(() => {
    const { denoise } = root.results;
    if (denoise !== before) window.answer ??= [denoise.seed, long.disabled];
    if (!long.disabled) window.took ??= performance.now() - began;
  }).observe(root, { subtree: true, childList: true, attributeFilter: ["disabled"] });
  const began = performance.now();
  long.click();
  button("another").click();
}"""


def test_page_stays_at_hand_while_it_computes(lab):
    """No task of the page's own thread takes long, and other sections answer."""
    lab.page.evaluate("""() => {
      window.long = [];
      const note = (list) => window.long.push(...list.getEntries().map((e) => e.duration));
      new PerformanceObserver(note).observe({ type: "longtask" });
    }""")
    before = lab.results("denoise")["seed"]
    lab.root.evaluate(ASK_MEANWHILE)
    lab.page.wait_for_function("() => window.answer && window.took", timeout=WORK_MS)
    seed, still_at_work = lab.page.evaluate("window.answer")
    assert seed == before + 1
    assert still_at_work
    assert max(lab.page.evaluate("window.long"), default=0) < lab.page.evaluate("window.took") / 3


def test_colours_follow_the_theme(lab):
    lab.set_sigma(0.3)
    light = lab.pixels(lab.denoise, "difference")
    lab.follow("dark")
    assert lab.pixels(lab.denoise, "difference") != light
    lab.follow("light")
    assert lab.pixels(lab.denoise, "difference") == light


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_nothing_and_nothing_is_wider_than_the_screen(width, scheme, lab):
    lab.work(lab.sampling)
    lab.work(lab.eigenvectors)
    lab.page.set_viewport_size({"width": width, "height": 844})
    lab.follow(scheme)
    lab.page.evaluate(AXE.read_text(encoding="utf-8"))
    assert not lab.visit.scrolls_sideways()
    assert faults(lab.page, {}) == []
