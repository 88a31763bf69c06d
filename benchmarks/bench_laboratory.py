"""How soon the laboratory is ready and how fast it computes, in Chromium on one processor.

It is served by ``gahr lab``; nothing has to be built first.
"""

from collections.abc import Iterator

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from browser.laboratory import Laboratory, served
from speeds import Speeds

READY_S = 3
DENOISED_MS = 20
SAMPLED_S = 3
EIGENPAIRS_S = 4

# From a click until what it led to is there, in seconds, as the page's own clock has it.
CLICK = """async (button) => {
  const start = performance.now();
  const there = () => {
    const opened = document.querySelector(".lab-open:not([hidden])");
    return button.classList.contains("lab-start") && button.isConnected ? !button.disabled : opened;
  };
  button.click();
  while (!there()) await new Promise((done) => setTimeout(done, 4));
  return (performance.now() - start) / 1000;
}"""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with served() as address:
        yield f"{address}/"


def measured(benchmark: BenchmarkFixture, speeds: Speeds, what: str, times: list[float]) -> float:
    median = float(np.median(times))
    benchmark.extra_info["median, s"] = round(median, 4)
    text = f"{median:.2g} s" if median > 0.1 else f"{1000 * median:.2g} ms"
    speeds.note(f"laboratory in Chromium: {what}", text)
    return median


def test_ready(benchmark: BenchmarkFixture, address, visit, speeds: Speeds) -> None:
    """From the click on an empty cache to the first image denoised by both networks."""
    times: list[float] = []

    def start() -> None:
        lab = Laboratory(visit(address))
        times.append(lab.starter.evaluate(CLICK))
        assert lab.results("denoise"), lab.notice.inner_text()  # it is open, and has not failed

    benchmark.pedantic(start, rounds=5)
    assert measured(benchmark, speeds, "ready after the click", times) < READY_S, times


def test_denoising(benchmark: BenchmarkFixture, address, visit, speeds: Speeds) -> None:
    """One image, as the worker's clock has it."""
    lab = Laboratory(visit(address)).start()
    times: list[float] = []  # of both networks in each round

    def denoise() -> None:
        lab.denoise.get_by_role("button", name="another").click()
        lab.settle()
        results = lab.results("denoise")["results"]
        times.extend(result["milliseconds"] / 1000 for result in results)

    for _ in range(5):
        denoise()
    times.clear()  # first runs take longer
    benchmark.pedantic(denoise, rounds=20)
    median = measured(benchmark, speeds, "one image denoised", times)
    assert 1000 * median < DENOISED_MS, times


@pytest.mark.parametrize(
    ("section", "what", "most"),
    [
        ("Sample", "two samples of 784 pixels, some 40 steps each", SAMPLED_S),
        ("Eigenvectors", "16 leading eigenpairs of a 784 x 784 Jacobian", EIGENPAIRS_S),
    ],
)
def test_long_task(
    benchmark: BenchmarkFixture,
    section,
    what,
    most,
    address,
    visit,
    speeds: Speeds,
) -> None:
    lab = Laboratory(visit(address)).start()
    button = lab.section(section).locator(".lab-start")
    times: list[float] = []
    benchmark.pedantic(lambda: times.append(button.evaluate(CLICK)), rounds=5)
    assert "It took" in lab.section(section).get_by_role("status").inner_text()
    assert measured(benchmark, speeds, what, times) < most, times
