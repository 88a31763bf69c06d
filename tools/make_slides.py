"""Make the slides of the lectures: python tools/make_slides.py SITE [NUMBER ...].

They go into the folder `slides` of a built book, SITE, and use its scripts and fonts.
"""

import argparse
import shutil
import struct
import sys
from base64 import b64decode
from copy import deepcopy
from pathlib import Path

import nbformat
from nbconvert.exporters import SlidesExporter

from lectures import ROOT, STATE, Lecture, LectureError, Slide, numbers, read, slides

sys.path.insert(0, str(ROOT / "book" / "_ext"))
from version_in_footer import describe

TEMPLATES = ROOT / "teaching"  # the template is its folder slides
STYLE = ("page.css", "slides.css", "slides.js")
WIDE = 1.5  # width over height from which a picture has its words below and not beside it


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("site", type=Path, metavar="SITE")
    parser.add_argument("numbers", nargs="*", type=int, metavar="NUMBER")
    arguments = parser.parse_args()
    if not (arguments.site / "_static").is_dir():
        sys.exit(f"There is no built book in {arguments.site}: make book")
    folder = arguments.site / "slides"
    folder.mkdir(exist_ok=True)
    for name in STYLE:
        shutil.copyfile(TEMPLATES / "slides" / name, folder / name)
    try:
        for number in arguments.numbers or numbers():
            lecture = read(number)
            page = render(lecture, slides(lecture))
            (folder / f"lecture-{number}.html").write_text(page, encoding="utf-8")
    except LectureError as error:
        sys.exit(str(error))


def render(lecture: Lecture, shown: list[Slide]) -> str:
    """Return the page of a lecture."""
    exporter = SlidesExporter(
        extra_template_basedirs=[str(TEMPLATES)],
        template_name="slides",
        exclude_anchor_links=True,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
    )
    # The book's script draws explorers where their HTML says so.
    exporter.config.NbConvertBase.display_data_priority = ["text/html", "image/png", "text/plain"]
    page, _ = exporter.from_notebook_node(notebook(lecture, shown))
    return page


def notebook(lecture: Lecture, shown: list[Slide]) -> nbformat.NotebookNode:
    """Return the notebook that nbconvert turns into slides."""
    version = f'<span class="book-version">{describe(ROOT)}</span>'
    cover = f"# {lecture.title}\n\n{lecture.question}\n\nLecture {lecture.number}<br>{version}"
    cells = [_text(cover, "slide", "cover")]
    for slide in shown:
        cells += _cells(slide)
    book = nbformat.v4.new_notebook(cells=cells)
    book.metadata.title = f"Lecture {lecture.number}: {lecture.title}"
    widgets = {name: model for slide in shown for name, model in slide.widgets.items()}
    book.metadata.widgets = {STATE: {"state": widgets}}
    return book


def _cells(slide: Slide) -> list[nbformat.NotebookNode]:
    """Return a title, notes, a picture and words, as cells that follow each other on one slide."""
    words, number = slide.words, int(slide.chapter.stem[:2])
    where = f"../book/chapters/{slide.chapter.stem}.html#cell-{slide.cell.id}"
    cells = [_text(f"## {slide.title}", "slide", "title")]
    if words.ask:
        cells.append(_text(words.ask, "-", "ask"))
    if words.notes:  # here, since the speaker has to see them before the answer
        cells.append(_text(words.notes, "notes", "notes"))
    body = _picture(slide) if slide.cell.cell_type == "code" else _text("", "-", "formulas")
    if slide.cell.cell_type == "markdown":
        body.source = slide.formulas
    # Who is asked first sees the answer later.
    body.metadata.slideshow = {"slide_type": "fragment" if words.ask else "-"}
    cells.append(body)
    if words.points:
        cells.append(_text("\n".join(f"- {point}" for point in words.points), "-", "points"))
    cells.append(_text(f"[Chapter {number}, `{slide.cell.id}`]({where})", "-", "source"))
    return cells


def _picture(slide: Slide) -> nbformat.NotebookNode:
    """Return a cell with its results, or with its code where it has none."""
    cell = deepcopy(slide.cell)
    cell.metadata = nbformat.NotebookNode(
        shape=_shape(cell),
        alt=cell.metadata.get("mystnb", {}).get("image", {}).get("alt", ""),
        transient={"remove_source": bool(cell.outputs)},
    )
    return cell


def _shape(cell: nbformat.NotebookNode) -> str:
    """Return whether words go below (wide) or beside (tall) what a cell shows."""
    for output in cell.outputs:
        data = output.get("data", {})
        if "text/html" in data:
            return "explorer"
        if png := data.get("image/png"):
            width, height = struct.unpack(">II", b64decode(png)[16:24])
            return "wide" if width >= WIDE * height else "tall"
    return "words"


def _text(source: str, slide_type: str, part: str) -> nbformat.NotebookNode:
    metadata = {"slideshow": {"slide_type": slide_type}, "part": part}
    return nbformat.v4.new_markdown_cell(source, metadata=metadata)


if __name__ == "__main__":
    main()
