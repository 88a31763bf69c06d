"""The figures of the book, in one style: images in rows, signed images, curves of PSNR.

Every function draws and returns a matplotlib figure or axes; none shows, saves or changes settings
for good. ``plt.style.use(figures.STYLE)`` at the top of a notebook gives its plots the book's look.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from torch import Tensor

from gahr_lib._checks import check_images
from gahr_lib.errors import ShapeError

__all__ = [
    "COLOURS",
    "SIGNED",
    "STYLE",
    "bright",
    "identity_line",
    "line",
    "show_bases",
    "show_images",
    "show_rows",
    "show_signed",
]

COLOURS = {
    "blue": "#0072B2",
    "orange": "#D55E00",
    "green": "#009E73",
    "purple": "#CC79A7",
    "sky": "#56B4E9",
    "black": "#222222",
}
"""Okabe and Ito's colours, which colour-blind readers can tell apart, by name.

:meta hide-value:
"""

# Each has a dash of its own, so that curves stay apart in black and white.
_DASHES: dict[str, Any] = {
    "blue": "-",
    "orange": "--",
    "green": "-.",
    "purple": (0, (1, 1)),
    "sky": (0, (4, 1, 1, 1, 1, 1)),
    "black": ":",
}

SIGNED = LinearSegmentedColormap.from_list(
    "signed", ["#4393C3", "#A5CCE3", "#FFFFFF", "#E5765F", "#67001F"], N=257
)
"""Colours of signed images, mid blue below 0, white at 0 and dark red above.

In black and white the two signs stay apart: blue becomes a light grey, red nearly black. Lightness
falls evenly on both sides, so that twice the value looks twice as strong.

:meta hide-value:
"""

STYLE: dict[str, Any] = {
    "figure.dpi": 110,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "figure.constrained_layout.use": True,
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.8,
    "legend.frameon": False,
}
"""Settings of matplotlib for all figures.

:meta hide-value:
"""

_GREY = {"vmin": 0, "vmax": 1, "cmap": "gray"}


def line(colour: str) -> dict[str, Any]:
    """Return the colour and the dash of a curve, as keywords of matplotlib's ``plot``."""
    return {"color": COLOURS[colour], "linestyle": _DASHES[colour]}


def show_images(
    images: Tensor | Sequence[Tensor],
    titles: Sequence[str] | None = None,
    *,
    columns: int | None = None,
    size: float = 1.5,
) -> Figure:
    """Draw grey or colour images side by side, black at 0 and white at 1.

    Parameters
    ----------
    images
        (B, C, H, W), or a sequence of such batches, drawn one after the other.
    titles
        One for each image.
    columns
        Images in a row; all of them if None.
    size
        Side of an image on paper, in inches.

    Returns
    -------
    Figure
    """
    batch = _batch(images)
    return _grid(batch, [_GREY] * len(batch), titles, columns, size)


def show_signed(
    images: Tensor | Sequence[Tensor],
    titles: Sequence[str] | None = None,
    *,
    columns: int | None = None,
    size: float = 1.5,
) -> Figure:
    """Draw signed images, such as eigenvectors: white at 0, light blue below, dark red above.

    The colours are those of `SIGNED`. Each is scaled to its own largest value. The arguments are
    those of `show_images`.
    """
    batch = _batch(images)
    return _grid(batch, [_signed(image) for image in batch], titles, columns, size)


def show_bases(
    images: Tensor, bases: Sequence[Tensor], titles: Sequence[str], *, size: float = 1.2
) -> Figure:
    """Draw a row for each image: the image in grey, then vectors of its own basis.

    Parameters
    ----------
    images
        (B, 1, H, W), intensities in [0, 1].
    bases
        The vectors of each image, B tensors (K, 1, H, W).
    titles
        B (K + 1) of them, row by row.
    size
        Side of an image on paper, in inches.

    Returns
    -------
    Figure
    """
    if len(images) != len(bases):
        raise ShapeError(
            f"There are {len(bases)} bases for {len(images)} images; expected one each."
        )
    rows, looks = [], []
    for image, basis in zip(images.split(1), bases, strict=True):
        rows += [image, basis]
        looks += [_GREY, *(_signed(vector) for vector in basis)]
    return _grid(_batch(rows), looks, titles, 1 + len(bases[0]), size)


