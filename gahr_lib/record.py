"""Numbers that a chapter's text takes from its results, so that nobody types them."""

from typing import Any

__all__ = ["record"]


def record(**values: Any) -> None:
    """Hand values to the text of the page, where ``{glue:text}`name:.2f``` puts them in a sentence.

    It does what ``myst_nb.glue`` does, without the book's tools: so a chapter runs where only
    this package is installed. A notebook shows nothing for it.

    Parameters
    ----------
    **values
        Numbers or texts, by the name under which the page asks for them.
    """
    from IPython.display import display

    prefix = "application/papermill.record/"  # the agreement with myst_nb: kept, and not shown
    for name, value in values.items():
        display(
            {f"{prefix}text/plain": repr(value)},
            raw=True,
            metadata={"scrapbook": {"name": name, "mime_prefix": prefix}},
        )
