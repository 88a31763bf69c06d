"""What explorers share in Python: their style, and a still picture for pages without scripts."""

import base64
import html
import io
import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import anywidget
from matplotlib.figure import Figure

from gahr_lib._checks import check_sigma
from gahr_lib.errors import ConfigError, SigmaError
from gahr_lib.widgets import _front_end

__all__ = ["Explorer", "checked_names", "checked_sigmas", "png", "refuse_others"]

_VIEW = "application/vnd.jupyter.widget-view+json"


class Explorer(anywidget.AnyWidget):
    """A widget that Python computes once and the reader's browser draws, with a still picture."""

    _css = _front_end.source("explorer.css")

    @abstractmethod
    def describe(self) -> str:
        """Return in a sentence what the explorer shows."""

    @abstractmethod
    def still(self) -> bytes:
        """Return what the explorer shows, as a PNG."""

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Return the widget, and a still picture of it for readers without JavaScript.

        Notebook front ends that run widgets prefer the view of the widget itself. A page that shows
        the picture instead has it until its script has drawn the explorer in its place.
        """
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        view = json.dumps(bundle[0][_VIEW]).replace("</", "<\\/")
        alt = html.escape(self.describe(), quote=True)
        data = base64.b64encode(self.still()).decode()
        bundle[0]["text/html"] = (
            '<div data-widget><img data-still style="max-width: 100%" '
            f'src="data:image/png;base64,{data}" alt="{alt}">'
            f'<script type="{_VIEW}">{view}</script></div>'
        )
        return bundle


def png(figure: Figure) -> bytes:
    """Return a figure as a PNG that is the same every time."""
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()


def checked_sigmas(sigmas: Sequence[float]) -> tuple[float, ...]:
    """Return noise levels as a tuple, or raise `SigmaError` if they are not several above 0."""
    try:
        levels = tuple(sigmas)
    except TypeError as error:
        raise SigmaError(f"sigmas is {sigmas!r}; expected several noise levels.") from error
    for sigma in levels:
        check_sigma(sigma, name="each of sigmas")
    levels = tuple(float(sigma) for sigma in levels)
    if not levels or min(levels) <= 0 or len(set(levels)) < len(levels):
        raise SigmaError(
            f"sigmas is {sigmas!r}; expected at least one noise level, each above 0 and given once."
        )
    return levels


def checked_names(names: Sequence[str] | None, count: int) -> tuple[str, ...]:
    """Return a name for each of some images, numbers if None, or raise `ConfigError`."""
    checked = tuple(names or (f"image {i}" for i in range(count)))
    if len(checked) != count:
        raise ConfigError(
            f"There are {len(checked)} names for {count} images; expected one each. "
            "Leave names out to number the images."
        )
    return checked


def refuse_others(choices: Mapping[str, Any], allowed: Mapping[str, Sequence[Any]]) -> None:
    """Raise `SigmaError` for a noise level, or `ConfigError`, if a choice is not an allowed one."""
    for name, value in choices.items():
        if name not in allowed:
            continue
        expected = allowed[name]
        whole = isinstance(expected, range)  # in which Python finds 1.0, too
        if value not in expected or (whole and not isinstance(value, int)):
            text = (
                f"a whole number from {expected[0]} to {expected[-1]}"
                if whole
                else "one of " + ", ".join(map(repr, expected))
            )
            error = SigmaError if name == "sigma" else ConfigError
            raise error(f"{name} is {value!r}; expected {text}.")
