import copy
import math
from dataclasses import FrozenInstanceError
from itertools import pairwise
from typing import Literal

import pytest
import torch
from torch import Tensor, nn

from gahr_lib.errors import ConfigError, ShapeError, TrainingError
from gahr_lib.models import BFCNN, ResidualNetwork, UNet
from gahr_lib.models.base import Activation
from gahr_lib.training import TrainConfig, train
from helpers import seeded, small_bf_cnn, small_unet
from training.small_runs import CONFIG, IMAGES, equal, fresh, new_network, run, weights

pytestmark = pytest.mark.usefixtures("untouched_random_state")


# One step


@pytest.mark.parametrize("weight_power", [0.0, 1.0, 2.0])
def test_steps_are_those_of_an_independent_loop(weight_power: float) -> None:
    config = TrainConfig(
        steps=5,
        batch_size=4,
        optimizer="adam",
        warmup=2,
        learning_rate=0.01,
        average=0.5,
        sigma_power=1.5,
        weight_power=weight_power,
    )
    network, generator = new_network().train(), seeded(1)
    optimizer = torch.optim.Adam(network.parameters(), lr=1.0)
    average = [value.clone() for value in network.state_dict().values()]
    states = train(new_network(), IMAGES, config, generator=seeded(1))
    for i, state in enumerate(states):
        x = IMAGES[torch.randint(10, (4,), generator=generator)]
        sigma = torch.rand(4, 1, 1, 1, generator=generator) ** 1.5 + config.sigma_min
        noise = sigma * torch.randn(x.shape, generator=generator)
        denoised = network(x + noise)
        weight = [1 / level**weight_power for level in sigma.flatten().tolist()]
        loss = sum(weight[b] * (denoised[b] - x[b]).square().mean() for b in range(4)) / 4
        optimizer.param_groups[0]["lr"] = (
            0.01 * min(1, (i + 1) / 3) * (1 + math.cos(math.pi * i / 5)) / 2
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        decay = min(0.5, (i + 1) / (i + 11))
        average = [
            decay * old + (1 - decay) * new
            for old, new in zip(average, network.state_dict().values(), strict=True)
        ]
        assert state.step == i + 1
        assert state.loss == pytest.approx(loss.item(), rel=1e-4)
        assert state.learning_rate == pytest.approx(optimizer.param_groups[0]["lr"])
        torch.testing.assert_close(weights(state.network), weights(network), atol=1e-5, rtol=1e-3)
        torch.testing.assert_close(weights(state.averaged), average, atol=1e-5, rtol=1e-3)
    assert i == 4


def optimizers_written_out(
    network: ResidualNetwork, config: TrainConfig
) -> list[torch.optim.Optimizer]:
    """Adam for all; or Muon for the inner convolutions, as matrices whose rows are in memory so."""
    inner = [
        module.weight
        for module in network.modules()
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d))
        and 1 not in (module.in_channels, module.out_channels)
    ]
    if config.optimizer == "adam":
        return [torch.optim.Adam(network.parameters(), fused=True)]
    rest = [p for p in network.parameters() if not any(p is weight for weight in inner)]
    matrices = [weight.data.permute(0, 2, 3, 1).flatten(1) for weight in inner]

    def follow(*_: object) -> None:
        for matrix, weight in zip(matrices, inner, strict=True):
            assert weight.grad is not None
            matrix.grad = weight.grad.permute(0, 2, 3, 1).flatten(1)

    muon = torch.optim.Muon(matrices, weight_decay=0, adjust_lr_fn="match_rms_adamw")
    muon.register_step_pre_hook(follow)
    return [torch.optim.Adam(rest, fused=True), muon]


