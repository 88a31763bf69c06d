"""The page of the cards, and that the one of the book shows the cards as they are."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

import cards
from gahr_lib.errors import WeightsError
from gahr_lib.jobs import make_run
from gahr_lib.zoo.pages import card_page, cards_page, psnr_table, training_table

MEASURED = {
    "sigmas": [0.02, 0.1],
    "psnr": {"train": [40.0, 30.126], "other_half": [39.0, 29.0], "test": [39.5, 29.454]},
    "homogeneity_error": 2.71e-07,
    "asymmetry": 0.2242,
    "references": {"input": [33.981, 20.001], "bayes": [41.0, 30.5], "wiener": [163.8, 60.0]},
}
CARD: dict[str, Any] = {
    "name": "fashion-10-A",
    "run": {
        "images": {"data": "fashion", "n_train": 10, "alpha": None},
        "network": {"architecture": "unet", "width": 16},
        "training": {"steps": 400, "optimizer": "muon"},
        "seed": 7,
        "snapshots": [],
    },
    "step": 400,
    "image_shape": [1, 28, 28],
    "data_sha256": "abc",
    "training_seconds": 90,
    "device": "cpu",
    "software": {"torch": "2.9", "python": "3.11.7"},
    "measured": MEASURED,
    "parameters": 114496,
    "weights_sha256": "def",
    "samples": {"n": 8, "seed": 0, "beta": 0.3, "sha256": "0"},
    "licence": "MIT",
    "intended_use": "Teaching.",
    "limits": "Small.",
}


def rows(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.strip().splitlines()]


def test_the_table_has_the_rows_of_a_card_in_one_order() -> None:
    assert rows(psnr_table(MEASURED)) == [
        ["sigma", "0.02", "0.1"],
        ["---", "--:", "--:"],
        ["training images", "40.00", "30.13"],
        ["other half", "39.00", "29.00"],
        ["test images", "39.50", "29.45"],
        ["*input*", "33.98", "20.00"],
        ["*Wiener filter*", "exact", "60.00"],
        ["*Bayes optimum*", "41.00", "30.50"],
    ]


def test_a_card_says_how_it_was_made_and_what_it_is_for() -> None:
    page = card_page(CARD, "../networks")
    for words in (
        ":::{dropdown} fashion-10-A: 29.45 dB on test images at sigma 0.1\n",
        "```{image} ../networks/fashion-10-A.png\n:alt: 8 samples of fashion-10-A",
        "`data='fashion'`, `n_train=10`; SHA-256 `abc`",
        "`architecture='unet'`, `width=16`; 114,496 parameters",
        "`steps=400`, `optimizer='muon'`; seed 7",
        "Made in 1.5 minutes on cpu, with torch 2.9, python 3.11.7",
        "Weights: SHA-256 `def`",
        "error 3e-07; asymmetry: 0.224",
        "Licence: MIT. Intended use: Teaching.",
        "Limits: Small.",
    ):
        assert words in page
    assert "alpha" not in page
    assert "Tried" not in page


def test_a_card_says_what_is_special_about_it() -> None:
    card = CARD | {
        "data_sha256": None,
        "samples": {"n": 8, "seed": 0, "beta": 0.3, "failure": "An image leaves all bounds."},
        "tried": ["Twice the width: no better."],
    }
    page = card_page(card, "../networks")
    assert "fresh images" in page
    assert "```{image}" not in page
    assert "does not come to an end with this network: An image leaves all bounds." in page
    assert "- Tried: Twice the width: no better." in page


def at_step(step: int, n_train: int, train: float, test: float) -> dict[str, Any]:
    measured = {"sigmas": [0.1], "psnr": {"train": [train], "test": [test]}}
    return {"step": step, "run": {"images": {"n_train": n_train}}, "measured": measured}


def test_snapshots_are_cells_of_one_table() -> None:
    ladders = [
        [at_step(1_000, 10, 20.04, 19.0), at_step(4_000, 10, 40.06, 15.0)],
        [at_step(1_000, 30_000, 27.0, 27.1), at_step(4_000, 30_000, 28.0, 28.1)],
    ]
    assert rows(training_table(ladders)) == [
        ["images", "1,000 steps", "4,000 steps"],
        ["---", "--:", "--:"],
        ["10", "20.0 / 19.0", "40.1 / 15.0"],
        ["30,000", "27.0 / 27.1", "28.0 / 28.1"],
    ]


def test_the_page_has_every_network_once_and_snapshots_in_the_table(tmp_path: Path) -> None:
    small: dict[str, Any] = {"width": 2, "depth": 1, "n_train": 10, "steps": 400}
    recipes = {"x": make_run(snapshots=(100,), **small), "y": make_run(**small)}
    for stem, step in (("x-step100", 100), ("x", 400), ("y", 400)):
        (tmp_path / f"{stem}.json").write_text(json.dumps(CARD | {"name": stem, "step": step}))
    page = cards_page(recipes, tmp_path, "link")
    assert re.findall(r"{dropdown} (\S+):", page) == ["x", "y"]
    assert "shows all 3." in page
    assert "| 10 | 30.1 / 29.5 | 30.1 / 29.5 |" in page
    without = cards_page({"y": recipes["y"]}, tmp_path, "link")
    assert "time of training" not in without
    (tmp_path / "x-step100.json").unlink()
    with pytest.raises(WeightsError, match="x-step100"):
        cards_page(recipes, tmp_path, "link")


def test_the_page_of_the_book_shows_the_cards_as_they_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cards.main(["--check"]) == 0, capsys.readouterr().out


def test_a_page_that_differs_is_found_and_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "cards.md"
    monkeypatch.setattr(cards, "PAGE", page)
    monkeypatch.setattr(cards, "page", lambda: "new")
    assert cards.main(["--check"]) == 1
    assert "Run python tools/cards.py" in capsys.readouterr().out
    assert cards.main([]) == 0
    assert page.read_text() == "new"
    assert cards.main(["--check"]) == 0
