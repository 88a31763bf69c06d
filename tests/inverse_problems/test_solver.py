import pytest
import torch
from torch import Tensor

from gahr_lib.data import fashion
from gahr_lib.errors import ConfigError, SamplingError, ShapeError, SigmaError
from gahr_lib.inverse_problems import (
    InverseProblem,
    block_super_resolution,
    inpainting,
    random_measurements,
    random_pixels,
    solve,
    solve_steps,
    spectral_super_resolution,
)
from gahr_lib.metrics import psnr
from gahr_lib.models import BasisThresholding, Denoiser, EmpiricalOptimum, ResidualNetwork
from gahr_lib.sampling import SETTINGS, SampleConfig, sample_steps
from gahr_lib.sampling._noise_streams import NoiseStreams
from gahr_lib.schedules import falling_sigmas, langevin
from helpers import LinearDenoiser, intensities, seeded, small_unet, symmetric

pytestmark = pytest.mark.usefixtures("untouched_random_state")

FAST = SampleConfig(h0=0.3, ramp=False, beta=0.7, sigma_inf=0.05)


def problems(shape: tuple[int, int, int]) -> dict[str, InverseProblem]:
    return {
        "inpainting": inpainting(shape, top=1, left=1, height=3, width=2),
        "random pixels": random_pixels(shape, 0.3, generator=seeded(1)),
        "block means": block_super_resolution(shape, 2),
        "random": random_measurements(shape, 0.3, generator=seeded(2)),
        "spectral": spectral_super_resolution(shape, 0.5),
    }


def halving(x: Tensor) -> Tensor:
    return 0.5 * x


class Gaussian(Denoiser):
    """The optimal denoiser of pixels of which the first few are normal and the others black.

    It is blind: the black ones show how much noise there is.
    """

    def __init__(self, covariance: Tensor) -> None:
        super().__init__()
        self.register_buffer("covariance", covariance)

    def denoise(self, y: Tensor, sigma: float | Tensor | None) -> Tensor:
        k, pixels = len(self.covariance), y.flatten(1)
        values, vectors = torch.linalg.eigh(self.covariance)
        noise = pixels[:, k:].square().mean(1, keepdim=True)
        shrunk = (pixels[:, :k] @ vectors * (values / (values + noise))) @ vectors.T
        return torch.cat((shrunk, torch.zeros_like(pixels[:, k:])), dim=1).reshape(y.shape)


# The formula


@pytest.mark.parametrize("name", problems((1, 4, 6)))
def test_steps_follow_the_formula(name: str) -> None:
    problem = problems((1, 4, 6))[name]
    units = torch.eye(24, dtype=torch.float64).reshape(24, 1, 4, 6)
    M = problem.measure(units).flatten(1)  # (24, K)
    f = LinearDenoiser(torch.rand(24, 24, generator=seeded(3), dtype=torch.float64) / 12)
    m = problem.measure(intensities(2, 1, 4, 6, dtype=torch.float64))
    config = SampleConfig(h0=0.2, ramp=False, beta=0.4, sigma_0=0.8, mean=0.3)
    steps = solve_steps(f, problem, m, config=config, generator=seeded(5))
    noise = NoiseStreams(f, 2, (1, 4, 6), generator=seeded(5))
    rest, known = torch.eye(24, dtype=torch.float64) - M @ M.T, m.flatten(1) @ M.T
    x = 0.3 * rest.sum(0) + known + 0.8 * noise.draw(noise.everyone).flatten(1)
    for _ in range(3):
        r = (x @ f.matrix.T - x) @ rest + known - x @ M @ M.T
        s = r.square().mean(1, keepdim=True).sqrt()
        z = noise.draw(noise.everyone).flatten(1)
        x = x + 0.2 * r + (0.92**2 - 0.8**2) ** 0.5 * s * z
        state = next(steps)
        torch.testing.assert_close(state.sigma, s[:, 0])
        torch.testing.assert_close(state.x.flatten(1), x)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 5, 7)])
@pytest.mark.parametrize("name", problems((1, 8, 8)))
def test_solutions_have_the_measurement(name: str, shape: tuple[int, int, int]) -> None:
    problem = problems(shape)[name]
    m = problem.measure(intensities(4, *shape))
    x = solve(halving, problem, m, config=FAST, generator=seeded())
    assert x.shape == (4, *shape)
    torch.testing.assert_close(problem.measure(x), m, rtol=0, atol=1e-5)


def test_what_was_not_measured_comes_from_the_denoiser() -> None:
    problem = inpainting((1, 4, 4), top=0, left=0, height=2, width=4)
    x = solve(halving, problem, torch.ones(1, 1, 8), n=5, config=FAST, generator=seeded())
    assert (x[:, :, 2:] == 1).all()
    assert float(x[:, :, :2].abs().max()) < 0.2  # it halves, again and again


# Where it leads


