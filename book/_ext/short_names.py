"""Let docstrings name things of the library without saying where they live.

A docstring says "Raises ShapeError" and a signature says `gahr_lib.models.base.Denoiser`, while
the API page documents `gahr_lib.errors.ShapeError` and `gahr_lib.models.Denoiser`. A name that
fits exactly one documented object is linked to it; any other stays an error of the build.
"""

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.nodes import make_refnode


def link_short_name(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.Element
) -> nodes.reference | None:
    if node.get("refdomain") != "py":
        return None
    name = node["reftarget"].rpartition(".")[2]
    fits = [
        (full_name, entry)
        for full_name, entry in env.get_domain("py").objects.items()
        if full_name.rpartition(".")[2] == name and not entry.aliased
    ]
    if len(fits) != 1:
        return None
    ((full_name, entry),) = fits
    return make_refnode(
        app.builder, node["refdoc"], entry.docname, entry.node_id, content, full_name
    )


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("missing-reference", link_short_name)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
