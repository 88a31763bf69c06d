from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from gahr_lib.models.bias_free import (
    BiasFreeBatchNorm,
    _channel_variance,
    convolution,
    transposed_convolution,
)
from helpers import intensities, seeded

pytestmark = pytest.mark.usefixtures("untouched_random_state")


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=seeded(seed), dtype=torch.float64)


def test_in_training_each_channel_is_divided_by_its_standard_deviation() -> None:
    norm = BiasFreeBatchNorm(3).double()
    x = normal(4, 3, 5, 6) * torch.tensor([0.1, 1.0, 7.0]).reshape(1, 3, 1, 1) + 2
    y = norm(x)
    for c in range(3):
        channel = x[:, c].numpy()
        expected = channel / (channel.var() + 1e-5) ** 0.5
        torch.testing.assert_close(y[:, c], torch.from_numpy(expected))


def test_the_mean_is_never_subtracted() -> None:
    x = normal(4, 1, 8, 8) + 5
    y = BiasFreeBatchNorm(1).double()(x).detach()
    assert float(y.mean() / y.std()) == pytest.approx(float(x.mean() / x.std()))


def test_the_running_standard_deviation_moves_by_the_momentum() -> None:
    norm = BiasFreeBatchNorm(2, momentum=0.1).double()
    expected = torch.ones(2, dtype=torch.float64)
    for seed in range(3):
        x = normal(4, 2, 5, 5, seed=seed) * (seed + 2)
        norm(x)
        sd = (x.var(dim=(0, 2, 3), unbiased=False) + 1e-5).sqrt()
        expected = 0.9 * expected + 0.1 * sd
    torch.testing.assert_close(norm.running_sd.flatten(), expected)


def test_in_evaluation_it_is_a_fixed_scale() -> None:
    norm = BiasFreeBatchNorm(2).double().eval()
    norm.running_sd.copy_(torch.tensor([2.0, 0.5]).reshape(1, 2, 1, 1))
    norm.gammas.data.copy_(torch.tensor([3.0, -1.0]).reshape(1, 2, 1, 1))
    x = normal(3, 2, 4, 4)
    torch.testing.assert_close(norm(x), x * torch.tensor([1.5, -2.0]).reshape(1, 2, 1, 1))
    assert norm.running_sd.flatten().tolist() == [2.0, 0.5]


def test_the_gradient_flows_through_the_standard_deviation() -> None:
    norm = BiasFreeBatchNorm(2).double()
    x = normal(2, 2, 3, 3).requires_grad_()

    def written_out(x: torch.Tensor) -> torch.Tensor:
        sd = (x.var(dim=(0, 2, 3), keepdim=True, unbiased=False) + 1e-5).sqrt()
        return x / sd * norm.gammas

    weight = normal(2, 2, 3, 3, seed=1)
    (ours,) = torch.autograd.grad((norm(x) * weight).sum(), x)
    (theirs,) = torch.autograd.grad((written_out(x) * weight).sum(), x)
    torch.testing.assert_close(ours, theirs)


def test_a_channel_without_contrast_stays_finite() -> None:
    norm = BiasFreeBatchNorm(1)
    assert torch.isfinite(norm(torch.full((2, 1, 4, 4), 0.3))).all()
    assert torch.isfinite(norm(torch.zeros(2, 1, 4, 4))).all()


def test_a_mean_of_four_standard_deviations_costs_a_thousandth_of_the_variance() -> None:
    # About the largest ratio in the trained networks. The error grows with its square.
    x = (normal(32, 16, 28, 28) + 4).float()
    exact = x.double().var(dim=(0, 2, 3), unbiased=False)
    error = _channel_variance(x).flatten().double() / exact - 1
    assert float(error.abs().max()) < 1e-3


def test_memory_layout_does_not_matter() -> None:
    x = intensities(2, 3, 6, 6)
    rows = BiasFreeBatchNorm(3)(x)
    lying_together = BiasFreeBatchNorm(3)(x.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(rows, lying_together)


def test_only_gains_are_trained_and_only_the_scale_is_kept() -> None:
    norm = BiasFreeBatchNorm(5)
    assert {name: tuple(t.shape) for name, t in norm.named_parameters()} == {"gammas": (1, 5, 1, 1)}
    assert {name: tuple(t.shape) for name, t in norm.named_buffers()} == {
        "running_sd": (1, 5, 1, 1)
    }


@pytest.mark.parametrize("size", [1, 3, 5])
def test_convolutions_keep_the_size_and_have_no_bias(size: int) -> None:
    layer = convolution(2, 3, size=size, generator=seeded())
    x = intensities(1, 2, 6, 7)
    assert layer.bias is None
    torch.testing.assert_close(layer(x), F.conv2d(x, layer.weight, padding=size // 2))
    assert layer(x).shape == (1, 3, 6, 7)


def test_transposed_convolutions_double_the_size_and_have_no_bias() -> None:
    layer = transposed_convolution(4, 2, generator=seeded())
    assert layer.bias is None
    assert layer(intensities(1, 4, 3, 5)).shape == (1, 2, 6, 10)


def test_convolutions_can_have_a_bias_which_starts_at_zero() -> None:
    layers = [
        convolution(4, 2, bias=True, generator=seeded()),
        transposed_convolution(4, 2, bias=True, generator=seeded()),
    ]
    for layer, operation in zip(
        layers, [partial(F.conv2d, padding=1), partial(F.conv_transpose2d, stride=2)], strict=True
    ):
        assert layer.bias.requires_grad
        assert layer.bias.tolist() == [0, 0]
        layer.bias.data.copy_(torch.tensor([0.5, -2.0]))
        x = intensities(1, 4, 3, 5)
        expected = operation(x, layer.weight) + torch.tensor([0.5, -2.0]).reshape(1, 2, 1, 1)
        torch.testing.assert_close(layer(x), expected)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("make", [convolution, transposed_convolution])
def test_initial_weights_come_from_the_generator(make: Callable[..., Any], bias: bool) -> None:
    make = partial(make, bias=bias)
    assert torch.equal(
        make(2, 3, generator=seeded(1)).weight, make(2, 3, generator=seeded(1)).weight
    )
    generator = seeded(1)
    first = make(2, 3, generator=generator).weight
    assert not torch.equal(first, make(2, 3, generator=generator).weight)


def test_initial_weights_are_the_ones_that_pytorch_would_draw() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        theirs = torch.nn.Conv2d(2, 3, 3, padding=1, bias=False).weight
    assert torch.equal(convolution(2, 3, generator=seeded(7)).weight, theirs)
