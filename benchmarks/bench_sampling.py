"""Sampling in a batch, and image by image in the plain loop of Algorithm 1.

    pytest benchmarks/bench_sampling.py --benchmark-enable

On all cores small batches have little to share out, so the batch gains more than on one core, where
it gains by longer inner loops and by the order of its numbers in memory alone. Where others use the
machine, too, the ratio on all cores comes out too high: threads of small tasks wait for each other.
"""

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor

from gahr_lib import load_denoiser
from gahr_lib.models import ResidualNetwork
from gahr_lib.sampling import SETTINGS, SampleConfig, sample
from speeds import Speeds

N = 64


def plain_sample(network: ResidualNetwork, seed: int, config: SampleConfig) -> Tensor:
    """Algorithm 1 as it is printed, for one image."""
    generator = torch.Generator().manual_seed(seed)
    x = config.mean + config.sigma_0 * torch.randn(1, 1, 28, 28, generator=generator)
    sigma, t = config.sigma_0, 1
    with torch.no_grad():
        while True:
            h = config.h0 * t / (1 + config.h0 * (t - 1))
            residual = network(x) - x
            sigma = float(residual.norm() / 28)
            if sigma < config.sigma_inf:
                return x + residual
            gamma = sigma * ((1 - config.beta * h) ** 2 - (1 - h) ** 2) ** 0.5
            x = x + h * residual + gamma * torch.randn(1, 1, 28, 28, generator=generator)
            t += 1


@pytest.mark.parametrize(("threads", "least"), [("one_core", 2), ("all_cores", 3)])
def test_sampling(
    benchmark: BenchmarkFixture,
    speeds: Speeds,
    threads: str,
    least: float,
    request: pytest.FixtureRequest,
) -> None:
    if threads == "one_core":
        request.getfixturevalue("one_core")
    network, config = load_denoiser("fashion", n_train=30_000, half="A"), SETTINGS["ramp"]
    seeds = torch.randint(2**62, (N,), generator=torch.Generator().manual_seed(0)).tolist()

    def ours() -> Tensor:
        return sample(network, N, config=config, generator=torch.Generator().manual_seed(0))

    def plain() -> Tensor:
        return torch.cat([plain_sample(network, seed, config) for seed in seeds[:4]])

    # Rounding differs with the batch, and a hundred steps across kinks of the network enlarge it.
    similar = torch.cosine_similarity(ours()[:4].flatten(1), plain().flatten(1))
    assert similar.median() > 0.99
    ratio = speeds.compare(
        benchmark,
        f"Sampling {N} images of 28x28, 114,496 parameters, {threads.replace('_', ' ')}",
        ours,
        plain,
        items=(N, 4),
        unit="images/s",
        rounds=3,
    )
    assert ratio >= least