def bright(images: Tensor) -> Tensor:
    """Return images cut off at black, each divided by its own largest value.

    A bias-free network knows no white, so its samples are of any brightness.

    Parameters
    ----------
    images
        (B, C, H, W), of any scale; a black image stays black.
    """
    if images.ndim != 4:
        raise ShapeError(f"The images have shape {tuple(images.shape)}; expected (B, C, H, W).")
    cut = images.float().clamp(min=0)
    return cut / cut.amax(dim=(1, 2, 3), keepdim=True).clamp(min=torch.finfo(cut.dtype).tiny)


def show_rows(
    rows: Mapping[str, Tensor], titles: Sequence[str] | None = None, *, width: float = 7.4
) -> Figure:
    """Draw rows of images, each with its name on the left; every image up to its own white.

    Parameters
    ----------
    rows
        Names and images, (B, 1, H, W) with one B for all.
    titles
        Of the columns.
    width
        Of the figure, in inches.

    Returns
    -------
    Figure
    """
    batches = [bright(images) for images in rows.values()]
    columns = len(batches[0])
    if any(len(batch) != columns for batch in batches):
        raise ShapeError(
            f"The rows have {[len(batch) for batch in batches]} images; expected equally many."
        )
    # The names on the left take the room of an image and a half.
    side = width / (columns + 1.5)
    height = 1.06 * side * len(rows) + (0.25 if titles else 0)
    figure, axes = plt.subplots(len(rows), columns, figsize=(width, height), squeeze=False)
    for strip, name, batch in zip(axes, rows, batches, strict=True):
        for ax, image in zip(strip, _batch(batch), strict=True):
            ax.axis("off")
            ax.imshow(image.permute(1, 2, 0).squeeze(2).numpy(), interpolation="nearest", **_GREY)
        strip[0].text(
            -0.12, 0.5, name, transform=strip[0].transAxes, ha="right", va="center", fontsize=9
        )
    for ax, title in zip(axes[0], titles or (), strict=titles is not None):
        ax.set_title(title, fontsize=9)
    plt.close(figure)
    return figure


def identity_line(axes: Axes, label: str = "no denoising") -> None:
    """Draw the line output PSNR = input PSNR over the range of the horizontal axis."""
    low, high = axes.get_xlim()
    axes.plot([low, high], [low, high], color=COLOURS["black"], linestyle=":", lw=1, label=label)
    axes.set_xlim(low, high)


def _batch(images: Tensor | Sequence[Tensor]) -> Tensor:
    batch = images if isinstance(images, Tensor) else torch.cat(list(images))
    check_images(batch, "images")
    return batch.detach().cpu()


def _signed(image: Tensor) -> dict[str, Any]:
    # The largest values of an eigenvector are a few pixels; a quantile lets the rest be seen.
    top = float(image.detach().abs().flatten().quantile(0.995)) or 1.0
    return {"vmin": -top, "vmax": top, "cmap": SIGNED}


def _grid(
    batch: Tensor,
    looks: Sequence[dict[str, Any]],
    titles: Sequence[str] | None,
    columns: int | None,
    size: float,
) -> Figure:
    if titles is not None and len(titles) != len(batch):
        raise ShapeError(
            f"There are {len(titles)} titles for {len(batch)} images; expected one each."
        )
    columns = columns or len(batch)
    rows = -(-len(batch) // columns)
    height = size * batch.shape[2] / batch.shape[3] + (0.3 if titles else 0.05)
    figure, axes = plt.subplots(
        rows, columns, figsize=(size * columns, height * rows), squeeze=False
    )
    for i, ax in enumerate(axes.flat):
        ax.axis("off")
        if i >= len(batch):
            continue
        pixels = batch[i].permute(1, 2, 0).squeeze(2).numpy()
        ax.imshow(pixels, interpolation="nearest", **looks[i])
        if titles is not None:
            ax.set_title(titles[i])
    plt.close(figure)  # a notebook shows the figure that a cell returns, and only once
    return figure
