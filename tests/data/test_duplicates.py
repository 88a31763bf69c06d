from dataclasses import FrozenInstanceError

import numpy as np
import pytest
import torch
from torch.nn.functional import avg_pool2d

from gahr_lib.data import fashion
from gahr_lib.data.duplicates import duplicates, remove_duplicates
from gahr_lib.errors import ConfigError, ShapeError, ValueRangeError
from helpers import intensities, seeded

pytestmark = pytest.mark.usefixtures("untouched_random_state")


def with_copies(channels: int = 1) -> torch.Tensor:
    """40 images of which 7 is 3 in a darker light, 20 is 3 with noise, 30 the negative of 25."""
    images = intensities(40, channels, 40, 40, seed=1)
    images = torch.nn.functional.interpolate(images[..., :8, :8], size=40, mode="bilinear")
    images[7] = 0.5 * images[3] + 0.1
    images[20] = (images[3] + 0.02 * torch.randn(images[3].shape, generator=seeded())).clamp(0, 1)
    images[30] = 1 - images[25]
    return images


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("block", [1, 6, 100])
def test_planted_copies_are_found(channels: int, block: int) -> None:
    found = duplicates(with_copies(channels), block=block)
    assert found.pairs.tolist() == [[3, 7], [3, 20], [25, 30]]
    assert (found.similarities[:2] > 0.95).all()
    assert float(found.similarities[2]) == pytest.approx(-1, abs=1e-5)
    assert found.kept.tolist() == [i for i in range(40) if i not in (7, 20, 30)]


def test_pairs_are_those_of_all_comparisons() -> None:
    images = fashion("train", half="A", n=120)[..., 4:24, 4:24]
    rows = images.flatten(1).numpy()
    table = np.abs(np.corrcoef(rows))
    alike = {j: [i for i in range(j) if table[i, j] > 0.85] for j in range(120)}
    found = duplicates(images, threshold=0.85)
    assert found.pairs.tolist() == [[earlier[0], j] for j, earlier in alike.items() if earlier]
    assert found.kept.tolist() == [j for j, earlier in alike.items() if not earlier]
    assert len(found.pairs) > 5
    for (i, j), value in zip(found.pairs.tolist(), found.similarities, strict=True):
        assert float(value) == pytest.approx(table[i, j], abs=1e-5)
    kept = remove_duplicates(images, threshold=0.85)
    assert torch.equal(kept, images[found.kept])
    left = np.abs(np.corrcoef(kept.flatten(1).numpy())) - np.eye(len(kept))
    assert left.max() <= 0.85


def test_80_pixels_are_averaged_in_fours() -> None:
    images = intensities(60, 1, 80, 80, seed=2)
    images[50] = torch.nn.functional.interpolate(avg_pool2d(images[10:11], 4), size=80)[0]
    assert duplicates(images).pairs.tolist() == [[10, 50]]


def test_the_copy_of_a_copy_goes_too() -> None:
    """1 is like 0 and 2 like 1, but 2 is not like 0."""
    angles = torch.tensor([0.0, 0.3, 0.6])
    one, two = torch.zeros(2, 20, 20)
    one[:10], two[:, :10] = 1, 1
    one, two = one - one.mean(), two - two.mean()
    images = 0.5 + 0.2 * (angles.cos()[:, None, None] * one + angles.sin()[:, None, None] * two)
    found = duplicates(images[:, None])
    assert found.pairs.tolist() == [[0, 1], [1, 2]]
    assert found.kept.tolist() == [0]


