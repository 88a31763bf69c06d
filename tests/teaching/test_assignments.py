"""nbgrader releases and grades the assignments, as a teacher would, with known submissions."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from nbgrader.api import Gradebook

ASSIGNMENTS = Path(__file__).parents[2] / "teaching" / "assignments"
NAMES = ("shrinkage", "memorization")

# Lines of a submission in place of the right ones, and the tests that they must fail.
WRONG = {
    "shrinkage": {
        "factors": "def oracle_factors(c, sigma):\n    return c.abs() / (c.abs() + sigma)",
        "kept": "def kept_error(c, sigma, m):\n    return m * sigma**2 + (c[m:] ** 2).sum().item()",
        "gain": 'network = gahr.load_denoiser("fashion", n_train=30_000)\ngain = 10.0',
    },
    "memorization": {
        # Right to the eye, and not in weak noise.
        "optimum": (
            "def optimum(y, training, sigma):\n"
            "    squared = torch.cdist(y.flatten(1), training.flatten(1)) ** 2\n"
            "    weights = torch.exp(-squared / (2 * sigma**2))\n"
            "    weights = weights / weights.sum(dim=1, keepdim=True)\n"
            "    return (weights @ training.flatten(1)).reshape(y.shape)"
        ),
        # Right for independent draws, and blind to what all of them differ by.
        "variance": "def variance(of_a, of_b):\n    return ((of_a - of_b).var() / 2).item()",
        "size": "gaps = {n: 1.0 for n in (10, 100, 300, 1_000)}\nforgets = 10",
    },
}


@dataclass(frozen=True)
class Grades:
    """What nbgrader gave one submission, by the name of the graded cell."""

    given: dict[str, float]
    possible: dict[str, float]
    waiting: set[str]  # for a teacher to read them


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def notebook(folder: Path, name: str) -> Path:
    return folder / name / f"{name}.ipynb"


def role(cell: dict[str, Any]) -> dict[str, Any]:
    return cell["metadata"].get("nbgrader", {})


def submit(course: Path, name: str, student: str, lines: dict[str, str]) -> None:
    """Hand in the released notebook with other text in some of its cells."""
    handed_in = read(notebook(course / "release", name))
    for cell in handed_in["cells"]:
        cell["source"] = lines.get(cell["id"], cell["source"])
    target = notebook(course / "submitted" / student, name)
    target.parent.mkdir(parents=True)
    target.write_text(json.dumps(handed_in), encoding="utf-8")


def grades(course: Path, name: str, student: str) -> Grades:
    with Gradebook(f"sqlite:///{course}/gradebook.db") as gradebook:
        cells = gradebook.find_submission(name, student).notebooks[0].grades
        return Grades(
            {cell.name: cell.score for cell in cells},
            {cell.name: cell.max_score for cell in cells},
            {cell.name for cell in cells if cell.needs_manual_grade},
        )


def nbgrader(course: Path, *arguments: str) -> None:
    # nbgrader calls alembic, which lies beside this Python; its kernel may use one core.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", *arguments],
        cwd=course,
        env={**os.environ, "PATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module", params=NAMES)
def graded(request, tmp_path_factory):
    """Return an assignment's name and a course in which four students have been graded."""
    name = request.param
    course = tmp_path_factory.mktemp(name)
    shutil.copyfile(ASSIGNMENTS / "nbgrader_config.py", course / "nbgrader_config.py")
    shutil.copytree(ASSIGNMENTS / "source" / name, course / "source" / name)
    nbgrader(course, "generate_assignment", name)
    cells = read(notebook(course / "source", name))["cells"]
    right = {cell["id"]: "".join(cell["source"]) for cell in cells if role(cell).get("solution")}
    tests = [cell["id"] for cell in cells if role(cell).get("grade") and role(cell)["locked"]]
    submit(course, name, "right", right)
    submit(course, name, "wrong", {**right, **WRONG[name]})
    submit(course, name, "empty", {})
    submit(course, name, "cheat", dict.fromkeys(tests, "pass"))
    nbgrader(course, "autograde", name)
    return name, course


@pytest.mark.parametrize("name", NAMES)
def test_an_assignment_has_parts_of_both_kinds(name):
    cells = [role(c) for c in read(notebook(ASSIGNMENTS / "source", name))["cells"] if role(c)]
    graded = [cell for cell in cells if cell["grade"]]
    by_hand = [cell for cell in graded if cell["solution"]]
    assert len(by_hand) == 1
    assert 5 <= len(graded) - 1 <= 7
    assert sum(cell["points"] for cell in graded) == 20
    assert all(cell["locked"] != cell["solution"] for cell in cells)


@pytest.mark.parametrize("name", NAMES)
def test_released_version_is_that_of_the_source_without_answers(name):
    released = notebook(ASSIGNMENTS / "release", name).read_text(encoding="utf-8")
    assert "SOLUTION" not in released
    assert "HIDDEN" not in released
    source = read(notebook(ASSIGNMENTS / "source", name))["cells"]
    cells = json.loads(released)["cells"]
    assert [cell["id"] for cell in cells] == [cell["id"] for cell in source]


@pytest.mark.slow
def test_released_version_is_what_nbgrader_makes_of_the_source(graded):
    name, course = graded
    ours, made = (
        read(notebook(folder / "release", name))["cells"] for folder in (ASSIGNMENTS, course)
    )
    assert ours == made, f"in teaching/assignments: nbgrader generate_assignment {name} --force"


@pytest.mark.slow
def test_right_submission_has_full_marks_and_waits_for_a_reader(graded):
    name, course = graded
    found = grades(course, name, "right")
    assert found.waiting == {"why" if name == "shrinkage" else "agree"}
    missed = {cell for cell, points in found.possible.items() if found.given[cell] < points}
    assert missed == found.waiting


@pytest.mark.slow
def test_wrong_submission_loses_the_points_of_its_mistakes_alone(graded):
    name, course = graded
    found = grades(course, name, "wrong")
    missed = {cell for cell, points in found.possible.items() if found.given[cell] < points}
    assert missed == {*(f"test-{task}" for task in WRONG[name]), *found.waiting}
    assert sum(found.given.values()) == {"shrinkage": 8, "memorization": 8}[name]


@pytest.mark.slow
@pytest.mark.parametrize("student", ["empty", "cheat"])
def test_who_solves_nothing_gets_nothing(graded, student):
    """Tests that a student replaced by `pass` have been put back."""
    name, course = graded
    found = grades(course, name, student)
    assert sum(found.given.values()) == 0
    assert sum(found.possible.values()) == 20
