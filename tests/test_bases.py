from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import pywt
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gahr_lib.bases import coefficients, dct_basis, synthesize, wavelet_basis
from gahr_lib.errors import ConfigError, ShapeError, ValueRangeError
from helpers import intensities

pytestmark = pytest.mark.usefixtures("untouched_random_state")

ORTHOGONAL = [
    name
    for name in pywt.wavelist(kind="discrete")
    if pywt.Wavelet(name).orthogonal and name != "dmey"
]
BASES = {
    "dct": dct_basis(8, 8),
    "dct, wide": dct_basis(4, 10),
    "haar": wavelet_basis(8, 8, wavelet="haar"),
    "db2": wavelet_basis(8, 8),
    "db2, tall": wavelet_basis(16, 4, levels=2),
}


def gram(basis: torch.Tensor) -> torch.Tensor:
    vectors = basis.flatten(1).double()
    return vectors @ vectors.T


@pytest.mark.parametrize("name", BASES)
def test_bases_are_orthonormal_and_complete(name: str) -> None:
    basis = BASES[name]
    assert len(basis) == basis[0].numel()
    torch.testing.assert_close(
        gram(basis), torch.eye(len(basis), dtype=torch.float64), atol=1e-6, rtol=0
    )


@pytest.mark.parametrize("name", BASES)
def test_bases_are_float32_images(name: str) -> None:
    assert BASES[name].dtype == torch.float32
    assert BASES[name].is_contiguous()
    assert BASES[name].shape[1] == 1


@settings(max_examples=30)
@given(name=st.sampled_from(ORTHOGONAL), rows=st.integers(1, 4), columns=st.integers(1, 4))
def test_every_orthogonal_wavelet_gives_an_orthonormal_basis(
    name: str, rows: int, columns: int
) -> None:
    basis = wavelet_basis(4 * rows, 4 * columns, wavelet=name)
    identity = torch.eye(len(basis), dtype=torch.float64)
    torch.testing.assert_close(gram(basis), identity, atol=1e-6, rtol=0)


def test_cosine_vectors_follow_the_formula_of_the_dct() -> None:
    height, width = 4, 6
    basis = dct_basis(height, width)
    rows, columns = np.arange(height) + 0.5, np.arange(width) + 0.5
    formula = []
    for u in range(height):
        for v in range(width):
            norm = np.sqrt((1 if u == 0 else 2) / height * (1 if v == 0 else 2) / width)
            wave = np.outer(np.cos(np.pi * u * rows / height), np.cos(np.pi * v * columns / width))
            formula.append((np.hypot(u / height, v / width), u, v, norm * wave))
    formula.sort(key=lambda entry: entry[:3])
    for vector, (*_, expected) in zip(basis, formula, strict=True):
        np.testing.assert_allclose(vector[0].numpy(), expected, atol=1e-6)


def test_the_first_cosine_vector_is_constant() -> None:
    torch.testing.assert_close(dct_basis(5, 7)[0], torch.full((1, 5, 7), 35**-0.5))


@pytest.mark.filterwarnings("ignore:Level value of")  # PyWavelets, here called directly
@pytest.mark.parametrize("wavelet", ["haar", "db2", "sym4"])
@pytest.mark.parametrize("levels", [1, 2, 3])
def test_wavelet_coefficients_are_those_of_pywavelets(wavelet: str, levels: int) -> None:
    image = intensities(1, 1, 16, 24, dtype=torch.float64)
    basis = wavelet_basis(16, 24, wavelet=wavelet, levels=levels)
    ours = coefficients(basis.double(), image)[0].numpy()
    parts = pywt.wavedec2(image[0, 0].numpy(), wavelet, "periodization", levels)
    np.testing.assert_allclose(ours[: parts[0].size], parts[0].ravel(), atol=1e-6)
    start = parts[0].size
    for details in parts[1:]:  # the three orientations of a scale lie together
        theirs = np.concatenate([detail.ravel() for detail in details])
        np.testing.assert_allclose(
            np.sort(ours[start : start + theirs.size]), np.sort(theirs), atol=1e-6
        )
        start += theirs.size
    assert start == len(ours)