def test_solutions_have_the_conditional_mean_and_variance_of_a_gaussian_prior() -> None:
    covariance, _ = symmetric(torch.tensor([0.8, 0.5, 0.3, 0.2], dtype=torch.float64), seed=1)
    n, known = 300, torch.tensor([0.9, -0.5], dtype=torch.float64)
    vectors = torch.linalg.qr(torch.randn(4, 2, generator=seeded(7), dtype=torch.float64)).Q
    problem = InverseProblem(
        lambda x: x.flatten(1)[:, :4] @ vectors,
        lambda m: torch.nn.functional.pad(m @ vectors.T, (0, 140)).reshape(-1, 1, 12, 12),
        (1, 12, 12),
        like=vectors,
    )
    gain = covariance @ vectors @ torch.linalg.inv(vectors.T @ covariance @ vectors)
    mean = gain @ known
    spread = covariance - gain @ vectors.T @ covariance
    # What is free follows at the pace sigma^2 / (c + sigma^2), and stops where that is beta: at
    # noise that the measured directions, of variance 0.2 and more, must not mistake for image.
    config = SampleConfig(h0=0.2, ramp=False, beta=0.02, sigma_0=2, sigma_inf=0.02, mean=0)
    x = solve(
        Gaussian(covariance), problem, known[None], n=n, config=config, generator=seeded()
    ).flatten(1)[:, :4]
    error = 4 * (spread.diagonal() / n).sqrt()
    assert ((x.mean(0) - mean).abs() < error + 0.01).all()
    assert float((mean.abs() / error).max()) > 5  # far from the mean of the prior
    found = x.T.cov()
    torch.testing.assert_close(found, spread, rtol=0, atol=6 * float(spread.max()) * (2 / n) ** 0.5)


class ToldGaussian(Denoiser):
    """The optimal denoiser of images whose channels are normal; it must be told sigma."""

    needs_sigma = True

    def __init__(self, covariance: Tensor) -> None:
        super().__init__()
        self.register_buffer("covariance", covariance)

    def denoise(self, y: Tensor, sigma: float | Tensor | None) -> Tensor:
        noisy = self.covariance + sigma**2 * torch.eye(len(self.covariance), dtype=y.dtype)
        return (y.flatten(2) @ torch.linalg.solve(noisy, self.covariance)).reshape(y.shape)


def test_langevin_solutions_have_the_conditional_mean_and_covariance() -> None:
    variances = torch.tensor([1.5, 0.8, 0.5, 0.3, 0.2, 0.1], dtype=torch.float64)
    covariance, _ = symmetric(variances, seed=2)
    V = torch.linalg.qr(torch.randn(6, 2, generator=seeded(5), dtype=torch.float64)).Q
    m = torch.tensor([1.2, -0.7], dtype=torch.float64)
    sigmas = falling_sigmas(10, sigma_0=2, sigma_inf=0.1)
    schedule = langevin(sigmas, step=0.5, repeats=150, mean=0)
    # The loop is linear here: its mean and its covariance follow a recursion.
    one, rest = torch.eye(6, dtype=torch.float64), torch.eye(6, dtype=torch.float64) - V @ V.T
    mean, spread = V @ m, 4 * one
    for move in schedule.moves:
        wiener = covariance @ torch.linalg.inv(covariance + move.sigma**2 * one)
        step = (1 - move.h) * one + move.h * rest @ wiener
        mean = step @ mean + move.h * V @ m
        spread = step @ spread @ step.T + move.gamma**2 * one
    # It ends where Bayes says, far from what is known without looking at correlations.
    gain = covariance @ V @ torch.linalg.inv(V.T @ covariance @ V)
    conditional = covariance - gain @ V.T @ covariance
    torch.testing.assert_close(mean, gain @ m, rtol=0, atol=0.02)
    torch.testing.assert_close(spread, conditional, rtol=0, atol=0.01)
    assert float((gain @ m - V @ m).abs().max()) > 0.5
    assert float((rest @ covariance @ rest - conditional).abs().max()) > 0.2
    # Samples have both: 250 of them are the channels of an image.
    problem = InverseProblem(
        lambda x: x.flatten(2) @ V,
        lambda k: (k @ V.T).reshape(-1, 250, 2, 3),
        (250, 2, 3),
        like=V,
    )
    x = solve(
        ToldGaussian(covariance),
        problem,
        m.expand(1, 250, 2),
        n=16,
        config=schedule,
        generator=seeded(),
    ).reshape(4_000, 6)
    torch.testing.assert_close(x @ V, m.expand(4_000, 2))
    assert ((x.mean(0) - mean).abs() < 4 * (spread.diagonal() / 4_000).sqrt()).all()
    error = 4 * (2 / 4_000) ** 0.5 * float(spread.diagonal().max())
    torch.testing.assert_close(x.T.cov(), spread, rtol=0, atol=error)


