"""The laboratory where something that it needs is missing: it says so, and shows its picture."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from browser.laboratory import READY_MS, Laboratory, served
from browser.visits import Visit
from chromium import find
from gahr_lib.lab.files import laboratory_files, laboratory_page

GPU_MS = 600_000  # for networks on a graphics card that is made of software
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with served() as address:
        yield f"{address}/lab/"


@pytest.fixture
def open_page(browser, address) -> Iterator[Callable[..., Laboratory]]:
    """Opens the laboratory after something was taken from the page."""
    visits: list[Visit] = []

    def start(prepare: Callable[[Page], None] = lambda page: None, **settings: object):
        visit = Visit(browser, "about:blank", **settings)
        visits.append(visit)
        prepare(visit.page)
        visit.page.goto(address)
        return Laboratory(visit)

    yield start
    for visit in visits:
        visit.close()


def expect_still(lab: Laboratory) -> None:
    image = lab.root.locator("img")
    expect(image).to_be_visible()
    expect(image).to_have_attribute("alt", re.compile("A boot"))
    assert image.bounding_box()["height"] > 100


def computed_by(lab: Laboratory) -> Locator:
    return lab.root.locator(".gx-summary").last


def block(pattern: str) -> Callable[[Page], None]:
    return lambda page: page.route(pattern, lambda route: route.abort())


def in_the_worker(script: str) -> Callable[[Page], None]:
    """Runs a script in the worker before all else, in front of the first module that it imports."""

    def answer(route) -> None:
        response = route.fetch()
        route.fulfill(response=response, body=script + response.text())

    return lambda page: page.route("**/algorithm1.js", answer)


def with_patience(seconds: int) -> Callable[[Page], None]:
    """Has one run on the graphics card take so long at most."""

    def answer(route) -> None:
        response = route.fetch()
        text = response.text()
        assert text.count("STUCK = 60;") == 1
        route.fulfill(response=response, body=text.replace("STUCK = 60;", f"STUCK = {seconds};"))

    return lambda page: page.route("**/runtime.js", answer)


def test_without_javascript(open_page):
    lab = open_page(java_script_enabled=False)
    expect_still(lab)
    expect(lab.notice).to_contain_text("JavaScript is off, or something blocked them")
    assert lab.starter.count() == 0
    assert lab.visit.complaints == []


def test_first_script_blocked(open_page):
    lab = open_page(block("**/start.js"))
    expect_still(lab)
    expect(lab.notice).to_contain_text("JavaScript is off, or something blocked them")
    assert lab.starter.count() == 0


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("**/lab.js", "lab.js"),
        ("**/controls.js", "If something was blocked, allow it and reload the page"),
        ("**/worker.js", "worker.js"),
        ("**/eigenpairs.js", "worker.js"),
        ("**/matrix.umd.js", "worker.js"),
        ("**/ort.wasm.bundle.min.mjs", "ort.wasm.bundle.min.mjs could not be loaded"),
        ("**/*.wasm", "could not be loaded"),
        ("**/denoise.*.onnx", "denoise"),
        ("**/manifest.json", "could not be started"),
        ("**/explorer.css", "explorer.css could not be loaded"),
    ],
)
def test_a_file_blocked_and_then_allowed(pattern, said, open_page):
    lab = open_page(block(pattern))
    lab.starter.click()
    expect(lab.notice).to_contain_text("The laboratory could not be started", timeout=READY_MS)
    expect(lab.notice).to_contain_text(said)
    expect_still(lab)
    expect(lab.starter).to_be_focused()
    assert lab.root.locator("progress, .lab-loaded").count() == 0
    style = lab.page.locator("link[href$='/explorer.css']")
    assert style.count() == 0
    lab.page.unroute_all()
    if pattern.endswith(".js") and "worker" not in said:
        return  # a browser asks again for a module that failed when the page is loaded anew
    lab.start()
    assert style.count() == 1


def test_without_webassembly(open_page):
    lab = open_page(lambda page: page.add_init_script("delete window.WebAssembly"))
    expect(lab.notice).to_contain_text("no WebAssembly")
    expect_still(lab)
    assert lab.starter.count() == 0
    assert lab.visit.complaints == []


def test_without_webassembly_in_the_worker_alone(open_page):
    lab = open_page(in_the_worker("delete self.WebAssembly;"))
    lab.starter.click()
    expect(lab.notice).to_contain_text("no WebAssembly", timeout=READY_MS)
    expect_still(lab)


def test_without_workers(open_page):
    lab = open_page(lambda page: page.add_init_script("delete window.Worker"))
    expect(lab.notice).to_contain_text("no web workers")
    expect_still(lab)


@pytest.mark.parametrize("kind", ["wasm", "safetensors"])
def test_damaged_data_are_refused(kind, open_page):
    def prepare(page: Page) -> None:
        def answer(route) -> None:
            response = route.fetch()
            content = bytearray(response.body())
            content[len(content) // 2] ^= 1
            route.fulfill(response=response, body=bytes(content))

        page.route(f"**/data/*.{kind}", answer)

    lab = open_page(prepare)
    lab.starter.click()
    expect(lab.notice).to_contain_text("is not the file that it should be", timeout=READY_MS)


def test_a_network_that_cannot_be_loaded_and_then_can(open_page):
    lab = open_page().start()
    lab.page.route("**/fashion-100-*", lambda route: route.abort())
    select = lab.network("first").get_by_label("training images N")
    select.select_option("100")
    expect(lab.denoise.get_by_role("alert")).to_contain_text("fashion-100-A")
    lab.page.unroute_all()
    select.select_option("30000")
    select.select_option("100")
    expect(lab.denoise.get_by_role("alert")).to_be_empty()
    expect(lab.denoise.locator(".lab-first")).to_contain_text("A, N = 100")


def test_a_network_that_never_comes_holds_nobody_up(open_page):
    lab = open_page().start()
    held: list[Route] = []
    lab.page.route("**/fashion-100-*", lambda route: held.append(route))
    select = lab.network("first").get_by_label("training images N")
    select.select_option("100")
    expect(lab.denoise).to_contain_text("Loading or computing")
    lab.sampling.get_by_role("button", name="Sample").click()
    lab.sampling.get_by_role("button", name="Cancel").click()
    expect(lab.sampling.get_by_role("status")).to_have_text("Cancelled.")
    select.select_option("10")
    expect(lab.denoise.locator(".lab-first")).to_contain_text("A, N = 10")
    held[0].abort()
    lab.settle()
    assert lab.trouble() == ""
    assert lab.results("sample") is None


def test_what_the_worker_throws_is_told_whatever_it_is(open_page):
    """Compiled code throws numbers."""
    broken = "export async function* sampleSteps() { throw 42; }"
    answer = {"content_type": "text/javascript", "body": broken}
    lab = open_page(lambda page: page.route("**/algorithm1.js", lambda r: r.fulfill(**answer)))
    assert lab.start().work(lab.sampling) == "It did not work: 42"


@pytest.mark.parametrize("folder", ["plain", "Bücher, 50 % off #1"])
def test_opened_as_a_file(folder, browser, tmp_path):
    """As in the book's zip, where its page is a file."""
    place = tmp_path / folder / "_static" / "lab"
    for name, file in laboratory_files().items():
        if "/" not in name:
            place.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(file if isinstance(file, bytes) else file.read_bytes())
    page = tmp_path / folder / "lab" / "index.html"
    page.parent.mkdir()
    page.write_bytes(laboratory_page())
    visit = Visit(browser, page.as_uri())
    lab = Laboratory(visit)
    expect(lab.notice).to_contain_text("opened from a file")
    expect(lab.notice).to_contain_text("gahr lab")
    expect_still(lab)
    assert lab.starter.count() == 0
    visit.close()
    assert visit.complaints == []