def test_wavelet_vectors_are_the_inverse_transforms_of_unit_coefficients() -> None:
    basis = wavelet_basis(8, 8, wavelet="db2", levels=1)
    for k in range(16):  # the coarse ones, row by row
        coarse = np.zeros((4, 4))
        coarse.flat[k] = 1
        expected = pywt.waverec2([coarse, (None, None, None)], "db2", "periodization")
        np.testing.assert_allclose(basis[k, 0].numpy(), expected, atol=1e-6)


def test_haar_vectors_are_blocks() -> None:
    basis = wavelet_basis(4, 4, wavelet="haar", levels=1)
    corner = torch.zeros(4, 4)
    corner[:2, :2] = 0.5
    torch.testing.assert_close(basis[0, 0], corner)


def test_wavelets_go_as_deep_as_both_sides_can_be_halved() -> None:
    assert torch.equal(wavelet_basis(12, 8), wavelet_basis(12, 8, levels=2))


@pytest.mark.parametrize("name", BASES)
def test_synthesis_inverts_analysis(name: str) -> None:
    basis = BASES[name]
    images = intensities(3, *basis.shape[1:])
    c = coefficients(basis, images)
    assert c.shape == (3, len(basis))
    torch.testing.assert_close(synthesize(basis, c), images, atol=1e-5, rtol=0)


def test_coefficients_are_inner_products() -> None:
    basis, images = intensities(3, 2, 4, 5, seed=1), intensities(2, 2, 4, 5, seed=2)
    c = coefficients(basis, images)
    for b in range(2):
        for k in range(3):
            product = sum(images[b].flatten()[i] * basis[k].flatten()[i] for i in range(40))
            assert c[b, k].item() == pytest.approx(float(product), rel=1e-5)


def test_an_incomplete_basis_projects() -> None:
    basis = dct_basis(6, 6)[:10]
    image = intensities(1, 1, 6, 6)
    projected = synthesize(basis, coefficients(basis, image))
    again = synthesize(basis, coefficients(basis, projected))
    torch.testing.assert_close(again, projected, atol=1e-6, rtol=0)
    assert projected.norm() < image.norm()


def test_coefficients_of_images_of_another_size_are_refused() -> None:
    with pytest.raises(ShapeError, match="expected that of the basis vectors"):
        coefficients(dct_basis(8, 8), intensities(1, 1, 8, 10))


@pytest.mark.parametrize("shape", [(64,), (1, 63), (1, 64, 1)])
def test_the_wrong_number_of_coefficients_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="one for each basis vector"):
        synthesize(dct_basis(8, 8), torch.zeros(shape))


def test_images_and_coefficients_have_the_precision_of_the_basis() -> None:
    basis = dct_basis(8, 8)
    with pytest.raises(
        ValueRangeError, match=r"images has dtype torch.float64; expected .*float32"
    ):
        coefficients(basis, intensities(1, 1, 8, 8, dtype=torch.float64))
    with pytest.raises(ValueRangeError, match=r"coefficients has dtype torch.float64"):
        synthesize(basis, torch.zeros(1, 64, dtype=torch.float64))


@pytest.mark.parametrize("make", [dct_basis, wavelet_basis])
@pytest.mark.parametrize("sides", [(0, 8), (8, 1), (8.0, 8), (-8, 8), (None, 8)])
def test_impossible_sides_are_refused(
    make: Callable[..., Any], sides: tuple[object, object]
) -> None:
    with pytest.raises(ConfigError, match="whole number of at least 2"):
        make(*sides)


def test_odd_sides_have_no_wavelet_basis() -> None:
    with pytest.raises(ConfigError, match="expected even sides"):
        wavelet_basis(27, 28)


@pytest.mark.parametrize("levels", [0, 3, -1, 1.5])
def test_levels_that_the_sides_do_not_allow_are_refused(levels: object) -> None:
    with pytest.raises(ConfigError, match=r"from 1 to 2.*halved"):
        wavelet_basis(28, 28, levels=levels)  # type: ignore[arg-type]


@pytest.mark.parametrize("wavelet", ["bior2.2", "dmey", "morl", "no-such-wavelet"])
def test_wavelets_that_are_not_orthogonal_are_refused(wavelet: str) -> None:
    with pytest.raises(ConfigError, match="expected an orthogonal one"):
        wavelet_basis(8, 8, wavelet=wavelet)
