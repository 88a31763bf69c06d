import copy
import math
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from gahr_lib.errors import ConfigError, TrainingError
from gahr_lib.models import BFCNN, UNet
from gahr_lib.models.base import Activation
from gahr_lib.training import ImageSource, TrainConfig, TrainState, draw_sigmas, train
from helpers import intensities, seeded, small_unet

pytestmark = pytest.mark.usefixtures("untouched_random_state")

IMAGES = intensities(10, 1, 8, 8)
CONFIG = TrainConfig(steps=6, batch_size=4, warmup=2)


def new_network(seed: int = 0) -> UNet:
    return UNet(width=2, blocks=1, generator=seeded(seed))


def fresh(n: int, generator: torch.Generator) -> Tensor:
    """An endless source of images."""
    return torch.rand(n, 1, 8, 8, generator=generator)


def run(
    config: TrainConfig = CONFIG, images: ImageSource = IMAGES, **kwargs: Any
) -> list[TrainState]:
    return list(train(new_network(), images, config, generator=seeded(1), **kwargs))


def weights(network: torch.nn.Module) -> list[Tensor]:
    return [value.clone() for value in network.state_dict().values()]


def equal(ours: list[Tensor], theirs: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


# One step


@pytest.mark.parametrize("weight_power", [0.0, 1.0, 2.0])
def test_steps_are_those_of_an_independent_loop(weight_power: float) -> None:
    config = TrainConfig(
        steps=5,
        batch_size=4,
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


def test_the_loss_falls() -> None:
    config = TrainConfig(steps=150, batch_size=8, warmup=5, learning_rate=5e-3)
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


# The schedule and the noise


def test_the_learning_rate_warms_up_and_falls_along_a_cosine() -> None:
    config = TrainConfig(steps=1000, learning_rate=0.01, warmup=9)
    rates = [config.learning_rate_at(step) for step in range(1000)]
    assert rates[0] == pytest.approx(0.001)
    assert rates[4] == pytest.approx(0.005, rel=1e-3)
    assert rates[9] == pytest.approx(0.01, rel=1e-3)
    assert rates[500] == pytest.approx(0.005)
    assert 0 < rates[999] < 1e-6
    assert all(a > b for a, b in pairwise(rates[9:]))


def test_without_warmup_the_first_step_is_the_largest() -> None:
    config = TrainConfig(steps=10, learning_rate=0.01, warmup=0)
    assert config.learning_rate_at(0) == pytest.approx(0.01)


def test_noise_levels_are_powers_of_uniform_numbers() -> None:
    config = TrainConfig(sigma_power=2, sigma_min=0.01)
    sigmas = draw_sigmas(50_000, config, generator=seeded())
    assert sigmas.shape == (50_000, 1, 1, 1)
    assert sigmas.min() >= 0.01
    assert sigmas.max() <= 1.01
    # P(u^2 < s) = sqrt(s)
    for s in (0.01, 0.25, 0.81):
        share = float((sigmas - 0.01 < s).double().mean())
        assert share == pytest.approx(math.sqrt(s), abs=4 * 0.5 / math.sqrt(50_000))


# Checkpoints


@pytest.mark.parametrize("images", [IMAGES, fresh], ids=["a set", "a source"])
@pytest.mark.parametrize("stop", [1, 3, 5])
def test_a_resumed_run_is_the_run_that_never_stopped(
    tmp_path: Path, images: ImageSource, stop: int
) -> None:
    whole = run(images=images)
    path = tmp_path / "run.pt"
    interrupted = train(new_network(), images, CONFIG, generator=seeded(1))
    for _ in range(stop):
        state = next(interrupted)
    state.save(path)
    # Another network and another generator: the checkpoint decides.
    rest = list(train(new_network(7), images, CONFIG, generator=seeded(8), resume=path))
    assert [s.step for s in rest] == list(range(stop + 1, 7))
    assert [s.loss for s in rest] == [s.loss for s in whole[stop:]]
    assert equal(weights(rest[-1].network), weights(whole[-1].network))
    assert equal(weights(rest[-1].averaged), weights(whole[-1].averaged))
    assert rest[0].seconds > state.seconds


def test_a_finished_run_has_nothing_to_resume(tmp_path: Path) -> None:
    run()[-1].save(tmp_path / "run.pt")
    assert run(resume=tmp_path / "run.pt") == []


def test_saving_makes_the_folder_and_leaves_one_file(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "folder" / "run.pt"
    next(train(new_network(), IMAGES, CONFIG, generator=seeded(1))).save(path)
    assert list(path.parent.iterdir()) == [path]


def test_a_new_checkpoint_takes_the_place_of_the_old(tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    states = train(new_network(), IMAGES, CONFIG, generator=seeded(1))
    next(states).save(path)
    next(states).save(str(path))
    assert list(tmp_path.iterdir()) == [path]
    assert [state.step for state in run(resume=path)] == [3, 4, 5, 6]


def half_written(error: Exception) -> Callable[..., None]:
    def save(content: object, path: Path) -> None:
        Path(path).write_bytes(b"half of a checkpoint")
        raise error

    return save


@pytest.mark.parametrize("error", [OSError("No space left"), RuntimeError("write failed")])
def test_an_interrupted_write_leaves_the_old_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    path = tmp_path / "run.pt"
    states = train(new_network(), IMAGES, CONFIG, generator=seeded(1))
    next(states).save(path)
    old = path.read_bytes()
    monkeypatch.setattr(torch, "save", half_written(error))
    with pytest.raises(TrainingError, match=r"could not be written.*older one is untouched"):
        next(states).save(path)
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_made_is_a_typed_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    state = next(train(new_network(), IMAGES, CONFIG, generator=seeded(1)))
    with pytest.raises(TrainingError, match="name another folder"):
        state.save(tmp_path / "file" / "run.pt")


def test_damaged_checkpoints_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    next(train(new_network(), IMAGES, CONFIG, generator=seeded(1))).save(path)
    content = path.read_bytes()
    for length in (0, 1, 100, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(TrainingError, match=r"missing or damaged.*Remove it"):
            run(resume=path)
    path.write_bytes(b"no checkpoint at all")
    with pytest.raises(TrainingError, match="missing or damaged"):
        run(resume=path)


def test_a_missing_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="missing or damaged"):
        run(resume=tmp_path / "none.pt")


def test_a_checkpoint_runs_no_code(tmp_path: Path) -> None:
    class Malicious:
        def __reduce__(self) -> tuple[object, tuple[Path]]:
            return Path.touch, (tmp_path / "touched",)

    (tmp_path / "run.pt").write_bytes(pickle.dumps(Malicious()))
    with pytest.raises(TrainingError, match="missing or damaged"):
        run(resume=tmp_path / "run.pt")
    assert not (tmp_path / "touched").exists()


def test_a_checkpoint_of_another_configuration_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    run()[0].save(path)
    other = TrainConfig(**{**asdict(CONFIG), "steps": 7, "learning_rate": 0.5})
    with pytest.raises(TrainingError, match="learning_rate, steps differ"):
        run(other, resume=path)


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    run()[0].save(path)
    for other in (
        UNet(width=3, blocks=1, generator=seeded()),
        UNet(width=2, blocks=2, generator=seeded()),
        BFCNN(width=2, layers=3, generator=seeded()),
    ):
        with pytest.raises(TrainingError, match="does not fit this network"):
            next(train(other, IMAGES, CONFIG, generator=seeded(1), resume=path))


@pytest.mark.parametrize("part", ["step", "seconds", "network", "optimizer", "generator"])
def test_an_incomplete_checkpoint_is_refused(tmp_path: Path, part: str) -> None:
    path = tmp_path / "run.pt"
    run()[0].save(path)
    content = torch.load(path, weights_only=True)
    del content[part]
    torch.save(content, path)
    with pytest.raises(TrainingError, match="does not fit"):
        run(resume=path)


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


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"steps": 0}, "steps is 0"),
        ({"steps": 1.5}, "steps is 1.5"),
        ({"batch_size": -1}, "batch_size is -1"),
        ({"learning_rate": 0}, "learning_rate is 0"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"warmup": -1}, "warmup is -1"),
        ({"warmup": 0.5}, "warmup is 0.5"),
        ({"average": 1.0}, "average is 1.0"),
        ({"average": -0.1}, "average is -0.1"),
        ({"sigma_power": 0}, "sigma_power is 0"),
        ({"sigma_min": -0.1}, "sigma_min is -0.1"),
        ({"weight_power": float("inf")}, "weight_power is inf"),
        ({"sigma_min": 0}, "Set sigma_min=0.005"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, float], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        TrainConfig(**settings)  # type: ignore[arg-type]


def test_the_loss_of_the_paper_needs_no_smallest_noise() -> None:
    config = TrainConfig(steps=1, batch_size=2, sigma_min=0, weight_power=0, sigma_power=2)
    assert math.isfinite(run(config)[0].loss)


def test_settings_are_plain_integers() -> None:
    config = TrainConfig(steps=np.int64(3))  # type: ignore[arg-type]
    assert type(config.steps) is int


def test_a_trained_network_can_be_trained_on() -> None:
    denoiser = copy.deepcopy(small_unet(1)).requires_grad_(True)
    assert math.isfinite(next(train(denoiser, IMAGES, CONFIG, generator=seeded())).loss)