BROKEN_CARD = """
Object.defineProperty(navigator, "gpu", { value: { requestAdapter: async () => ADAPTER } });
"""


@pytest.mark.parametrize("wanted", ["automatic", "graphics"])
@pytest.mark.parametrize(
    ("adapter", "said"),
    [
        ("null", "there is no graphics card for WebGPU."),
        ("({ info: {}, features: new Set(), limits: {} })", "WebGPU failed ("),
    ],
    ids=["no card", "broken card"],
)
def test_the_processor_computes_where_the_graphics_card_does_not(adapter, said, wanted, open_page):
    lab = open_page(in_the_worker(BROKEN_CARD.replace("ADAPTER", adapter)))
    lab.engine.select_option(wanted)
    lab.start()
    words = f"Computed by the processor (WebAssembly): {said}"
    assert computed_by(lab).inner_text().startswith(words)
    assert lab.results("denoise")["results"]


SILENT_CARD = """({
  info: {}, features: new Set(), limits: {}, requestDevice: () => new Promise(() => {}),
})"""


def test_nobody_waits_for_a_graphics_card_that_never_answers(open_page):
    def prepare(page: Page) -> None:
        in_the_worker(BROKEN_CARD.replace("ADAPTER", SILENT_CARD))(page)
        with_patience(1)(page)

    lab = open_page(prepare)
    lab.engine.select_option("graphics")
    lab.start()
    words = "(WebAssembly): WebGPU failed (it took more than 1 seconds)."
    assert words in computed_by(lab).inner_text()


