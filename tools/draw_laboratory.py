"""Draw the still picture of the laboratory: what it shows, computed by Python.

    python tools/draw_laboratory.py

Run it after the networks changed.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from torch import Tensor

import gahr_lib as gahr
from gahr_lib import figures
from gahr_lib.data import fashion
from gahr_lib.metrics import psnr
from gahr_lib.widgets._explorer import png

STILL = Path(__file__).parents[1] / "gahr_lib" / "lab" / "page" / "still.png"
SIGMA = 0.3
VECTORS = 8


def main() -> None:
    """Denoise a test image with both networks, and find the eigenvectors of the first there."""
    a, b = (gahr.load_denoiser("fashion", n_train=30_000, half=half) for half in ("A", "B"))
    x = fashion("test", n=1)
    y = x + SIGMA * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        first, second = a(y), b(y)
    basis = gahr.eigenbasis(a, y, k=VECTORS)
    with plt.style.context(figures.STYLE):
        figure = plt.figure(figsize=(11.2, 4.2), dpi=100)
        above, below = figure.add_gridspec(2, 1, height_ratios=(5, 3.4))
        upper = [figure.add_subplot(place) for place in above.subgridspec(1, 5)]
        lower = [figure.add_subplot(place) for place in below.subgridspec(1, VECTORS)]
        show(upper[0], x, "image x")
        show(upper[1], y, f"noisy y, {psnr(y, x).item():.1f} dB")
        show(upper[2], first, f"A, N = 30,000: {psnr(first, x).item():.1f} dB")
        show(upper[3], second, f"B, N = 30,000: {psnr(second, x).item():.1f} dB")
        show(upper[4], first - second, "their difference", signed=True)
        for k, axes in enumerate(lower):
            title = f"$\\lambda_{{{k + 1}}}$ = {basis.values[k].item():.2f}"
            show(axes, basis.vectors[k : k + 1], title, signed=True)
    STILL.write_bytes(png(figure))


def show(axes: Axes, image: Tensor, title: str, *, signed: bool = False) -> None:
    top = image.abs().max().item() if signed else 1
    cmap = figures.SIGNED if signed else "gray"
    axes.imshow(image[0, 0], cmap=cmap, vmin=-top if signed else 0, vmax=top)
    axes.set_title(title)
    axes.set_axis_off()


if __name__ == "__main__":
    main()
