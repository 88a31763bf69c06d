"""Speed of the Jacobian and of its leading eigenvectors beside one backward pass per output pixel.

    pytest benchmarks/bench_jacobian.py --benchmark-enable

The plain way runs the network once, asks autograd for the gradient of each output pixel in turn,
and decomposes the matrix. For the paper's network at 80x80 it would take most of an hour; a sample
of its rows stands for all.
"""

import statistics
import time
from collections.abc import Callable, Iterable

import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor, nn

from bench_training import convolution_operations, matmul_peak
from gahr_lib import add_noise, eigenbasis, load_denoiser
from gahr_lib.analysis.jacobian import jacobian
from gahr_lib.data import c_alpha, fashion
from gahr_lib.models import BiasFreeBatchNorm, ResidualNetwork, UNet
from speeds import Speeds


def plain_rows(network: ResidualNetwork, y: Tensor, pixels: Iterable[int]) -> Tensor:
    x = y.clone().requires_grad_()
    out = network(x).flatten()
    rows = [torch.autograd.grad(out[i], x, retain_graph=True)[0].flatten() for i in pixels]
    return torch.stack(rows)


def noisy(x: Tensor) -> Tensor:
    return add_noise(x, 0.1, generator=torch.Generator().manual_seed(1))


def widened(small: UNet) -> UNet:
    """Return the paper's UNet, of 7,659,264 parameters, that computes what a smaller one does.

    The channels of the small network are the first of the large one, whose others run idle; so does
    the block at the bottom, beside which the small network's own goes up the skip. The arithmetic
    is that of any UNet of this size, and the Jacobian is that of a trained denoiser: an untrained
    one would have no eigenvalues to speak of.
    """
    large = UNet(width=64, blocks=3, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for module in large.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                module.weight.mul_(1e-3)  # idle, but no zeros, which might be quick to multiply
        for name in ("encoder.0", "encoder.1"):
            implant(small.get_submodule(name), large.get_submodule(name))
        implant(small.mid_block, large.encoder["2"])
        # Once up and once across: what comes over the skip goes on as it is.
        for i, layer in enumerate(m for m in large.decoder["2"] if isinstance(m, nn.Conv2d)):
            first = 256 if i == 0 else 0
            layer.weight[:64] = 0
            layer.weight[range(64), range(first, first + 64), 1, 1] = 1
        for name in ("0", "1"):
            a, b = small.upsample[name].weight, large.upsample[name].weight  # inputs come first
            b[:, : a.shape[1]] = 0
            b[: len(a), : a.shape[1]] = a
            implant(small.decoder[name], large.decoder[name], skips=True)
    return large.eval().requires_grad_(False)


def implant(small: nn.Module, large: nn.Module, *, skips: bool = False) -> None:
    """Copy a block into the first channels of a wider one."""
    for i, (a, b) in enumerate(zip(small.children(), large.children(), strict=True)):
        if isinstance(a, nn.Conv2d):
            halves = 2 if skips and i == 0 else 1  # of the input: from below, and over the skip
            n, m, k = len(a.weight), a.in_channels // halves, b.in_channels // halves
            b.weight[:n] = 0
            for h in range(halves):
                b.weight[:n, h * k : h * k + m] = a.weight[:, h * m : h * m + m]
        elif isinstance(a, BiasFreeBatchNorm):
            b.gammas[:, : a.gammas.shape[1]] = a.gammas
            b.running_sd[:, : a.gammas.shape[1]] = a.running_sd


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def test_whole_jacobian(benchmark: BenchmarkFixture, speeds: Speeds) -> None:
    network, y = load_denoiser("fashion", n_train=30_000), noisy(fashion("test", n=1))
    torch.testing.assert_close(
        jacobian(network, y), plain_rows(network, y, range(784)), atol=1e-4, rtol=1e-4
    )
    speeds.compare(
        benchmark,
        "Jacobian, 28x28, 114,496 parameters",
        lambda: jacobian(network, y),
        lambda: plain_rows(network, y, range(784)),
        unit="Jacobians/s",
        rounds=7,
    )
    if benchmark.stats is not None:
        operations = 784 * convolution_operations(network, 28)
        share = operations / benchmark.stats.stats.median / matmul_peak()
        speeds.note("of which convolutions need, of the peak of a matrix product", f"{share:.0%}")


def test_leading_eigenvectors(benchmark: BenchmarkFixture, speeds: Speeds) -> None:
    small = load_denoiser("fashion", n_train=30_000)
    network, k, d = widened(small), 50, 80 * 80
    y = noisy(c_alpha(1, 80, generator=torch.Generator().manual_seed(0)))
    torch.testing.assert_close(network(y), small(y), atol=1e-4, rtol=1e-4)
    if benchmark.disabled:  # the same code, sooner
        benchmark(lambda: eigenbasis(network, y[..., :32, :32], k, method="iterative"))
        return
    matrix = torch.randn(d, d, generator=torch.Generator().manual_seed(2))
    decomposition = seconds(lambda: torch.linalg.eigh(matrix + matrix.T))
    rows = range(0, d, d // 20)
    times: list[float] = []
    benchmark.pedantic(
        lambda: eigenbasis(network, y, k, method="iterative"),
        setup=lambda: times.append(seconds(lambda: plain_rows(network, y, rows))),
        rounds=3,
    )
    assert benchmark.stats is not None
    ours = benchmark.stats.stats.median
    plain = statistics.median(times) * d / len(rows) + decomposition
    speeds.lines.append(
        (
            f"{k} leading eigenvectors, 80x80, 7,659,264 parameters",
            f"{ours:.0f} s",
            f"{plain:.0f} s",
            f"{plain / ours:.1f} times",
        )
    )
    assert plain / ours >= 10
