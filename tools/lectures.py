"""What the slides of a lecture are made of: tagged cells of chapters, and words for them.

A cell of a chapter with the tag `lecture-2` is a slide of lecture 2; the order is the book's. The
words that go with it stand in `teaching/lectures/2.toml`, whose head explains them.
"""

import ast
import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
from jupyter_cache import get_cache
from nbformat import NotebookNode

ROOT = Path(__file__).parents[1]
CHAPTERS = ROOT / "book" / "chapters"
WORDS = ROOT / "teaching" / "lectures"
CACHE = ROOT / "_build" / ".jupyter_cache"  # the results that the build of the book keeps
STATE = "application/vnd.jupyter.widget-state+json"

_EQUATION = re.compile(r"^\$\$\n((?:(?!\$\$).)*?)\n\$\$ \((eq-[\w-]+)\)$", re.MULTILINE | re.DOTALL)
_TABLE = re.compile(r"(?:^\|.*\|$\n?)+", re.MULTILINE)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_NUMBER = re.compile(r"\{glue:text\}`(\w+)(?::([^`]*))?`")


class LectureError(Exception):
    """Words, tags and results of a lecture do not fit together."""


@dataclass(frozen=True)
class Words:
    """What a lecture says of one of its cells; all of it may be missing."""

    title: str = ""
    ask: str = ""
    points: tuple[str, ...] = ()
    equations: tuple[str, ...] = ()
    notes: str = ""


@dataclass(frozen=True)
class Lecture:
    """The words of a lecture."""

    number: int
    title: str
    question: str
    cells: dict[tuple[int, str], Words]


@dataclass(frozen=True)
class Slide:
    """A cell on its way to a slide."""

    chapter: Path
    cell: NotebookNode  # with results, if it is code
    title: str
    words: Words
    widgets: dict[str, Any]  # by the name of their model

    @property
    def formulas(self) -> str:
        """What a cell of text shows: its numbered equations, or those named, and its tables."""
        found = {label: formula for formula, label in _EQUATION.findall(self.cell.source)}
        if unknown := set(self.words.equations) - set(found):
            raise LectureError(f"{self.cell.id} has no equation {', '.join(sorted(unknown))}.")
        shown = self.words.equations or found
        return "\n\n".join(
            [f"$$\n{found[label]}\n$$" for label in shown] + _TABLE.findall(self.cell.source)
        )


def numbers() -> list[int]:
    """Return the numbers of the lectures."""
    return sorted(int(path.stem) for path in WORDS.glob("*.toml"))


def read(number: int) -> Lecture:
    """Return the words of a lecture."""
    path = WORDS / f"{number}.toml"
    words = tomllib.loads(path.read_text(encoding="utf-8"))
    head = {key: words.pop(key) for key in ("title", "question")}
    cells = {}
    for chapter, of_chapter in words.items():
        for cell, values in of_chapter.items():
            lists = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
            try:
                cells[int(chapter), cell] = Words(**lists)
            except TypeError as error:
                raise LectureError(f"{path.name}, [{chapter}.{cell}]: {error}.") from error
    return Lecture(number, **head, cells=cells)


def tagged(number: int) -> Iterator[tuple[Path, str, str]]:
    """Yield the chapter and the id of each cell of a lecture, and the heading above it."""
    for path in sorted(CHAPTERS.glob("*.ipynb")):
        above = ""
        for cell in nbformat.read(path, as_version=4).cells:
            text = cell.source if cell.cell_type == "markdown" else ""
            headings = _HEADING.findall(text) or [above]
            above = headings[-1]
            if f"lecture-{number}" in cell.metadata.get("tags", []):
                yield path, cell.id, headings[0]


def slides(lecture: Lecture) -> list[Slide]:
    """Return the slides of a lecture, with the results of the last build of the book."""
    made, seen = [], set()
    for path, id_, heading in tagged(lecture.number):
        place = int(path.stem[:2]), id_
        seen.add(place)
        results = _results(path)
        words = lecture.cells.get(place, Words())
        filled = replace(
            words,
            points=tuple(fill(point, results.numbers) for point in words.points),
            notes=fill(words.notes, results.numbers),
        )
        cell = results.cells[id_]
        shown = json.dumps(cell.get("outputs", []))
        widgets = {name: model for name, model in results.widgets.items() if name in shown}
        made.append(Slide(path, cell, words.title or heading, filled, widgets))
    if unused := set(lecture.cells) - seen:
        names = ", ".join(f"[{chapter}.{cell}]" for chapter, cell in sorted(unused))
        raise LectureError(f"Lecture {lecture.number} has words for {names}, without the tag.")
    return made


def fill(text: str, numbers: dict[str, Any]) -> str:
    """Put recorded numbers where a text asks for them, in the way of the chapters."""

    def number(match: re.Match[str]) -> str:
        name, form = match.groups()
        if name not in numbers:
            raise LectureError(f"No cell of this chapter records {name!r}.")
        return format(numbers[name], form or "")

    return _NUMBER.sub(number, text)


@dataclass(frozen=True)
class _Results:
    """A chapter after its run."""

    cells: dict[str, NotebookNode]
    numbers: dict[str, Any]  # what it recorded
    widgets: dict[str, Any]


@cache
def _results(path: Path) -> _Results:
    """Return what the last build of the book kept of the chapter as it is now."""
    notebook = nbformat.read(path, as_version=4)
    try:
        _, notebook = get_cache(CACHE).merge_match_into_notebook(notebook)
    except KeyError as error:
        raise LectureError(f"{path.stem} has not been run as it is now: make book") from error
    recorded = {}
    for cell in notebook.cells:
        outputs = cell.get("outputs", [])
        glued = [output for output in outputs if "scrapbook" in output.get("metadata", {})]
        for output in glued:
            outputs.remove(output)
            (value,) = output.data.values()
            recorded[output.metadata.scrapbook.name] = ast.literal_eval(value)
    state = notebook.metadata.get("widgets", {}).get(STATE, {}).get("state", {})
    return _Results({cell.id: cell for cell in notebook.cells}, recorded, state)
