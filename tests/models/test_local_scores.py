from collections.abc import Callable
from itertools import product
from typing import Literal

import numpy as np
import pytest
import torch
from torch import Tensor

from gahr_lib.analysis.jacobian import jacobian
from gahr_lib.errors import ConfigError, ShapeError, SigmaError, ValueRangeError
from gahr_lib.models.empirical_optimum import EmpiricalOptimum
from gahr_lib.models.local_scores import EquivariantLocalScore, LocalScore
from gahr_lib.noise import add_noise
from helpers import BAD_IMAGES, intensities, seeded

pytestmark = pytest.mark.usefixtures("untouched_random_state")

KINDS = [LocalScore, EquivariantLocalScore]
Padding = Literal["zeros", "circular"]


def patch(image: np.ndarray, i: int, j: int, side: int, padding: Padding) -> np.ndarray:
    """The patch around a pixel of a padded image, with a channel that marks what is inside."""
    marked = np.concatenate((image, np.ones_like(image[:1])))
    r = side // 2
    mode = "constant" if padding == "zeros" else "wrap"
    padded = np.pad(marked, ((0, 0), (r, r), (r, r)), mode)
    return padded[:, i : i + side, j : j + side]


def brute_force(
    kind: type, images: Tensor, y: Tensor, sigma: float, side: int, padding: Padding
) -> Tensor:
    """Pixel by pixel: compare the padded patch with each training patch of the same border."""
    height, width = y.shape[1:]
    out = np.zeros(y.shape)
    for i, j in product(range(height), range(width)):
        seen = patch(y.numpy(), i, j, side, padding)
        exponents, pixels = [], []
        for x in images.numpy():
            places = [(i, j)] if kind is LocalScore else product(range(height), range(width))
            for u, v in places:
                known = patch(x, u, v, side, padding)
                if np.array_equal(known[-1], seen[-1]):  # outside at the same places
                    exponents.append(-np.sum((known - seen) ** 2) / (2 * sigma**2))
                    pixels.append(x[:, u, v])
        weights = np.exp(np.array(exponents) - max(exponents))
        out[:, i, j] = weights @ np.array(pixels) / weights.sum()
    return torch.from_numpy(out)


@pytest.mark.parametrize("block", [7, 1000])
@pytest.mark.parametrize("side", [1, 3, 5])
@pytest.mark.parametrize("padding", ["zeros", "circular"])
@pytest.mark.parametrize("kind", KINDS)
def test_it_agrees_with_loops(kind: type, padding: Padding, side: int, block: int) -> None:
    images = intensities(3, 2, 5, 6, dtype=torch.float64)
    y = add_noise(images[:2], 0.2, generator=seeded())
    denoiser = kind(images, side, padding=padding, block=block)
    for image, denoised in zip(y, denoiser(y, 0.2), strict=True):
        expected = brute_force(kind, images, image, 0.2, side, padding)
        torch.testing.assert_close(denoised, expected)


@pytest.mark.parametrize("side", [7, 9, 21])
@pytest.mark.parametrize("kind", KINDS)
def test_patches_may_reach_beyond_both_borders(kind: type, side: int) -> None:
    images = intensities(3, 1, 5, 6, dtype=torch.float64)
    y = add_noise(images[:1], 0.3, generator=seeded())
    expected = brute_force(kind, images, y[0], 0.3, side, "zeros")
    torch.testing.assert_close(kind(images, side)(y, 0.3)[0], expected)
    if side >= 11:
        torch.testing.assert_close(kind(images, side)(y, 0.3), EmpiricalOptimum(images)(y, 0.3))


