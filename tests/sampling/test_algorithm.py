import math
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from gahr_lib.bases import dct_basis
from gahr_lib.errors import ConfigError, SamplingError, ShapeError, SigmaError
from gahr_lib.models import BasisThresholding, Denoiser
from gahr_lib.sampling import SETTINGS, SampleConfig, sample, sample_steps
from helpers import LinearDenoiser, seeded, small_unet

pytestmark = pytest.mark.usefixtures("untouched_random_state")

SHAPE = (1, 4, 4)
FAST = SampleConfig(h0=0.3, ramp=False, beta=0.7)


def black(x: Tensor) -> Tensor:
    """The denoiser of a set of images that are all black."""
    return torch.zeros_like(x)


def whole_numbers(x: Tensor) -> Tensor:
    """The denoiser, at small noise, of images whose pixels are whole numbers."""
    return x.round()


def streams(n: int, seed: int) -> list[torch.Generator]:
    """The noise of each image, as the sampler makes it from its generator."""
    seeds = torch.randint(2**62, (n,), generator=seeded(seed)).tolist()
    return [seeded(s) for s in seeds]


class Gaussian(Denoiser):
    """The optimal denoiser of normal pixels of given variances, blind because most of them are 0.

    The pixels without variance show how much noise there is.
    """

    def __init__(self, variances: Tensor) -> None:
        super().__init__()
        self.register_buffer("variances", variances)

    def denoise(self, y: Tensor, sigma: float | Tensor | None) -> Tensor:
        noise = y[:, :, self.variances == 0].square().mean(dim=(1, 2))[:, None, None, None]
        return self.variances / (self.variances + noise) * y


# The formula


@pytest.mark.parametrize("beta", [0.1, 0.7, 1.0])
@pytest.mark.parametrize("ramp", [True, False])
def test_two_steps_follow_the_formula(beta: float, ramp: bool) -> None:
    matrix = torch.rand(16, 16, generator=seeded(1)) / 8
    f = LinearDenoiser(matrix)
    config = SampleConfig(h0=0.2, ramp=ramp, beta=beta, sigma_0=0.8, mean=0.3)
    steps = sample_steps(f, 3, shape=SHAPE, config=config, generator=seeded(5))
    noise = streams(3, 5)
    x = torch.stack([0.3 + 0.8 * torch.randn(SHAPE, generator=g) for g in noise])
    for t in (1, 2):
        h = 0.2 * t / (1 + 0.2 * (t - 1)) if ramp else 0.2
        r = f(x) - x
        s = r.square().mean(dim=(1, 2, 3)).sqrt()
        gamma = s * math.sqrt((1 - beta * h) ** 2 - (1 - h) ** 2)
        z = torch.stack([torch.randn(SHAPE, generator=g) for g in noise])
        expected = x + h * r + gamma[:, None, None, None] * z
        state = next(steps)
        assert state.step == t
        torch.testing.assert_close(state.denoised, f(x))
        torch.testing.assert_close(state.sigma, s)
        torch.testing.assert_close(state.x, expected)
        assert state.active.all()
        x = state.x


def test_beta_of_one_injects_no_noise() -> None:
    config = SampleConfig(h0=0.25, ramp=False, beta=1.0, mean=0.0)
    start = torch.stack([torch.randn(SHAPE, generator=g) for g in streams(2, 0)])
    for state in sample_steps(black, 2, shape=SHAPE, config=config, generator=seeded(0)):
        if not bool(state.active.all()) or float(state.sigma.min()) < config.sigma_inf:
            break
        torch.testing.assert_close(state.x, 0.75**state.step * start)


@pytest.mark.parametrize(("ramp", "expected"), [(True, 97), (False, 2995)])
def test_the_noise_shrinks_by_one_minus_beta_h(ramp: bool, expected: int) -> None:
    config = SampleConfig(h0=0.01, ramp=ramp, beta=0.1, sigma_0=1, sigma_inf=0.05, mean=0)
    *_, last = sample_steps(black, 1, shape=(1, 48, 48), config=config, generator=seeded())
    assert last.step == pytest.approx(expected, rel=0.03)


