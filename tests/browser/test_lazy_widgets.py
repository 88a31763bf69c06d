"""Explorers that are loaded when a reader comes near them, on a page built by Sphinx here."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import torch
import yaml
from ipywidgets.embed import embed_data
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

import gahr_lib as gahr
from browser.visits import Explorer, Visit
from gahr_lib.widgets import ShrinkageExplorer
from helpers import LinearDenoiser, seeded

ROOT = Path(__file__).parents[2]
STATE = "application/vnd.jupyter.widget-state+json"
BUILD = yaml.safe_load((ROOT / "_config.yml").read_text())["sphinx"]["config"]
CONFIG = f"""
import sys
sys.path.insert(0, {str(ROOT / "book" / "_ext")!r})
extensions = ["myst_nb", "lazy_widgets"]
nb_execution_mode = "off"
nb_ipywidgets_js = {BUILD["nb_ipywidgets_js"]}
nb_mime_priority_overrides = {BUILD["nb_mime_priority_overrides"]}
html_static_path = [{str(ROOT / "book" / "_static")!r}]
html_css_files = ["book.css"]
html_favicon = {str(ROOT / "book" / "_static" / "favicon.svg")!r}
html_theme = "basic"
"""
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def explorers():
    """Two that differ in what they show."""
    images = gahr.data.fashion("test", n=1)
    some = {"names": ["ankle boot"], "vectors_bytes": 20_000}
    identity = LinearDenoiser(torch.eye(784))
    return [
        ShrinkageExplorer(identity, images, [sigma], generator=seeded(), **some)
        for sigma in (0.1, 0.4)
    ]


@pytest.fixture(scope="module")
def built(explorers, tmp_path_factory):
    """A folder with a page as the book's are: an explorer far down, and one further down."""
    source, target = (tmp_path_factory.mktemp(name) for name in ("source", "target"))
    (source / "conf.py").write_text(CONFIG)
    cells = [new_markdown_cell("# Far")]
    for explorer in explorers:
        data, _ = explorer._repr_mimebundle_()
        output = new_output("display_data", data)
        cells += [screens(), new_code_cell("explorer", outputs=[output], execution_count=1)]
    state = embed_data(views=explorers, drop_defaults=False)["manager_state"]
    notebook = new_notebook(cells=[*cells, screens()], metadata={"widgets": {STATE: state}})
    nbformat.write(notebook, source / "index.ipynb")
    command = [sys.executable, "-m", "sphinx", "-q", source, target]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return target


def screens():
    return new_markdown_cell("\n\n".join(["A line of text, and [a link](#far)."] * 100))


@pytest.fixture
def copied(built, tmp_path):
    """A copy of the page that a test may damage."""
    return shutil.copytree(built, tmp_path / "copy")


@pytest.fixture
def seen(built, serve, visit):
    return visit(f"{serve(built)}/index.html")


@pytest.fixture
def page(seen):
    return seen.page


def loaded(page) -> int:
    """How many files of data the page has asked for."""
    script = "performance.getEntriesByType('resource').map((entry) => entry.name)"
    names = [name for name in page.evaluate(script) if "/explorers/" in name]
    return len([name for name in names if name.endswith(".js")])


def test_page_holds_names_and_no_data(built):
    text = (built / "index.html").read_text(encoding="utf-8")
    assert len(text) < 50_000
    assert "buffers" not in text
    assert "base64" not in text


def test_names_of_files_are_hashes_of_their_content(built):
    files = list((built / "_static" / "explorers").iterdir())
    assert sorted(file.suffix for file in files) == [".js", ".js", ".png", ".png"]
    for file in files:
        assert hashlib.sha256(file.read_bytes()).hexdigest().startswith(file.stem)
        assert len(file.stem) == 16


def test_each_explorer_comes_when_the_reader_does(seen, page, explorers):
    page.wait_for_load_state("networkidle")
    assert loaded(page) == 0
    page.get_by_role("img").nth(0).scroll_into_view_if_needed()
    page.locator("[data-drawn]").wait_for()
    assert loaded(page) == 1
    assert Explorer(seen).psnr() == pytest.approx(explorers[0].psnr(), abs=0.05)
    page.get_by_role("button", name="Start").scroll_into_view_if_needed()
    page.locator("[data-drawn]").nth(1).wait_for()
    assert loaded(page) == 2
    assert Explorer(seen, 1).psnr() == pytest.approx(explorers[1].psnr(), abs=0.05)
    assert page.locator("[data-still]").count() == 0
    assert page.locator(".still-start").count() == 0


