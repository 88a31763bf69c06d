"""Still pictures of explorers, for pages where no JavaScript runs."""

import base64
import html as html_text
import io
import json
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from gahr_lib.widgets.shrinkage_explorer import ShrinkageExplorer

_VIEW = "application/vnd.jupyter.widget-view+json"


def html(explorer: "ShrinkageExplorer", bundle: dict[str, Any]) -> str:
    """Return a still picture with its description, and the mark by which a page finds the widget.

    Notebook front ends that run widgets prefer the view of the widget itself. A page that shows
    this instead has the picture until its script has drawn the explorer in its place.
    """
    view = json.dumps(bundle[_VIEW]).replace("</", "<\\/")
    alt = html_text.escape(describe(explorer), quote=True)
    data = base64.b64encode(picture(explorer)).decode()
    return (
        '<div data-widget><img data-still style="max-width: 100%" '
        f'src="data:image/png;base64,{data}" alt="{alt}">'
        f'<script type="{_VIEW}">{view}</script></div>'
    )


def describe(explorer: "ShrinkageExplorer") -> str:
    """Return in a sentence what the explorer shows."""
    shown = explorer.shrinkage()
    how = "shrunk" if explorer.factors == "shrinkage" else "kept as they are"
    return (
        f"{explorer._names[explorer.image]} with noise of sigma = {explorer.sigma:g}; "
        f"M = {min(explorer.kept, len(shown.vectors))} of {len(shown.clean)} coefficients in the "
        f"{explorer.basis} basis, {how}, give PSNR {explorer.psnr():.1f} dB."
    )


def picture(explorer: "ShrinkageExplorer") -> bytes:
    """Return the three images and the coefficients as a PNG."""
    from matplotlib.figure import Figure

    shown = explorer.shrinkage()
    kept = min(explorer.kept, len(shown.vectors))
    figure = Figure(figsize=(7.4, 2.3), dpi=120, layout="constrained")
    axes = figure.subplots(1, 4, width_ratios=[1, 1, 1, 1.5])
    images = {
        "clean": explorer._images[explorer.image, None],
        f"noisy, $\\sigma = {explorer.sigma:g}$": explorer.noisy(),
        f"denoised, {explorer.psnr():.1f} dB": explorer.denoised(),
    }
    for axis, (title, image) in zip(axes, images.items(), strict=False):
        axis.imshow(image[0, 0].numpy(), cmap="gray", vmin=0, vmax=1)
        axis.set_title(title, fontsize=9)
        axis.set_axis_off()
    k = torch.arange(1, len(shown.clean) + 1).numpy()
    axes[3].loglog(k, shown.noisy.abs().numpy(), ".", ms=2, color="#d55e00", label="noisy")
    axes[3].loglog(k, shown.clean.abs().clamp_min(1e-4).numpy(), color="#0072b2", label="clean")
    axes[3].axvline(kept + 0.5, color="black", lw=1)
    axes[3].set_ylim(explorer.sigma / 50)
    axes[3].set_title(f"coefficients, M = {kept}", fontsize=9)
    axes[3].tick_params(labelsize=7)
    axes[3].legend(fontsize=7)
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()
