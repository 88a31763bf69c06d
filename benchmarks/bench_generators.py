"""Speed of the image generators on one core, beside the plain way to write them.

    pytest benchmarks/bench_generators.py --benchmark-enable

The plain ways draw one image at a time: a loop over columns for the C^alpha mask, matplotlib for
the discs. Our C^alpha images keep a window of a series 1.5 times as long, 2.25 times the pixels;
the second line draws one period, as the plain way does.
"""

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor

from gahr_lib.data import c_alpha, discs
from speeds import Speeds

SIZE = 80


def plain_c_alpha(alpha: float, generator: torch.Generator) -> Tensor:
    k = torch.fft.fftfreq(SIZE, 1 / SIZE).abs()
    noise = torch.rand(SIZE, generator=generator) * 2 - 1
    line = torch.fft.ifft(torch.fft.fft(noise) * k.clamp(min=1) ** -alpha).real
    contour = (SIZE * (0.5 + line)).round().int().clamp(-1, SIZE)
    weight = torch.hypot(k[:, None], k).clamp(min=1) ** -alpha
    parts = []
    for _ in range(2):
        noise = torch.rand(SIZE, SIZE, generator=generator) * 2 - 1
        field = torch.fft.ifft2(torch.fft.fft2(noise) * weight).real
        parts.append((field - field.min()) / (field.max() - field.min()))
    floor, ceiling = torch.rand(2, generator=generator)
    bright, dark = floor + (1 - floor) * parts[0], ceiling * parts[1]
    mask = torch.ones(SIZE + 1, SIZE + 1)
    for column in range(SIZE + 1):
        mask[: contour[column % SIZE] + 1, column] = 0
    mask = (mask[1:, 1:] + mask[1:, :-1] + mask[:-1, 1:] + mask[:-1, :-1]) / 4
    return bright * mask + dark * (1 - mask)


def plain_disc(rng: np.random.Generator) -> np.ndarray:
    background, foreground = rng.uniform(size=2)
    centre = rng.uniform(10, 70, size=2)
    radius = rng.uniform(5, min(*centre, *(SIZE - centre)))
    figure = Figure(figsize=(SIZE / 100, SIZE / 100), dpi=100, facecolor=(background,) * 3)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, SIZE), ylim=(0, SIZE))
    axes.axis("off")
    axes.add_patch(Circle(tuple(centre), radius, color=(foreground,) * 3))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., 0] / 255


pytestmark = pytest.mark.usefixtures("one_core")


def test_c_alpha(benchmark: BenchmarkFixture, speeds: Speeds) -> None:
    ours, plain = (torch.Generator().manual_seed(0) for _ in range(2))
    speeds.compare(
        benchmark,
        f"Cᵅ images {SIZE}x{SIZE}, one core",
        lambda: c_alpha(500, SIZE, generator=ours),
        lambda: torch.stack([plain_c_alpha(2.0, plain) for _ in range(40)]),
        items=(500, 40),
        unit="images/s",
    )
    if benchmark.stats is not None:
        # The fastest round, since others may share the machine.
        assert 500 / benchmark.stats.stats.min >= 800


def test_c_alpha_of_the_paper(benchmark: BenchmarkFixture, speeds: Speeds) -> None:
    """Draw what the plain way draws: one period of the series, contours in whole pixels."""
    ours, plain = (torch.Generator().manual_seed(0) for _ in range(2))
    speeds.compare(
        benchmark,
        f"Cᵅ images {SIZE}x{SIZE}, one period, contour in whole pixels, one core",
        lambda: c_alpha(500, SIZE, generator=ours, period=1, whole_pixels=True),
        lambda: torch.stack([plain_c_alpha(2.0, plain) for _ in range(40)]),
        items=(500, 40),
        unit="images/s",
    )


def test_discs(benchmark: BenchmarkFixture, speeds: Speeds) -> None:
    generator = torch.Generator().manual_seed(0)
    rng = np.random.default_rng(0)
    ratio = speeds.compare(
        benchmark,
        f"Images of discs {SIZE}x{SIZE}, one core",
        lambda: discs(5000, SIZE, generator=generator),
        lambda: np.stack([plain_disc(rng) for _ in range(20)]),
        items=(5000, 20),
        unit="images/s",
    )
    assert ratio >= 100
    if benchmark.stats is not None:
        assert 5000 / benchmark.stats.stats.min >= 5000