def test_the_setting_ascent_climbs_without_noise() -> None:
    assert SETTINGS["ascent"].beta == 1
    config = SETTINGS["ascent"]
    states = list(sample_steps(black, 1, shape=SHAPE, config=config, generator=seeded()))
    for before, after in pairwise(states[:-1]):
        h = config.step_size(after.step)
        torch.testing.assert_close(after.x, (1 - h) * before.x)


def test_a_constraint_holds_for_each_sample_by_its_number() -> None:
    def first_pixel(images: Tensor, samples: Tensor) -> Tensor:
        fixed = images.clone()
        fixed[:, 0, 0, 0] = samples.to(images)
        return fixed

    states = list(
        sample_steps(
            whole_numbers, 12, shape=SHAPE, config=FAST, generator=seeded(), constraint=first_pixel
        )
    )
    assert len({int(state.active.sum()) for state in states}) > 2  # they finish one by one
    for state in states:
        assert torch.equal(state.denoised[:, 0, 0, 0], torch.arange(12.0))
    assert torch.equal(states[-1].x[:, 0, 0, 0], torch.arange(12.0))
    start = states[0].x[:, 0, 0, 0] - torch.arange(12.0)
    assert float(start.abs().max()) < 4  # the noise starts around it, too


def test_sampling_starts_with_noise_around_the_mean() -> None:
    seen: list[Tensor] = []

    def watching(x: Tensor) -> Tensor:
        seen.append(x)
        return x.round()

    config = SampleConfig(sigma_0=0.7, mean=0.4)
    next(sample_steps(watching, 1, shape=(1, 100, 100), config=config, generator=seeded()))
    assert float(seen[0].mean()) == pytest.approx(0.4, abs=4 * 0.7 / 100)
    assert float(seen[0].std()) == pytest.approx(0.7, abs=4 * 0.7 / 141)


# Where it leads


def test_samples_have_the_variances_of_a_gaussian_prior() -> None:
    variances = torch.zeros(16, 16)
    variances[0, :4], variances[1, :4] = 1.0, 0.09
    # The starting noise must drown the prior, and the steps be small.
    config = SampleConfig(h0=0.05, ramp=False, beta=0.3, sigma_0=5, sigma_inf=0.01, mean=0)
    x = sample(Gaussian(variances), 300, shape=(1, 16, 16), config=config, generator=seeded())
    assert float(x[:, 0, 2:].abs().max()) == 0
    for row, variance in ((0, 1.0), (1, 0.09)):
        found = x[:, 0, row, :4].square().mean()
        # 1,200 numbers: the variance is known to within 4 % of itself (one standard deviation).
        assert float(found) == pytest.approx(variance, rel=0.12)


def test_without_injected_noise_a_gaussian_prior_is_reached_along_a_known_path() -> None:
    # dx = -h sigma^2 / (c + sigma^2) x and dsigma = -h sigma: x goes with sqrt(c + sigma^2).
    variances = torch.zeros(16, 16, dtype=torch.float64)
    variances[0, :4] = 0.5
    config = SampleConfig(h0=0.01, ramp=False, beta=1.0, sigma_0=1, sigma_inf=1e-3, mean=0)
    x = sample(Gaussian(variances), 2, shape=(1, 16, 16), config=config, generator=seeded())
    for i, g in enumerate(streams(2, 0)):
        start = torch.randn((1, 16, 16), generator=g, dtype=torch.float64)
        sigma_0 = start[0][variances == 0].square().mean().sqrt()
        expected = start[0, 0, :4] * (0.5 / (0.5 + sigma_0**2)).sqrt()
        torch.testing.assert_close(x[i, 0, 0, :4], expected, rtol=0.01, atol=0)


def test_samples_end_in_the_set_that_the_denoiser_knows() -> None:
    x = sample(whole_numbers, 20, shape=SHAPE, config=FAST, generator=seeded())
    assert torch.equal(x, x.round())
    assert len(x.flatten(1).unique(dim=0)) > 10


# Each image by itself


def test_an_image_does_not_depend_on_the_others() -> None:
    many = sample(whole_numbers, 40, shape=SHAPE, config=FAST, generator=seeded(3))
    assert torch.equal(
        sample(whole_numbers, 3, shape=SHAPE, config=FAST, generator=seeded(3)), many[:3]
    )
    assert torch.equal(
        sample(whole_numbers, 1, shape=SHAPE, config=FAST, generator=seeded(3)), many[:1]
    )


