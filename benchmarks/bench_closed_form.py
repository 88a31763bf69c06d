"""Denoising with a training set: in blocks of matrix products, and image by image."""

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor
from torch.nn import functional as F

from gahr_lib.data import fashion
from gahr_lib.models.empirical_optimum import EmpiricalOptimum
from gahr_lib.models.local_scores import EquivariantLocalScore, LocalScore
from gahr_lib.models.patch_posterior import PatchPosterior
from gahr_lib.noise import add_noise
from speeds import Speeds

N_TRAIN = 30_000


def noisy_images(n: int, sigma: float) -> Tensor:
    return add_noise(fashion("test", n=n), sigma, generator=torch.Generator().manual_seed(0))


def plain_optimum(images: Tensor, y: Tensor, sigma: float) -> Tensor:
    denoised = []
    for noisy in y:
        distances = (images - noisy).square().sum((1, 2, 3))
        weights = torch.softmax(-distances / (2 * sigma**2), 0)
        denoised.append((weights[:, None, None, None] * images).sum(0))
    return torch.stack(denoised)


@pytest.mark.usefixtures("one_core")
@pytest.mark.parametrize("sigma", [0.002, 0.1, 0.3, 1.0])
def test_empirical_optimum(benchmark: BenchmarkFixture, speeds: Speeds, sigma: float) -> None:
    images, y = fashion("train", n=N_TRAIN), noisy_images(1024, sigma)
    optimum = EmpiricalOptimum(images)
    torch.testing.assert_close(
        optimum(y[:4], sigma), plain_optimum(images, y[:4], sigma), atol=1e-2, rtol=0
    )
    speeds.compare(
        benchmark,
        f"Empirical optimum of {N_TRAIN:,} images of 28x28, sigma = {sigma}, one core",
        lambda: optimum(y, sigma),
        lambda: plain_optimum(images, y[:4], sigma),
        items=(len(y), 4),
        unit="images/s",
    )
    if benchmark.stats is not None:
        assert len(y) / benchmark.stats.stats.min >= 500  # what else runs is not ours to count


def plain_local_score(images: Tensor, y: Tensor, sigma: float, side: int, pixels: int) -> Tensor:
    """Compare the patches around some pixels of one image with all training patches."""
    r = side // 2
    training, noisy = (
        F.unfold(F.pad(x, (r, r, r, r), mode="circular"), side).movedim(1, 2) for x in (images, y)
    )
    training = training.flatten(0, 1)
    denoised = []
    for patch in noisy[0, :pixels]:
        weights = torch.softmax(-(training - patch).square().sum(1) / (2 * sigma**2), 0)
        denoised.append((weights * training[:, side**2 // 2]).sum())
    return torch.stack(denoised)


@pytest.mark.usefixtures("one_core")
def test_equivariant_local_score(benchmark: BenchmarkFixture, speeds: Speeds) -> None:
    images, y, pixels = fashion("train", n=100), noisy_images(4, 0.2), 16
    denoiser = EquivariantLocalScore(images, 5, padding="circular")
    torch.testing.assert_close(
        denoiser(y[:1], 0.2).flatten()[:pixels],
        plain_local_score(images, y[:1], 0.2, 5, pixels),
        atol=1e-4,
        rtol=0,
    )
    ratio = speeds.compare(
        benchmark,
        "Equivariant local score, 100 images of 28x28, patches of 5x5, circular, one core",
        lambda: denoiser(y, 0.2),
        lambda: plain_local_score(images, y[:1], 0.2, 5, pixels),
        items=(len(y), pixels / 784),
        unit="images/s",
        rounds=3,
    )
    assert ratio >= 2


@pytest.mark.usefixtures("one_core")
@pytest.mark.parametrize(
    ("kind", "n_train", "n"),
    [
        (EquivariantLocalScore, 100, 4),
        (EquivariantLocalScore, 1000, 1),
        (LocalScore, 1000, 64),
        (PatchPosterior, 1000, 64),
    ],
)
@pytest.mark.parametrize("side", [3, 7, 15])
def test_patches(
    benchmark: BenchmarkFixture, speeds: Speeds, kind: type, n_train: int, n: int, side: int
) -> None:
    y, denoiser = noisy_images(n, 0.2), kind(fashion("train", n=n_train), side)
    benchmark.pedantic(lambda: denoiser(y, 0.2), rounds=2)
    if benchmark.stats is not None:
        speeds.note(
            f"{kind.__name__}, {n_train:,} images of 28x28, patches of {side}x{side}, one core",
            f"{n / benchmark.stats.stats.min:.3g} images/s",
        )
