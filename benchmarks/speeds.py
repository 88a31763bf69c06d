"""Timing ours and the plain way by turns in one run, and the table of what was found."""

import datetime
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from pytest_benchmark.fixture import BenchmarkFixture

Work = Callable[[], object]


@dataclass
class Speeds:
    """The lines of the table, filled by the benchmarks as they run."""

    lines: list[tuple[str, str, str, str]] = field(default_factory=list)

    def compare(
        self,
        benchmark: BenchmarkFixture,
        what: str,
        ours: Work,
        plain: Work,
        *,
        items: tuple[float, float] = (1, 1),
        unit: str = "calls/s",
        rounds: int = 5,
    ) -> float:
        """Return how many times faster ours is than the plain way, per item.

        The two are timed by turns, so that a busy moment of the machine meets both; the ratio is
        that of the medians. `items` says how many of what `unit` counts each call makes.
        """
        plain()
        times = []

        def time_the_plain_way() -> None:
            start = time.perf_counter()
            plain()
            times.append(time.perf_counter() - start)

        benchmark.pedantic(ours, setup=time_the_plain_way, rounds=rounds, warmup_rounds=1)
        if benchmark.stats is None:  # --benchmark-disable: both have run, untimed
            return float("inf")
        rates = (
            items[0] / benchmark.stats.stats.median,
            items[1] / statistics.median(times),
        )
        ratio = rates[0] / rates[1]
        benchmark.extra_info |= {"ratio": round(ratio, 1), "plain": rates[1], "ours": rates[0]}
        texts = (f"{rate:,.0f}" if rate >= 10 else f"{rate:.3g}" for rate in rates)
        ours_text, plain_text = (f"{text} {unit}" for text in texts)
        self.lines.append((what, ours_text, plain_text, f"{ratio:.1f} times"))
        return ratio

    def note(self, what: str, value: str) -> None:
        """Add a line for what has no plain way beside it."""
        self.lines.append((what, value, "", ""))

    def markdown(self) -> str:
        """Return the table, with the machine and the date."""
        head = ("What", "gahr_lib", "plain way", "faster")
        rows = [head, ("---",) * 4, *self.lines]
        table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
        return f"{_machine()}, {datetime.date.today():%-d %B %Y}.\n\n{table}\n"


def _machine() -> str:
    """Return the processor, the threads that torch uses, and the versions."""
    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        processor = names[0].partition(":")[2].strip() if names else processor
    return (
        f"{processor}, {torch.get_num_threads()} threads, {platform.system()}, "
        f"Python {platform.python_version()}, PyTorch {torch.__version__}"
    )
