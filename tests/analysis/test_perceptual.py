from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pywt
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d
from torchmetrics.functional.image import structural_similarity_index_measure

from gahr_lib.analysis.neighbours import nearest_by_cosine
from gahr_lib.analysis.perceptual import nearest_by_ssim
from gahr_lib.data import fashion
from gahr_lib.errors import ConfigError, ShapeError
from helpers import intensities, seeded

pytestmark = pytest.mark.usefixtures("untouched_random_state")

IMAGES, TRAINING = intensities(5, 2, 12, 12, seed=1), intensities(23, 2, 12, 12, seed=2)


def test_ssim_is_that_of_torchmetrics_for_every_pair() -> None:
    found = nearest_by_ssim(IMAGES, TRAINING, 23, shortlist=None, block=7)
    for i, image in enumerate(IMAGES):
        for j, value in zip(found.indices[i], found.values[i], strict=True):
            pair = structural_similarity_index_measure(
                image[None], TRAINING[j : j + 1], data_range=1.0
            )
            assert float(value) == pytest.approx(float(pair), abs=1e-5)
    assert (found.values.diff(dim=1) <= 0).all()


def test_a_long_shortlist_finds_the_nearest_by_ssim_among_real_images() -> None:
    images, training = fashion("test", n=12), fashion("train", half="A", n=300)
    short = nearest_by_ssim(images, training, 1, shortlist=40)
    full = nearest_by_ssim(images, training, 1, shortlist=None)
    assert (short.values <= full.values + 1e-6).all()
    assert (short.indices == full.indices).float().mean() >= 0.9


@pytest.mark.skipif(
    not Path("/usr/share/datasets/fashion-mnist").is_dir(),
    reason="needs Debian's package dataset-fashion-mnist",
)
def test_ssim_was_kept_rather_than_wavelets_for_what_it_finds() -> None:
    """The orderings of its docstring, among fewer images."""
    training = fashion("train", half="A", n=3_000)
    queries = torch.arange(0, 3_000, 150)

    def coefficients(images: Tensor) -> list[Any]:
        rows = pywt.wavedec2(images[:, 0], "db2", mode="periodization", level=2, axes=(1, 2))
        return [rows[0], *(band for level in rows[1:] for band in level)]

    def magnitudes(images: Tensor) -> list[Any]:
        levels = pywt.swt2(images[:, 0], "db2", 2, axes=(1, 2), norm=True, trim_approx=True)
        maps = [levels[0], *(band for level in levels[1:] for band in level)]
        return [np.abs(m).reshape(-1, 7, 4, 7, 4).mean((2, 4)) for m in maps]

    def scaled(transform: Callable[[Tensor], list[Any]], images: Tensor) -> Tensor:
        sizes = [band.std() for band in transform(training)]
        bands = [torch.as_tensor(b / s) for b, s in zip(transform(images), sizes, strict=True)]
        return torch.cat([band.flatten(1) for band in bands], dim=1)

    def hits(images: Tensor) -> list[float]:
        by_wavelets = torch.cdist(scaled(coefficients, images), scaled(coefficients, training))
        theirs, ours = scaled(magnitudes, training).numpy(), scaled(magnitudes, images).numpy()
        by_magnitudes = torch.as_tensor(np.corrcoef(ours, theirs)[: len(ours), len(ours) :])
        found = [
            nearest_by_ssim(images, training, 1, shortlist=15).indices[:, 0],
            nearest_by_cosine(images, training, 1).indices[:, 0],
            by_wavelets.argmin(dim=1),
            by_magnitudes.argmax(dim=1),
        ]
        return [float((f == queries).double().mean()) for f in found]

    x = training[queries]
    ssim, _, _, moved = hits(x + 0.15 * torch.randn(x.shape, generator=seeded()))
    assert ssim == 1
    assert moved < 0.6
    ssim, by_cosine, wavelets, moved = hits(avg_pool2d(x, 3, 1, 1))
    assert ssim > max(by_cosine, wavelets, moved)
    ssim, by_cosine, wavelets, moved = hits(x.roll(1, dims=2))
    assert moved > ssim > max(by_cosine, wavelets)
    ssim, by_cosine, _, _ = hits(0.5 * x)
    assert by_cosine == 1
    assert ssim < 1


def test_small_images_and_shortlists_are_checked() -> None:
    with pytest.raises(ShapeError, match="11 pixels"):
        nearest_by_ssim(intensities(1, 1, 8, 8), intensities(4, 1, 8, 8))
    with pytest.raises(ConfigError, match="shortlist is 0"):
        nearest_by_ssim(IMAGES, TRAINING, shortlist=0)