def test_explorer_is_drawn_before_it_is_seen(page):
    """It is a screen away when it is drawn, so that nothing jumps under a reader's eyes."""
    page.evaluate(
        """() => {
          window.shift = 0;
          const add = (list) => list.forEach((entry) => (window.shift += entry.value));
          const observer = new PerformanceObserver((list) => add(list.getEntries()));
          observer.observe({ type: "layout-shift", buffered: true });
          window.shifted = () => (add(observer.takeRecords()), window.shift);
          const frame = () => new Promise(requestAnimationFrame);
          window.scrolled = (distance) => (scrollBy(0, distance), frame().then(frame).then(frame));
        }"""
    )
    explorers = page.get_by_role("group", name="Explorer")
    for i in range(2):
        # So near that it is drawn, and not so near that it is seen.
        place = page.locator("[data-still]").first.bounding_box()
        page.evaluate("(distance) => scrolled(distance)", place["y"] - 1.5 * 900)
        page.locator("[data-drawn]").nth(i).wait_for()
        assert explorers.nth(i).bounding_box()["y"] > 900
        page.evaluate("(distance) => scrolled(distance)", 900)
        assert explorers.nth(i).bounding_box()["y"] < 900
    assert page.evaluate("shifted()") == 0


def test_keyboard_leads_into_an_explorer(page):
    start = page.get_by_role("button", name="Start").nth(1)
    start.evaluate("(button) => button.focus({ preventScroll: true })")
    page.locator("[data-drawn]").wait_for()
    assert loaded(page) == 1
    assert page.evaluate("document.activeElement.closest('.gx-explorer') !== null")
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement.textContent") == "a link"


def test_all_can_be_asked_for_at_once(page):
    page.evaluate("gahrWidgets.showAll()")
    assert page.locator("[data-drawn] canvas").count() > 2
    assert page.locator(".gx-explorer").count() == 2


def test_an_address_that_no_browser_writes_stops_nothing(built, serve, visit):
    page = visit(f"{serve(built)}/index.html#100%").page
    page.get_by_role("img").nth(0).scroll_into_view_if_needed()
    page.locator("[data-drawn]").wait_for()


def test_pages_opened_as_files_load_them_too(built, visit):
    page = visit((built / "index.html").as_uri()).page
    page.get_by_role("img").nth(1).scroll_into_view_if_needed()
    page.locator("[data-drawn] canvas").first.wait_for()


def test_what_cannot_be_loaded_says_so_and_may_be_tried_again(copied, serve, browser):
    folder = copied / "_static" / "explorers"
    away = copied / "away"
    away.mkdir()
    for file in folder.glob("*.js"):
        file.rename(away / file.name)
    seen = Visit(browser, f"{serve(copied)}/index.html")
    page = seen.page
    page.get_by_role("img").nth(0).scroll_into_view_if_needed()
    page.get_by_role("status").get_by_text("could not be loaded").wait_for()
    assert page.get_by_role("img").count() == 2, "the still pictures stay"
    assert all(f"{folder.name}/" in line or "could not" in line for line in seen.complaints)
    for file in away.iterdir():
        file.rename(folder / file.name)
    page.get_by_role("button", name="Try again").click()
    page.locator("[data-drawn] canvas").first.wait_for()
    assert page.get_by_role("status").count() == 0
    seen.close()


def test_file_that_is_cut_off_says_so(copied, serve, browser):
    for file in (copied / "_static" / "explorers").glob("*.js"):
        file.write_bytes(file.read_bytes()[:-100])
    seen = Visit(browser, f"{serve(copied)}/index.html")
    seen.page.get_by_role("img").nth(0).scroll_into_view_if_needed()
    seen.page.get_by_text("could not be loaded").wait_for()
    seen.close()


def is_a_still_picture_with_words(page) -> bool:
    words = page.get_by_text("still picture of an explorer")
    image = page.get_by_role("img")
    return (
        [words.count(), image.count(), page.locator(".still-start").count()] == [2, 2, 0]
        and words.nth(0).is_visible()
        and image.nth(0).is_visible()
        and "PSNR" in image.nth(0).get_attribute("alt")
    )


def test_without_javascript_there_are_still_pictures_and_words(built, serve, visit):
    page = visit(f"{serve(built)}/index.html", java_script_enabled=False).page
    assert is_a_still_picture_with_words(page)


def test_with_a_script_blocked_there_are_still_pictures_and_words(copied, serve, browser):
    (copied / "_static" / "static-widgets.js").unlink()
    seen = Visit(browser, f"{serve(copied)}/index.html")
    assert is_a_still_picture_with_words(seen.page)
    seen.close()


def test_words_for_the_others_are_hidden_where_explorers_move(page):
    assert not page.get_by_text("still picture of an explorer").nth(0).is_visible()


def test_paper_shows_the_still_picture_of_what_was_not_drawn(page):
    page.emulate_media(media="print")
    assert page.get_by_role("img").nth(1).is_visible()
    assert not page.locator(".still-start").nth(1).is_visible()
