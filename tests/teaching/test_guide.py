"""The numbers of the exam's answers, computed again, and what the guide promises."""

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "book" / "appendix" / "teaching.md").read_text(encoding="utf-8")
QUESTIONS = dict(
    re.findall(
        r"^\*\*(\d+)\*\* \(lecture \d\)\..*?\n:::\{dropdown\} Answer\n(.*?)\n:::$",
        GUIDE,
        re.MULTILINE | re.DOTALL,
    )
)


def oracle():
    c, sigma = np.array([0.9, 0.3, 0.1]), 0.1
    factors = c**2 / (c**2 + sigma**2)
    # The error of a factor f is (1 - f)^2 c^2 + f^2 sigma^2, least among many tried.
    tried = np.linspace(0, 1, 100_001)[:, None]
    best = ((1 - tried) ** 2 * c**2 + tried**2 * sigma**2).min(axis=0).sum()
    kept = np.minimum(c**2, sigma**2).sum()
    return [f"{f:.3f}" for f in factors] + [f"{best:.4f}", f"{kept:.4f}", f"{kept / best:.2f}"]


def injected():
    s, h, beta = 0.5, 0.2, 0.25
    left = (1 - beta * h) * s
    # After the step (1 - h) s of the noise is there, and independent noise makes up the rest.
    return [f"{math.sqrt(left**2 - ((1 - h) * s) ** 2):.3f}", f"{left:.3f}", f"{(1 - h) * s:.1f}"]


ANSWERS = {
    1: [f"{10 ** (-30 / 20):.4f}", f"{-10 * math.log10(10**-3 * 49 / 784):.1f}"],
    2: oracle(),
    6: [f"{0.0012 / 2 / 0.0010:.0%}".replace("%", " %"), f"{0.0009 / 2:.5f}", "a quarter"],
    9: [f"{10 ** (0.75 * 20 / 10):.1f}", "3/4", "15 dB"],
    10: [f"{-10 * math.log10(5 * 0.05**2 / 40**2):.1f}", f"{10 * math.log10(10 / 5):.1f}"],
    11: injected(),
    12: [f"{math.sqrt(0.1**2 - 0.1**2 * 196 / 784):.4f}"],
}


@pytest.mark.parametrize("question", ANSWERS)
def test_answers_hold(question):
    text = QUESTIONS[str(question)]
    assert [number for number in ANSWERS[question] if number not in text] == []


def test_the_rest_of_the_variance_is_due_to_the_images():
    assert pytest.approx(1 / 4) == 1 - 0.0009 / 0.0012


def test_every_question_has_an_answer_behind_a_button():
    asked = re.findall(r"^\*\*(\d+)\*\* \(lecture", GUIDE, flags=re.MULTILINE)
    assert asked == list(QUESTIONS) == [str(k) for k in range(1, len(asked) + 1)]
    assert len(asked) >= 12


def test_lectures_and_labs_fill_their_time():
    tables = re.findall(r"^\| min \|.*?\n\n", GUIDE, flags=re.MULTILINE | re.DOTALL)
    assert [
        sum(map(int, re.findall(r"^\| (\d+) \|", table, re.MULTILINE))) for table in tables
    ] == [90] * 4
    labs = re.findall(r"^\*\*Lab \d.*?(?=\n\n)", GUIDE, flags=re.MULTILINE | re.DOTALL)
    assert [sum(map(int, re.findall(r"(\d+) minutes", lab))) for lab in labs] == [90] * 2


@pytest.mark.parametrize("part", [f"Lecture {k}" for k in range(1, 5)] + ["Lab 1", "Lab 2"])
def test_lectures_and_labs_say_what_is_learned_and_what_goes_wrong(part):
    _, text = re.split(rf"^(?:## |\*\*){part}\b", GUIDE, flags=re.MULTILINE)
    text = re.split(r"^(?:## |\*\*Lab )", text, maxsplit=1, flags=re.MULTILINE)[0]
    for heading in ("After it students can", "Common errors:"):
        lists = re.findall(rf"{heading}\n((?:- .*\n(?:  .*\n)*)+)", text)
        assert [items.count("\n- ") + 1 >= 2 for items in lists] == [True], heading


def test_cells_that_are_linked_exist():
    """Sphinx says so as well, after minutes."""
    cells = {
        (int(path.stem[:2]), cell["id"])
        for path in (ROOT / "book" / "chapters").glob("*.ipynb")
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
    }
    linked = re.findall(r"\{ref\}`([^`]+?)\s*<cell-(\d)-([\w-]+)>`", GUIDE)
    assert len(linked) > 50
    assert [link for link in linked if (int(link[1]), link[2]) not in cells] == []


def test_slides_of_every_lecture_are_linked():
    lectures = sorted(path.stem for path in (ROOT / "teaching" / "lectures").glob("*.toml"))
    assert re.findall(r'href="../../slides/lecture-(\d+).html"', GUIDE) == lectures
