import math

import pytest
import torch
from torch import Tensor

from gahr_lib.analysis.jacobian import jacobian
from gahr_lib.data import fashion
from gahr_lib.errors import ConfigError, GahrError, ShapeError, SigmaError, ValueRangeError
from gahr_lib.models.empirical_optimum import EmpiricalOptimum
from gahr_lib.noise import add_noise
from helpers import BAD_IMAGES, BAD_SIGMAS, intensities, seeded

pytestmark = pytest.mark.usefixtures("untouched_random_state")


def brute_force(images: Tensor, y: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
    """Weights and weighted mean for one noisy image, one training image at a time, in doubles."""
    exponents = [
        -sum((float(a) - float(b)) ** 2 for a, b in zip(y.flatten(), x.flatten(), strict=True))
        / (2 * sigma**2)
        for x in images
    ]
    weights = [math.exp(e - max(exponents)) for e in exponents]
    total = sum(weights)
    mean = sum((w / total * x.double() for w, x in zip(weights, images, strict=True)), 0 * y)
    return torch.tensor([w / total for w in weights], dtype=torch.float64), mean


def near_twins(dtype: torch.dtype, n: int = 9) -> Tensor:
    """Bright training images of which neighbours differ by a few thousandths."""
    steps = torch.randn(n, 2, 6, 5, generator=seeded(1), dtype=torch.float64) * 5e-4
    return (0.6 + 0.3 * intensities(1, 2, 6, 5, dtype=torch.float64) + steps.cumsum(0)).to(dtype)


@pytest.mark.parametrize("block", [1, 4, 100])
@pytest.mark.parametrize("sigma", [0.002, 0.02, 0.3, 2.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_it_is_the_weighted_mean(dtype: torch.dtype, sigma: float, block: int) -> None:
    images = near_twins(dtype)
    y = add_noise(images[2:5], sigma, generator=seeded())
    optimum = EmpiricalOptimum(images, block=block)
    denoised, weights = optimum(y, sigma), optimum.weights(y, sigma)
    assert denoised.dtype == weights.dtype == dtype
    accuracy = 1e-6 if dtype == torch.float32 else 1e-12
    for i in range(3):
        w, mean = brute_force(images, y[i], sigma)
        torch.testing.assert_close(denoised[i].double(), mean, atol=accuracy, rtol=0)
        torch.testing.assert_close(weights[i].double(), w, atol=300 * accuracy, rtol=0)
    if sigma == 0.002:
        assert 0.1 < float(weights.max()) < 0.9, "several images compete"


@pytest.mark.parametrize("sigma", [0.002, 0.05, 0.2])
def test_screening_far_images_leaves_the_result(sigma: float) -> None:
    images = torch.cat((intensities(300, 2, 6, 5), near_twins(torch.float32)))
    y = add_noise(images[-4:], sigma, generator=seeded())
    denoised = EmpiricalOptimum(images, block=64)(y, sigma)
    exact = EmpiricalOptimum(images.double())
    torch.testing.assert_close(denoised.double(), exact(y.double(), sigma), atol=1e-6, rtol=0)
    for i in range(4):
        mean = brute_force(images, y[i], sigma)[1]
        torch.testing.assert_close(denoised[i].double(), mean, atol=1e-6, rtol=0)


def test_bytes_are_training_images_as_floats_are() -> None:
    levels = torch.randint(0, 256, (20, 3, 4, 4), generator=seeded(), dtype=torch.uint8)
    optimum = EmpiricalOptimum(levels, block=7)
    assert optimum.images.dtype == torch.uint8
    assert optimum.images.data_ptr() == levels.data_ptr(), "not copied"
    y = add_noise(levels[:3] / 255, 0.5, generator=seeded())
    torch.testing.assert_close(optimum(y, 0.5), EmpiricalOptimum(levels / 255)(y, 0.5))
    double = optimum.double()
    assert double.images.dtype == torch.uint8
    expected = EmpiricalOptimum(levels.double() / 255)(y.double(), 0.5)
    torch.testing.assert_close(double(y.double(), 0.5), expected, atol=1e-7, rtol=0)


@pytest.mark.parametrize("sigma", [0.0, 1e-9, 1e-4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_without_noise_it_returns_the_nearest_image(dtype: torch.dtype, sigma: float) -> None:
    images = intensities(50, 1, 8, 8, dtype=dtype)
    y = images[:5] + 0.05
    torch.testing.assert_close(EmpiricalOptimum(images, block=16)(y, sigma), images[:5])


def test_between_two_images_it_returns_their_mean() -> None:
    images = intensities(2, 1, 4, 4, dtype=torch.float64)
    y = images.mean(0, keepdim=True)
    torch.testing.assert_close(EmpiricalOptimum(images)(y, 0.1), y)


def test_far_away_nothing_overflows() -> None:
    images = intensities(40, 1, 8, 8)
    for y in (torch.full((1, 1, 8, 8), 60.0), torch.full((1, 1, 8, 8), -60.0)):
        for sigma in (0.0, 0.002, 1.0, 1e4):
            denoised = EmpiricalOptimum(images, block=8)(y, sigma)
            assert torch.isfinite(denoised).all()
            assert 0 <= float(denoised.min()) <= float(denoised.max()) <= 1
    torch.testing.assert_close(denoised, images.mean(0, keepdim=True), atol=1e-5, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_each_image_is_denoised_for_itself(dtype: torch.dtype) -> None:
    images = intensities(60, 1, 8, 8, dtype=dtype)
    optimum = EmpiricalOptimum(images, block=16)
    y, sigma = images[:4] + 0.1, torch.tensor([0.0, 0.1, 0.4, 3.0], dtype=dtype)
    before = y.clone()
    together, weights = optimum(y, sigma), optimum.weights(y, sigma)
    assert torch.equal(y, before)
    for i in range(4):
        alone = optimum(y[i : i + 1], float(sigma[i]))
        torch.testing.assert_close(together[i : i + 1], alone, atol=1e-5, rtol=0)
    torch.testing.assert_close(weights.sum(1), torch.ones(4, dtype=dtype))
    mixed = torch.einsum("bn,nchw->bchw", weights, images)
    torch.testing.assert_close(together, mixed, atol=1e-5, rtol=0)


@pytest.mark.parametrize("sigma", [0.002, 0.1, 0.5])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_its_jacobian_is_the_covariance_of_the_weights(dtype: torch.dtype, sigma: float) -> None:
    images = near_twins(dtype) if sigma == 0.002 else intensities(12, 2, 3, 5, dtype=dtype)
    optimum = EmpiricalOptimum(images, block=5)
    y = add_noise(images[:1], sigma, generator=seeded())
    w, mean = brute_force(images, y[0], sigma)
    deviations = (images.double() - mean).flatten(1)
    expected = (deviations.T * w) @ deviations / sigma**2
    accuracy = {"atol": 1e-4 if dtype == torch.float32 else 1e-9, "rtol": 1e-3}
    forward = jacobian(optimum, y, sigma=sigma)
    torch.testing.assert_close(forward.double(), expected, **accuracy)
    d = y.numel()
    backward = torch.autograd.functional.jacobian(lambda v: optimum(v, sigma), y).reshape(d, d)
    torch.testing.assert_close(backward.double(), expected, **accuracy)
    assert float((forward - forward.T).abs().max()) < 1e-5 * max(1, float(forward.norm()))
    assert int(torch.linalg.matrix_rank(expected)) <= len(images) - 1


def test_derivatives_flow_through_sigma_and_twice() -> None:
    optimum = EmpiricalOptimum(intensities(6, 1, 2, 2, dtype=torch.float64), block=4)
    y = intensities(2, 1, 2, 2, seed=1, dtype=torch.float64).requires_grad_()
    sigma = torch.tensor([0.3, 0.5], dtype=torch.float64, requires_grad=True)
    with torch.random.fork_rng(devices=[]):  # the checks draw from the global random state
        assert torch.autograd.gradcheck(optimum, (y, sigma), check_forward_ad=True)
        assert torch.autograd.gradgradcheck(optimum, (y, sigma))
        assert torch.autograd.gradcheck(lambda v: optimum.weights(v, 0.3), (y,))


def test_the_transforms_of_torch_work() -> None:
    images = intensities(10, 1, 3, 3, dtype=torch.float64)
    optimum = EmpiricalOptimum(images, block=4)
    y = images[:1] + 0.1
    expected = jacobian(optimum, y, sigma=0.3)
    for transform in (torch.func.jacrev, torch.func.jacfwd):
        matrix = transform(lambda v: optimum(v, 0.3))(y).reshape(9, 9)
        torch.testing.assert_close(matrix, expected)
    mapped = torch.func.vmap(lambda v: optimum(v[None], 0.3)[0])(images + 0.1)
    torch.testing.assert_close(mapped, optimum(images + 0.1, 0.3))


def test_tweedie() -> None:
    """The residual is sigma^2 times the gradient of the log density, here written out."""
    images = intensities(8, 1, 4, 4, dtype=torch.float64)
    y = (images[:2] + 0.2).requires_grad_()
    distances = (y.flatten(1)[:, None] - images.flatten(1)).square().sum(2)
    (score,) = torch.autograd.grad(torch.logsumexp(-distances / (2 * 0.09), 1).sum(), y)
    denoised = EmpiricalOptimum(images, block=3)(y, 0.3)
    torch.testing.assert_close(denoised.detach(), (y + 0.09 * score).detach())


def test_it_knows_fashion_by_heart() -> None:
    train, test = fashion(split="train", n=300), fashion(split="test", n=2)
    optimum = EmpiricalOptimum(train)
    noisy = add_noise(train[:3], 0.1, generator=seeded())
    torch.testing.assert_close(optimum(noisy, 0.1), train[:3], atol=1e-4, rtol=0)
    nearest = (train.flatten(1)[None] - test.flatten(1)[:, None]).norm(dim=2).argmin(1)
    torch.testing.assert_close(optimum(test, 0.01), train[nearest], atol=1e-4, rtol=0)


@pytest.mark.parametrize("case", [name for name in BAD_IMAGES if name != "bytes"])
def test_bad_training_images_are_refused(case: str) -> None:
    images, error, says = BAD_IMAGES[case]
    with pytest.raises(error, match=says):
        EmpiricalOptimum(images)  # type: ignore[arg-type]


@pytest.mark.parametrize("case", BAD_SIGMAS)
def test_bad_noise_levels_are_refused(case: str) -> None:
    optimum, (sigma, says) = EmpiricalOptimum(intensities(3, 1, 2, 2)), BAD_SIGMAS[case]
    y = intensities(2, 1, 2, 2)
    with pytest.raises(SigmaError, match=says):
        optimum.weights(y, sigma)  # type: ignore[arg-type]
    with pytest.raises(SigmaError):
        optimum(y, sigma)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("y", "error", "says"),
    [
        (torch.zeros(1, 1, 4, 5), ShapeError, r"\(1, 4, 5\).*\(1, 4, 4\)"),
        (torch.zeros(1, 3, 4, 4), ShapeError, "3 channels"),
        (torch.zeros(1, 1, 4, 4, dtype=torch.float64), ValueRangeError, "dtype"),
    ],
)
def test_images_unlike_the_training_set_are_refused(
    y: Tensor, error: type[GahrError], says: str
) -> None:
    optimum = EmpiricalOptimum(intensities(3, 1, 4, 4))
    for call in (optimum, optimum.weights):
        with pytest.raises(error, match=says):
            call(y, 0.1)


def test_a_block_holds_an_image_at_least() -> None:
    with pytest.raises(ConfigError, match="block is 0"):
        EmpiricalOptimum(intensities(3, 1, 4, 4), block=0)
