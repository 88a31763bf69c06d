import pytest
import torch

from gahr_lib.data.splits import split_halves
from gahr_lib.errors import ConfigError, ShapeError
from helpers import intensities


@pytest.mark.parametrize("n", [1, 4, 5])
def test_halves_are_the_first_and_the_last(n: int) -> None:
    images = intensities(10, 1, 4, 4)
    first, last = split_halves(images, n)
    assert torch.equal(first, images[:n])
    assert torch.equal(last, images[-n:])


def test_halves_that_overlap_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"need 12 images; there are 10.*n=5"):
        split_halves(intensities(10, 1, 4, 4), 6)


def test_halves_have_no_image_in_common_and_are_views() -> None:
    images = torch.arange(7, dtype=torch.uint8)[:, None, None, None]
    first, last = split_halves(images, 3)
    assert not set(first.flatten().tolist()) & set(last.flatten().tolist())
    assert first.data_ptr() == images.data_ptr()


@pytest.mark.parametrize("n", [0, -1, 2.0, True, None])
def test_impossible_numbers_are_refused(n: object) -> None:
    with pytest.raises(ConfigError, match="expected a whole number"):
        split_halves(intensities(10, 1, 4, 4), n)  # type: ignore[arg-type]


@pytest.mark.parametrize("images", [torch.zeros(4, 8, 8), [1, 2, 3, 4]])
def test_what_is_no_batch_of_images_is_refused(images: object) -> None:
    with pytest.raises(ShapeError, match=r"expected a tensor \(N, C, H, W\)"):
        split_halves(images, 1)  # type: ignore[arg-type]
