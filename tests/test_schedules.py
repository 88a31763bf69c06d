import math
from typing import Any

import pytest
import torch
from torch import Tensor

from gahr_lib.errors import ConfigError, SamplingError, SigmaError
from gahr_lib.models import Denoiser
from gahr_lib.models.empirical_optimum import EmpiricalOptimum
from gahr_lib.sampling import NoiseStreams
from gahr_lib.schedules import (
    Move,
    ddim,
    falling_sigmas,
    langevin,
    schedule_sample,
    schedule_steps,
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
    schedule = ddim(falling_sigmas(2_000, sigma_0=20, sigma_inf=1e-3))
    x = schedule_sample(denoiser, 5, schedule=schedule, shape=SHAPE, mean=0, generator=seeded())
    z = NoiseStreams(denoiser, 5, SHAPE, generator=seeded())
    start = 20 * z.draw(z.everyone).flatten(1)
    gain = (vectors * (VARIANCES / (VARIANCES + 20**2)).sqrt()) @ vectors.T
    torch.testing.assert_close(x.flatten(1), start @ gain, rtol=0.02, atol=2e-3)
    # And what white noise becomes has the covariance of the prior.
    torch.testing.assert_close(20**2 * gain @ gain, covariance, rtol=0, atol=0.01)


def test_ddim_steps_follow_the_formula_and_end_fully_denoised() -> None:
    denoiser, covariance, _ = gaussian()
    sigmas = (2.0, 0.7, 0.3)
    steps = schedule_steps(
        denoiser, 2, schedule=ddim(sigmas), shape=SHAPE, mean=0.4, generator=seeded(1)
    )
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
    x = schedule_sample(EmpiricalOptimum(images), 60, schedule=schedule, generator=seeded())
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
    schedule = langevin(sigmas, step=step, repeats=repeats)
    x = schedule_sample(
        denoiser, n // 250, schedule=schedule, shape=(250, 2, 3), mean=0, generator=seeded()
    )
    found = (x.reshape(n, 6) @ vectors).T.cov(correction=0)
    torch.testing.assert_close(found.diagonal(), expected, rtol=4 * (2 / n) ** 0.5, atol=1e-9)
    correlation = found[:5, :5] / torch.outer(VARIANCES[:5], VARIANCES[:5]).sqrt()
    assert float((correlation - correlation.diagonal().diag()).abs().max()) < 5 / n**0.5


def test_langevin_steps_follow_the_formula() -> None:
    denoiser, covariance, _ = gaussian()
    schedule = langevin((0.9, 0.5), step=0.2, repeats=2)
    states = list(
        schedule_steps(denoiser, 3, schedule=schedule, shape=SHAPE, mean=0, generator=seeded(2))
    )
    z = NoiseStreams(denoiser, 3, SHAPE, generator=seeded(2))
    x = 0.9 * z.draw(z.everyone).flatten(1)
    for state, sigma in zip(states[:-1], (0.9, 0.9, 0.5, 0.5), strict=True):
        score = -x @ torch.linalg.inv(covariance + sigma**2 * torch.eye(6).double())
        eps = 0.2 * sigma**2
        x = x + eps * score + math.sqrt(2 * eps) * z.draw(z.everyone).flatten(1)
        torch.testing.assert_close(state.x.flatten(1), x)
    assert torch.equal(states[-1].x, states[-1].denoised)
    assert len(states) == 5


# Each image by itself


@pytest.mark.parametrize("make", [ddim, langevin])
def test_an_image_does_not_depend_on_the_others(make: Any) -> None:
    def rounded(x: Tensor, sigma: float) -> Tensor:
        return x.round()

    schedule = make((1.0, 0.6, 0.2))
    many = schedule_sample(rounded, 30, schedule=schedule, shape=SHAPE, generator=seeded(3))
    few = schedule_sample(rounded, 4, schedule=schedule, shape=SHAPE, generator=seeded(3))
    assert torch.equal(few, many[:4])


def test_states_keep_their_values_and_blind_networks_take_part() -> None:
    network = small_unet(1, channels=3)
    states, copies = [], []
    for state in schedule_steps(
        network, 2, schedule=langevin((0.5, 0.2)), shape=(3, 6, 8), generator=seeded()
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

    x = schedule_sample(
        denoiser,
        3,
        schedule=ddim((1.0, 0.5)),
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


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"n": 0}, "n is 0"),
        ({"schedule": ()}, "schedule is empty"),
        ({"mean": math.nan}, "finite intensity"),
        ({"shape": None}, r"Pass shape=\(C, H, W\)"),
        ({"denoiser": small_unet(1).train()}, "training mode"),
    ],
)
def test_impossible_arguments_are_refused(arguments: dict[str, Any], words: str) -> None:
    usual = {"denoiser": gaussian()[0], "n": 1, "schedule": ddim((1.0,)), "shape": SHAPE}
    with pytest.raises(ConfigError, match=words):
        schedule_sample(**(usual | arguments), generator=seeded())


@pytest.mark.parametrize("factor", [float("nan"), 1e30])
def test_sampling_that_leaves_all_bounds_is_given_up(factor: float) -> None:
    denoiser = LinearDenoiser(factor * torch.eye(6))
    with pytest.raises(SamplingError, match=r"leaves all bounds at step \d, where sigma"):
        schedule_sample(denoiser, 2, schedule=ddim((1.0, 0.5)), shape=SHAPE, generator=seeded())
