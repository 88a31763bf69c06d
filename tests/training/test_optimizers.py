import copy
import math
from typing import Literal

import pytest
import torch
from torch import Tensor, nn

from gahr_lib.models import BFCNN, ResidualNetwork, UNet
from gahr_lib.training import TrainConfig
from gahr_lib.training.optimizers import Optimizer, _inner_convolutions
from helpers import seeded
from training.small_runs import equal, weights

pytestmark = pytest.mark.usefixtures("untouched_random_state")

FORMATS = {"contiguous": torch.contiguous_format, "channels last": torch.channels_last}
RATES = (0.01, 0.03, 0.002)


def unet(form: str = "channels last", **kwargs: int) -> UNet:
    network = UNet(**{"width": 4, "blocks": 2} | kwargs, generator=seeded())
    return network.to(memory_format=FORMATS[form])  # type: ignore[call-overload]


def bf_cnn(**kwargs: int) -> BFCNN:
    return BFCNN(**{"width": 5, "layers": 5} | kwargs, generator=seeded())


def optimizer_of(network: ResidualNetwork, name: Literal["muon", "adam"] = "muon") -> Optimizer:
    return Optimizer(network, TrainConfig(optimizer=name))


def set_gradients(network: nn.Module, seed: int) -> None:
    generator = seeded(seed)
    for weight in network.parameters():
        gradient = torch.randn(weight.shape, generator=generator)
        weight.grad = torch.empty_like(weight).copy_(gradient)  # in the weight's memory format


def steps(network: nn.Module, optimizer: Optimizer, seeds: range = range(3)) -> list[Tensor]:
    for seed in seeds:
        optimizer.zero_grad()
        set_gradients(network, seed)
        optimizer.step(RATES[seed])
    return weights(network)


def names_of(network: ResidualNetwork, chosen: list[nn.Parameter]) -> list[str]:
    return [name for name, p in network.named_parameters() if any(p is c for c in chosen)]


# Adam


@pytest.mark.parametrize("network", [unet(), bf_cnn(), bf_cnn(bias=True)])
def test_adam_alone_is_that_of_pytorch(network: ResidualNetwork) -> None:
    ours, theirs = copy.deepcopy(network), copy.deepcopy(network)
    steps(ours, optimizer_of(ours, "adam"))
    adam = torch.optim.Adam(theirs.parameters(), fused=True)
    for seed, rate in enumerate(RATES):
        set_gradients(theirs, seed)
        adam.param_groups[0]["lr"] = rate
        adam.step()
    assert equal(weights(ours), weights(theirs))


def test_muon_leaves_the_rest_to_adam() -> None:
    muon, adam = unet(), unet()
    steps(muon, optimizer_of(muon))
    steps(adam, optimizer_of(adam, "adam"))
    inner = names_of(muon, _inner_convolutions(muon))
    for (name, ours), theirs in zip(muon.named_parameters(), adam.parameters(), strict=True):
        assert torch.equal(ours, theirs) == (name not in inner), name


# Muon


@pytest.mark.parametrize("form", FORMATS)
def test_a_step_of_muon_is_the_orthogonal_factor_of_the_gradients_average(form: str) -> None:
    """Of U S V', Newton and Schulz find U V' with singular values of about 1 (Jordan et al.)."""
    network = unet(form)
    optimizer, momentum = optimizer_of(network), 0.95
    inner = _inner_convolutions(network)
    averages = [torch.zeros_like(weight).flatten(1) for weight in inner]
    for seed, rate in enumerate(RATES):
        before = [weight.detach().clone() for weight in inner]
        steps(network, optimizer, range(seed, seed + 1))
        for weight, old, average in zip(inner, before, averages, strict=True):
            assert weight.grad is not None
            gradient = weight.grad.flatten(1)
            average.mul_(momentum).add_((1 - momentum) * gradient)
            ahead = momentum * average + (1 - momentum) * gradient  # as Nesterov looks
            u, _, vt = torch.linalg.svd(ahead, full_matrices=False)
            step = (old - weight.detach()).flatten(1) / (rate * 0.2 * math.sqrt(max(ahead.shape)))
            found = u.T @ step @ vt.T
            values = found.diagonal()
            assert values.min() > 0.5
            assert values.max() < 1.5
            assert (found - values.diag()).abs().max() < 0.05  # its products have eight bits
            inside = u @ found @ vt
            assert (step - inside).norm() < 0.05 * step.norm()


