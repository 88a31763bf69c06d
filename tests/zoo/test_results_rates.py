"""Contours, tangent spaces and the error at discs; and cached spectra, computed again."""

import math

import pytest
import torch
from torch import Tensor

from gahr_lib import bases, data
from gahr_lib.analysis.eigenbases import eigenbasis
from gahr_lib.data.disc_images import DiscParameters, draw_disc_parameters, render_discs
from gahr_lib.errors import ConfigError, ShapeError, SigmaError
from gahr_lib.zoo import experiments
from gahr_lib.zoo.results import load_result

pytestmark = pytest.mark.usefixtures("untouched_random_state")


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def parameters() -> DiscParameters:
    return draw_disc_parameters(3, 16, generator=seeded(1), dtype=torch.float64)


# Contours


@pytest.mark.parametrize(("alpha", "beta"), [(1.5, 8.0), (2.0, None)])
def test_contour_images_are_those_of_the_package(alpha: float, beta: float | None) -> None:
    images, distances = experiments.contour_images(3, 24, alpha, beta, generator=seeded())
    assert torch.equal(images, data.c_alpha(3, 24, alpha, beta, generator=seeded()))
    assert distances.shape == (3, 24, 24)
    assert distances.min() >= 0


def test_the_jump_is_where_the_distance_is_small() -> None:
    # Smooth regions: where neighbours in a column differ most, the contour passes between them.
    images, distances = experiments.contour_images(8, 40, 4.0, 8.0, generator=seeded(3))
    steps = images[:, 0].diff(dim=1).abs()
    jump = steps.max(dim=1)
    clear = jump.values > 0.2
    nearest = torch.minimum(distances[:, :-1], distances[:, 1:])
    found = nearest.gather(1, jump.indices[:, None])[:, 0]
    assert clear.float().mean() > 0.3
    assert found[clear].max() < 1


def test_the_distance_to_a_flat_contour_is_that_of_rows() -> None:
    _, distances = experiments.contour_images(1, 24, 40.0, 2.0, generator=seeded())
    # A single wave of a period of 36 pixels: within a column the distance is at most vertical.
    vertical = distances[0].argmin(dim=0)
    rows = torch.arange(24.0)[:, None]
    assert (distances[0] <= (rows - vertical).abs() + 1).all()
    assert distances[0].amin(dim=0).max() <= 0.5 + 1e-3


def test_shares_of_a_denoiser_that_keeps_the_contour_alone() -> None:
    images, distances = experiments.contour_images(2, 24, 2.0, generator=seeded())
    near = distances[:1] < 3

    def keeps(y: Tensor, sigma: float | None = None) -> Tensor:
        return torch.where(near, y, 0.1 * y)

    shares = experiments.contour_shares(
        keeps, images[:1], distances[:1], 0.1, k=8, generator=seeded()
    )
    torch.testing.assert_close(shares, torch.ones(1, 8), atol=1e-3, rtol=0)
    other = experiments.contour_shares(
        lambda y, sigma=None: y - keeps(y), images[:1], distances[:1], 0.1, k=8, generator=seeded()
    )
    assert other.max() < 1e-3


def test_distances_of_other_images_are_refused() -> None:
    images, distances = experiments.contour_images(2, 24, 2.0, generator=seeded())
    with pytest.raises(ShapeError, match="one for each pixel"):
        experiments.contour_shares(
            lambda y, sigma=None: y, images, distances[:1], 0.1, generator=seeded()
        )


# Discs


def test_tangents_are_orthonormal_and_span_small_changes(parameters: DiscParameters) -> None:
    tangents = experiments.disc_tangents(parameters, 16).flatten(2)
    identity = torch.eye(5, dtype=torch.float64).expand(3, -1, -1)
    torch.testing.assert_close(tangents @ tangents.mT, identity)
    change = 1e-6 * torch.randn(3, 5, generator=seeded(2), dtype=torch.float64)
    values = parameters.as_tensor()
    moved = [
        render_discs(DiscParameters.from_tensor(values + sign * change), 16) for sign in (1, -1)
    ]
    difference = (moved[0] - moved[1]).flatten(1)[:, None]
    left = difference - difference @ tangents.mT @ tangents
    assert left.norm() < 1e-3 * difference.norm()


def test_a_projection_on_the_tangent_space_has_five_and_nothing_else(
    parameters: DiscParameters,
) -> None:
    one = DiscParameters.from_tensor(parameters.as_tensor()[:1])
    x, tangents = render_discs(one, 16), experiments.disc_tangents(one, 16)[0]

    def project(y: Tensor, sigma: float | None = None) -> Tensor:
        return x + bases.synthesize(tangents, bases.coefficients(tangents, y - x))

    parts = experiments.split_error(project, one, 0.1, size=16, draws=2_000, generator=seeded())
    assert abs(float(parts.tangent) - 5) < 4 * math.sqrt(2 * 5 / 2_000)
    assert abs(float(parts.normal)) < 1e-6
    assert abs(float(parts.bias)) < 4 * math.sqrt(2 * 5) / 2_000


def test_the_parts_add_up_to_the_error(parameters: DiscParameters) -> None:
    def halve(y: Tensor, sigma: float | None = None) -> Tensor:
        return y / 2

    parts = experiments.split_error(halve, parameters, 0.1, size=16, draws=500, generator=seeded())
    energy = render_discs(parameters, 16).square().sum((1, 2, 3)) / 0.1**2
    # Half of the noise remains, in 5 and in 251 directions, and half of the image is lost.
    torch.testing.assert_close(parts.tangent, torch.full((3,), 5 / 4).double(), atol=0.3, rtol=0)
    torch.testing.assert_close(parts.normal, torch.full((3,), 251 / 4).double(), atol=2, rtol=0)
    torch.testing.assert_close(parts.bias, energy / 4, atol=0, rtol=0.02)


def test_wrong_arguments_are_refused(parameters: DiscParameters) -> None:
    def same(y: Tensor, sigma: float | None = None) -> Tensor:
        return y

    with pytest.raises(ConfigError, match="draws"):
        experiments.split_error(same, parameters, 0.1, size=16, draws=1, generator=seeded())
    with pytest.raises(SigmaError):
        experiments.split_error(same, parameters, -0.1, size=16, generator=seeded())
    with pytest.raises(ConfigError, match="n is"):
        experiments.contour_images(0, 24, 2.0, generator=seeded())


# Cached results


@pytest.mark.parametrize(("name", "m"), [("ray", 1), ("sinusoids", 2)])
def test_spectra_are_found_again(name: str, m: int) -> None:
    cached = load_result(f"spectra-{name}", experiments.Spectra)
    found = experiments.spectra(name, cached.sigma, images=1, k=20)
    torch.testing.assert_close(cached.noisy[:1], found.noisy, atol=1e-5, rtol=0)
    torch.testing.assert_close(cached.network[:1], found.network, atol=1e-3, rtol=0)
    torch.testing.assert_close(cached.bayes[:1], found.bayes, atol=1e-3, rtol=0)
    assert (cached.bayes[:, m:] < 1e-3).all()  # what the manifold's dimension says


def test_eigenvectors_of_the_first_disc_are_those_of_its_cached_spectrum() -> None:
    cached = load_result("spectra-discs", experiments.Spectra)
    from gahr_lib.zoo import load_denoiser

    found = eigenbasis(load_denoiser("discs"), cached.noisy[:1], k=20, sigma=cached.sigma)
    torch.testing.assert_close(found.values, cached.network[0], atol=1e-3, rtol=0)
