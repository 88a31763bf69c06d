"""The chapters at the paper's scale: the same cells, with stand-ins for its networks and faces."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pytest
import torch

from gahr_lib.models import OnDevice
from gahr_lib.zoo import experiments, scales
from stand_ins import SIDE, paper_scale

CHAPTERS = sorted((Path(__file__).parents[2] / "book" / "chapters").glob("*.ipynb"))
BY_NUMBER = {path.stem[:2]: path for path in CHAPTERS}
SIZES = [1, 10, 100, 1_000, 10_000, 100_000]

# Cells that are the book's at both scales, or that only take longer than these tests may.
IN_ALL = "colab explore(r|-bases|-filters)? check-.* solve-.* paper-and-book"
SAME = {
    "00": "",
    "01": "rates circle.* trace-sure formulas-(small|psnr|black) kl-.*",
    "02": "gap-small live-.* grid-.* seeds-small variance-curves ssim rough dark pieces collage "
    "doubled alike",
    "03": "asymmetry-table trace-levels filters filter-numbers photograph.* count-cells half-waves "
    "verdict.* by-noise shuffled-.*",
    "04": "make-.* ribbon-.* tails.* windows weights contour.* manifold-.* tangent-.* error-.* "
    "ray-figure",
    "05": "settings-plan memory-paths",
    "06": "(?!imports|machines-code).*",
}


def cells(path: Path) -> dict[str, str]:
    """Return the code of a chapter's cells by id."""
    found = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return {c["id"]: "".join(c["source"]) for c in found if c["cell_type"] == "code"}


# What every chapter has to do


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_networks_and_images_come_from_a_scale(path: Path) -> None:
    code = cells(path)
    setup = code["imports"].splitlines()
    assert 'scale = gahr.zoo.scale()  # or gahr.zoo.scale("paper")' in setup
    assert any(line.startswith("torch.backends.cudnn.allow_tf32 = False") for line in setup)
    for name, source in code.items():
        past = re.search(r"load_(denoiser|authors|network)\(|data\.(fashion|celeba)\(", source)
        assert past is None, f"{name}: take networks and images from the scale"


@pytest.mark.parametrize("number", SAME)
def test_cells_that_are_passed_over_are_there(number: str) -> None:
    names = cells(BY_NUMBER[number])
    for pattern in SAME[number].split():
        assert any(re.fullmatch(pattern, name) for name in names), pattern


# The paper's scale

# A notebook does not turn it into an error: matplotlib asks tensors for more than they can.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def stand_ins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The paper's scale with stand-ins, few images, and the CPU in the place of a GPU."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        paper_scale(tmp_path_factory.mktemp("stand-ins"), monkeypatch)
        monkeypatch.setenv("GAHR_SCALE", "paper")
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(scales, "OnDevice", lambda network, _: OnDevice(network, "cpu"))
        for name, few in {
            "draw_samples": {"n": 10},
            "climb": {"images": 8},
            "class_curves": {"images": 12},
            "compare_settings": {"n": 6},
            "fork": {"n": 6},
            "part": {"n": 8},
        }.items():
            monkeypatch.setattr(experiments, name, _with_few(getattr(experiments, name), few))
        yield


def _with_few(experiment: Callable[..., Any], few: dict[str, int]) -> Callable[..., Any]:
    """Return an experiment with less of everything; where a chapter says how much, it is asked."""

    def smaller(*arguments: Any, **settings: Any) -> Any:
        try:
            return experiment(*arguments, **few | settings)
        except TypeError:  # the chapter passes that number by its place
            return experiment(*arguments, **settings)

    return smaller


@pytest.fixture
def run(
    stand_ins: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[[str], dict[str, Any]]]:
    # A cell ends with its figure, which nobody shows here.
    monkeypatch.setattr(plt, "show", lambda: None)
    yield _run
    plt.close("all")
    capsys.readouterr()


def _run(number: str) -> dict[str, Any]:
    """Return the variables of a chapter whose cells were run one after the other."""
    variables: dict[str, Any] = {"__name__": "__main__"}
    for name, source in cells(BY_NUMBER[number]).items():
        skipped = f"{IN_ALL} {SAME[number]}".split()
        if not any(re.fullmatch(pattern, name) for pattern in skipped):
            exec(compile(source, f"{number}: {name}", "exec"), variables)
            plt.close("all")
    assert variables["scale"].name == "paper"
    return variables


Run = Callable[[str], dict[str, Any]]


@pytest.mark.slow
def test_five_minutes(run: Run) -> None:
    found = run("00")
    assert found["kept"][100_000].n_train == 100_000
    for images in found["pairs"][100_000]:
        assert images.shape == (8, 1, SIDE, SIDE)
    assert found["basis"].vectors.shape[1:] == (1, SIDE, SIDE)


@pytest.mark.slow
def test_shrinkage(run: Run) -> None:
    found = run("01")
    assert found["clothes"].shape == (200, 1, SIDE, SIDE)
    assert found["basis_at_boot"].values.shape == (SIDE**2,)
    assert found["decibels"]["network"] > found["decibels"]["cosines"]


@pytest.mark.slow
def test_memorization(run: Run) -> None:
    found = run("02")
    assert found["ladder"].n_train.tolist() == list(found["drawn"]) == SIZES
    assert found["ladder"].test[-1, 10, 0] > found["ladder"].test[0, 10, 0]
    assert found["drawn"][10].similarity.median() < found["drawn"][100_000].similarity.median()
    assert found["known"].n_train.tolist() != SIZES
    assert all(value != value for value in found["nearer"].values())  # NaN
    assert found["images"].shape[-1] == SIDE


@pytest.mark.slow
def test_harmonic_bases(run: Run) -> None:
    found = run("03")
    assert found["written"].shape == (SIDE**2, 1, SIDE, SIDE)
    assert set(found["own"]) == {(n, half) for n in (100, 100_000) for half in "AB"}
    assert found["common"][0] > found["common"][2]


@pytest.mark.slow
def test_optimality(run: Run) -> None:
    found = run("04")
    for a in range(1, 6):
        assert found["scenes"][a].shape[-1] == SIDE
        assert found["curves"][a].network.shape == (20, 12)
    assert (
        found["slopes"][5, "network", (6, 30)].slope > found["slopes"][1, "network", (6, 30)].slope
    )


@pytest.mark.slow
def test_sampler(run: Run) -> None:
    found = run("05")
    assert found["ends"]["A"].shape == (32, 1, SIDE, SIDE)
    assert found["table"].pictures.shape[-1] == SIDE
    assert set(found["forks"]) == {10, 100_000}
    assert found["scores"]["a hole"]["mean of 6"] > found["scores"]["a hole"]["smallest"]


@pytest.mark.slow
def test_open_questions_are_asked_of_the_book(run: Run) -> None:
    found = run("06")
    assert found["book"].name == "book"
    assert found["unseen"].shape[-1] == 28
