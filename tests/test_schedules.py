import itertools
import math
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from gahr_lib.errors import ConfigError, SamplingError, SigmaError
from gahr_lib.models import Denoiser
from gahr_lib.models.empirical_optimum import EmpiricalOptimum
from gahr_lib.sampling import SETTINGS, SampleConfig, sample, sample_steps
from gahr_lib.sampling._noise_streams import NoiseStreams
from gahr_lib.schedules import (
    Move,
    Schedule,
    ddim,
    expected_schedule,
    falling_sigmas,
    langevin,
)
from helpers import LinearDenoiser, intensities, seeded, small_unet, symmetric

pytestmark = pytest.mark.usefixtures("untouched_random_state")

SHAPE = (1, 2, 3)
VARIANCES = torch.tensor([1.5, 0.8, 0.3, 0.1, 0.02, 0.0], dtype=torch.float64)


class Gaussian(Denoiser):
    """The optimal denoiser of images whose channels are normal, with a given covariance."""

    needs_sigma = True

    def __init__(self, covariance: Tensor) -> None:
        super().__init__()
        self.register_buffer("covariance", covariance)

    def denoise(self, y: Tensor, sigma: float | Tensor | None) -> Tensor:
        noisy = self.covariance + sigma**2 * torch.eye(len(self.covariance), dtype=y.dtype)
        channels = y.reshape(-1, len(noisy))
        return (torch.linalg.solve(noisy, channels.T).T @ self.covariance).reshape(y.shape)


def gaussian() -> tuple[Gaussian, Tensor, Tensor]:
    """The denoiser, the covariance, and the principal components, its columns."""
    covariance, vectors = symmetric(VARIANCES, seed=4)
    return Gaussian(covariance), covariance, vectors


# DDIM


def test_ddim_maps_the_starting_noise_by_the_closed_form() -> None:
    # dx/dsigma = sigma / (c + sigma^2) x along a component of variance c, so that x goes with
    # sqrt(c + sigma^2).
    denoiser, covariance, vectors = gaussian()
    schedule = ddim(falling_sigmas(2_000, sigma_0=20, sigma_inf=1e-3), mean=0)
    x = sample(denoiser, 5, config=schedule, shape=SHAPE, generator=seeded())
    z = NoiseStreams(denoiser, 5, SHAPE, generator=seeded())
    start = 20 * z.draw(z.everyone).flatten(1)
    gain = (vectors * (VARIANCES / (VARIANCES + 20**2)).sqrt()) @ vectors.T
    torch.testing.assert_close(x.flatten(1), start @ gain, rtol=0.02, atol=2e-3)
    # And what white noise becomes has the covariance of the prior.
    torch.testing.assert_close(20**2 * gain @ gain, covariance, rtol=0, atol=0.01)


def test_ddim_steps_follow_the_formula_and_end_fully_denoised() -> None:
    denoiser, covariance, _ = gaussian()
    sigmas = (2.0, 0.7, 0.3)
    config = ddim(sigmas, mean=0.4)
    steps = sample_steps(denoiser, 2, config=config, shape=SHAPE, generator=seeded(1))
    z = NoiseStreams(denoiser, 2, SHAPE, generator=seeded(1))
    x = 0.4 + 2.0 * z.draw(z.everyone).flatten(1)
    for t, (sigma, following) in enumerate(zip(sigmas, (0.7, 0.3, 0.0), strict=True), 1):
        f = x @ covariance @ torch.linalg.inv(covariance + sigma**2 * torch.eye(6).double())
        expected = x + (1 - following / sigma) * (f - x)
        state = next(steps)
        assert state.step == t
        torch.testing.assert_close(state.x.flatten(1), expected)
        torch.testing.assert_close(state.denoised.flatten(1), f)
        torch.testing.assert_close(state.sigma, (f - x).square().mean(1).sqrt())
        assert state.active.all()
        x = expected
    assert torch.equal(state.x, state.denoised)
    assert next(steps, None) is None


@pytest.mark.parametrize("make", [ddim, langevin])
def test_the_empirical_optimum_only_reproduces_training_images(make: Any) -> None:
    images = intensities(12, 1, 4, 4, dtype=torch.float64)
    schedule = make(falling_sigmas(40, sigma_0=3, sigma_inf=0.01))
    x = sample(EmpiricalOptimum(images), 60, config=schedule, generator=seeded())
    distances = torch.cdist(x.flatten(1), images.flatten(1)).min(dim=1)
    assert float(distances.values.max()) < 1e-6
    assert len(distances.indices.unique()) >= 6


# Langevin


