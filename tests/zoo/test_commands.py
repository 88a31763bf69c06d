"""The commands, inside this process and without Snakemake; test_workflow.py has them with it."""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from torch import Tensor

from gahr_lib import cli
from gahr_lib.errors import ConfigError
from gahr_lib.jobs import make_run
from gahr_lib.models import ResidualNetwork
from gahr_lib.zoo import commands, strips, verification
from gahr_lib.zoo.build import build
from gahr_lib.zoo.tables import set_table
from gahr_lib.zoo.workflow import Plan, Zoo
from helpers import intensities

pytestmark = pytest.mark.usefixtures("untouched_random_state")

SMALL: dict[str, Any] = {"data": "c_alpha", "size": 8, "n_train": 4, "width": 2, "depth": 1}
SMALL |= {"steps": 2, "batch_size": 2, "warmup": 1}
RECIPES = {
    "a": make_run(alpha=1.0, snapshots=(1,), **SMALL),
    "b": make_run(**SMALL | {"alpha": 2.0, "n_train": None}),
}


def fake_sample(denoiser: ResidualNetwork, n: int, **settings: object) -> Tensor:
    return intensities(n, *denoiser.image_shape)


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("zoo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strips, "sample", fake_sample)
        for name, run in RECIPES.items():
            list(build(name, run, runs=folder / "runs", folder=folder / "zoo"))
    return folder / "zoo"


class Commands:
    """The command, on a zoo of two small networks and two results."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capsys = folder, capsys
        self.stale: set[str] = set()
        self.module = ModuleType("two_networks")
        vars(self.module).update(
            RECIPES=RECIPES,
            RESULTS={
                "of-a": SimpleNamespace(networks=("a",)),
                "of-none": SimpleNamespace(networks=()),
            },
            is_current_result=lambda name: name not in self.stale,
        )

    def __call__(self, *arguments: str, code: int = 0) -> list[str]:
        """Return the lines that it says."""
        with pytest.raises(SystemExit) as left:
            cli.main(["zoo", *arguments, "--module", "two_networks", "--out", str(self.folder)])
        said = self.capsys.readouterr()
        assert left.value.code == code, said.err
        return (said.out if code < 2 and said.out else said.err).splitlines()

    def edit_card(self, name: str, change: Callable[[dict[str, Any]], object]) -> None:
        path = self.folder / f"{name}.json"
        card = json.loads(path.read_text())
        change(card)
        path.write_text(json.dumps(card))


@pytest.fixture
def zoo(
    made_once: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Commands:
    copytree(made_once, tmp_path, dirs_exist_ok=True)
    found = Commands(tmp_path, capsys)
    monkeypatch.setitem(sys.modules, "two_networks", found.module)
    return found


# build


def test_nothing_is_made_where_nothing_is_missing(
    zoo: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "carry_out", lambda *a, **k: pytest.fail("it was started"))
    assert zoo("build") == ["Nothing is missing."]


def test_a_dry_run_says_what_would_be_made(zoo: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "carry_out", lambda *a, **k: pytest.fail("it was started"))
    (zoo.folder / "a-step1.json").unlink()
    zoo.stale.add("of-none")
    assert [line.split() for line in zoo("build", "--dry-run")] == [
        ["train", "a", "missing"],
        ["compute", "of-a", "after", "a"],
        ["compute", "of-none"],
    ]
    assert zoo("build", "--dry-run", "b") == ["Nothing is missing."]


def test_what_is_planned_is_carried_out(zoo: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def carry_out(zoo_: Zoo, plan: Plan, **options: object) -> int:
        asked.append((zoo_, plan, options))
        zoo.stale.clear()
        return 0

    monkeypatch.setattr(commands, "carry_out", carry_out)
    zoo.stale.add("of-none")
    assert zoo("build", "--cores", "3", "--profile", "p", "--runs", "r") == ["Made: of-none"]
    expected = Zoo(runs=Path("r"), folder=zoo.folder, module="two_networks")
    assert asked == [(expected, Plan({}, {"of-none": ()}), {"cores": 3, "profile": "p"})]


@pytest.mark.parametrize(("code", "expected"), [(0, 1), (1, 1), (143, 143)])
def test_what_is_not_made_is_named(
    zoo: Commands, monkeypatch: pytest.MonkeyPatch, code: int, expected: int
) -> None:
    monkeypatch.setattr(commands, "carry_out", lambda *a, **k: code)
    zoo.stale.add("of-none")
    (line,) = zoo("build", code=expected)
    assert line.startswith("gahr: Not made: of-none. Their last words are in runs/logs;")


def test_a_mistake_ends_with_one_line_and_2(zoo: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    (line,) = zoo("build", "c", code=2)
    assert line == "gahr: There is no network or result c. There are: a, b, of-a, of-none."
    (line,) = zoo("build", "--cores", "0", code=2)
    assert "--cores" in line

    def fail(*arguments: object, **options: object) -> int:
        raise ConfigError("Snakemake is not installed.")

    monkeypatch.setattr(commands, "carry_out", fail)
    zoo.stale.add("of-none")
    assert zoo("build", code=2) == ["gahr: Snakemake is not installed."]


# list


def test_the_list_shows_what_the_cards_say(zoo: Commands) -> None:
    card = json.loads((zoo.folder / "a.json").read_text())
    zoo.stale.add("of-none")
    (zoo.folder / "b.png").unlink()
    lines = zoo("list")
    assert lines[0].split() == [
        *("network", "data", "N", "half", "steps", "parameters", "PSNR", "seconds", "state"),
    ]
    psnr = f"{card['measured']['psnr']['test'][2]:.2f}"
    count, seconds = f"{card['parameters']:,}", str(card["training_seconds"])
    assert lines[1].split() == ["a", "c_alpha1", "4", "A", "2", count, psnr, seconds, "current"]
    assert lines[2].split()[:3] == ["b", "c_alpha2", "fresh"]
    assert lines[2].endswith("without samples")
    assert [line.split() for line in lines[4:]] == [
        ["result", "networks", "state"],
        ["of-a", "1", "current"],
        ["of-none", "0", "to", "be", "computed"],
    ]


@pytest.mark.parametrize(
    ("change", "state"),
    [
        (lambda folder: (folder / "a.safetensors").unlink(), "missing"),
        (lambda folder: (folder / "a.safetensors").write_bytes(b"no"), "damaged"),
        (lambda folder: (folder / "a.json").write_text("{}"), "damaged"),
    ],
)
def test_the_list_says_nothing_of_what_cannot_be_trusted(
    zoo: Commands, change: Callable[[Path], object], state: str
) -> None:
    change(zoo.folder)
    assert zoo("list")[1].split()[-3:] == ["-", "-", state]


def test_the_networks_of_the_paper_are_listed_before_they_are_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="0"):
        cli.main(["zoo", "list", "--scale", "paper", "--faces", str(tmp_path)])
    lines = capsys.readouterr().out.splitlines()
    (faces,) = [line.split() for line in lines if line.startswith("faces-100000-B")]
    assert faces[2:6] == ["100000", "B", "490,000", "7,659,264"]
    assert faces[-1] == "missing"


def test_columns_are_aligned_and_numbers_on_the_right() -> None:
    table = set_table([["name", "N", "state"], ["long name", "7", "-"], ["b", "1,000", "current"]])
    assert table.splitlines() == [
        "name           N  state",
        "long name      7  -",
        "b          1,000  current",
    ]


# verify


def test_whole_files_are_right(zoo: Commands) -> None:
    assert zoo("verify") == ["Everything is as it should be."]


DAMAGES: dict[str, tuple[Callable[[Commands], object], str]] = {
    "weights": (lambda zoo: flip(zoo.folder / "a.safetensors"), r"a.safetensors are damaged"),
    "a snapshot": (lambda zoo: flip(zoo.folder / "a-step1.safetensors"), r"a-step1.* are damaged"),
    "no weights": (lambda zoo: (zoo.folder / "b.safetensors").unlink(), "b.safetensors cannot be"),
    "no card": (lambda zoo: (zoo.folder / "b.json").unlink(), "card .*b.json is missing"),
    "a picture": (lambda zoo: flip(zoo.folder / "b.png"), "b.png are not those of the card"),
    "no picture": (lambda zoo: (zoo.folder / "a.png").unlink(), "samples .*a.png cannot be read"),
    "a recipe": (
        lambda zoo: zoo.edit_card("b", lambda card: card["run"].update(seed=5)),
        "b.safetensors was made by another recipe",
    ),
    "a result": (lambda zoo: zoo.stale.add("of-a"), "result of-a is missing, damaged, or made"),
    "a stray": (lambda zoo: (zoo.folder / "q.safetensors").touch(), "No recipe makes .*q.safe"),
}


def flip(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


@pytest.mark.parametrize("damage", DAMAGES)
def test_each_thing_that_is_wrong_gets_a_line(zoo: Commands, damage: str) -> None:
    spoil, words = DAMAGES[damage]
    spoil(zoo)
    (line,) = zoo("verify", code=1)
    assert re.search(words, line)


def test_what_is_not_named_is_not_verified(zoo: Commands) -> None:
    flip(zoo.folder / "a.safetensors")
    flip(zoo.folder / "b.safetensors")
    zoo.stale.update(("of-a", "of-none"))
    assert len(zoo("verify", code=1)) == 4
    assert len(zoo("verify", "b", "of-none", code=1)) == 2


def test_figures_are_measured_again(zoo: Commands) -> None:
    assert zoo("verify", "--figures")[-1] == "Everything is as it should be."


def shift(group: str, row: str, decibels: float) -> Callable[[dict[str, Any]], object]:
    def change(card: dict[str, Any]) -> None:
        card["measured"][group][row][3] += decibels

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (shift("psnr", "test", 0.03), "a: the card's PSNR of test is"),
        (shift("psnr", "train", -0.03), "a: the card's PSNR of train is"),
        (shift("references", "wiener", 0.03), "a: the card's PSNR of wiener is"),
        (shift("psnr", "other_half", 0.01), None),
        (lambda card: card["measured"]["psnr"].pop("test"), "a: the card's PSNR of test is []"),
        (lambda card: card["measured"].update(asymmetry=2), "a: the card's asymmetry is 2"),
        (lambda card: card["measured"].update(homogeneity_error=0.1), "a: the card's homogeneity"),
        (lambda card: card.update(data_sha256="0"), "a: it was trained on other images"),
    ],
)
def test_wrong_figures_are_found(
    zoo: Commands, change: Callable[[dict[str, Any]], object], words: str | None
) -> None:
    zoo.edit_card("a", change)
    found = list(verification.figure_faults(Zoo(folder=zoo.folder, module="two_networks"), "a"))
    assert [line[: len(words or "")] for line in found] == ([] if words is None else [words])


def test_figures_of_snapshots_are_measured_too(zoo: Commands) -> None:
    zoo.edit_card("a-step1", shift("psnr", "test", 1.0))
    (line,) = [line for line in zoo("verify", "--figures", "a", code=1) if line]
    assert line.startswith("a-step1: the card's PSNR of test")


def test_values_that_only_say_how_a_machine_adds_are_not_compared(zoo: Commands) -> None:
    zoo.edit_card("a", lambda card: card["measured"]["references"].update(wiener=[100.0] * 6))
    found = list(verification.figure_faults(Zoo(folder=zoo.folder, module="two_networks"), "a"))
    assert len(found) == 1  # the Wiener filter is not exact
    rows = verification._differences
    card = {"measured": {"psnr": {"test": [163.8]}, "references": {}, "asymmetry": 0.2}}
    card["measured"]["homogeneity_error"] = 1e-7
    card["data_sha256"] = None
    other = {"psnr": {"test": [90.0]}, "references": {}, "asymmetry": 0.2, "homogeneity_error": 0.0}
    sets: Any = SimpleNamespace(train=lambda n, generator: None)
    assert list(rows(card, other, sets)) == []
