"""Time to a test PSNR: the recipe of the book beside the authors' on the same network and batch.

The authors train with Adam at 1e-3, halved after every tenth of the steps, keep the last weights,
and sum squared errors over all noise levels alike, sigma = u^2. A recipe is worth what it reaches
in the time that it is given, so theirs is given four times as many steps, and its schedule is
stretched to them.
"""

import time
from dataclasses import replace

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from gahr_lib.analysis.evaluation import psnr_curve
from gahr_lib.data import fashion
from gahr_lib.jobs import SCALES
from gahr_lib.models import UNet
from gahr_lib.training import TrainConfig, train
from speeds import Speeds

SIGMAS = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
STEPS = 500
OURS = replace(SCALES["book"].training, steps=STEPS)
THEIRS = TrainConfig(
    steps=4 * STEPS,
    batch_size=OURS.batch_size,
    optimizer="adam",
    learning_rate=1e-3,
    schedule="halving",
    warmup=0,
    average=0,
    sigma_power=2,
    sigma_min=0,
    weight_power=0,
)


def learn(config: TrainConfig) -> tuple[float, float]:
    """Return the seconds of training and the PSNR on test images, averaged over noise levels."""
    generator = torch.Generator().manual_seed(0)
    network = UNet(width=16, blocks=2, generator=generator)
    start = time.perf_counter()
    images = fashion("train", half="A", n=1_000)
    *_, state = train(network, images, config, generator=generator)
    seconds = time.perf_counter() - start
    noise = torch.Generator().manual_seed(1)
    curve = psnr_curve(state.denoiser(), fashion("test", n=500), SIGMAS, generator=noise)
    return seconds, float(curve.mean())


@pytest.mark.usefixtures("one_core")
def test_recipe(benchmark: BenchmarkFixture, speeds: Speeds) -> None:
    seconds, reached = benchmark.pedantic(lambda: learn(OURS), rounds=1)
    their_seconds, theirs = learn(THEIRS)
    assert their_seconds > 3 * seconds
    assert theirs < reached
    speeds.lines.append(
        (
            "Training to a test PSNR, 28x28, 114,496 parameters",
            f"{reached:.2f} dB in {seconds:.0f} s",
            f"{theirs:.2f} dB in {their_seconds:.0f} s",
            f"over {their_seconds / seconds:.1f} times",
        )
    )
