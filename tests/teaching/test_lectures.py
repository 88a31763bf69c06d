"""Words of the lectures fit the tagged cells of the chapters, and become slides."""

import base64
import struct
import tomllib
import zlib
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
from jupyter_cache import get_cache

import lectures
import make_slides

NUMBERS = lectures.numbers()
VIEW = "application/vnd.jupyter.widget-view+json"


def cells_of(path):
    return {cell.id: cell for cell in nbformat.read(path, as_version=4).cells}


CELLS = {int(path.stem[:2]): cells_of(path) for path in lectures.CHAPTERS.glob("*.ipynb")}


def test_there_are_four_lectures():
    assert NUMBERS == [1, 2, 3, 4]


@pytest.mark.parametrize("number", NUMBERS)
def test_every_tagged_cell_has_words_and_the_other_way_round(number):
    lecture = lectures.read(number)
    tagged = [(int(path.stem[:2]), id_) for path, id_, _ in lectures.tagged(number)]
    assert set(tagged) == set(lecture.cells)
    assert 12 <= 1 + len(tagged) <= 20  # with the cover
    for place, words in lecture.cells.items():
        assert words.title, place
        assert words.notes, place
        assert len(words.points) <= 3, place


@pytest.mark.parametrize("number", NUMBERS)
def test_numbers_and_equations_of_the_words_exist(number):
    for (chapter, id_), words in lectures.read(number).cells.items():
        text = " ".join([words.title, words.ask, *words.points, words.notes])
        # The build of the book fails on numbers in a chapter's text that no cell records.
        known = "".join(c.source for c in CELLS[chapter].values())
        for match in lectures._NUMBER.finditer(text):
            name = match[1]
            assert f"{name}=" in known or f"`{name}" in known, f"chapter {chapter} has no {name}"
        cell = CELLS[chapter][id_]
        if cell.cell_type == "markdown":
            slide = lectures.Slide(Path(), cell, "", words, {})
            assert slide.formulas, f"nothing to show of {id_}"
        else:
            assert not words.equations


def test_every_explorer_of_the_book_is_on_a_slide():
    shown = {place for number in NUMBERS for place in lectures.read(number).cells}
    explorers = {
        (chapter, id_)
        for chapter, cells in CELLS.items()
        for id_, cell in cells.items()
        if cell.cell_type == "code" and "Explorer(" in cell.source
    }
    assert explorers
    assert explorers <= shown


# ------------------------------------------------------------------------------ a small lecture


def png(width: int, height: int) -> str:
    def chunk(name: bytes, data: bytes) -> bytes:
        crc = zlib.crc32(name + data)
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", crc)

    size = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"\0" * (width + 1) * height)
    parts = chunk(b"IHDR", size), chunk(b"IDAT", rows), chunk(b"IEND", b"")
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"".join(parts)).decode()


def chapter():
    """Return a chapter before its run, and after it."""
    text = (
        "# Heat\n\n## How it spreads\n\nIt does.\n\n$$\na = b\n$$ (eq-first)\n\n"
        "Then\n\n$$\nunnamed\n$$\n\n"
        "$$\nc = d\n$$ (eq-second)\n\n| x | y |\n|---|---|\n| 1 | 2 |"
    )
    new = nbformat.v4
    made = new.new_notebook(
        cells=[
            new.new_markdown_cell(text, id="text", metadata={"tags": ["lecture-7"]}),
            new.new_code_cell(
                "draw()",
                id="wide",
                metadata={
                    "tags": ["hide-input", "lecture-7"],
                    "mystnb": {"image": {"alt": 'A "flame"'}},
                },
            ),
            new.new_code_cell("not_shown()", id="other"),
            new.new_code_cell("explore()", id="explorer", metadata={"tags": ["lecture-7"]}),
            new.new_code_cell("def step(): ...", id="code", metadata={"tags": ["lecture-7"]}),
        ],
        metadata={
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}
        },
    )
    run = nbformat.from_dict(made)
    glue = {"scrapbook": {"name": "warm", "mime_prefix": "application/papermill.record/"}}
    recorded = {"application/papermill.record/text/plain": "36.64"}
    view = f'<div data-widget><script type="{VIEW}">{{"model_id": "m1"}}</script></div>'
    run.cells[1].outputs = [
        new.new_output("display_data", recorded, metadata=glue),
        new.new_output("execute_result", {"image/png": png(30, 10)}, execution_count=1),
    ]
    run.cells[2].outputs = [new.new_output("stream", text="not shown")]
    run.cells[3].outputs = [
        new.new_output("execute_result", {"text/html": view, VIEW: {"model_id": "m1"}})
    ]
    state = {"state": {"m1": {"shown": "</script>"}, "m2": {"never": "shown"}}}
    run.metadata["widgets"] = {lectures.STATE: state}
    return made, run