@pytest.mark.parametrize("network", [small_unet(2), small_bf_cnn(4)])
@pytest.mark.parametrize("schedule", ["cosine", "halving"])
@pytest.mark.parametrize("optimizer", ["muon", "adam"])
def test_steps_are_to_the_bit_what_they_were(
    network: ResidualNetwork,
    schedule: Literal["cosine", "halving"],
    optimizer: Literal["muon", "adam"],
) -> None:
    """The networks of the package were trained by these operations in this order."""
    config = TrainConfig(
        steps=25, batch_size=6, warmup=3, average=0.9, schedule=schedule, optimizer=optimizer
    )
    network = copy.deepcopy(network).requires_grad_(True)
    ours, generator = copy.deepcopy(network).train(), seeded(1)
    ours.to(memory_format=torch.channels_last)
    optimizers = optimizers_written_out(ours, config)
    averages = [value.clone() for value in ours.state_dict().values()]
    for i, state in enumerate(train(network, IMAGES, config, generator=seeded(1))):
        x = IMAGES[torch.randint(10, (6,), generator=generator)]
        sigma = torch.rand(6, 1, 1, 1, generator=generator).square() + 0.005
        z = torch.randn(6, 1, 8, 8, generator=generator)
        error = ours.residual(x + sigma * z) - sigma * z
        loss = (error.pow(2).mean(dim=(1, 2, 3), keepdim=True) / sigma).mean()
        ours.zero_grad()
        loss.backward()
        for part in optimizers:
            part.param_groups[0]["lr"] = config.learning_rate_at(i)
            part.step()
        for average, value in zip(averages, ours.state_dict().values(), strict=True):
            average.lerp_(value, 1 - min(0.9, (i + 1) / (i + 11)))
        assert state.loss == loss.item()
        assert equal(weights(state.network), weights(ours))
        assert equal(weights(state.averaged), averages)
    assert i == 24


@pytest.mark.parametrize("optimizer", ["muon", "adam"])
def test_the_loss_falls(optimizer: Literal["muon", "adam"]) -> None:
    config = TrainConfig(steps=150, batch_size=8, optimizer=optimizer, warmup=5, learning_rate=5e-3)
    smooth = torch.linspace(0, 1, 8).expand(1, 1, 8, 8)
    network = UNet(width=8, blocks=1, generator=seeded())
    losses = [state.loss for state in train(network, smooth, config, generator=seeded(1))]
    assert sum(losses[-20:]) < 0.4 * sum(losses[:20])


def test_the_average_is_smoother_than_the_network_and_lags_behind() -> None:
    states = list(
        train(new_network(), IMAGES, TrainConfig(steps=30, batch_size=4), generator=seeded(1))
    )
    start, end = weights(new_network())[0], weights(states[-1].network)[0]
    averaged = weights(states[-1].averaged)[0]
    assert (averaged - start).norm() < (end - start).norm()


def test_without_averaging_the_average_is_the_network() -> None:
    last = run(TrainConfig(steps=3, batch_size=2, average=0))[-1]
    torch.testing.assert_close(weights(last.averaged), weights(last.network))


def test_norm_statistics_are_averaged_too() -> None:
    last = run()[-1]
    name = "encoder.0.3.running_sd"
    assert not torch.equal(last.averaged.state_dict()[name], torch.ones(1, 2, 1, 1))
    assert not torch.equal(last.averaged.state_dict()[name], last.network.state_dict()[name])


# What it touches


@pytest.mark.parametrize("training", [True, False])
def test_the_network_of_the_caller_is_not_changed(training: bool) -> None:
    network = new_network().train(training)
    before = weights(network)
    list(train(network, IMAGES, CONFIG, generator=seeded(1)))
    assert equal(weights(network), before)
    assert network.training == training
    assert all(p.grad is None for p in network.parameters())


def test_images_are_left_as_they_were() -> None:
    before = IMAGES.clone()
    run()
    assert torch.equal(IMAGES, before)


def test_equal_generators_give_equal_networks() -> None:
    first, second = run()[-1], run()[-1]
    assert first.loss == second.loss
    assert equal(weights(first.averaged), weights(second.averaged))


