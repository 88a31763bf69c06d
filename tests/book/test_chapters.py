"""Every chapter has the parts that CONTRIBUTING.md promises its readers."""

import json
import re
from collections import Counter
from pathlib import Path

import nbformat
import pytest
import yaml

import strip_notebooks

ROOT = Path(__file__).parents[2]
CHAPTERS = sorted((ROOT / "book" / "chapters").glob("*.ipynb"))
# The overview, number 00, teaches nothing that one could exercise.
LESSONS = [path for path in CHAPTERS if not path.stem.startswith("00_")]
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text())

of_lessons = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)

FENCE = r"^(?P<fence>[:`]{3,})"


def test_there_are_chapters():
    assert CHAPTERS


@pytest.fixture(params=CHAPTERS, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture
def notebook(path):
    return nbformat.read(path, as_version=4)


@pytest.fixture
def prose(notebook):
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    return "\n\n".join(cells)


def blocks(prose: str, name: str) -> list[str]:
    """Return what follows the name of each such directive, up to its closing fence."""
    found = re.finditer(
        rf"{FENCE}\{{{name}\}}(?P<body>.*?)^(?P=fence)[ \t]*$",
        prose,
        flags=re.MULTILINE | re.DOTALL,
    )
    return [match["body"] for match in found]


def box(prose: str, title: str) -> str:
    """Return the text of the one admonition with this title."""
    found = [b for b in blocks(prose, "admonition") if b.split("\n", 1)[0].strip() == title]
    assert len(found) == 1, f"expected one box :::{{admonition}} {title}, found {len(found)}"
    return found[0].split("\n", 1)[1]


def test_is_named_and_listed(path):
    assert re.fullmatch(r"\d\d_[a-z0-9_]+", path.stem)
    assert f"book/chapters/{path.stem}" in (ROOT / "_toc.yml").read_text()


def test_is_valid_with_stable_unique_cell_ids(path, notebook):
    raw = json.loads(path.read_text(encoding="utf-8"))
    assert (raw["nbformat"], raw["nbformat_minor"]) >= (4, 5)
    nbformat.validate(raw)
    ids = Counter(cell["id"] for cell in raw["cells"])
    assert max(ids.values()) == 1, ids.most_common(3)


def test_outputs_are_stripped(path):
    text = path.read_text(encoding="utf-8")
    stripped = strip_notebooks.as_text(strip_notebooks.stripped(json.loads(text)))
    assert text == stripped, "run make format"


def test_cells_to_compare_have_something_to_compare_with(notebook):
    for cell in notebook.cells:
        if cell.cell_type == "code" and strip_notebooks.MARK in cell.source:
            assert cell.outputs, f"run this cell and save the chapter:\n{cell.source}"


def test_starts_with_its_only_title(notebook, prose):
    assert notebook.cells[0].source.startswith("# ")
    without_code = re.sub(r"^```.*?^```", "", prose, flags=re.MULTILINE | re.DOTALL)
    assert len(re.findall(r"^# ", without_code, flags=re.MULTILINE)) == 1


@of_lessons
def test_objectives_are_things_one_can_test(prose):
    objectives = re.findall(r"^[-*] +(\w+)", box(prose, "Objectives"), flags=re.MULTILINE)
    assert len(objectives) >= 2
    vague = {"understand", "know", "learn", "see", "appreciate"}
    assert not vague & {verb.lower() for verb in objectives}


@of_lessons
def test_prerequisites(prose):
    assert box(prose, "Prerequisites").strip()


def test_time(prose):
    time = box(prose, "Time")
    assert re.search(r"\d+ minutes? to read", time)
    assert re.search(r"\d+ (seconds?|minutes?) to run", time)


def test_first_code_installs_the_package_on_colab(notebook):
    cell = next(cell for cell in notebook.cells if cell.cell_type == "code")
    assert "google.colab" in cell.source
    assert f"git+{CONFIG['repository']['url']}" in cell.source
    assert "remove-cell" in cell.metadata.get("tags", []), "readers of the page need not see it"


def test_pictures_in_the_text_have_alt_text(prose):
    for alt, target in re.findall(r"!\[([^\]]*)\]\(([^)\s]+)", prose):
        assert len(alt) >= 20, f"![{alt}]({target}): say what the picture shows"
    for directive in ("figure", "image"):
        for block in blocks(prose, directive):
            assert re.search(r"^:alt: .{20,}", block, flags=re.MULTILINE), block


def test_alt_texts_of_figures_say_something(notebook):
    """That each figure has one is seen in the built page: tests/book/test_site.py."""
    alts = [
        cell.metadata["mystnb"]["image"]["alt"]
        for cell in notebook.cells
        if "image" in cell.metadata.get("mystnb", {})
    ]
    assert all(len(alt) >= 20 for alt in alts)
    assert len(alts) == len(set(alts)), "two figures with the same alt text"


@of_lessons
def test_every_exercise_has_a_solution_behind_a_button(prose):
    exercises = [b for name in ("exercise", "exercise-start") for b in blocks(prose, name)]
    labels = [re.search(r"^:label: +(\S+)", block, flags=re.MULTILINE) for block in exercises]
    assert len(exercises) >= 6
    assert all(labels), "an exercise without a label"
    solutions = [b for name in ("solution", "solution-start") for b in blocks(prose, name)]
    solved = [block.split("\n", 1)[0].strip() for block in solutions]
    assert Counter(solved) == Counter(label[1] for label in labels)
    for block in solutions:
        assert re.search(r"^:class: .*\bdropdown\b", block, flags=re.MULTILINE), block


@of_lessons
def test_one_exercise_is_a_project(prose):
    exercises = [b for name in ("exercise", "exercise-start") for b in blocks(prose, name)]
    titles = [block.split("\n", 1)[0].strip() for block in exercises]
    assert len([title for title in titles if title.startswith("Project: ")]) == 1, titles


@of_lessons
def test_terms_lead_to_the_glossary(prose):
    terms = {term.lower() for term in re.findall(r"\{term\}`(?:[^`<]*<)?([^`>]+)>?`", prose)}
    assert len(terms) >= 15, f"only {len(terms)} terms have a link: {sorted(terms)}"


def test_references_are_listed(prose):
    if "{footcite" in prose:
        assert len(re.findall(r"\{footbibliography\}", prose)) == 1