def test_langevin_reaches_the_covariance_of_the_prior() -> None:
    denoiser, _, vectors = gaussian()
    n, step, repeats = 5_000, 0.1, 60
    sigmas = falling_sigmas(25, sigma_0=3, sigma_inf=0.03)
    # Along a component the variance goes as v <- a^2 v + 2 eps with a = 1 - eps / (c + sigma^2).
    expected = torch.full_like(VARIANCES, 9.0)
    for sigma in sigmas:
        for _ in range(repeats):
            eps = step * sigma**2
            expected = (1 - eps / (VARIANCES + sigma**2)) ** 2 * expected + 2 * eps
    expected = expected * (VARIANCES / (VARIANCES + sigmas[-1] ** 2)) ** 2
    torch.testing.assert_close(expected, VARIANCES, rtol=0.06, atol=0)
    schedule = langevin(sigmas, step=step, repeats=repeats, mean=0)
    x = sample(denoiser, n // 250, config=schedule, shape=(250, 2, 3), generator=seeded())
    found = (x.reshape(n, 6) @ vectors).T.cov(correction=0)
    torch.testing.assert_close(found.diagonal(), expected, rtol=4 * (2 / n) ** 0.5, atol=1e-9)
    correlation = found[:5, :5] / torch.outer(VARIANCES[:5], VARIANCES[:5]).sqrt()
    assert float((correlation - correlation.diagonal().diag()).abs().max()) < 5 / n**0.5


def test_langevin_steps_follow_the_formula() -> None:
    denoiser, covariance, _ = gaussian()
    schedule = langevin((0.9, 0.5), step=0.2, repeats=2, mean=0)
    states = list(sample_steps(denoiser, 3, config=schedule, shape=SHAPE, generator=seeded(2)))
    z = NoiseStreams(denoiser, 3, SHAPE, generator=seeded(2))
    x = 0.9 * z.draw(z.everyone).flatten(1)
    for state, sigma in zip(states[:-1], (0.9, 0.9, 0.5, 0.5), strict=True):
        score = -x @ torch.linalg.inv(covariance + sigma**2 * torch.eye(6).double())
        eps = 0.2 * sigma**2
        x = x + eps * score + math.sqrt(2 * eps) * z.draw(z.everyone).flatten(1)
        torch.testing.assert_close(state.x.flatten(1), x)
    assert torch.equal(states[-1].x, states[-1].denoised)
    assert len(states) == 5


# Algorithm 1 by schedule


@pytest.mark.parametrize(("name", "steps"), [("ramp", 97), ("paper", 2995)])
def test_the_expected_schedule_is_as_long_as_the_paper_takes(name: str, steps: int) -> None:
    schedule, config = expected_schedule(SETTINGS[name]), SETTINGS[name]
    assert len(schedule.moves) == steps + 1
    assert schedule.moves[-1].h == 1
    if not config.ramp:
        assert steps == math.ceil(math.log(0.05) / math.log(1 - 0.1 * 0.01))
    for before, after in pairwise(schedule.moves):
        # White noise of variance sigma^2 becomes (1 - h)^2 sigma^2 + gamma^2.
        assert after.sigma**2 == pytest.approx(
            (1 - before.h) ** 2 * before.sigma**2 + before.gamma**2
        )
    assert schedule.moves[-1].sigma < config.sigma_inf <= schedule.moves[-2].sigma


def test_the_expected_schedule_ends_where_nothing_is_left() -> None:
    assert expected_schedule(SampleConfig(h0=1, beta=1)).moves == (Move(1.0, 1.0),)


def test_algorithm_1_by_schedule_has_the_covariance_of_its_recursion() -> None:
    denoiser, covariance, vectors = gaussian()
    settings = SampleConfig(h0=0.05, ramp=False, beta=0.3, sigma_0=4, sigma_inf=0.02, mean=0)
    schedule = expected_schedule(settings)
    expected = 16 * torch.eye(6, dtype=torch.float64)
    for move in schedule.moves:
        shrinking = covariance @ torch.linalg.inv(covariance + move.sigma**2 * torch.eye(6))
        step = (1 - move.h) * torch.eye(6) + move.h * shrinking
        expected = step @ expected @ step.T + move.gamma**2 * torch.eye(6)
    n = 4_000
    x = sample(denoiser, n // 250, config=schedule, shape=(250, 2, 3), generator=seeded())
    found = vectors.T @ x.reshape(n, 6).T.cov(correction=0) @ vectors
    expected = (vectors.T @ expected @ vectors).diagonal()
    torch.testing.assert_close(found.diagonal(), expected, rtol=4 * (2 / n) ** 0.5, atol=1e-9)
    torch.testing.assert_close(expected[:4], VARIANCES[:4], rtol=0.15, atol=0)


def test_ddim_with_equal_ratios_is_algorithm_1_without_noise() -> None:
    # If the residual of a blind denoiser has size sigma, here because all images are black.
    def black(x: Tensor, sigma: float | None = None) -> Tensor:
        return torch.zeros_like(x)

    sigmas = falling_sigmas(30)
    config = SampleConfig(h0=1 - sigmas[1], ramp=False, beta=1.0)
    told = sample_steps(black, 2, config=ddim(sigmas), shape=SHAPE, generator=seeded())
    blind = sample_steps(black, 2, config=config, shape=SHAPE, generator=seeded())
    for a, b in zip(itertools.islice(told, 20), blind, strict=False):
        torch.testing.assert_close(a.x, b.x)


# Each image by itself


@pytest.mark.parametrize("make", [ddim, langevin])
def test_an_image_does_not_depend_on_the_others(make: Any) -> None:
    def rounded(x: Tensor, sigma: float) -> Tensor:
        return x.round()

    schedule = make((1.0, 0.6, 0.2))
    many = sample(rounded, 30, config=schedule, shape=SHAPE, generator=seeded(3))
    few = sample(rounded, 4, config=schedule, shape=SHAPE, generator=seeded(3))
    assert torch.equal(few, many[:4])


def test_states_keep_their_values_and_blind_networks_take_part() -> None:
    network = small_unet(1, channels=3)
    states, copies = [], []
    for state in sample_steps(
        network, 2, config=langevin((0.5, 0.2)), shape=(3, 6, 8), generator=seeded()
    ):
        states.append(state)
        copies.append((state.x.clone(), state.denoised.clone(), state.sigma.clone()))
        assert not state.x.requires_grad
    for state, (x, denoised, sigma) in zip(states, copies, strict=True):
        assert torch.equal(state.x, x)
        assert torch.equal(state.denoised, denoised)
        assert torch.equal(state.sigma, sigma)
    torch.testing.assert_close(network(states[-2].x), states[-1].denoised)


def test_a_constraint_holds_at_the_end() -> None:
    denoiser, _, _ = gaussian()

    def grey_first_pixel(images: Tensor, samples: Tensor) -> Tensor:
        fixed = images.clone()
        fixed[:, 0, 0, 0] = 0.1 * samples
        return fixed

    x = sample(
        denoiser,
        3,
        config=ddim((1.0, 0.5)),
        shape=SHAPE,
        generator=seeded(),
        constraint=grey_first_pixel,
    )
    torch.testing.assert_close(x[:, 0, 0, 0], torch.tensor([0, 0.1, 0.2]).double())


# What it takes


def test_noise_levels_fall_by_equal_ratios() -> None:
    sigmas = falling_sigmas(5, sigma_0=1, sigma_inf=1e-4)
    assert sigmas == pytest.approx((1, 0.1, 0.01, 1e-3, 1e-4))


@pytest.mark.parametrize("sigmas", [(), (1, 1), (0.5, 1), (1, 0), (math.inf, 1), (1, math.nan)])
def test_noise_levels_that_do_not_fall_are_refused(sigmas: tuple[float, ...]) -> None:
    with pytest.raises(SigmaError, match="falling_sigmas"):
        ddim(sigmas)
    with pytest.raises(SigmaError, match="falling_sigmas"):
        langevin(sigmas)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: falling_sigmas(1), "n is 1"),
        (lambda: falling_sigmas(5, sigma_0=0.1, sigma_inf=0.2), "0 < sigma_inf < sigma_0"),
        (lambda: falling_sigmas(5, sigma_inf=0), "0 < sigma_inf < sigma_0"),
        (lambda: langevin((1.0,), step=0), "step is 0"),
        (lambda: langevin((1.0,), step=1.5), "step is 1.5"),
        (lambda: langevin((1.0,), repeats=0), "repeats is 0"),
        (lambda: Schedule(()), "schedule is empty"),
        (lambda: ddim((1.0,), mean=math.nan), "finite intensity"),
        (lambda: expected_schedule(SampleConfig(max_steps=9)), "After 9 steps"),
        (lambda: Move(1.0, 0.0), "h is 0"),
        (lambda: Move(1.0, float("nan")), "h is nan"),
    ],
)
def test_impossible_schedules_are_refused(make: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make()


@pytest.mark.parametrize(("sigma", "gamma"), [(0, 0), (-1, 0), (1, -1), (1, math.inf)])
def test_impossible_moves_are_refused(sigma: float, gamma: float) -> None:
    with pytest.raises(SigmaError):
        Move(sigma, 0.5, gamma)


def test_sampling_that_leaves_all_bounds_is_given_up() -> None:
    denoiser = LinearDenoiser(1e30 * torch.eye(6))
    with pytest.raises(SamplingError, match=r"leaves all bounds at step \d+.*sigma_0 is 1.0"):
        sample(denoiser, 2, config=ddim((1.0, 0.5, 0.2)), shape=SHAPE, generator=seeded())
