"""Recorded numbers reach the text of a page the way that myst_nb looks for them."""

import pytest

from gahr_lib.record import record

glue = pytest.importorskip("myst_nb.ext.glue")


def displayed(function, monkeypatch, where):
    shown = []
    monkeypatch.setattr(where, lambda data, **options: shown.append((data, options)))
    function()
    return shown


def test_records_are_what_myst_nb_itself_would_glue(monkeypatch):
    ours = displayed(lambda: record(gain=1.25), monkeypatch, "IPython.display.display")
    theirs = displayed(
        lambda: glue.glue("gain", 1.25, display=False), monkeypatch, "myst_nb.ext.glue.ipy_display"
    )
    assert ours == theirs
