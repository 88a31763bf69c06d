import math

import numpy as np
import pytest
import torch
from torch import Tensor

from gahr_lib.analysis.jacobian import asymmetry, jacobian
from gahr_lib.data.disc_images import (
    DiscParameters,
    discs,
    draw_disc_parameters,
    render_discs,
)
from gahr_lib.errors import ConfigError, ShapeError, SigmaError
from gahr_lib.metrics import input_psnr, mse, psnr
from gahr_lib.models._disc_search import (
    Geometries,
    Proposal,
    disc_parameters,
    draw_foreground,
    random_numbers,
)
from gahr_lib.models.bayes_discs import BayesDiscs
from gahr_lib.noise import add_noise
from helpers import intensities, seeded

pytestmark = pytest.mark.usefixtures("untouched_random_state")

F64 = torch.float64


def by_quadrature(
    y: Tensor, sigma: float, size: int, *, fine: int = 16, levels: int = 48
) -> tuple[Tensor, float]:
    """Posterior mean and mean squared error of one image by summing over all five parameters.

    Midpoints in the geometry, Gauss-Legendre in both grey levels; written for a posterior that is
    wide, and without any of the formulas under test.
    """
    steps = (torch.arange(fine, dtype=F64) + 0.5) / fine
    row, column, part = (g.flatten() for g in torch.meshgrid(steps, steps, steps, indexing="ij"))
    centre = torch.stack((row, column), dim=1) * size * 60 / 80 + size * 10 / 80
    nearest = torch.minimum(centre, size - centre).amin(1)
    radius = size * 5 / 80 + part * (nearest - size * 5 / 80)
    one = torch.ones_like(radius)
    m = render_discs(DiscParameters(centre, radius, one, 0 * one), size).flatten(1)
    nodes, weights = (torch.from_numpy(a) for a in np.polynomial.legendre.leggauss(levels))
    f, b = torch.meshgrid((nodes + 1) / 2, (nodes + 1) / 2, indexing="ij")
    greys = torch.stack((f.flatten(), b.flatten()))  # (2, levels^2)
    patterns = torch.stack((m, 1 - m), dim=1)  # (N, 2, d)
    fit = torch.einsum("nkd,d->nk", patterns, y.flatten()) @ greys
    gram = torch.einsum("nkd,nld->nkl", patterns, patterns)
    energy = torch.einsum("kg,nkl,lg->ng", greys, gram, greys)
    prior = torch.outer(weights, weights).flatten().log()
    w = torch.softmax(((fit - energy / 2) / sigma**2 + prior).flatten(), dim=0).reshape(fit.shape)
    mean = torch.einsum("ng,kg,nkd->d", w, greys, patterns)
    return mean.reshape(y.shape), float((w * energy).sum() - mean.square().sum()) / size**2


@pytest.mark.parametrize(
    ("sigma", "seed"), [(0.25, 0), (2.0, 1), pytest.param(0.5, 2, marks=pytest.mark.slow)]
)
def test_it_equals_a_sum_over_all_parameters(sigma: float, seed: int) -> None:
    x = discs(2, 8, generator=seeded(seed), dtype=F64)
    y = add_noise(x, sigma, generator=seeded(seed))
    denoiser = BayesDiscs(8, n_samples=20_000, generator=seeded()).double()
    posterior = denoiser.posterior(y, sigma)
    assert float(posterior.standard_error.max()) < 0.05 * sigma
    for i in range(2):
        mean, error = by_quadrature(y[i], sigma, 8)
        tolerance = 4 * posterior.standard_error[i].norm() + 1e-3 * math.sqrt(error * 64)
        assert float((posterior.mean[i] - mean).norm()) < float(tolerance)
        assert float(posterior.mse[i]) == pytest.approx(error, rel=0.03)


def test_the_error_bar_covers_the_distance_to_more_samples() -> None:
    x = discs(5, 12, generator=seeded(), dtype=F64)
    few = BayesDiscs(12, n_samples=500, generator=seeded(1)).double()
    many = BayesDiscs(12, n_samples=8000, generator=seeded(2)).double()
    for sigma in (0.01, 0.1, 0.5):
        y = add_noise(x, sigma, generator=seeded(3))
        a, b = few.posterior(y, sigma), many.posterior(y, sigma)
        bars = (a.standard_error.square() + b.standard_error.square()).sum((1, 2, 3))
        ratio = ((a.mean - b.mean).square().sum((1, 2, 3)) / bars).sqrt()
        assert float(ratio.max()) < 3, sigma
        assert 0.4 < float(ratio.square().mean().sqrt()) < 1.6, sigma
        assert float((b.standard_error / a.standard_error).median()) < 0.4, sigma


