from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from gahr_lib.analysis.neighbours import Neighbours, nearest_by_cosine, nearest_by_distance
from gahr_lib.analysis.perceptual import nearest_by_ssim
from gahr_lib.data import fashion
from gahr_lib.errors import ConfigError, ShapeError, ValueRangeError
from helpers import intensities, seeded
from peak_memory import peak_memory

pytestmark = pytest.mark.usefixtures("untouched_random_state")

SEARCHES = [nearest_by_cosine, nearest_by_distance, nearest_by_ssim]


class Largest(TorchDispatchMode):
    """Watches how large tensors get; views count as what they look into, unless that was there."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        before = {t.data_ptr() for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)}
        for t in tree_leaves(result):
            if isinstance(t, Tensor) and not func.is_view and t.data_ptr() not in before:
                self.bytes = max(self.bytes, t.untyped_storage().nbytes())
        return result


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
    return float(np.sqrt(np.linalg.lstsq(t[:, None].astype(float), x, rcond=None)[1][0]))


@pytest.mark.parametrize("block", [1, 4, 23, 100, None])
@pytest.mark.parametrize(
    ("search", "measure", "largest"),
    [
        (nearest_by_cosine, cosine, True),
        (nearest_by_distance, distance, False),
        (lambda *a, **k: nearest_by_distance(*a, fit_scale=True, **k), fitted_distance, False),
    ],
)
def test_the_nearest_are_those_of_all_pairs(
    search: Callable[..., Neighbours], measure: Any, largest: bool, block: int | None
) -> None:
    found = search(IMAGES, TRAINING, 3, block=block)
    order, values = by_hand(measure, largest=largest)
    assert found.indices.tolist() == order.tolist()
    np.testing.assert_allclose(found.values.numpy(), values, rtol=1e-4)


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


def test_dim_training_images_are_not_near_to_everything() -> None:
    """With a free scale of the image, all but black training images would be."""
    training = fashion("train", half="A", n=200)
    dark = torch.cat([training, 0.01 * fashion("train", half="B", n=20), 0 * training[:1]])
    copies = 0.5 * (training[:40] + 0.1 * torch.randn(40, 1, 28, 28, generator=seeded()))
    found = nearest_by_distance(copies, dark, 2, fit_scale=True)
    assert found.indices[:, 0].tolist() == list(range(40))
    brighter = nearest_by_distance(4 * copies, dark, 2, fit_scale=True)
    assert torch.equal(found.indices[:, 0], brighter.indices[:, 0])
    assert torch.allclose(brighter.values, 4 * found.values, rtol=1e-4)


def test_the_fitted_scale_is_positive() -> None:
    """Homogeneity allows c > 0 only: a negative is no copy, and nothing of it can be explained."""
    found = nearest_by_distance(0.5 * TRAINING[4:5], TRAINING, 1, fit_scale=True)
    assert found.indices.item() == 4
    assert float(found.values) < 1e-5
    negative = nearest_by_distance(-TRAINING[4:5], TRAINING, 23, fit_scale=True)
    assert torch.allclose(negative.values, TRAINING[4].norm().expand(23))


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
    assert not nearest_by_distance(black, TRAINING, 23, fit_scale=True).values.any()


def test_small_distances_survive_single_precision() -> None:
    training = 1 - 1e-3 * intensities(50, 1, 40, 40, seed=3)
    image = training[20:21] + 1e-5
    found = nearest_by_distance(image, training, 2)
    assert found.indices[0, 0] == 20
    assert float(found.values[0, 0]) == pytest.approx(4e-4, rel=0.05)


@pytest.mark.parametrize("fit_scale", [False, True])
def test_the_nearest_of_several_near_ones_survives_single_precision(fit_scale: bool) -> None:
    """Their squares differ by less than the last digit of what is compared first."""
    picture = 0.5 + 0.5 * intensities(1, 1, 60, 60, seed=4)
    steps = 1e-4 * torch.randn(8, 1, 60, 60, generator=seeded())
    size = torch.tensor([1.3, 1.1, 1.2, 0.9, 1.4, 1.0, 1.5, 1.6]).reshape(-1, 1, 1, 1)
    training = torch.cat([picture + size * steps, intensities(30, 1, 60, 60, seed=5)])
    # The black image moves the middle of the images away from the other.
    images = torch.cat([picture, torch.zeros(1, 1, 60, 60)])
    found = nearest_by_distance(images, training, 1, fit_scale=fit_scale)
    assert found.indices[0].item() == 3
    assert float(found.values[0, 0]) == pytest.approx(float(0.9 * steps[3].norm()), rel=0.01)


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("stored", [torch.uint8, torch.float32])
def test_memory_is_that_of_a_block(search: Callable[..., Neighbours], stored: torch.dtype) -> None:
    training = torch.zeros(20_000, 1, 28, 28, dtype=stored)
    with Largest() as largest:
        search(intensities(2, 1, 28, 28), training, block=100)
    # SSIM convolves five maps at a time; a check looks at no more than the default block.
    assert 4 * 784 * 100 <= largest.bytes <= 17_000_000


@pytest.mark.slow
@pytest.mark.parametrize(
    "search",
    [
        "nearest_by_cosine(images, training)",
        "nearest_by_distance(images, training)",
        "nearest_by_distance(images, training, fit_scale=True)",
        "nearest_by_ssim(images, training)",
        "nearest_by_ssim(images[:1], training[:2_000], shortlist=None)",
    ],
)
@pytest.mark.parametrize("stored", ["uint8", "float32"])
def test_a_large_training_set_needs_less_than_1_gb(search: str, stored: str) -> None:
    setup = (
        "from torchmetrics.functional.image import structural_similarity_index_measure\n"
        "from gahr_lib.analysis.neighbours import *\n"
        "from gahr_lib.analysis.perceptual import nearest_by_ssim\n"
        "images = torch.rand(2, 1, 80, 80, generator=torch.Generator().manual_seed(0))\n"
        f"training = torch.zeros(100_000, 1, 80, 80, dtype=torch.{stored})"
    )
    assert peak_memory(setup, search) < 1e9


@pytest.mark.parametrize("search", [nearest_by_cosine, nearest_by_distance])
def test_many_images_do_not_make_a_table_of_all_pairs(search: Callable[..., Neighbours]) -> None:
    images, training = intensities(3_000, 1, 2, 2, seed=1), intensities(5_000, 1, 2, 2, seed=2)
    with Largest() as largest:
        found = search(images, training)
    assert largest.bytes <= 17_000_000  # the table has 60 MB
    few = search(images[:5], training)
    assert torch.equal(found.indices[:5], few.indices)


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


def test_blocks_are_checked() -> None:
    for search in SEARCHES:
        with pytest.raises(ConfigError, match="block is 0"):
            search(IMAGES, TRAINING, block=0)
