"""Draw the picture of the landing page: what two networks with no image in common make of one noise.

Run it after the networks or the sampler changed: ``python tools/draw_landing.py``.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import torch

import gahr_lib as gahr
from gahr_lib import figures

TARGET = Path(__file__).parents[1] / "book" / "_static" / "pair.png"
SHOWN = 10


def main() -> None:
    """Sample both networks from equal noise and write the picture."""
    rows = []
    for half in ("A", "B"):
        denoiser = gahr.load_denoiser("fashion", n_train=30_000, half=half)
        images = gahr.sample(denoiser, n=SHOWN, generator=torch.Generator().manual_seed(2))
        # The networks fix shapes, not brightness: print each image up to its own white.
        rows.append(images / images.amax(dim=(1, 2, 3), keepdim=True))
    plt.style.use(figures.STYLE)
    figures.show_images(rows, columns=SHOWN, size=0.9).savefig(TARGET, dpi=140, metadata={"Software": None})


if __name__ == "__main__":
    main()