def test_five_directions_are_left_at_small_noise() -> None:
    size, sigma = 24, 0.004
    x = discs(8, size, generator=seeded(), dtype=F64)
    y = add_noise(x, sigma, generator=seeded(1))
    posterior = BayesDiscs(size, n_samples=1000, generator=seeded()).double().posterior(y, sigma)
    directions = posterior.mse * size**2 / sigma**2
    assert float(directions.mean()) == pytest.approx(5, abs=0.3)
    actual = mse(posterior.mean, x) * size**2 / sigma**2
    assert float(actual.mean()) == pytest.approx(5, abs=4 * math.sqrt(2 * 5 / 8))
    assert float(posterior.effective_sample_size.min()) > 200


@pytest.mark.slow
@pytest.mark.parametrize("sigma", [0.002, 0.01, 0.05])
def test_the_gain_is_that_of_a_projection_on_five_directions(sigma: float) -> None:
    size, n = 24, 100
    x = discs(n, size, generator=seeded(4), dtype=F64)
    y = add_noise(x, sigma, generator=seeded(5))
    posterior = BayesDiscs(size, generator=seeded()).double().posterior(y, sigma)
    error = mse(posterior.mean, x)
    tolerance = 4 * float(error.std()) / math.sqrt(n)
    assert float(error.mean()) == pytest.approx(float(posterior.mse.mean()), abs=tolerance)
    assert float(error.mean()) * size**2 / sigma**2 == pytest.approx(5, abs=1.3)
    # -10 log10 of a mean square of five normal variables is on average 0.92 dB above that of 1.
    gain = float(psnr(posterior.mean, x).mean()) - input_psnr(sigma)
    chi = -10 / math.log(10) * (math.log(2 / 5) + float(torch.digamma(torch.tensor(2.5))))
    assert gain == pytest.approx(10 * math.log10(size**2 / 5) + chi, abs=1)


@pytest.mark.parametrize("sigma", [0.02, 0.3])
def test_the_jacobian_is_the_covariance(sigma: float) -> None:
    denoiser = BayesDiscs(8, n_samples=1000, generator=seeded()).double()
    y = add_noise(discs(1, 8, generator=seeded(1), dtype=F64), sigma, generator=seeded())
    matrix = jacobian(denoiser, y, sigma=sigma)
    backward = torch.autograd.functional.jacobian(lambda v: denoiser(v, sigma), y)
    torch.testing.assert_close(matrix, backward.reshape(64, 64), atol=1e-7, rtol=1e-6)
    assert asymmetry(matrix) < 1e-7
    values = torch.linalg.eigvalsh((matrix + matrix.T) / 2)
    assert float(values.min()) > -1e-7
    expected = float(denoiser.posterior(y, sigma).mse) * 64 / sigma**2
    assert float(matrix.trace()) == pytest.approx(expected, rel=1e-5)


def test_the_jacobian_spans_the_tangent_space_at_small_noise() -> None:
    size, sigma = 16, 0.003
    parameters = DiscParameters.from_tensor(torch.tensor([[7.3, 8.4, 4.2, 0.9, 0.2]], dtype=F64))
    y = render_discs(parameters, size)
    denoiser = BayesDiscs(size, n_samples=4000, generator=seeded()).double()
    matrix = jacobian(denoiser, y, sigma=sigma)
    tangents = torch.autograd.functional.jacobian(
        lambda v: render_discs(DiscParameters.from_tensor(v), size),
        parameters.as_tensor(),
    ).reshape(size**2, 5)
    q = torch.linalg.qr(tangents).Q
    # Samples are few, so eigenvalues are only near 1; the subspace is right at once.
    torch.testing.assert_close(q.T @ matrix @ q, torch.eye(5, dtype=F64), atol=0.12, rtol=0)
    assert float((matrix - q @ (q.T @ matrix)).norm()) < 0.1


def test_it_is_a_function_of_each_image_alone() -> None:
    denoiser = BayesDiscs(8, n_samples=300, generator=seeded())
    y = add_noise(discs(4, 8, generator=seeded()), 0.2, generator=seeded())
    y[2] = y[0]
    sigma = torch.tensor([0.1, 0.2, 0.1, 2.0])
    before = y.clone()
    together = denoiser.posterior(y, sigma)
    assert torch.equal(y, before)
    assert together.mean.dtype == torch.float32
    assert torch.equal(together.mean, denoiser(y, sigma))
    torch.testing.assert_close(together.mean[0], together.mean[2])
    for i in range(4):
        alone = denoiser.posterior(y[i : i + 1], float(sigma[i]))
        for name in ("mean", "standard_error", "mse", "effective_sample_size"):
            ours = getattr(together, name)[i : i + 1]
            torch.testing.assert_close(ours, getattr(alone, name), atol=1e-6, rtol=1e-4)
    again = BayesDiscs(8, n_samples=300, generator=seeded())
    assert torch.equal(again(y, sigma), together.mean)
    other = BayesDiscs(8, n_samples=300, generator=seeded(1))
    assert not torch.equal(other(y, sigma), together.mean)
    torch.testing.assert_close(
        denoiser.double()(y.double(), sigma), together.mean.double(), atol=1e-4, rtol=0
    )


