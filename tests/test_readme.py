"""The code of the README runs as it is pasted."""

import contextlib
import io
import re
from pathlib import Path

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_first_lines_are_the_two_commands():
    first_block = re.search(r"```sh\n(.*?)```", README, flags=re.DOTALL)
    assert README[: first_block.start()].count("\n") <= 4
    assert "make book" in first_block[1]
    assert "make test" in first_block[1]


def test_the_example_prints_eigenvalues_that_shrink():
    (example,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert example.count("\n") <= 12
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(example, "README.md", "exec"), {})
    before, after = (float(n) for n in re.findall(r"([\d.]+) dB", printed.getvalue()))
    assert before < 21 < after
    listed = re.search(r"\[(.*)\]", printed.getvalue(), flags=re.DOTALL)[1]
    values = [float(value) for value in listed.split(",")]
    assert values == sorted(values, reverse=True)
    assert 0.5 < values[0] < 2


def test_pictures_exist_and_are_described():
    pictures = re.findall(r"!\[(.*?)\]\((.*?)\)", README)
    assert pictures
    for alt, path in pictures:
        assert len(alt) >= 20
        assert (Path(__file__).parents[1] / path).is_file(), path