@pytest.mark.parametrize("sigma", [0.002, 0.05, 0.5])
@pytest.mark.parametrize("kind", KINDS)
def test_single_precision_and_colour(kind: type, sigma: float) -> None:
    # Near copies, between which single precision would have to choose at little noise.
    shades = torch.linspace(0, 0.004, 4).reshape(4, 1, 1, 1)
    images = 0.5 * intensities(1, 3, 6, 6) + 0.4 + shades
    y = add_noise(images[:2], sigma, generator=seeded())
    denoised = kind(images, 3, block=16)(y, sigma)
    assert denoised.dtype == torch.float32
    expected = brute_force(kind, images.double(), y[1].double(), sigma, 3, "zeros")
    torch.testing.assert_close(denoised[1].double(), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_bytes_are_training_images_as_floats_are(kind: type) -> None:
    levels = torch.randint(0, 256, (6, 1, 5, 5), generator=seeded(), dtype=torch.uint8)
    denoiser, y = kind(levels, 3, block=8), intensities(2, 1, 5, 5)
    assert denoiser.images.dtype == torch.uint8
    torch.testing.assert_close(denoiser(y, 0.3), kind(levels / 255, 3)(y, 0.3))


@pytest.mark.parametrize("kind", KINDS)
def test_each_image_has_its_noise_level_and_its_patches(kind: type) -> None:
    images = intensities(4, 1, 6, 6, dtype=torch.float64)
    sizes: dict[float, int] = {0.1: 3, 0.4: 5, 2.0: 11}
    denoiser = kind(images, sizes)
    sigma = torch.tensor([0.5, 0.05, 0.0, 1.0, 9.0, 0.5], dtype=torch.float64)
    y = add_noise(intensities(6, 1, 6, 6, seed=1, dtype=torch.float64), 0.1, generator=seeded())
    before, together = y.clone(), denoiser(y, sigma)
    assert torch.equal(y, before)
    for i, side in enumerate([5, 3, 3, 11, 11, 5]):
        assert denoiser.patch_size(float(sigma[i])) == side
        alone = kind(images, side)(y[i : i + 1], float(sigma[i]))
        torch.testing.assert_close(together[i : i + 1], alone)


def test_the_patch_size_may_be_a_function() -> None:
    images, seen = intensities(4, 1, 6, 6), []

    def sides(sigma: float) -> int:
        seen.append(sigma)
        return 3 if sigma <= 0.1 else 5

    denoiser, y = LocalScore(images, sides), intensities(2, 1, 6, 6, seed=1)
    torch.testing.assert_close(denoiser(y, 0.1), LocalScore(images, 3)(y, 0.1))
    torch.testing.assert_close(denoiser(y, 0.2), LocalScore(images, 5)(y, 0.2))
    assert seen == [0.1, 0.2]
    with pytest.raises(ConfigError, match="odd"):
        LocalScore(images, lambda sigma: 4)(y, 0.1)


@pytest.mark.parametrize("kind", KINDS)
def test_without_noise_it_takes_the_nearest_patch(kind: type) -> None:
    images = intensities(5, 1, 6, 6)
    torch.testing.assert_close(kind(images, 3)(images[:2] + 0.001, 0.0), images[:2])


def test_circular_patches_commute_with_shifts() -> None:
    images, y = intensities(3, 1, 6, 6), intensities(1, 1, 6, 6, seed=1)
    shift: Callable[[Tensor], Tensor] = lambda x: x.roll((2, -1), dims=(2, 3))  # noqa: E731
    circular = EquivariantLocalScore(images, 3, padding="circular")
    torch.testing.assert_close(circular(shift(y), 0.3), shift(circular(y, 0.3)))
    for denoiser in (
        EquivariantLocalScore(images, 3),
        LocalScore(images, 3, padding="circular"),
    ):
        assert float((denoiser(shift(y), 0.3) - shift(denoiser(y, 0.3))).abs().max()) > 0.01


def test_a_pixel_sees_its_patch() -> None:
    images = intensities(4, 1, 5, 5, dtype=torch.float64)
    matrix = jacobian(EquivariantLocalScore(images, 3), images[:1] + 0.1, sigma=0.5)
    row = matrix[2 * 5 + 1].reshape(5, 5)
    inside = torch.zeros(5, 5, dtype=torch.bool)
    inside[1:4, 0:3] = True
    assert bool((row[inside] != 0).all())
    assert bool((row[~inside] == 0).all())


@pytest.mark.parametrize("padding", ["zeros", "circular"])
@pytest.mark.parametrize("kind", KINDS)
def test_derivatives(kind: type, padding: Padding) -> None:
    images = intensities(3, 2, 3, 3, dtype=torch.float64)
    denoiser = kind(images, 3, padding=padding, block=20)
    y, step = images[:1] + 0.1, 1e-5
    matrix = jacobian(denoiser, y, sigma=0.4)
    units = torch.eye(18, dtype=torch.float64).reshape(18, 2, 3, 3)
    differences = (denoiser(y + step * units, 0.4) - denoiser(y - step * units, 0.4)) / (2 * step)
    torch.testing.assert_close(matrix, differences.flatten(1).T, atol=1e-8, rtol=1e-6)
    backward = torch.autograd.functional.jacobian(lambda v: denoiser(v, 0.4), y)
    torch.testing.assert_close(backward.reshape(18, 18), matrix)
    levels = torch.tensor([0.3, 0.5], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda s: denoiser(images[:2], s), (levels,))


@pytest.mark.parametrize("kind", KINDS)
def test_wrong_settings_are_refused(kind: type) -> None:
    images = intensities(2, 1, 5, 7)
    for wrong, says in [
        (4, "odd"),
        (0, "patch_size is 0"),
        (3.0, "whole number"),
        ({}, "at least one sigma"),
        ({0.0: 3}, "all above 0"),
        ({0.1: 4}, "odd"),
        ("3", "whole number"),
    ]:
        with pytest.raises(ConfigError, match=says):
            kind(images, wrong)
    with pytest.raises(SigmaError, match="A sigma of patch_size"):
        kind(images, {-0.1: 3})
    with pytest.raises(ConfigError, match="from 1 to 5"):
        kind(images, 7, padding="circular")
    with pytest.raises(ConfigError, match="'zeros' or 'circular'"):
        kind(images, 3, padding="reflect")
    with pytest.raises(ConfigError, match="block is 0"):
        kind(images, 3, block=0)
    with pytest.raises(SigmaError):
        kind(images, 3).patch_size(-1.0)


@pytest.mark.parametrize("kind", KINDS)
def test_wrong_images_are_refused(kind: type) -> None:
    for name, (images, error, says) in BAD_IMAGES.items():
        if name != "bytes":
            with pytest.raises(error, match=says):
                kind(images, 3)
    denoiser = kind(intensities(2, 1, 5, 7), 3)
    with pytest.raises(ShapeError, match=r"\(1, 7, 5\).*\(1, 5, 7\)"):
        denoiser(intensities(1, 1, 7, 5), 0.1)
    with pytest.raises(ValueRangeError, match="dtype"):
        denoiser(intensities(1, 1, 5, 7).double(), 0.1)
    with pytest.raises(SigmaError, match="needs the noise level"):
        denoiser(intensities(1, 1, 5, 7))
