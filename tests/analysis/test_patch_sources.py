import numpy as np
import pytest
import torch

from gahr_lib.analysis.patch_sources import patch_sources
from gahr_lib.errors import ConfigError, ShapeError
from helpers import intensities
from peak_memory import peak_memory

pytestmark = pytest.mark.usefixtures("untouched_random_state")

IMAGES, TRAINING = intensities(2, 2, 7, 6, seed=1), intensities(9, 2, 7, 6, seed=2)


@pytest.mark.parametrize("block", [2, 9, None])
@pytest.mark.parametrize("anywhere", [False, True])
def test_sources_are_those_of_all_pairs(anywhere: bool, block: int | None) -> None:
    found = patch_sources(IMAGES, TRAINING, 3, anywhere=anywhere, block=block)
    assert found.indices.shape == (2, 5, 4)
    for b, i, j in np.ndindex(2, 5, 4):
        patch = IMAGES[b, :, i : i + 3, j : j + 3].numpy().ravel()
        best = (-2.0, 0, 0, 0)
        places = np.ndindex(5, 4) if anywhere else [(i, j)]
        for row, column in places:
            for n, image in enumerate(TRAINING):
                other = image[:, row : row + 3, column : column + 3].numpy().ravel()
                best = max(best, (np.corrcoef(patch, other)[0, 1], n, row - i, column - j))
        assert float(found.similarities[b, i, j]) == pytest.approx(best[0], abs=1e-5)
        assert int(found.indices[b, i, j]) == best[1]
        assert found.offsets[b, i, j].tolist() == list(best[2:])


def test_a_collage_is_traced() -> None:
    collage = TRAINING[3:4].clone()
    collage[..., 3:] = 0.4 * TRAINING[8:9, ..., 3:] + 0.1
    found = patch_sources(collage, TRAINING, 3)
    assert set(found.indices[0, :, 0].tolist()) == {3}
    assert set(found.indices[0, :, 3].tolist()) == {8}
    assert (found.similarities[0, :, [0, 3]] > 0.999).all()


def test_a_moved_part_is_found_where_it_was() -> None:
    moved = torch.roll(TRAINING[5:6], (1, -2), dims=(2, 3))
    found = patch_sources(moved, TRAINING, 3, anywhere=True)
    assert found.indices[0, 1:, :2].unique().tolist() == [5]
    assert found.offsets[0, 1:, :2].reshape(-1, 2).unique(dim=0).tolist() == [[-1, 2]]


@pytest.mark.parametrize("anywhere", [False, True])
def test_blocks_of_every_default_size_agree(
    monkeypatch: pytest.MonkeyPatch, anywhere: bool
) -> None:
    expected = patch_sources(IMAGES, TRAINING, 3, anywhere=anywhere, block=9)
    for at_once in (1, 700, 2_000):  # one image, one and a bit, a few
        monkeypatch.setattr("gahr_lib.analysis.patch_sources._AT_ONCE", at_once)
        monkeypatch.setattr("gahr_lib.analysis.neighbours._AT_ONCE", at_once)
        found = patch_sources(IMAGES, TRAINING, 3, anywhere=anywhere)
        assert torch.equal(found.indices, expected.indices)
        assert torch.equal(found.offsets, expected.offsets)
        assert torch.allclose(found.similarities, expected.similarities)


@pytest.mark.slow
@pytest.mark.parametrize(
    "call",
    [
        "images[:1], training[:200], 11",
        "images[:1], training[:200], 21",
        "images, training[:4], 21",
        "images[:1], training[:10], 5, anywhere=True",
    ],
)
def test_large_images_and_patches_need_less_than_1_gb(call: str) -> None:
    """All patches of each of these at once need more."""
    setup = (
        "from gahr_lib.analysis.patch_sources import patch_sources\n"
        "images, training = torch.zeros(60, 1, 80, 80), torch.zeros(200, 1, 80, 80)"
    )
    assert peak_memory(setup, f"patch_sources({call})") < 1e9


def test_a_patch_without_contrast_has_no_source() -> None:
    image = TRAINING[2:3].clone()
    image[..., :3, :3] = 0.5
    found = patch_sources(image, TRAINING, 3, anywhere=True)
    assert int(found.indices[0, 0, 0]) == -1
    assert found.offsets[0, 0, 0].tolist() == [0, 0]
    assert float(found.similarities[0, 0, 0]) == 0


def test_bytes_are_read_as_intensities() -> None:
    stored = (TRAINING * 255).round().byte()
    ours = patch_sources(IMAGES, stored, 3)
    assert torch.equal(ours.indices, patch_sources(IMAGES, stored.float() / 255, 3).indices)


def test_a_patch_has_to_fit() -> None:
    with pytest.raises(ShapeError, match="does not fit"):
        patch_sources(IMAGES, TRAINING, 7)
    with pytest.raises(ConfigError, match="size is 0"):
        patch_sources(IMAGES, TRAINING, 0)
    with pytest.raises(ShapeError, match="training images have shape"):
        patch_sources(IMAGES, TRAINING[..., :5], 2)