def test_each_image_stops_when_its_own_noise_is_gone() -> None:
    config = SampleConfig(h0=0.1, ramp=False, beta=1.0, mean=0.0, sigma_inf=0.05)
    start = torch.stack([torch.randn((1, 1, 1), generator=g) for g in streams(20, 0)])
    # |x| shrinks by 0.9 a step; the step at whose beginning it is below 0.05 is the last.
    last_steps = [
        1 + max(0, math.ceil(math.log(0.05 / abs(float(x))) / math.log(0.9))) for x in start
    ]
    assert len(set(last_steps)) > 5
    states = list(sample_steps(black, 20, shape=(1, 1, 1), config=config, generator=seeded(0)))
    assert len(states) == max(last_steps)
    for i, last in enumerate(last_steps):
        assert [bool(state.active[i]) for state in states] == [s.step <= last for s in states]
        assert states[last - 1].sigma[i] < 0.05
        assert states[-1].x[i] == 0


def test_a_finished_image_stays_as_it_is() -> None:
    states = list(sample_steps(whole_numbers, 30, shape=(1, 2, 2), config=FAST, generator=seeded()))
    finished_early = [i for i in range(30) if not states[-1].active[i]]
    assert finished_early
    for before, after in pairwise(states):
        for i in finished_early:
            if not after.active[i]:
                assert torch.equal(after.x[i], before.x[i])
                assert torch.equal(after.denoised[i], before.denoised[i])
                assert after.sigma[i] == before.sigma[i]


def test_only_moving_images_are_denoised() -> None:
    sizes: list[int] = []

    def counting(x: Tensor) -> Tensor:
        sizes.append(len(x))
        return x.round()

    states = list(sample_steps(counting, 30, shape=(1, 2, 2), config=FAST, generator=seeded()))
    assert sizes == [int(state.active.sum()) for state in states]


def test_the_last_step_of_an_image_denoises_it_fully() -> None:
    *_, last = sample_steps(whole_numbers, 5, shape=SHAPE, config=FAST, generator=seeded())
    assert torch.equal(last.x, last.denoised)
    assert (last.sigma < FAST.sigma_inf).all()


def test_states_keep_their_values() -> None:
    kept, copies = [], []
    for state in sample_steps(whole_numbers, 6, shape=SHAPE, config=FAST, generator=seeded()):
        kept.append(state)
        copies.append([t.clone() for t in (state.x, state.denoised, state.sigma, state.active)])
    for state, copy in zip(kept, copies, strict=True):
        now = (state.x, state.denoised, state.sigma, state.active)
        assert all(torch.equal(a, b) for a, b in zip(now, copy, strict=True))
    with pytest.raises(FrozenInstanceError):
        kept[0].step = 7  # type: ignore[misc]


def test_the_sample_is_the_last_state() -> None:
    *_, last = sample_steps(whole_numbers, 3, shape=SHAPE, config=FAST, generator=seeded())
    assert torch.equal(
        sample(whole_numbers, 3, shape=SHAPE, config=FAST, generator=seeded()), last.x
    )


def test_equal_generators_give_equal_samples_and_a_generator_moves_on() -> None:
    generator = seeded(1)
    first = sample(whole_numbers, 2, shape=SHAPE, config=FAST, generator=generator)
    assert torch.equal(
        first, sample(whole_numbers, 2, shape=SHAPE, config=FAST, generator=seeded(1))
    )
    assert not torch.equal(
        first, sample(whole_numbers, 2, shape=SHAPE, config=FAST, generator=generator)
    )


def test_without_a_generator_the_default_one_seeds_the_images() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(9)
        x = sample(whole_numbers, 2, shape=SHAPE, config=FAST)
    assert torch.equal(x, sample(whole_numbers, 2, shape=SHAPE, config=FAST, generator=seeded(9)))


# What it takes


def test_the_shape_is_that_of_the_denoiser_if_it_has_one() -> None:
    denoiser = LinearDenoiser(torch.zeros(6, 6))
    denoiser.image_shape = (1, 2, 3)
    assert sample(denoiser, 4, generator=seeded()).shape == (4, 1, 2, 3)