@pytest.mark.parametrize("sigma", [1e-4, 0.002, 0.1, 10.0])
def test_images_far_from_the_class_give_something_finite(sigma: float) -> None:
    denoiser = BayesDiscs(8, n_samples=200, generator=seeded()).double()
    y = torch.stack(
        (
            torch.full((1, 8, 8), -3.0),
            torch.full((1, 8, 8), 3.0),
            torch.zeros(1, 8, 8),
            2 * intensities(1, 8, 8) - 1,
        )
    ).double()
    y.requires_grad_()
    posterior = denoiser.posterior(y, sigma)
    assert bool(torch.isfinite(posterior.standard_error).all())
    mean = posterior.mean.detach()
    assert -1e-9 < float(mean.min()) <= float(mean.max()) < 1 + 1e-9
    (gradient,) = torch.autograd.grad(posterior.mean.sum(), y)
    assert bool(torch.isfinite(gradient).all())
    if sigma < 0.01:  # the nearest image of the class
        torch.testing.assert_close(mean[0], torch.zeros(1, 8, 8).double(), atol=0.01, rtol=0)


def test_points_of_the_cube_are_the_prior() -> None:
    # The same uniform numbers through the data's own function: one and the same distribution.
    drawn = draw_disc_parameters(50, 40, generator=seeded(), dtype=F64)
    uniform = torch.rand(50, 5, generator=seeded()).to(F64)
    ours = disc_parameters(uniform[:, :3], 40)
    torch.testing.assert_close(ours.centre, drawn.centre)
    torch.testing.assert_close(ours.radius, drawn.radius)
    # Outside of the cube there is nothing.
    m = Geometries.at(torch.tensor([[0.5, 0.5, 0.5], [0.5, 1.1, 0.5]], dtype=F64), 8)
    assert m.log_prior.tolist() == [0.0, -math.inf]


def test_proposals_are_drawn_from_the_density_they_state() -> None:
    # The mean of 1 / density over samples in a region is the region's volume.
    points = torch.rand(300, 3, generator=seeded(), dtype=F64) * 0.2 + 0.4
    weights = torch.full((300,), 1 / 300, dtype=F64)
    proposal = Proposal.around(points, weights)
    drawn = proposal.draw(random_numbers(50_000, seeded()).double())
    density = proposal.log_density(drawn).exp()
    for low, high in [(0.0, 1.0), (0.4, 0.6), (0.3, 0.55)]:
        inside = ((drawn > low) & (drawn < high)).all(1)
        volume = (inside / density).mean()
        error = float((inside / density).std()) / math.sqrt(50_000)
        assert float(volume) == pytest.approx((high - low) ** 3, abs=4 * error)


def test_the_foreground_is_drawn_from_the_density_it_states() -> None:
    # Two geometries, one image near the class, one far above and one far below it: the mean of
    # 1 / density over draws of a grey level in an interval is the interval's length.
    points = torch.tensor([[0.4, 0.5, 0.3], [0.6, 0.5, 0.9]], dtype=F64)
    m = Geometries.at(points, 8)
    uniform = (torch.arange(100_000, dtype=F64) + 0.5) / 100_000
    for level in (0.5, 0.999, 1.5, 30.0, -4.0):
        inner, total = m.masks @ torch.full((64,), level, dtype=F64), torch.tensor(64 * level)
        for i in range(2):
            one = Geometries(*(value[i : i + 1] for value in vars(m).values()))
            f, log_density = draw_foreground(
                one, inner[i : i + 1], total.double(), torch.tensor(0.4, dtype=F64), uniform
            )
            assert 0 <= float(f.min()) < float(f.max()) <= 1
            ordered, order = f.sort()
            # The density integrates to the share of draws between two draws.
            d = log_density[order].exp()
            share = ((d[1:] + d[:-1]) / 2 * ordered.diff()).cumsum(0)
            expected = torch.arange(1, 100_000, dtype=F64) / 100_000
            torch.testing.assert_close(share, expected, atol=2e-3, rtol=0)


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ShapeError, match="8 or more"):
        BayesDiscs(4, generator=seeded())
    with pytest.raises(ConfigError, match="n_samples"):
        BayesDiscs(8, n_samples=10, generator=seeded())
    with pytest.raises(ConfigError, match=r"torch\.Generator"):
        BayesDiscs(8, generator=0)  # type: ignore[arg-type]
    denoiser = BayesDiscs(8, n_samples=100, generator=seeded())
    with pytest.raises(ShapeError, match=r"images of the class.*\(1, 8, 8\)"):
        denoiser(intensities(1, 1, 8, 9), 0.1)
    with pytest.raises(SigmaError, match=r"0\.0001 or more"):
        denoiser(intensities(2, 1, 8, 8), torch.tensor([0.1, 0.0]))
    assert denoiser(intensities(1, 1, 8, 8), 1e-4).dtype == torch.float32  # just allowed
    with pytest.raises(SigmaError, match="needs the noise level"):
        denoiser(intensities(1, 1, 8, 8))