@pytest.mark.parametrize(
    ("shape", "dtype", "block"),
    [
        ((1, 20, 20), torch.float32, 7),
        ((3, 40, 60), torch.float64, 13),
        ((1, 33, 47), torch.float32, 90),  # no multiple of the grid
        ((2, 8, 31), torch.float32, 1),  # rows as they are, columns averaged
    ],
)
def test_every_image_is_compared_with_every_other(
    shape: tuple[int, int, int], dtype: torch.dtype, block: int
) -> None:
    """Against a loop over pairs and over the cells of the grid, in double precision."""
    few = intensities(6, *shape, seed=5, dtype=dtype)
    which = torch.randint(6, (90,), generator=seeded(6))
    noise = torch.randn(90, *shape, generator=seeded(7), dtype=dtype)
    scale = torch.rand(90, 1, 1, 1, generator=seeded(8), dtype=dtype)
    images = (few[which] + 0.4 * scale * noise).clamp(0, 1)
    before = images.clone()

    def edges(length: int) -> list[slice]:
        cells = min(20, length)
        return [slice(i * length // cells, -(-(i + 1) * length // cells)) for i in range(cells)]

    vectors = []
    for image in images.double().numpy():
        cells = [image[:, r, c].mean((1, 2)) for r in edges(shape[1]) for c in edges(shape[2])]
        vectors.append((np.stack(cells) - np.mean(cells, axis=0)).ravel())
    expected = {}
    for j in range(90):
        for i in range(j):
            a, b = vectors[i], vectors[j]
            cosine = a @ b / np.sqrt((a @ a) * (b @ b))
            assert abs(abs(cosine) - 0.8) > 1e-6  # no rounding decides
            if abs(cosine) > 0.8 and j not in expected:
                expected[j] = (i, cosine)
    found = duplicates(images, threshold=0.8, block=block)
    assert 5 < len(expected) < 80
    assert found.pairs.tolist() == [[i, j] for j, (i, _) in expected.items()]
    assert found.kept.tolist() == [j for j in range(90) if j not in expected]
    cosines = torch.tensor([cosine for _, cosine in expected.values()], dtype=dtype)
    torch.testing.assert_close(found.similarities, cosines, atol=1e-5, rtol=0)
    assert torch.equal(images, before)


def test_a_collection_of_one_image_is_reduced_to_it() -> None:
    """There are 4.5 million pairs, of which one for each copy is kept."""
    images = intensities(1, 1, 8, 8).expand(3000, 1, 8, 8)
    found = duplicates(images, block=512)
    assert found.kept.tolist() == [0]
    assert found.pairs.tolist() == [[0, j] for j in range(1, 3000)]
    assert remove_duplicates(images).shape == (1, 1, 8, 8)


def test_a_result_does_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        duplicates(intensities(2, 1, 8, 8)).kept = torch.zeros(1)  # type: ignore[misc]


def test_flat_images_are_no_copies() -> None:
    assert duplicates(torch.full((5, 1, 20, 20), 0.3)).kept.tolist() == [0, 1, 2, 3, 4]
    tints = torch.tensor([[0.9, 0.1, 0.3], [0.9, 0.1, 0.3], [0.8, 0.1, 0.3]])
    assert len(duplicates(tints[..., None, None].expand(3, 3, 20, 20)).pairs) == 0


def test_a_common_tint_is_no_likeness() -> None:
    tint = torch.tensor([0.8, 0.2, 0.1])[:, None, None]
    images = tint + 0.1 * (intensities(5, 3, 20, 20, seed=9) - 0.5)
    images[3] = tint / 2 + 0.5 * (images[1] - tint)
    assert duplicates(images).pairs.tolist() == [[1, 3]]


def test_bytes_are_read_as_intensities() -> None:
    stored = (with_copies() * 255).round().byte()
    assert duplicates(stored).pairs.tolist() == duplicates(with_copies()).pairs.tolist()


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueRangeError, match="threshold is 1"):
        duplicates(with_copies(), threshold=1)
    for threshold in (0, -0.5, 1.5, float("nan"), "0.95", None):
        with pytest.raises(ValueRangeError, match="between 0 and 1"):
            duplicates(with_copies(), threshold=threshold)  # type: ignore[arg-type]
    with pytest.raises(ValueRangeError, match="floating intensities"):
        duplicates(with_copies().long())
    with pytest.raises(ValueRangeError, match="divide by 255"):
        duplicates(with_copies() * 255)
    with pytest.raises(ConfigError, match="block is 0"):
        duplicates(with_copies(), block=0)
    with pytest.raises(ShapeError, match="B, C, H, W"):
        duplicates(torch.rand(3, 20, 20, generator=seeded()))