@pytest.mark.parametrize("form", FORMATS)
def test_matrices_are_the_weights(form: str) -> None:
    network = unet(form)
    optimizer = optimizer_of(network)
    kinds = {type(module) for module in network.modules() if hasattr(module, "kernel_size")}
    assert kinds == {nn.Conv2d, nn.ConvTranspose2d}
    assert len(optimizer._matrices) == 10
    for weight, matrix in optimizer._matrices:
        numbers = torch.arange(float(weight.numel())).reshape(weight.shape)
        weight.data.copy_(numbers)
        assert torch.equal(matrix.sort(dim=1).values, numbers.flatten(1))
        matrix.mul_(2)
        assert torch.equal(weight.data, 2 * numbers)


def test_a_matrix_reads_its_gradient_in_the_order_of_its_weight() -> None:
    alike, unlike = unet(), unet()
    optimizers = optimizer_of(alike), optimizer_of(unlike)
    set_gradients(alike, 0)
    pairs = list(zip(_inner_convolutions(alike), _inner_convolutions(unlike), strict=True))
    for weight, other in pairs:
        assert weight.grad is not None
        other.grad = weight.grad.contiguous()
    for optimizer in optimizers:
        optimizer.step(0.01)
    assert all(torch.equal(weight, other) for weight, other in pairs)


def test_a_forgotten_gradient_moves_nothing() -> None:
    network = unet()
    optimizer = optimizer_of(network)
    steps(network, optimizer)
    before = weights(network)
    optimizer.zero_grad()
    optimizer.step(0.01)
    assert equal(weights(network), before)


@pytest.mark.parametrize("name", ["muon", "adam"])
def test_moments_are_taken_along(name: Literal["muon", "adam"]) -> None:
    network = unet()
    optimizer = optimizer_of(network, name)
    steps(network, optimizer, range(2))
    twin = copy.deepcopy(network)
    again, forgetful = optimizer_of(twin, name), copy.deepcopy(network)
    again.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    ours = steps(network, optimizer, range(2, 3))
    assert equal(ours, steps(twin, again, range(2, 3)))
    assert not equal(ours, steps(forgetful, optimizer_of(forgetful, name), range(2, 3)))


# Which weights


@pytest.mark.parametrize("bias", [False, True])
def test_the_convolutions_between_features_of_a_unet(bias: bool) -> None:
    network = unet(bias=bias)
    assert names_of(network, _inner_convolutions(network)) == [
        "encoder.0.2.weight",
        "encoder.1.0.weight",
        "encoder.1.3.weight",
        "mid_block.0.weight",
        "mid_block.3.weight",
        "upsample.1.weight",
        "upsample.0.weight",
        "decoder.1.0.weight",
        "decoder.1.3.weight",
        "decoder.0.0.weight",
    ]


@pytest.mark.parametrize("channels", [1, 3])
def test_the_convolutions_between_features_of_a_bf_cnn(channels: int) -> None:
    network = bf_cnn(channels=channels)
    expected = [f"conv_layers.{i}.weight" for i in (1, 2, 3)]
    assert names_of(network, _inner_convolutions(network)) == expected


@pytest.mark.parametrize("channels", [1, 3])
def test_a_network_as_narrow_as_its_image_is_left_to_adam(channels: int) -> None:
    ours, theirs = (bf_cnn(width=channels, channels=channels) for _ in range(2))
    optimizer = optimizer_of(ours)
    assert equal(steps(ours, optimizer), steps(theirs, optimizer_of(theirs, "adam")))
    optimizer.load_state_dict(optimizer.state_dict())


@pytest.mark.parametrize("network", [unet(), unet(bias=True), bf_cnn(bias=True)])
def test_every_weight_takes_a_step(network: ResidualNetwork) -> None:
    network = copy.deepcopy(network)
    before = [p.detach().clone() for p in network.parameters()]
    steps(network, optimizer_of(network), range(1))
    for (name, now), old in zip(network.named_parameters(), before, strict=True):
        assert not torch.equal(now, old), name