@pytest.mark.parametrize("name", problems((1, 8, 8)))
def test_denoisers_that_must_be_told_sigma_solve_along_a_schedule(name: str) -> None:
    problem, images = problems((1, 8, 8))[name], intensities(10, 1, 8, 8)
    m = problem.measure(images[3:4])
    x = solve(EmpiricalOptimum(images), problem, m, n=40, config=langevin(), generator=seeded())
    torch.testing.assert_close(problem.measure(x), m.expand(40, *m.shape[1:]), rtol=0, atol=1e-5)
    # Only one of the ten training images has the measurement. The loop finds it often; not always,
    # since it settles for an image while noise still hides the measurement.
    found = (x - images[3]).abs().amax((1, 2, 3)) < 1e-4
    assert float(found.float().mean()) > 0.4


@pytest.mark.parametrize(
    ("name", "gain"),
    [("random pixels", 9), ("block means", 4), ("random", 12), ("spectral", 3)],
)
def test_the_trained_network_knows_more_than_the_measurement(
    trained_a: ResidualNetwork, name: str, gain: float
) -> None:
    clean = fashion("test", n=4)
    problem = problems((1, 28, 28))[name]
    m = problem.measure(clean)
    x = solve(trained_a, problem, m, config=SETTINGS["ramp"], generator=seeded())
    torch.testing.assert_close(problem.measure(x), m, rtol=0, atol=1e-4)
    gained = psnr(x, clean) - psnr(problem.adjoint(m), clean)
    assert float(gained.mean()) > gain


# Each image by itself


def test_an_image_depends_on_its_own_measurement_alone() -> None:
    def whole_numbers(x: Tensor) -> Tensor:
        return x.round()

    problem = random_pixels((1, 4, 4), 0.25, generator=seeded())
    m = problem.measure(3 * intensities(20, 1, 4, 4))
    many = solve(whole_numbers, problem, m, config=FAST, generator=seeded(3))
    few = solve(whole_numbers, problem, m[:3], config=FAST, generator=seeded(3))
    assert torch.equal(few, many[:3])


def test_one_measurement_has_several_solutions() -> None:
    problem = random_pixels((1, 4, 4), 0.25, generator=seeded())
    m = problem.measure(intensities(1, 1, 4, 4))

    def whole_numbers(x: Tensor) -> Tensor:
        return x.round()

    x = solve(whole_numbers, problem, m, n=6, config=FAST, generator=seeded())
    assert len(x.flatten(1).unique(dim=0)) == 6
    torch.testing.assert_close(problem.measure(x), m.expand(6, 1, 4))


def test_the_constraint_is_that_of_the_one_loop() -> None:
    problem = random_pixels((1, 8, 8), 0.5, generator=seeded())
    m = problem.measure(intensities(2, 1, 8, 8))
    ours = next(solve_steps(small_unet(1), problem, m, generator=seeded()))
    same = next(
        sample_steps(
            small_unet(1),
            2,
            shape=(1, 8, 8),
            generator=seeded(),
            constraint=problem.constraint(m),
        )
    )
    assert torch.equal(ours.x, same.x)


def test_measurements_take_the_precision_of_the_denoiser() -> None:
    problem = block_super_resolution((1, 8, 8), 2)
    m = problem.measure(intensities(1, 1, 8, 8, dtype=torch.float64))
    assert next(solve_steps(small_unet(1), problem, m, generator=seeded())).x.dtype == torch.float32


# What it takes


@pytest.mark.parametrize(("given", "n"), [(2, 3), (3, 2), (2, 1)])
def test_another_number_of_measurements_is_refused(given: int, n: int) -> None:
    problem = block_super_resolution((1, 4, 4), 2)
    with pytest.raises(ShapeError, match=f"{given} measurements for n = {n} images"):
        solve(halving, problem, torch.zeros(given, 1, 2, 2), n=n, generator=seeded())


def test_wrong_arguments_are_refused_as_by_the_sampler() -> None:
    problem = block_super_resolution((1, 4, 4), 2)
    m = torch.zeros(1, 1, 2, 2)
    with pytest.raises(ConfigError, match="n is 0"):
        solve(halving, problem, m, n=0, generator=seeded())
    with pytest.raises(ShapeError, match="measurement has shape"):
        solve(halving, problem, m[0], generator=seeded())
    with pytest.raises(ConfigError, match="training mode"):
        solve(small_unet(1).train(), problem, m, generator=seeded())
    with pytest.raises(SamplingError, match="After 3 steps"):
        solve(halving, problem, m, config=SampleConfig(max_steps=3), generator=seeded())
    with pytest.raises(SamplingError, match="leaves all bounds"):
        solve(lambda x: 1e30 * x, problem, m, generator=seeded())
    with pytest.raises(SigmaError, match=r"is not blind.*schedules.ddim"):
        solve(BasisThresholding(torch.eye(16).reshape(16, 1, 4, 4)), problem, m, generator=seeded())
