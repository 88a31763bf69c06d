"""All explorers in JupyterLab and Notebook 7: what one side moves, the other knows.

Without a kernel they are tested in the files that bear their names.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

import gahr_lib as gahr
from browser.live_jupyter import FRONT_ENDS, Jupyter, Notebook, wait_for
from browser.test_axe import AXE, faults
from browser.visits import Explorer
from helpers import seeded, small_unet

pytestmark = [pytest.mark.browser, pytest.mark.slow]

COMMON = """
import time

import torch
from IPython.display import display

import gahr_lib as gahr
from gahr_lib import widgets
from gahr_lib.widgets import _expanding
from gahr_lib.models import Wiener
from gahr_lib.sampling import SampleConfig
from gahr_lib.zoo.experiments import ClassCurves, Samples
from gahr_lib.zoo.results import load_result
from helpers import intensities, seeded, small_unet

torch.set_num_threads(1)
images = gahr.data.fashion("test", n=2)[..., 6:22, 6:22].contiguous()
networks = {"one": small_unet(), "two": small_unet(seed=1)}
explorers = {}
pace = [0.05]  # seconds that the slow denoiser takes
"""


class Shown(Explorer):
    """An explorer in a notebook."""

    def __init__(self, notebook: Notebook, name: str) -> None:
        super().__init__(notebook.visit, [*CASES].index(name))
        self.root.scroll_into_view_if_needed()

    def pictures(self) -> list[str]:
        self.settle()
        script = "(nodes) => nodes.filter((c) => !c.hidden).map((c) => c.toDataURL())"
        return self.root.locator("canvas").evaluate_all(script)

    def controls(self) -> list[str]:
        """What all controls say."""
        self.settle()
        return self.root.locator("input, select").evaluate_all(
            "(nodes) => nodes.map((n) => n.value + (n.checked ?? '') + n.ariaValueText)"
        )

    def value(self, name: str) -> str:
        """The number under a picture."""
        self.settle()
        return self.root.locator(f".gx-{name} .gx-value").inner_text().replace("−", "-")

    def pick(self, x: float, y: float) -> None:
        """Click into the first picture that can be picked from, at shares of its size."""
        canvas = self.root.locator(".gx-pick").first
        box = canvas.bounding_box()
        canvas.click(position={"x": x * box["width"], "y": y * box["height"]})

    def busy(self) -> bool:
        return self.root.locator(".gx-body").get_attribute("aria-busy") == "true"

    def work(self) -> str:
        return self.root.locator(".gx-work").inner_text()


@dataclass(frozen=True)
class Case:
    """An explorer, a move of each kind, and what its traits are then.

    To test another explorer, add one here: nothing else has to be changed.
    """

    make: str
    click: Callable[[Shown], None]
    clicked: dict[str, Any]
    focus: str
    key: str
    pressed: dict[str, Any]
    change: dict[str, Any]


CASES = {
    "shrinkage": Case(
        "widgets.ShrinkageExplorer(networks['one'], images, (0.1, 0.4), generator=seeded())",
        lambda shown: shown.radio("basis", "wavelet").click(),
        {"basis": "wavelet", "kept": 30},
        ".gx-slider", "ArrowRight",
        {"basis": "wavelet", "kept": 31},
        {"image": 1, "sigma": 0.4, "kept": 7},
    ),
    "memorization": Case(
        "widgets.MemorizationExplorer("
        "{n: load_result(f'samples-{n}', Samples) for n in (10, 100)}, pairs=8)",
        lambda shown: shown.root.get_by_role("radio", name="100", exact=True).click(),
        {"n_train": 100, "pair": 0},
        ".gx-slider", "ArrowRight",
        {"n_train": 100, "pair": 1},
        {"n_train": 10, "pair": 5},
    ),
    "eigenbasis": Case(
        "widgets.EigenbasisExplorer(networks, images, (0.1, 0.4), k=12, generator=seeded())",
        lambda shown: shown.radio("network", "two").click(),
        {"network": "two", "index": 1},
        ".gx-kept input", "ArrowUp",
        {"network": "two", "index": 2},
        {"sigma": 0.4, "vectors": "eigen", "index": 9},
    ),
    "filter": Case(
        "widgets.FilterExplorer(networks['one'], images, (0.1, 0.4), generator=seeded(), "
        "reference=Wiener.from_images(gahr.data.fashion('test', n=40)[..., 6:22, 6:22]))",
        lambda shown: shown.pick(4.5 / 16, 11.5 / 16),
        {"row": 11, "column": 4},
        ".gx-pick", "ArrowLeft",
        {"row": 11, "column": 3},
        {"image": 1, "sigma": 0.4, "row": 2, "column": 9},
    ),
    "sampler": Case(
        "widgets.SamplerExplorer("
        "{half: gahr.load_denoiser('fashion', n_train=10, half=half) for half in 'AB'}, "
        "{'calm': SampleConfig(beta=1), 'rough': SampleConfig(beta=0.3)}, "
        "n=2, frames=6, shape=(1, 16, 16), generator=seeded(), moment=0)",
        lambda shown: shown.radio("sampler", "rough").click(),
        {"sampler": "rough", "moment": 0},
        ".gx-slider", "ArrowRight",
        {"sampler": "rough", "moment": 1},
        {"noise": 1, "moment": 4},
    ),
    "optimality": Case(
        "widgets.OptimalityExplorer("
        "{a: gahr.load_denoiser('c_alpha', alpha=float(a)) for a in (1, 4)}, "
        "{a: gahr.data.c_alpha(1, 16, float(a), generator=seeded(2)) for a in (1, 4)}, "
        "{a: load_result(f'curves-c_alpha-{a}', ClassCurves) for a in (1, 4)}, "
        "{a: Wiener.from_images(gahr.data.c_alpha(300, 16, float(a), generator=seeded(1))) "
        "for a in (1, 4)}, sigmas=(0.4, 0.1), k=4, generator=seeded())",
        lambda shown: shown.radio("smoothness α", "4").click(),
        {"alpha": 4.0, "index": 1},
        ".gx-thumb input:checked", "ArrowRight",
        {"alpha": 4.0, "index": 2},
        {"alpha": 1.0, "sigma": 0.1, "index": 4},
    ),
    "live": Case(
        "widgets.LiveEigenbasisExplorer(networks, images, k=12, sigma=0.2)",
        lambda shown: shown.radio("network", "two").click(),
        {"network": "two", "sigma": 0.2},
        ".gx-level", "ArrowRight",
        {"network": "two", "sigma": 0.205},
        {"image": 1, "sigma": 0.5, "seed": 4, "index": 3},
    ),
    # Slow enough to be watched and cancelled, and not differentiable where a root has no slope.
    "slow": Case(
        "widgets.LiveEigenbasisExplorer({'slow': lambda y, sigma: (time.sleep(pace[0]), "
        "y / 2 if sigma < 0.9 else (0 * y).sqrt())[1]}, images, k=12, sigma=0.2)",
        lambda shown: shown.root.locator(".gx-kept input").fill("5"),
        {"index": 5, "sigma": 0.2},
        ".gx-kept input", "ArrowDown",
        {"index": 4, "sigma": 0.2},
        {"vectors": "eigen", "index": 7},
    ),
}  # fmt: skip
MAKE = COMMON + "".join(f"explorers[{name!r}] = {case.make}\n" for name, case in CASES.items())


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory):
    with Jupyter(tmp_path_factory.mktemp("jupyter")).serving() as server:
        yield server


@pytest.fixture(scope="module", params=FRONT_ENDS)
def notebook(request, jupyter, browser):
    """A notebook that shows all explorers."""
    with jupyter.open(request.param, browser, f"{MAKE}display(*explorers.values())", "") as opened:
        opened.run_cell(0)
        opened.page.locator(".gx-explorer").nth(len(CASES) - 1).wait_for()
        yield opened
        assert opened.complaints() == []


@pytest.mark.parametrize("name", CASES)
def test_page_and_kernel_hear_each_other(notebook, name):
    case, shown = CASES[name], Shown(notebook, name)

    def python_knows(traits):
        values = ", ".join(f"explorers[{name!r}].{trait}" for trait in traits)
        notebook.knows(f"({values},)", tuple(traits.values()))

    def pictures_change(act):
        before = shown.pictures()
        act()
        wait_for(lambda: shown.pictures() != before)

    def press():
        shown.root.locator(case.focus).first.focus()
        notebook.page.keyboard.press(case.key)

    pictures_change(lambda: case.click(shown))
    python_knows(case.clicked)
    pictures_change(press)
    python_knows(case.pressed)
    before = shown.controls()
    assignments = [f"explorers[{name!r}].{trait} = {v!r}" for trait, v in case.change.items()]
    pictures_change(lambda: notebook.do("\n".join(assignments)))
    wait_for(lambda: shown.controls() != before)
    python_knows(case.change)


def test_each_control_of_an_explorer_reaches_python(notebook):
    shown = Shown(notebook, "shrinkage")
    shown.choose("noise σ", "0.1")
    shown.choose("basis", "network’s")
    shown.choose("kept ones times", "eigenvalue λₖ")
    shown.choose_image(1)
    shown.keep(20)
    names = ("sigma", "basis", "factors", "image", "kept")
    values = f"[getattr(explorers['shrinkage'], name) for name in {names}]"
    notebook.knows(values, [0.1, "network", "shrinkage", 1, 20])
    box = shown.slider.bounding_box()
    notebook.page.mouse.click(box["x"] + 0.4 * box["width"], box["y"] + box["height"] / 2)
    moved = shown.kept()
    assert moved != 20
    notebook.knows("explorers['shrinkage'].kept", moved)


def test_numbers_in_the_page_are_those_of_python(notebook):
    for name in ("shrinkage", "eigenbasis"):
        shown = Shown(notebook, name)
        shown.number.fill("5")
        notebook.knows(f"explorers[{name!r}].{'kept' if name == 'shrinkage' else 'index'}", 5)
        psnr = notebook.ask(f"explorers[{name!r}].psnr()")
        assert shown.psnr() == pytest.approx(psnr, abs=0.05)


def test_what_python_computes_on_demand_is_the_eigenbasis(notebook):
    shown = Shown(notebook, "live")
    notebook.do("explorers['live'].network, explorers['live'].image = 'one', 0")
    shown.root.locator(".gx-level").fill("140")
    shown.root.get_by_label("noise seed").fill("11")
    shown.radio("vectors", "eigenvectors of (J + Jᵀ)/2").click()
    shown.root.locator(".gx-kept input").fill("2")
    notebook.knows("explorers['live']._data['shown']['seed']", 11)
    wait_for(lambda: not shown.busy())
    sigma = notebook.ask("explorers['live'].sigma")
    assert sigma == float(f"{0.02 * 50 ** (140 / 200):.3g}")
    x = gahr.data.fashion("test", n=1)[..., 6:22, 6:22].contiguous()
    y = gahr.add_noise(x, sigma, generator=seeded(11))
    basis = gahr.eigenbasis(small_unet(), y)
    values = notebook.ask("explorers['live'].answer().eigen.values.tolist()")
    assert values[:64] == pytest.approx(basis.values.tolist(), abs=1e-4)
    assert float(shown.value("written").split("=")[1]) == pytest.approx(values[1], abs=0.006)
    psnr = float(gahr.psnr(small_unet()(y), x))
    assert float(shown.value("output").split()[0]) == pytest.approx(psnr, abs=0.006)


def test_a_busy_sign_appears_and_cancel_goes_back(notebook):
    shown = Shown(notebook, "slow")
    notebook.do("explorers['slow'].compute()")
    wait_for(lambda: not shown.busy())
    shown.root.locator(".gx-kept input").fill("7")
    before, sigma = shown.pictures(), notebook.ask("explorers['slow'].sigma")
    # A minute in short steps, whatever else the machine does: Python answers between two of them.
    notebook.do("pace[0], _expanding._BLOCK, block = 0.5, 2, _expanding._BLOCK")
    shown.root.locator(".gx-level").fill("100")
    cancel = shown.root.get_by_role("button", name="Cancel")
    shown.root.get_by_role("status").filter(has_text="Computing").wait_for()
    shown.root.locator(".gx-detail").filter(has_text="of 256 columns of J").wait_for()
    assert shown.busy()
    shown.root.locator(".gx-kept input").fill("3")  # k moves meanwhile
    notebook.knows("explorers['slow'].index", 3)
    cancel.click()
    shown.root.get_by_role("status").filter(has_text="Cancelled").wait_for()
    assert cancel.is_disabled()
    notebook.do("pace[0], _expanding._BLOCK = 0.05, block")
    notebook.knows("explorers['slow'].sigma", sigma)
    notebook.knows("explorers['slow']._work", {})
    shown.root.locator(".gx-kept input").fill("7")
    wait_for(lambda: shown.pictures() == before)
    # Another one is computed to its end.
    shown.root.locator(".gx-level").fill("50")
    shown.root.get_by_role("status").filter(has_text="Done").wait_for()
    notebook.knows("explorers['slow']._data['shown']['sigma'] == explorers['slow'].sigma", True)


def test_what_cannot_be_computed_is_said(notebook):
    shown = Shown(notebook, "slow")
    shown.root.locator(".gx-level").fill("200")
    shown.root.get_by_role("status").filter(has_text="expected a finite one").wait_for()
    shown.root.get_by_role("button", name="Go back").click()
    wait_for(lambda: "finite" not in shown.work())
    notebook.knows("explorers['slow'].sigma == explorers['slow']._data['shown']['sigma']", True)
    notebook.knows("explorers['slow'].error", None)


def test_axe_finds_nothing_in_the_explorers(notebook):
    notebook.page.evaluate(AXE.read_text(encoding="utf-8"))
    assert faults(notebook.page, {}, within=".gx-explorer") == []


def test_explorers_are_drawn_in_the_dark_theme(notebook):
    shown = Shown(notebook, "shrinkage")
    light = shown.plotted()
    notebook.page.evaluate("document.body.dataset.jpThemeLight = 'false'")
    dark = shown.plotted()
    notebook.page.evaluate("document.body.dataset.jpThemeLight = 'true'")
    assert dark != light
