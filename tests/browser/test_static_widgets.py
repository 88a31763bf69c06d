"""Explorers in a page without a kernel, on pages made here, against Python's own numbers."""

from itertools import product

import ipywidgets
import pytest
import torch

import gahr_lib as gahr
from browser.visits import Explorer
from gahr_lib.widgets import ShrinkageExplorer
from helpers import LinearDenoiser, seeded, small_unet

pytestmark = pytest.mark.browser

BASES = {"cosine": "cosine", "wavelet": "wavelet", "network": "network’s"}


@pytest.fixture(scope="module")
def explorer(trained_a):
    return ShrinkageExplorer(
        trained_a,
        gahr.data.fashion("test", n=2),
        (0.1, 0.4),
        names=["ankle boot", "pullover"],
        generator=seeded(),
        vectors_bytes=300_000,
    )


@pytest.mark.parametrize("basis", BASES)
@pytest.mark.parametrize("factors", ["projection", "shrinkage"])
def test_psnr_and_picture_are_those_of_python(basis, factors, explorer, open_widgets):
    shown = Explorer(open_widgets(explorer))
    shown.choose("basis", BASES[basis])
    explorer.basis, explorer.factors = basis, factors
    times = {"projection": "1", "shrinkage": "eigenvalue λₖ" if basis == "network" else "oracle λₖ"}
    shown.choose("kept ones times", times[factors])
    for image, sigma in product(range(2), (0.1, 0.4)):
        explorer.image, explorer.sigma = image, sigma
        shown.choose_image(image)
        shown.choose("noise σ", str(sigma))
        for kept in (0, 1, 17, 120, 784):
            explorer.kept = kept
            shown.keep(kept)
            assert shown.psnr() == pytest.approx(explorer.psnr(), abs=0.05)
            pixels = torch.tensor(shown.pixels("denoised", 28)) / 255
            expected = explorer.denoised().clamp(0, 1).flatten()
            assert float((pixels - expected).square().mean().sqrt()) < 0.01


def test_first_values_are_those_that_python_chose(explorer, open_widgets):
    explorer.image, explorer.sigma, explorer.basis = 1, 0.4, "wavelet"
    explorer.factors, explorer.kept = "shrinkage", 50
    shown = Explorer(open_widgets(explorer))
    assert shown.image.input_value() == "pullover"
    assert shown.radio("noise σ", "0.4").is_checked()
    assert shown.radio("basis", "wavelet").is_checked()
    assert shown.radio("kept ones times", "oracle λₖ").is_checked()
    assert shown.kept() == 50
    assert shown.psnr() == pytest.approx(explorer.psnr(), abs=0.05)


def test_numbers_that_are_out_of_range_are_brought_into_it(explorer, open_widgets):
    """Also where M is at that end already, so that nothing but the number has to change."""
    explorer.basis, explorer.kept = "cosine", 784
    shown = Explorer(open_widgets(explorer))
    for typed, taken in (("9999", 784), ("-3", 0), ("-4", 0), ("12", 12)):
        shown.keep(typed)
        assert shown.kept() == taken


def test_nothing_is_said_until_something_changes(explorer, open_widgets):
    shown = Explorer(open_widgets(explorer))
    shown.page.set_viewport_size({"width": 700, "height": 900})  # drawn again, and not said
    shown.page.wait_for_timeout(700)
    assert shown.live.inner_text() == ""
    shown.keep(21)
    shown.wait_until_said("M = 21 of")


def test_other_sizes_and_an_exact_denoiser(open_widgets):
    """Not square, no PSNR to speak of, and eigenvalues that are all the same."""
    images = torch.rand(1, 1, 12, 20, generator=seeded())
    exact = ShrinkageExplorer(lambda y, sigma: 0 * y + images, images, [0.2], generator=seeded())
    same = ShrinkageExplorer(
        LinearDenoiser(torch.eye(240)), images, [0.2], generator=seeded(), basis="network", kept=240
    )
    seen = open_widgets(exact, same)
    first, second = Explorer(seen, 0), Explorer(seen, 1)
    second.root.wait_for()
    assert first.psnr() == pytest.approx(exact.psnr(), abs=0.05)
    assert "f(y): ∞ dB" in first.root.inner_text()
    assert second.psnr() == pytest.approx(same.psnr(), abs=0.05)
    assert first.canvas("clean").evaluate("(c) => c.width / c.height") == 20 / 12


def test_one_widget_shown_twice_is_one_widget(explorer, open_widgets):
    seen = open_widgets(explorer, explorer)
    first, second = Explorer(seen, 0), Explorer(seen, 1)
    second.root.wait_for()
    first.keep(77)
    assert second.kept() == 77


def test_still_picture_stays_without_javascript(explorer, open_widgets):
    page = open_widgets(explorer, java_script_enabled=False).page
    still = page.get_by_role("img")
    assert still.count() == 1
    assert "PSNR" in still.get_attribute("alt")
    assert page.locator(".gx-explorer").count() == 0


def test_still_picture_goes_when_the_explorer_comes(explorer, open_widgets):
    page = open_widgets(explorer).page
    page.locator(".gx-explorer").wait_for()
    assert page.locator("img").count() == 0


def test_still_picture_and_a_sentence_stay_where_an_explorer_fails(explorer, open_widgets):
    def spoil(state):
        state[explorer.model_id]["state"]["_esm"] = "syntax error"

    visit = open_widgets(explorer, edit=spoil)
    visit.page.get_by_text("could not be drawn").wait_for()
    assert visit.page.get_by_role("img").count() == 1
    for _ in range(200):  # the console speaks when it likes
        if visit.complaints:
            break
        visit.page.wait_for_timeout(50)
    visit.close()
    assert visit.complaints
    assert all("Unexpected identifier" in complaint for complaint in visit.complaints)
    visit.complaints.clear()  # they are as they should be


def test_widgets_that_need_python_say_so(open_widgets):
    page = open_widgets(ipywidgets.IntSlider()).page
    page.get_by_text("This widget needs Python").wait_for()


def test_pages_opened_as_files_work_too(explorer, open_widgets, tmp_path):
    shown = Explorer(open_widgets(explorer))
    shown.root.wait_for()  # a script that is on its way when the page is left fails
    shown.page.goto((tmp_path / "page.html").as_uri())
    explorer.image, explorer.kept = 0, 33
    shown.root.wait_for()
    before = shown.picture()
    shown.keep(5)
    assert shown.picture() != before


def test_a_network_that_is_not_trained_is_drawn_all_the_same(open_widgets):
    images = torch.rand(1, 1, 8, 8, generator=seeded())
    explorer = ShrinkageExplorer(small_unet(), images, [0.1], generator=seeded(), basis="network")
    assert Explorer(open_widgets(explorer)).psnr() == pytest.approx(explorer.psnr(), abs=0.05)