def test_a_denoiser_is_a_copy_in_evaluation_mode() -> None:
    states = train(new_network(), IMAGES, CONFIG, generator=seeded(1))
    denoiser = next(states).denoiser()
    before = weights(denoiser)
    list(states)
    assert not denoiser.training
    assert not any(parameter.requires_grad for parameter in denoiser.parameters())
    assert equal(weights(denoiser), before)
    assert denoiser(IMAGES).shape == IMAGES.shape


def test_the_state_follows_the_steps() -> None:
    states = run()
    assert [state.step for state in states] == [1, 2, 3, 4, 5, 6]
    assert all(a.seconds < b.seconds for a, b in pairwise(states))
    assert all(state.config is CONFIG for state in states)
    with pytest.raises(FrozenInstanceError):
        states[0].step = 7  # type: ignore[misc]


def test_a_batch_may_be_larger_than_the_set() -> None:
    assert math.isfinite(run(TrainConfig(steps=1, batch_size=32), IMAGES[:1])[0].loss)


def test_fresh_images_are_drawn_from_the_generator_of_the_run() -> None:
    drawn: list[tuple[int, torch.Generator]] = []

    def draw(n: int, generator: torch.Generator) -> Tensor:
        drawn.append((n, generator))
        return fresh(n, generator)

    generator = seeded(1)
    list(train(new_network(), draw, CONFIG, generator=generator))
    assert drawn == [(4, generator)] * 6


def test_other_networks_train_too() -> None:
    network = BFCNN(width=2, layers=3, generator=seeded())
    states = list(train(network, IMAGES, CONFIG, generator=seeded(1)))
    assert isinstance(states[-1].denoiser(), BFCNN)


# What goes wrong


class FailsAtStep3(UNet):
    """A network whose third batch comes out as NaN."""

    batches = 0

    def residual(self, y: Tensor, activation: Activation = torch.relu) -> Tensor:
        self.batches += 1
        out = super().residual(y, activation)
        return out * float("nan") if self.batches == 3 else out


def test_a_loss_that_is_not_finite_stops_before_it_reaches_the_weights() -> None:
    network = FailsAtStep3(width=2, blocks=1, generator=seeded())
    states = train(network, IMAGES, CONFIG, generator=seeded(1))
    next(states)
    last = next(states)
    before = weights(last.averaged)
    with pytest.raises(TrainingError, match=r"loss is nan at step 3\. Lower the learning rate"):
        next(states)
    assert equal(weights(last.averaged), before)
    assert all(bool(torch.isfinite(value).all()) for value in weights(last.network))


def test_a_learning_rate_that_is_far_too_high_is_found_out() -> None:
    with pytest.raises(TrainingError, match=r"Lower the learning rate \(1e\+30\)"):
        run(TrainConfig(steps=10, batch_size=2, learning_rate=1e30, warmup=0))


def test_the_loss_of_the_paper_needs_no_smallest_noise() -> None:
    config = TrainConfig(steps=1, batch_size=2, sigma_min=0, weight_power=0, sigma_power=2)
    assert math.isfinite(run(config)[0].loss)


def test_a_trained_network_can_be_trained_on() -> None:
    denoiser = copy.deepcopy(small_unet(1)).requires_grad_(True)
    assert math.isfinite(next(train(denoiser, IMAGES, CONFIG, generator=seeded())).loss)


@pytest.mark.parametrize("count", [3, 5])
def test_a_function_that_draws_another_number_of_images_is_found_out(count: int) -> None:
    states = train(new_network(), lambda _, g: fresh(count, g), CONFIG, generator=seeded(1))
    with pytest.raises(ShapeError, match=rf"has {count} images; expected 4"):
        next(states)


def test_constants_are_not_trained() -> None:
    with pytest.raises(ConfigError, match=r"constants.*network.requires_grad_\(\)"):
        next(train(small_unet(1), IMAGES, CONFIG, generator=seeded()))
