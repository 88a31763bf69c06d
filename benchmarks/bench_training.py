"""Speed of a training step beside the plain loop, and how much of the machine it uses.

The plain loop trains the same network in PyTorch's default memory layout, with the norm's variance
by `Tensor.var` and an optimizer that updates weight by weight.
"""

import time
from collections.abc import Callable, Iterator

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from gahr_lib.models import BiasFreeBatchNorm, ResidualNetwork, UNet
from gahr_lib.training import TrainConfig, draw_sigmas, train
from speeds import Speeds

CASES = {
    "28x28, 114,496 parameters": (28, 64, lambda g: UNet(width=16, blocks=2, generator=g)),
    "80x80, 7,659,264 parameters": (80, 8, lambda g: UNet(width=64, blocks=3, generator=g)),
}


class PlainNorm(BiasFreeBatchNorm):
    """The bias-free norm as one would first write it."""

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            sd = (x.var(dim=(0, 2, 3), keepdim=True, unbiased=False) + self.eps).sqrt()
            with torch.no_grad():
                self.running_sd.lerp_(sd, self.momentum)
        else:
            sd = self.running_sd
        return x / sd * self.gammas


def plain_steps(network: ResidualNetwork, images: Tensor, config: TrainConfig) -> Iterator[float]:
    for module in list(network.modules()):
        if isinstance(module, BiasFreeBatchNorm):
            module.__class__ = PlainNorm
    network.train()
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, foreach=False)
    while True:
        x = images[torch.randint(len(images), (config.batch_size,), generator=generator)]
        sigma = draw_sigmas(len(x), config, generator=generator)
        noise = sigma * torch.randn(x.shape, generator=generator)
        loss = (network.residual(x + noise) - noise).square().sum() / len(x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss.item()


@pytest.mark.parametrize("case", CASES)
def test_training_step(benchmark: BenchmarkFixture, speeds: Speeds, case: str) -> None:
    size, batch, make = CASES[case]
    images = torch.rand(4 * batch, 1, size, size, generator=torch.Generator().manual_seed(1))
    config = TrainConfig(steps=10_000, batch_size=batch, optimizer="adam")
    network = make(torch.Generator().manual_seed(0))
    ours = train(network, images, config, generator=torch.Generator().manual_seed(0))
    plain = plain_steps(make(torch.Generator().manual_seed(0)), images, config)
    ratio = speeds.compare(
        benchmark,
        f"Training, {case}",
        lambda: next(ours),
        lambda: next(plain),
        items=(batch, batch),
        unit="images/s",
        rounds=7,
    )
    assert ratio >= 1
    peak = matmul_peak()
    seconds, in_convolutions = convolution_share(lambda: next(ours))
    operations = 3 * batch * convolution_operations(network, size)
    share, whole = operations / in_convolutions / peak, operations / seconds / peak
    speeds.note(
        f"of which convolutions reach, of the {peak / 1e9:,.0f} GFLOP/s of a matrix product",
        f"{share:.0%}; the whole step {whole:.0%}",
    )
    if size == 80:
        assert share >= 0.65


def test_inference(benchmark: BenchmarkFixture, speeds: Speeds) -> None:
    """Denoise 8 images of 80x80 with the paper's network; the fraction of the peak alone."""
    network = CASES["80x80, 7,659,264 parameters"][2](torch.Generator().manual_seed(0)).eval()
    y = torch.rand(8, 1, 80, 80, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        benchmark.pedantic(lambda: network(y), rounds=7, warmup_rounds=2)
    if benchmark.stats is not None:
        rate = 8 * convolution_operations(network, 80) / benchmark.stats.stats.median
        speeds.note(
            "Denoising, 80x80, 7,659,264 parameters, of the peak of a matrix product",
            f"{rate / matmul_peak():.0%}",
        )


def matmul_peak(size: int = 2048, rounds: int = 7) -> float:
    """Return the operations per second of the best of a few matrix products."""
    a, b = torch.rand(size, size), torch.rand(size, size)
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        a @ b
        times.append(time.perf_counter() - start)
    return 2 * size**3 / min(times)


def convolution_operations(network: ResidualNetwork, size: int) -> float:
    """Return the operations of one image's convolutions, two for each product and sum."""
    total = 0

    def count(module: torch.nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        kernel = module.weight[0, 0].numel()
        places = output if isinstance(module, torch.nn.Conv2d) else inputs[0]
        nonlocal total
        total += 2 * kernel * module.in_channels * module.out_channels * places[0, 0].numel()

    kinds = (torch.nn.Conv2d, torch.nn.ConvTranspose2d)
    hooks = [m.register_forward_hook(count) for m in network.modules() if isinstance(m, kinds)]
    with torch.no_grad():
        network.residual(torch.zeros(1, 1, size, size))
    for hook in hooks:
        hook.remove()
    return total


def convolution_share(step: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds of a step, and those of its convolutions, forward and backward."""
    step()
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        start = time.perf_counter()
        step()
        seconds = time.perf_counter() - start
    microseconds = sum(
        event.self_cpu_time_total
        for event in profiler.key_averages()
        if event.key in {"aten::mkldnn_convolution", "aten::convolution_backward"}
        or "mkldnn_convolution" in event.key
    )
    return seconds, microseconds / 1e6
