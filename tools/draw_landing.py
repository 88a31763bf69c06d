"""Draw the pictures of the landing page: two networks with no image in common, one noise.

    python tools/draw_landing.py

writes the figure that stands there, `pair.png`; the steps that `landing.js` moves through,
`pair-steps.webp`; and the picture that a shared link shows, `social.png`. Run it after the networks
or the sampler changed.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

import gahr_lib as gahr
from gahr_lib.sampling import SampleConfig, SampleState, sample_steps

STATIC = Path(__file__).parents[1] / "book" / "_static"
SHOWN = 10
FRAMES = 28  # landing.js has it, too
# Around the mean intensity of clothes the samples are dim, but of more kinds.
CONFIG = SampleConfig(mean=0.3)
SIDE, GAP = 28, 4  # pixels; and these

Pictures = NDArray[np.uint8]


def main() -> None:
    """Sample both networks from equal noise and write the pictures."""
    rows = [draw(half) for half in ("A", "B")]  # each (FRAMES, SHOWN, SIDE, SIDE)
    frames = np.stack(rows, axis=1)
    write_still(frames[-1])
    write_steps(frames)
    write_social(frames[-1])


def draw(half: str) -> Pictures:
    """Return the same number of moments on the way of each image, the last one where it ends."""
    denoiser = gahr.load_denoiser("fashion", n_train=30_000, half=half)
    generator = torch.Generator().manual_seed(2)
    states = list(sample_steps(denoiser, n=SHOWN, config=CONFIG, generator=generator))
    final = states[-1].x
    # The networks fix shapes, not brightness: print each image up to its own white.
    white = final.amax(dim=(1, 2, 3), keepdim=True)
    # More of them early, where shapes appear.
    parts = [(k / (FRAMES - 1)) ** 1.3 for k in range(FRAMES)]
    moments = torch.stack([moment(states, part) for part in parts])
    pixels = 255 * (moments / white).clamp(0, 1)
    return pixels[:, :, 0].round().byte().numpy()


def moment(states: list[SampleState], part: float) -> torch.Tensor:
    """Return each image when this part of its noise has gone, on a logarithmic scale."""
    sigmas = torch.stack([state.sigma for state in states])
    wanted = sigmas[0] ** (1 - part) * sigmas[-1] ** part
    steps = (sigmas - wanted).abs().argmin(dim=0) if part < 1 else [-1] * SHOWN
    return torch.stack([states[step].x[image] for image, step in enumerate(steps)])


def write_still(pair: Pictures) -> None:
    """Write the two rows with a transparent gap between the images, each pixel four wide."""
    step = SIDE + GAP
    sheet = np.zeros((2 * step - GAP, SHOWN * step - GAP, 2), dtype=np.uint8)
    for row, column in np.ndindex(2, SHOWN):
        place = np.s_[row * step : row * step + SIDE, column * step : column * step + SIDE]
        sheet[place] = np.stack([pair[row, column], np.full((SIDE, SIDE), 255)], axis=-1)
    large = sheet.repeat(4, axis=0).repeat(4, axis=1)
    Image.fromarray(large, mode="LA").save(STATIC / "pair.png", optimize=True)


def write_steps(frames: Pictures) -> None:
    """Write the moments below one another, each two rows of images without gaps."""
    strip = frames.transpose(0, 1, 3, 2, 4).reshape(FRAMES * 2 * SIDE, SHOWN * SIDE)
    Image.fromarray(strip).save(STATIC / "pair-steps.webp", quality=45, method=6)


def write_social(pair: Pictures) -> None:
    """Write the picture of 1200 x 630 pixels that other sites show with a link to the book."""
    figure = plt.figure(figsize=(12, 6.3), dpi=100, facecolor="#121821")
    white = {"color": "#ffffff", "ha": "left", "va": "baseline"}
    figure.text(0.055, 0.80, "Why diffusion models generalize", size=42, weight="bold", **white)
    claim = "Two networks that share no training image, started from the same noise,\n"
    figure.text(0.055, 0.64, claim + "draw nearly the same new picture.", size=21, **white)
    for row, name in enumerate("AB"):
        bottom = 0.33 - 0.25 * row
        figure.text(0.055, bottom + 0.095, name, size=24, **white)
        for column in range(7):
            axes = figure.add_axes((0.095 + 0.125 * column, bottom, 0.115, 0.115 * 1200 / 630))
            axes.imshow(pair[row, column], cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            axes.axis("off")
    figure.savefig(
        STATIC / "social.png", facecolor=figure.get_facecolor(), metadata={"Software": None}
    )


if __name__ == "__main__":
    main()
