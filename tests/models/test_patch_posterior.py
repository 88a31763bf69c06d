import numpy as np
import pytest
import torch
from torch import Tensor

from gahr_lib.analysis.jacobian import asymmetry, jacobian
from gahr_lib.errors import ConfigError, ShapeError, SigmaError, ValueRangeError
from gahr_lib.models.empirical_optimum import EmpiricalOptimum
from gahr_lib.models.patch_posterior import PatchPosterior
from gahr_lib.noise import add_noise
from helpers import BAD_IMAGES, intensities, seeded

pytestmark = pytest.mark.usefixtures("untouched_random_state")


def brute_force(images: Tensor, y: Tensor, sigma: float, side: int) -> Tensor:
    """Place by place: the posterior mean of the patch there, added up and counted."""
    training, noisy = images.numpy(), y.numpy()
    total, count = np.zeros(y.shape), np.zeros(y.shape)
    for i in range(y.shape[1] - side + 1):
        for j in range(y.shape[2] - side + 1):
            cut = np.s_[..., i : i + side, j : j + side]
            exponents = np.array([-np.sum((x[cut] - noisy[cut]) ** 2) for x in training])
            weights = np.exp((exponents - exponents.max()) / (2 * sigma**2))
            total[cut] += np.tensordot(weights / weights.sum(), training[cut], 1)
            count[cut] += 1
    return torch.from_numpy(total / count)


@pytest.mark.parametrize("block", [1, 3, 1000])
@pytest.mark.parametrize("side", [1, 2, 3, 5])
def test_it_agrees_with_loops(side: int, block: int) -> None:
    images = intensities(6, 2, 5, 7, dtype=torch.float64)
    y = add_noise(images[:4], 0.2, generator=seeded())
    denoised = PatchPosterior(images, side, block=block)(y, 0.2)
    for i in range(4):
        torch.testing.assert_close(denoised[i], brute_force(images, y[i], 0.2, side))


@pytest.mark.parametrize("sigma", [0.002, 0.05, 0.5])
@pytest.mark.parametrize("side", [2, 5])
def test_single_precision_and_colour(side: int, sigma: float) -> None:
    shades = torch.linspace(0, 0.004, 5).reshape(5, 1, 1, 1)
    images = 0.5 * intensities(1, 3, 8, 8) + 0.4 + shades
    y = add_noise(images[:2], sigma, generator=seeded())
    denoised = PatchPosterior(images, side, block=2)(y, sigma)
    assert denoised.dtype == torch.float32
    expected = brute_force(images.double(), y[1].double(), sigma, side)
    torch.testing.assert_close(denoised[1].double(), expected, atol=1e-5, rtol=0)


def test_a_patch_as_large_as_the_image_is_the_empirical_optimum() -> None:
    images = intensities(20, 1, 6, 6, dtype=torch.float64)
    y = add_noise(images[:3], 0.4, generator=seeded())
    expected = EmpiricalOptimum(images)(y, 0.4)
    torch.testing.assert_close(PatchPosterior(images, 6)(y, 0.4), expected)


def test_bytes_are_training_images_as_floats_are() -> None:
    levels = torch.randint(0, 256, (6, 1, 5, 5), generator=seeded(), dtype=torch.uint8)
    denoiser, y = PatchPosterior(levels, 3, block=4), intensities(2, 1, 5, 5)
    assert denoiser.images.dtype == torch.uint8
    torch.testing.assert_close(denoiser(y, 0.3), PatchPosterior(levels / 255, 3)(y, 0.3))


def test_each_image_has_its_noise_level_and_its_patches() -> None:
    images = intensities(4, 1, 6, 6, dtype=torch.float64)
    denoiser = PatchPosterior(images, lambda sigma: 2 if sigma < 0.2 else 4)
    sigma = torch.tensor([0.5, 0.05, 0.0, 1.0], dtype=torch.float64)
    y = intensities(4, 1, 6, 6, seed=1, dtype=torch.float64)
    before, together = y.clone(), denoiser(y, sigma)
    assert torch.equal(y, before)
    for i, side in enumerate([4, 2, 2, 4]):
        alone = PatchPosterior(images, side)(y[i : i + 1], float(sigma[i]))
        torch.testing.assert_close(together[i : i + 1], alone)


def test_without_noise_it_takes_the_nearest_patches() -> None:
    images = intensities(5, 1, 6, 6)
    torch.testing.assert_close(PatchPosterior(images, 3)(images[:2] + 0.001, 0.0), images[:2])


def test_derivatives() -> None:
    images = intensities(5, 2, 3, 4, dtype=torch.float64)
    denoiser = PatchPosterior(images, 2, block=2)
    y, step = images[:1] + 0.1, 1e-5
    matrix = jacobian(denoiser, y, sigma=0.4)
    units = torch.eye(24, dtype=torch.float64).reshape(24, 2, 3, 4)
    differences = (denoiser(y + step * units, 0.4) - denoiser(y - step * units, 0.4)) / (2 * step)
    torch.testing.assert_close(matrix, differences.flatten(1).T, atol=1e-8, rtol=1e-6)
    backward = torch.autograd.functional.jacobian(lambda v: denoiser(v, 0.4), y)
    torch.testing.assert_close(backward.reshape(24, 24), matrix)
    # A sum of covariances is symmetric, but each pixel divides by the patches that it lies in.
    assert asymmetry(matrix) > 1e-3
    counts = torch.tensor([1.0, 2, 2, 1]).outer(torch.ones(1)).T * torch.tensor([[1.0], [2], [1]])
    counts = counts.double().expand(2, 3, 4).flatten()
    assert asymmetry(counts[:, None] * matrix) < 1e-12


def test_wrong_settings_are_refused() -> None:
    images = intensities(2, 1, 5, 7)
    for wrong in (0, 6, 2.0, "3"):
        with pytest.raises(ConfigError, match=r"patch_size is .* from 1 to 5"):
            PatchPosterior(images, wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="from 1 to 5"):
        PatchPosterior(images, lambda sigma: 6)(images, 0.1)
    with pytest.raises(ConfigError, match="block is 0"):
        PatchPosterior(images, 3, block=0)


def test_wrong_images_are_refused() -> None:
    for name, (images, error, says) in BAD_IMAGES.items():
        if name != "bytes":
            with pytest.raises(error, match=says):
                PatchPosterior(images, 3)  # type: ignore[arg-type]
    denoiser = PatchPosterior(intensities(2, 1, 5, 7), 3)
    with pytest.raises(ShapeError, match=r"\(1, 7, 5\).*\(1, 5, 7\)"):
        denoiser(intensities(1, 1, 7, 5), 0.1)
    with pytest.raises(ValueRangeError, match="dtype"):
        denoiser(intensities(1, 1, 5, 7).double(), 0.1)
    with pytest.raises(SigmaError, match="needs the noise level"):
        denoiser(intensities(1, 1, 5, 7))