WORDS = """
title = "Heat"
question = "Where does it go?"

[3.wide]
title = "A flame"
ask = "How warm?"
points = ["{glue:text}`warm:.1f` degrees", "As $a < b$ says."]
notes = "Wait."
"""


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Return a function that writes words for a book of one chapter and reads its lecture 7."""
    book = tmp_path / "chapters"
    book.mkdir()
    made, run = chapter()
    nbformat.write(made, book / "03_heat.ipynb")
    nbformat.write(run, tmp_path / "run.ipynb")
    get_cache(tmp_path / "cache").cache_notebook_file(tmp_path / "run.ipynb", check_validity=False)
    monkeypatch.setattr(lectures, "CHAPTERS", book)
    monkeypatch.setattr(lectures, "WORDS", tmp_path)
    monkeypatch.setattr(lectures, "CACHE", tmp_path / "cache")
    lectures._results.cache_clear()

    def read(words=WORDS):
        (tmp_path / "7.toml").write_text(words, encoding="utf-8")
        lecture = lectures.read(7)
        return lecture, lectures.slides(lecture)

    yield read
    lectures._results.cache_clear()


def test_slides_follow_the_book_and_have_a_title_in_any_case(small):
    _, shown = small()
    assert [slide.cell.id for slide in shown] == ["text", "wide", "explorer", "code"]
    assert [slide.title for slide in shown] == [
        "Heat",
        "A flame",
        "How it spreads",
        "How it spreads",
    ]


def test_numbers_come_from_the_results(small):
    _, shown = small()
    assert shown[1].words.points[0] == "36.6 degrees"
    assert len(shown[1].cell.outputs) == 1  # the record is nothing to look at


def test_text_shows_its_numbered_equations_and_tables(small):
    _, (text, *_) = small()
    assert text.formulas.count("$$") == 4
    assert "a = b" in text.formulas
    assert "unnamed" not in text.formulas
    assert "| 1 | 2 |" in text.formulas
    one = replace(text, words=lectures.Words(equations=("eq-second",)))
    assert "a = b" not in one.formulas
    assert "c = d" in one.formulas
    with pytest.raises(lectures.LectureError, match="text has no equation eq-third"):
        replace(text, words=lectures.Words(equations=("eq-third",))).formulas  # noqa: B018


def test_page_of_a_lecture(small):
    page = make_slides.render(*small())
    assert page.count("<section") == 2 * 5
    assert '<span class="book-version">gahr_lib ' in page
    assert 'alt="A &quot;flame&quot;"' in page or "alt='A \"flame\"'" in page
    assert 'class="part result wide"' in page
    assert 'class="part result explorer"' in page
    assert "draw()" not in page  # its picture is there
    assert "step" in page  # it has nothing but its code
    assert "not shown" not in page
    assert '"m1"' in page
    assert "m2" not in page
    assert '</script>"}' not in page  # the state cannot end its script
    assert 'href="../book/chapters/03_heat.html#cell-wide"' in page
    assert "//" not in page.replace("<!--", "").replace("-->", "").split("<main")[0]


def test_what_is_asked_comes_before_the_picture(small):
    page = make_slides.render(*small())
    asked, picture = page.index("How warm?"), page.index("data:image/png")
    assert asked < page.index('class="fragment"') < picture
    assert page.count('class="fragment"') == 1
    assert '<aside class="notes">' in page


def test_chapter_that_was_changed_has_to_be_run(small, tmp_path):
    path = tmp_path / "chapters" / "03_heat.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[1].source = "draw(2)"
    nbformat.write(notebook, path)
    with pytest.raises(lectures.LectureError, match="03_heat has not been run as it is now"):
        small()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (WORDS + "[3.other]\ntitle = 'x'", r"words for \[3.other\], without the tag"),
        (WORDS.replace("warm:", "cold:"), "records 'cold'"),
        (WORDS.replace("ask =", "asks ="), r"7.toml, \[3.wide\]: .*asks"),
    ],
)
def test_words_that_fit_nothing_are_named(small, words, complaint):
    with pytest.raises(lectures.LectureError, match=complaint):
        small(words)


def test_words_are_plain_toml():
    for path in lectures.WORDS.glob("*.toml"):
        assert tomllib.loads(path.read_text(encoding="utf-8"))["question"].endswith("?")
