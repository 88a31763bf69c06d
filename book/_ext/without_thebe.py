"""Keep sphinx-thebe out of the pages.

Jupyter Book always loads that extension. Its script is written twice, which is an error in the
browser on every page, and it would fetch its code from another host. Live code is the work of the
Binder and Colab buttons instead.
"""

from sphinx.application import Sphinx
from sphinx.config import Config


def drop_thebe(app: Sphinx, config: Config) -> None:
    for listeners in app.events.listeners.values():
        for listener in list(listeners):
            if listener.handler.__module__.split(".")[0] == "sphinx_thebe":
                app.disconnect(listener.id)
    app.registry.css_files[:] = [
        (name, attributes) for name, attributes in app.registry.css_files if "thebe" not in name
    ]


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("config-inited", drop_thebe)  # when every extension has been loaded
    return {"parallel_read_safe": True, "parallel_write_safe": True}
