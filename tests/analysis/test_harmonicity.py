"""How harmonic and how adapted bases are, against closed forms."""

import math

import pytest
import torch
from torch import Tensor

from gahr_lib import bases
from gahr_lib.analysis.harmonicity import (
    adaptation,
    contour_preference,
    frequencies,
    growth,
    half_waves,
    missed,
)
from gahr_lib.errors import ShapeError, ValueRangeError

pytestmark = pytest.mark.usefixtures("untouched_random_state")


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def cosine(p: int, length: int = 400) -> Tensor:
    places = (torch.arange(length) + 0.5) / length
    return (math.pi * p * places).cos().reshape(1, 1, 1, length).expand(-1, -1, 8, -1)


def random_basis(k: int, side: int, generator: torch.Generator) -> Tensor:
    drawn = torch.randn(side**2, k, generator=generator)
    return torch.linalg.qr(drawn)[0].T.reshape(k, 1, side, side)


@pytest.mark.parametrize("p", [1, 2, 5, 20])
def test_half_waves_of_a_cosine(p: int) -> None:
    assert half_waves(cosine(p)).item() == pytest.approx(p**2 / (p - 0.5), rel=1e-3)


def test_half_waves_of_equal_squares_are_counted_and_connected_by_their_sides() -> None:
    board = torch.kron((torch.arange(6)[:, None] + torch.arange(6)) % 2 * 2.0 - 1, torch.ones(4, 4))
    assert half_waves(board[None, None]).item() == pytest.approx(36)
    crumbs = board + 0
    crumbs[1, 1] = 1e-4  # a pixel of the other sign
    assert half_waves(crumbs[None, None]).item() == pytest.approx(36, rel=0.01)


def test_half_waves_of_haar_do_not_grow_and_those_of_cosines_do() -> None:
    haar = half_waves(bases.wavelet_basis(32, 32, wavelet="haar"))
    assert set(haar.round(decimals=4).tolist()) == {1.0, 2.0, 4.0}
    cosines = half_waves(bases.dct_basis(28, 28)[:200])
    assert (cosines <= torch.arange(1, 201) + 1e-6).all()  # Courant
    assert 0.6 < growth(cosines) < 1
    assert abs(growth(haar[:200])) < 0.25
    assert growth(cosines) > growth(haar[:200]) + 0.4


def test_growth_finds_an_exponent() -> None:
    ranks = torch.arange(1, 50).double()
    found = growth(torch.stack([3 * ranks**0.7, torch.full_like(ranks, 5.0)]))
    torch.testing.assert_close(found, torch.tensor([0.7, 0.0], dtype=torch.float64))


def test_mixing_the_vectors_of_a_basis_ends_its_growth() -> None:
    mixed = random_basis(64, 8, seeded()).flatten(1)[:64]  # an orthogonal matrix, 64 x 64
    cosines = bases.dct_basis(28, 28)[:64]
    rotated = (mixed @ cosines.flatten(1)).reshape(cosines.shape)
    assert abs(growth(half_waves(rotated))) < 0.15
    assert abs(growth(half_waves(random_basis(64, 28, seeded(1))))) < 0.15


def test_frequencies_of_cosines() -> None:
    basis = bases.dct_basis(12, 20)
    rows = 2 * (math.pi * torch.arange(12) / 24).sin()
    columns = 2 * (math.pi * torch.arange(20) / 40).sin()
    expected = (rows[:, None] ** 2 + columns**2).sqrt().flatten().double()
    torch.testing.assert_close(
        frequencies(basis).sort().values, expected.sort().values, atol=1e-5, rtol=0
    )


def test_frequency_of_white_noise_is_two() -> None:
    noise = torch.randn(50, 1, 64, 64, generator=seeded())
    assert frequencies(noise).mean().item() == pytest.approx(2, abs=0.03)


def test_what_is_missed() -> None:
    basis = bases.dct_basis(8, 8)
    images = torch.rand(3, 1, 8, 8, generator=seeded())
    energy = bases.coefficients(basis, images).square()
    expected = energy[:, 10:].sum(1) / energy.sum(1)
    torch.testing.assert_close(missed(basis[:10], images).float(), expected)


def test_a_fixed_basis_is_not_adapted_and_one_of_its_own_is() -> None:
    images = torch.rand(3, 1, 8, 8, generator=seeded())
    assert adaptation([bases.dct_basis(8, 8)[:9]] * 3, images).abs().max() < 1e-9
    # Each basis has its image's direction, turned by a small angle into one that no image has.
    rows = torch.linalg.qr(torch.randn(64, 6, generator=seeded(1)))[0].T.reshape(6, 1, 8, 8)
    clean, aside = rows[:3], rows[3:]
    own = [math.cos(0.1) * c + math.sin(0.1) * a for c, a in zip(clean, aside, strict=True)]
    found = adaptation([basis[None] for basis in own], clean)
    expected = -20 * math.log10(math.sin(0.1))  # the others miss all of it
    torch.testing.assert_close(found.float(), torch.full((3,), expected), atol=1e-3, rtol=0)


def test_preference_for_contours() -> None:
    step = torch.zeros(1, 1, 10, 10)
    step[..., 5:] = 1  # its gradient is that of columns 4 and 5: a fifth of the pixels
    assert contour_preference(torch.eye(100).reshape(-1, 1, 10, 10), step) == pytest.approx(1)
    on_it = torch.eye(100).reshape(10, 10, 1, 10, 10)[:, 4]
    assert contour_preference(on_it, step) == pytest.approx(5)
    assert contour_preference(on_it.roll(3, dims=3), step) == 0


def test_what_is_refused() -> None:
    colour, zero = torch.ones(2, 3, 4, 4), torch.zeros(1, 1, 4, 4)
    with pytest.raises(ShapeError, match="grey"):
        half_waves(colour)
    with pytest.raises(ValueRangeError, match="zero everywhere"):
        frequencies(zero)
    with pytest.raises(ShapeError, match="at least 3"):
        growth(torch.ones(2))
    with pytest.raises(ValueRangeError, match="not positive"):
        growth(torch.zeros(4))
    with pytest.raises(ShapeError, match="two images or more"):
        adaptation([torch.ones(1, 1, 4, 4)], torch.ones(1, 1, 4, 4))
    with pytest.raises(ValueRangeError, match="share"):
        contour_preference(zero + 1, zero + 1, share=1.0)
    with pytest.raises(ShapeError, match="as many"):
        contour_preference(torch.ones(1, 1, 4, 4), torch.ones(1, 1, 5, 5))
