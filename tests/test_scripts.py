"""The scripts of pages, explorers and slides: none of them runs a text, wherever it comes from.

tests/browser/test_hostile_addresses.py opens the built pages with addresses that try.
"""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = [
    path
    for folder in ("book", "gahr_lib", "teaching")
    for suffix in ("*.js", "*.mjs", "*.html", "*.j2")
    for path in sorted((ROOT / folder).rglob(suffix))
    if "vendor" not in path.parts
]

# What makes code or elements of a text.
RUNS_TEXT = re.compile(
    r"\beval\s*\(|\bnew\s+Function\b|\.(?:inner|outer)HTML\b|insertAdjacentHTML"
    r"|document\.write|createContextualFragment|setHTMLUnsafe|DOMParser|\bsrcdoc\b"
    r"|set(?:Timeout|Interval)\s*\(\s*[\"'`]|javascript:|\bimportScripts\s*\("
)
# A script that is loaded by a name which is no text in the file, and what a page gets from outside.
LOADS = re.compile(r"\bimport\(\s*(?![\"'])[^)]*")
READS = re.compile(r"\blocation\.\w+|\bwindow\.name\b|document\.referrer|[\"']message[\"']")

# Each of these was looked at.
EXCUSED = {
    # The script of an explorer, from the data of its own page.
    ("book/_static/static-widgets.js", "import(url"),
    # Files that lie beside the one that names them.
    ("gahr_lib/lab/page/start.js", 'import(new URL("lab.js", folder'),
    ("gahr_lib/lab/page/runtime.js", "import(new URL(entry.script, import.meta.url"),
    # The name of an element to scroll to; whether the page is a file; two words that are known.
    ("book/_static/static-widgets.js", "location.hash"),
    ("gahr_lib/lab/page/start.js", "location.protocol"),
    ("teaching/slides/slides.js", "location.search"),
    # Messages of strange windows, which it drops.
    ("teaching/slides/slides.js", '"message"'),
}


def found(text: str, pattern: re.Pattern[str]) -> list[str]:
    """What a pattern finds in a script outside of comments."""
    without = re.sub(r"/\*.*?\*/|(?<![:\"'])//[^\n]*", "", text, flags=re.DOTALL)
    return pattern.findall(without)


def test_there_are_scripts():
    assert {path.suffix for path in SCRIPTS} == {".js", ".html", ".j2"}
    assert len(SCRIPTS) > 30


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_it_runs_no_text(path):
    name, text = path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
    assert found(text, RUNS_TEXT) == []
    from_outside = {(name, use) for use in found(text, LOADS) + found(text, READS)}
    assert from_outside <= EXCUSED


def test_what_is_excused_is_there():
    for name, use in EXCUSED:
        assert use in (ROOT / name).read_text(encoding="utf-8"), f"{name}: {use}"


@pytest.mark.parametrize(
    ("pattern", "code"),
    [
        (RUNS_TEXT, "eval(text)"),
        (RUNS_TEXT, "new Function('return 1')"),
        (RUNS_TEXT, "node.innerHTML = name"),
        (RUNS_TEXT, "setTimeout('run()', 10)"),
        (RUNS_TEXT, "new DOMParser().parseFromString(text, 'text/html')"),
        (LOADS, "await import(name)"),
        (READS, "show(location.search)"),
        (READS, "addEventListener('message', listen)"),
    ],
)
def test_what_could_run_a_text_is_seen(pattern, code):
    assert found(code, pattern)
    assert not found(f"// {code}", pattern)


@pytest.mark.parametrize(
    "code", ["node.textContent = name", "import('./a.js')", "setTimeout(run, 1)"]
)
def test_what_is_harmless_is_allowed(code):
    assert not any(found(code, pattern) for pattern in (RUNS_TEXT, LOADS, READS))
