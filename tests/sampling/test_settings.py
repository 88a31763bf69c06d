from itertools import pairwise

import pytest
import torch

from gahr_lib.errors import ConfigError
from gahr_lib.sampling import SETTINGS, SampleConfig

pytestmark = pytest.mark.usefixtures("untouched_random_state")


def test_the_ramp_grows_from_h0_towards_one() -> None:
    config = SampleConfig(h0=0.02)
    sizes = [config.step_size(t) for t in range(1, 10_000)]
    assert sizes[0] == pytest.approx(0.02)
    assert sizes[1] == pytest.approx(0.04 / 1.02)
    assert all(a < b <= 1 for a, b in pairwise(sizes))
    assert sizes[-1] > 0.99
    assert SampleConfig(h0=0.02, ramp=False).step_size(500) == 0.02


@pytest.mark.parametrize(("name", "expected"), [("ramp", 97), ("paper", 2995)])
def test_the_named_settings_take_as_many_steps_as_the_recursion_says(
    name: str, expected: int
) -> None:
    config = SETTINGS[name]
    assert (config.h0, config.beta, config.sigma_0, config.sigma_inf) == (0.01, 0.1, 1, 0.05)
    sigma, steps = 1.0, 0
    while sigma >= 0.05:
        steps += 1
        sigma *= 1 - 0.1 * config.step_size(steps)
    assert steps == expected


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        SETTINGS["paper"] = SampleConfig()  # type: ignore[index]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"h0": 0}, "h0 is 0"),
        ({"h0": 1.1}, "h0 is 1.1"),
        ({"h0": float("nan")}, "h0 is nan"),
        ({"beta": 0}, "beta is 0"),
        ({"beta": -0.5}, "beta is -0.5"),
        ({"sigma_0": 0.001}, "0 < sigma_inf < sigma_0"),
        ({"sigma_inf": 0}, "0 < sigma_inf < sigma_0"),
        ({"sigma_0": float("inf")}, "0 < sigma_inf < sigma_0"),
        ({"mean": float("nan")}, "finite intensity"),
        ({"h0": "0.1"}, "h0 is '0.1'"),
        ({"beta": None}, "beta is None"),
        ({"sigma_0": "1"}, "0 < sigma_inf < sigma_0"),
        ({"mean": None}, "finite intensity"),
        ({"ramp": "no"}, "ramp is 'no'; expected True or False"),
        ({"max_steps": 0}, "whole number of at least 1"),
        ({"max_steps": 2.5}, "whole number of at least 1"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        SampleConfig(**settings)  # type: ignore[arg-type]


def test_a_move_is_a_step_until_the_noise_is_gone_and_then_a_full_denoising() -> None:
    config = SampleConfig(h0=0.4, ramp=False, beta=0.5, sigma_inf=0.1)
    s = torch.tensor([0.5, 0.09, 2.0], dtype=torch.float64)
    h, gamma, finished = config.move(3, s)
    assert finished.tolist() == [False, True, False]
    assert h.tolist() == [0.4, 1, 0.4]
    assert gamma.tolist() == pytest.approx([0.5 * 0.28**0.5, 0, 2 * 0.28**0.5])  # .8^2 - .6^2
    assert config.told(3) is None