@pytest.fixture(scope="module")
def with_gpu(browser) -> Iterator[Browser]:
    """A browser with SwiftShader, a graphics card made of software: slow, with all of WebGPU."""
    flags = ["--no-sandbox", "--no-first-run", "--enable-unsafe-webgpu"]
    flags += ["--use-webgpu-adapter=swiftshader", "--disable-background-networking"]
    with_gpu = browser.browser_type.launch(executable_path=find(), args=flags)
    yield with_gpu
    with_gpu.close()


@pytest.mark.slow
def test_webgpu_where_there_is_one(with_gpu, address):
    visit = Visit(with_gpu, "about:blank")
    with_patience(600)(visit.page)
    visit.page.goto(address)
    lab = Laboratory(visit, engine="graphics").start(patience=GPU_MS)
    expect(computed_by(lab)).to_have_text("Computed by the graphics card (WebGPU).")
    shown = lab.results("denoise")
    visit.page.goto(address)
    # Left to itself the laboratory does not take a card of software.
    lab = Laboratory(visit, engine="automatic").start()
    expect(computed_by(lab)).to_contain_text("(WebAssembly): WebGPU would run on the processor.")
    expected = lab.results("denoise")
    for ours, theirs in zip(shown["results"], expected["results"], strict=True):
        assert ours["image"] == pytest.approx(theirs["image"], abs=1e-3)
        assert ours["image"] != theirs["image"]  # two programs
    visit.close()
    assert visit.complaints == []


KEEP_THE_CARD = """
const request = GPUAdapter.prototype.requestDevice;
GPUAdapter.prototype.requestDevice = async function (...given) {
  return (self.card = await request.apply(this, given));
};
"""


@pytest.mark.slow
def test_the_processor_takes_over_when_the_graphics_card_goes_away(with_gpu, address):
    """As after a computer has slept, or its driver was renewed."""
    visit = Visit(with_gpu, "about:blank")
    in_the_worker(KEEP_THE_CARD)(visit.page)
    with_patience(600)(visit.page)
    visit.page.goto(address)
    lab = Laboratory(visit, engine="graphics").start(patience=GPU_MS)
    before = lab.results("denoise")
    (worker,) = visit.page.workers
    worker.evaluate("() => self.card.destroy()")
    lab.choose_half("second", "A")
    words = re.compile(
        r"^Computed by the processor \(WebAssembly\): WebGPU failed \([^/]*lost[^/]*\)\.$"
    )
    expect(computed_by(lab)).to_have_text(words, timeout=READY_MS)
    expect(lab.denoise.locator(".lab-second")).to_contain_text("A, N = ", timeout=READY_MS)
    assert lab.trouble() == ""
    first, second = lab.results("denoise")["results"]
    assert first["image"] == pytest.approx(before["results"][0]["image"], abs=1e-3)
    assert second["image"] == first["image"]
    assert "16 leading eigenvectors" in lab.work(lab.eigenvectors)
    visit.close()
