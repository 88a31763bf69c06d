"""Draw the picture of the landing page: two networks with no image in common, one noise.

Run it after the networks or the sampler changed: ``python tools/draw_landing.py``.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import torch

import gahr_lib as gahr
from gahr_lib import figures
from gahr_lib.sampling import SampleConfig

TARGET = Path(__file__).parents[1] / "book" / "_static" / "pair.png"
SHOWN = 10
# Around the mean intensity of clothes the samples are dim, but of more kinds.
CONFIG = SampleConfig(mean=0.3)


def main() -> None:
    """Sample both networks from equal noise and write the picture."""
    rows = []
    for half in ("A", "B"):
        denoiser = gahr.load_denoiser("fashion", n_train=30_000, half=half)
        generator = torch.Generator().manual_seed(2)
        images = gahr.sample(denoiser, n=SHOWN, config=CONFIG, generator=generator)
        # The networks fix shapes, not brightness: print each image up to its own white.
        rows.append(images / images.amax(dim=(1, 2, 3), keepdim=True))
    plt.style.use(figures.STYLE)
    picture = figures.show_images(rows, columns=SHOWN, size=0.9)
    picture.savefig(TARGET, dpi=140, metadata={"Software": None})


if __name__ == "__main__":
    main()
