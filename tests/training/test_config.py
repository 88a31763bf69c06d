import math
from itertools import pairwise

import numpy as np
import pytest

from gahr_lib.errors import ConfigError
from gahr_lib.training import TrainConfig, draw_sigmas
from helpers import seeded

pytestmark = pytest.mark.usefixtures("untouched_random_state")


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


def test_the_schedule_of_the_paper_halves_every_tenth_of_the_steps() -> None:
    config = TrainConfig(steps=1000, learning_rate=1e-3, warmup=0, schedule="halving")
    for epoch in (0, 1, 99, 100, 199, 200, 550, 999):
        assert config.learning_rate_at(epoch) == pytest.approx(1e-3 / 2 ** (epoch // 100))
    assert {config.learning_rate_at(i) for i in range(1000)} == {1e-3 / 2**k for k in range(10)}


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


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"learning_rate": "0.1"}, "learning_rate is '0.1'"),
        ({"sigma_power": None}, "sigma_power is None"),
        ({"sigma_min": "small"}, "sigma_min is 'small'"),
        ({"average": None}, "average is None"),
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
        ({"optimizer": "sgd"}, "optimizer is 'sgd'; expected 'muon' or 'adam'"),
        ({"schedule": "linear"}, "schedule is 'linear'; expected 'cosine' or 'halving'"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        TrainConfig(**settings)  # type: ignore[arg-type]


def test_settings_are_plain_integers() -> None:
    config = TrainConfig(steps=np.int64(3))  # type: ignore[arg-type]
    assert type(config.steps) is int
