"""Let every link to the book's source lead to the repository that the book is built in.

That is the one of `_config.yml`, unless GitHub builds the book: its workflows say in
GITHUB_REPOSITORY where they run, so the pages of a fork lead to the fork, untouched. Where a
release is built, links lead to its tag. The address of the published pages follows from that of the
source; one that `html: baseurl` in `_config.yml` gives is kept where there is no fork.

The page of the versions is no page of Sphinx's, and is rewritten when it has been copied. The
notebooks that readers download from a workflow's pages install the package of the commit that
the pages were built from. Colab opens only what lies in a repository, so the workflow puts these
notebooks on a branch of it (`tools/publish_notebooks.sh`), and the buttons lead there.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config

_COLAB_BRANCH = "colab"


@dataclass(frozen=True)
class Address:
    """Where the source of the book is: a repository's URL, a branch or tag of it, a commit."""

    url: str
    ref: str
    commit: str = ""

    @property
    def site(self) -> str:
        """Where GitHub publishes the pages of this repository."""
        owner, name = urlsplit(self.url).path.strip("/").split("/")
        host = f"{owner.lower()}.github.io"
        return f"https://{host}/" if name.lower() == host else f"https://{host}/{name}/"

    def replace(self, text: str, configured: "Address") -> str:
        """Return a text that names this address where it named the configured one."""
        for kind in ("blob", "tree", "raw"):
            named = f"{configured.url}/{kind}/{configured.ref}"
            text = text.replace(named, f"{configured.url}/{kind}/{self.ref}")
        text = text.replace(configured.site, self.site)
        if configured.url in text:  # a clone is in a folder of the repository's name
            before, after = (address.url.rpartition("/")[2] for address in (configured, self))
            text = text.replace(f"\ncd {before}\n", f"\ncd {after}\n")
        for form in (str, _quoted):  # as it is, and as a part of another address
            text = text.replace(form(configured.url), form(self.url))
        return text

    def pin(self, text: str) -> str:
        """Return a text that installs this commit where it installed from this address."""
        install = rf"git\+{re.escape(self.url)}(\.git)?(@[\w./-]+)?(?![\w-])"
        return re.sub(install, f"git+{self.url}@{self.commit}", text) if self.commit else text


def _quoted(url: str) -> str:
    return quote(url, safe="")


def built_in(environment: Mapping[str, str], configured: Address) -> Address:
    """Return the address of the repository that this build runs in."""
    repository = environment.get("GITHUB_REPOSITORY")
    if not repository:
        return configured
    server = environment.get("GITHUB_SERVER_URL", "https://github.com")
    tagged = environment.get("GITHUB_REF_TYPE") == "tag"
    ref = environment["GITHUB_REF_NAME"] if tagged else configured.ref
    return Address(f"{server}/{repository}", ref, environment.get("GITHUB_SHA", ""))


def _configure(app: Sphinx, config: Config) -> None:
    theme = config.html_theme_options
    app.address_configured = Address(theme["repository_url"], theme["repository_branch"])
    app.address = built_in(os.environ, app.address_configured)
    theme["repository_url"], theme["repository_branch"] = app.address.url, app.address.ref
    if app.address.ref != app.address_configured.ref:
        theme["use_edit_page_button"] = False  # a tag cannot be edited
    if not config.html_baseurl or app.address.url != app.address_configured.url:
        config.html_baseurl = app.address.site
    config.ogp_site_url = config.html_baseurl


def _rewrite(app: Sphinx, document: nodes.document, page: str) -> None:
    """Rewrite what the authors of a page wrote: links, code and raw HTML."""
    if app.address == app.address_configured:
        return

    def replace(text: str) -> str:
        return app.address.replace(text, app.address_configured)

    for node in list(document.findall()):
        if isinstance(node, nodes.reference) and "refuri" in node:
            node["refuri"] = replace(node["refuri"])
        elif isinstance(node, nodes.Text):
            text = replace(node.astext())
            if text != node.astext():
                node.parent.replace(node, nodes.Text(text))
        if isinstance(node, nodes.literal_block):
            node.rawsource = replace(node.rawsource)  # unlike its text, it would lose its colours


def _open_the_published_notebook(
    app: Sphinx, page: str, template: str, context: dict[str, Any], tree: object
) -> None:
    if not os.environ.get("GITHUB_REPOSITORY"):
        return
    tagged = app.address.ref != app.address_configured.ref
    branch = f"{_COLAB_BRANCH}-{app.address.ref}" if tagged else _COLAB_BRANCH
    for button in _all_buttons(context.get("header_buttons", [])):
        if button.get("text") == "Colab":
            button["url"] = button["url"].replace(f"/blob/{app.address.ref}/", f"/blob/{branch}/")


def _rewrite_copies(app: Sphinx, exception: Exception | None) -> None:
    if exception is None and app.address != app.address_configured:
        copies = Path(app.outdir, "_sources").rglob("*.*")
        for source in (Path(app.outdir, "versions.html"), *copies):
            text = app.address.replace(source.read_text(encoding="utf-8"), app.address_configured)
            text = app.address.pin(text) if source.suffix == ".ipynb" else text
            source.write_text(text, encoding="utf-8")


def _all_buttons(buttons: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [b for button in buttons for b in (button, *_all_buttons(button.get("buttons", [])))]


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("config-inited", _configure)
    app.connect("doctree-resolved", _rewrite)
    app.connect("html-page-context", _open_the_published_notebook, priority=600)  # after the theme
    app.connect("build-finished", _rewrite_copies)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
