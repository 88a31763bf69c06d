from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure

from gahr_lib.analysis.neighbours import (
    Neighbours,
    nearest_by_cosine,
    nearest_by_distance,
    nearest_by_ssim,
)
from gahr_lib.data import fashion
from gahr_lib.errors import ConfigError, ShapeError, ValueRangeError
from helpers import intensities, seeded

pytestmark = pytest.mark.usefixtures("untouched_random_state")

SEARCHES = [nearest_by_cosine, nearest_by_distance, nearest_by_ssim]
IMAGES, TRAINING = intensities(5, 2, 12, 12, seed=1), intensities(23, 2, 12, 12, seed=2)


def by_hand(measure: Callable[[Any, Any], float], *, largest: bool) -> tuple[Any, Any]:
    """The three best of all pairs, one after the other."""
    table = np.array(
        [[measure(x.numpy().ravel(), t.numpy().ravel()) for t in TRAINING] for x in IMAGES.double()]
    )
    order = np.argsort(-table if largest else table, axis=1)[:, :3]
    return order, np.take_along_axis(table, order, axis=1)


def cosine(x: Any, t: Any) -> float:
    return float(np.corrcoef(x, t)[0, 1])


def distance(x: Any, t: Any) -> float:
    return float(np.linalg.norm(x - t))


def fitted_distance(x: Any, t: Any) -> float:
    return float(np.sqrt(np.linalg.lstsq(x[:, None], t.astype(float), rcond=None)[1][0]))


@pytest.mark.parametrize("block", [1, 4, 23, 100])
@pytest.mark.parametrize(
    ("search", "measure", "largest"),
    [
        (nearest_by_cosine, cosine, True),
        (nearest_by_distance, distance, False),
        (lambda *a, **k: nearest_by_distance(*a, fit_scale=True, **k), fitted_distance, False),
    ],
)
def test_the_nearest_are_those_of_all_pairs(
    search: Callable[..., Neighbours], measure: Any, largest: bool, block: int
) -> None:
    found = search(IMAGES, TRAINING, 3, block=block)
    order, values = by_hand(measure, largest=largest)
    assert found.indices.tolist() == order.tolist()
    np.testing.assert_allclose(found.values.numpy(), values, rtol=1e-4)


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


@pytest.mark.parametrize("search", SEARCHES)
def test_a_planted_copy_is_found(search: Callable[..., Neighbours]) -> None:
    training = fashion("train", half="A", n=200)
    copies = training[[17, 150]] + 0.02 * torch.randn(2, 1, 28, 28, generator=seeded())
    assert search(copies, training, 1).indices.flatten().tolist() == [17, 150]


def test_a_dim_copy_is_found_by_cosine_and_by_fitted_distance() -> None:
    training = fashion("train", half="A", n=200)
    dim = 0.3 * training[[17, 150]]
    assert nearest_by_cosine(dim, training, 1).indices.flatten().tolist() == [17, 150]
    fitted = nearest_by_distance(dim, training, 2, fit_scale=True)
    assert fitted.indices[:, 0].tolist() == [17, 150]
    assert (fitted.values[:, 0] < 1e-4 * fitted.values[:, 1]).all()
    plain = nearest_by_distance(dim, training, 2)
    assert (plain.values[:, 0] > 0.3 * plain.values[:, 1]).all()


@pytest.mark.parametrize("scale", [-2.0, 0.5])
def test_the_fitted_scale_may_be_anything(scale: float) -> None:
    found = nearest_by_distance(scale * TRAINING[4:5], TRAINING, 1, fit_scale=True)
    assert found.indices.item() == 4
    assert float(found.values) < 1e-5


@pytest.mark.parametrize("search", SEARCHES)
def test_bytes_are_read_as_intensities(search: Callable[..., Neighbours]) -> None:
    stored = (TRAINING * 255).round().byte()
    ours, floats = search(IMAGES, stored, 2), search(IMAGES, stored.float() / 255, 2)
    assert torch.equal(ours.indices, floats.indices)
    assert torch.allclose(ours.values, floats.values)


@pytest.mark.parametrize("search", SEARCHES)
def test_an_image_does_not_depend_on_its_batch(search: Callable[..., Neighbours]) -> None:
    alone, together = search(IMAGES[2:3], TRAINING, 2), search(IMAGES, TRAINING, 2)
    assert torch.equal(alone.indices[0], together.indices[2])
    assert torch.allclose(alone.values[0], together.values[2], atol=1e-6)


def test_an_image_without_contrast_is_like_nothing() -> None:
    flat = torch.full((1, 2, 12, 12), 0.7)
    assert nearest_by_cosine(flat, TRAINING).values.tolist() == [[0.0, 0.0]]
    black = torch.zeros(1, 2, 12, 12)
    values = nearest_by_distance(black, TRAINING, 23, fit_scale=True).values
    expected = TRAINING.flatten(1).norm(dim=1).sort().values
    assert torch.allclose(values[0], expected)


def test_small_distances_survive_single_precision() -> None:
    training = 1 - 1e-3 * intensities(50, 1, 40, 40, seed=3)
    image = training[20:21] + 1e-5
    found = nearest_by_distance(image, training, 2)
    assert found.indices[0, 0] == 20
    assert float(found.values[0, 0]) == pytest.approx(4e-4, rel=0.05)


def test_memory_is_that_of_a_block() -> None:
    training = torch.zeros(20_000, 1, 28, 28, dtype=torch.uint8)
    peaks = []
    original = torch.Tensor.to

    def spy(self: Tensor, *arguments: Any, **settings: Any) -> Tensor:
        peaks.append(self.numel())
        return original(self, *arguments, **settings)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.Tensor, "to", spy)
        nearest_by_cosine(intensities(3, 1, 28, 28), training, block=500)
    assert max(peaks) == 500 * 784


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize(
    ("images", "training", "k", "error", "words"),
    [
        (IMAGES[0], TRAINING, 2, ShapeError, "images has shape"),
        (IMAGES, TRAINING[:, :1], 2, ShapeError, "training images have shape"),
        (IMAGES * 255, TRAINING, 2, ValueRangeError, "divide by 255"),
        (IMAGES, TRAINING, 0, ConfigError, "k is 0"),
        (IMAGES, TRAINING, 24, ConfigError, "from 1 to 23"),
        (IMAGES, TRAINING.long(), 2, ValueRangeError, "dtype"),
    ],
)
def test_bad_input_is_refused(
    search: Callable[..., Neighbours],
    images: Tensor,
    training: Tensor,
    k: int,
    error: Any,
    words: str,
) -> None:
    with pytest.raises(error, match=words):
        search(images, training, k)


def test_blocks_and_small_images_are_checked() -> None:
    with pytest.raises(ConfigError, match="block is 0"):
        nearest_by_cosine(IMAGES, TRAINING, block=0)
    with pytest.raises(ShapeError, match="11 pixels"):
        nearest_by_ssim(intensities(1, 1, 8, 8), intensities(4, 1, 8, 8))