def test_samples_have_the_precision_of_the_denoiser() -> None:
    for dtype in (torch.float32, torch.float64):
        denoiser = LinearDenoiser(torch.zeros(16, 16, dtype=dtype))
        assert sample(denoiser, 1, shape=SHAPE, generator=seeded()).dtype == dtype


def test_the_network_is_left_as_it_was() -> None:
    network = small_unet(1).requires_grad_(True)
    state = {name: value.clone() for name, value in network.state_dict().items()}
    first = next(sample_steps(network, 2, shape=(1, 8, 8), generator=seeded()))
    assert not first.x.requires_grad
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("channels", [1, 3])
def test_a_network_denoises_its_images_whatever_their_memory_looks_like(channels: int) -> None:
    network = small_unet(1, channels=channels)
    config = SampleConfig(sigma_inf=1e-9)
    states = sample_steps(network, 3, shape=(channels, 6, 10), config=config, generator=seeded(4))
    first, second = next(states), next(states)
    torch.testing.assert_close(second.denoised, network(first.x), rtol=1e-5, atol=1e-5)
    assert all(t.is_contiguous() for t in (first.x, first.denoised, second.x, second.denoised))


@pytest.mark.parametrize("wrong", [(4, 4), (1, 1, 4, 4), [1, 4, 4], 16])
def test_a_shape_that_is_none_of_images_is_refused(wrong: Any) -> None:
    with pytest.raises(ShapeError, match=r"expected \(C, H, W\)"):
        sample(black, 1, shape=wrong, generator=seeded())


def test_a_denoiser_that_changes_the_shape_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"maps images \(2, 3, 4, 4\) to \(2, 1, 4, 4\)"):
        sample(lambda x: x[:, :1], 2, shape=(3, 4, 4), generator=seeded())


@pytest.mark.parametrize("n", [0, -1, 1.5, None])
def test_impossible_numbers_of_images_are_refused(n: object) -> None:
    with pytest.raises(ConfigError, match=r"n is .*whole number of at least 1"):
        sample(black, n, shape=SHAPE, generator=seeded())  # type: ignore[arg-type]


def test_an_unknown_shape_is_asked_for() -> None:
    with pytest.raises(ConfigError, match=r"Pass shape=\(C, H, W\)"):
        sample(black, 1, generator=seeded())


def test_a_shape_that_the_network_does_not_take_is_refused() -> None:
    with pytest.raises(ShapeError, match="multiples of 4"):
        sample(small_unet(2), 1, shape=(1, 10, 10), generator=seeded())


def test_a_denoiser_that_must_be_told_sigma_needs_a_schedule() -> None:
    with pytest.raises(SigmaError, match=r"is not blind.*config=gahr_lib.schedules.ddim"):
        sample(BasisThresholding(dct_basis(4, 4)), 1, shape=SHAPE, generator=seeded())


def test_a_network_in_training_mode_is_refused_and_not_changed() -> None:
    network = small_unet(1).train()
    state = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.raises(ConfigError, match="training mode"):
        sample(network, 1, shape=(1, 8, 8), generator=seeded())
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())


def test_sampling_that_does_not_end_is_given_up() -> None:
    config = SampleConfig(max_steps=7)
    steps = sample_steps(lambda x: x + 1, 3, shape=SHAPE, config=config, generator=seeded())
    assert [next(steps).step for _ in range(7)] == list(range(1, 8))
    with pytest.raises(SamplingError, match=r"After 7 steps 3 of 3 images.*Raise sigma_inf"):
        next(steps)


@pytest.mark.parametrize(
    "denoiser",
    [
        lambda x: x * float("nan"),
        lambda x: x * 1e30,
        LinearDenoiser(3 * torch.eye(16)),
    ],
)
def test_sampling_that_leaves_all_bounds_is_given_up(denoiser: Callable[..., Any]) -> None:
    with pytest.raises(
        SamplingError, match=r"leaves all bounds at step \d+.*start with less noise"
    ):
        sample(denoiser, 2, shape=SHAPE, generator=seeded())
