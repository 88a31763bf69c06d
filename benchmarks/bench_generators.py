"""Speed of the image generators on one core, beside the plain way to write them.

    pytest benchmarks/bench_generators.py --benchmark-enable

The plain ways draw one image at a time: a loop over columns for the C^alpha mask, matplotlib for
the discs. Both run in the same session as ours, so that the ratio holds on a busy machine too.
Our C^alpha images keep a window of a series 1.5 times as long, 2.25 times the pixels; the line
"same ensemble" draws one period, as the plain way does.
"""

import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor

from gahr_lib.data import c_alpha, discs

SIZE = 80
RATES: dict[str, float] = {}  # images per second


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


@pytest.fixture(autouse=True)
def one_core() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module", autouse=True)
def report(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    capture = request.config.pluginmanager.get_plugin("capturemanager")
    terminal = request.config.pluginmanager.get_plugin("terminalreporter")
    if capture is None or terminal is None or not RATES:
        return
    with capture.global_and_fixture_disabled():
        terminal.write_line("")
        for name in ("c_alpha", "c_alpha, same ensemble", "discs"):
            ours = RATES.get(name, math.nan)
            plain = RATES.get(f"{name.split(',')[0]}, plain", math.nan)
            terminal.write_line(
                f"{name} at {SIZE}x{SIZE}, one core: {ours:,.0f} images/s, "
                f"plain {plain:,.0f} images/s, ratio {ours / plain:.1f}"
            )


def measure(
    benchmark: BenchmarkFixture, name: str, draw: Callable[[], Tensor | np.ndarray], n: int
) -> float:
    """Time a call that draws `n` images; return images per second in the fastest round.

    The report shows the median; a limit on the fastest round also holds on a busy machine.
    """
    benchmark.group = name.split(",")[0]
    benchmark.pedantic(draw, rounds=7, warmup_rounds=1)
    if benchmark.stats is None:  # --benchmark-disable: the call has run once, untimed
        return math.inf
    RATES[name] = n / benchmark.stats.stats.median
    benchmark.extra_info["images_per_second"] = round(RATES[name])
    return n / benchmark.stats.stats.min


def test_c_alpha(benchmark: BenchmarkFixture) -> None:
    generator = torch.Generator().manual_seed(0)
    rate = measure(benchmark, "c_alpha", lambda: c_alpha(500, SIZE, generator=generator), 500)
    assert rate >= 800


def test_c_alpha_of_the_paper(benchmark: BenchmarkFixture) -> None:
    """Draw what the plain way draws: one period of the series, contours in whole pixels."""
    generator = torch.Generator().manual_seed(0)

    def draw() -> Tensor:
        return c_alpha(500, SIZE, generator=generator, period=1, whole_pixels=True)

    measure(benchmark, "c_alpha, same ensemble", draw, 500)


def test_c_alpha_plain(benchmark: BenchmarkFixture) -> None:
    generator = torch.Generator().manual_seed(0)

    def draw() -> Tensor:
        return torch.stack([plain_c_alpha(2.0, generator) for _ in range(40)])

    measure(benchmark, "c_alpha, plain", draw, 40)


def test_discs(benchmark: BenchmarkFixture) -> None:
    generator = torch.Generator().manual_seed(0)
    rate = measure(benchmark, "discs", lambda: discs(5000, SIZE, generator=generator), 5000)
    assert rate >= 5000


def test_discs_plain(benchmark: BenchmarkFixture) -> None:
    rng = np.random.default_rng(0)

    def draw() -> np.ndarray:
        return np.stack([plain_disc(rng) for _ in range(20)])

    measure(benchmark, "discs, plain", draw, 20)
