"""Disjoint training sets of one size, for networks that have to agree."""

from torch import Tensor

from gahr_lib._checks import check_count
from gahr_lib.errors import ConfigError, ShapeError

__all__ = ["split_halves"]


def split_halves(images: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """Return the first n images and the last n, as the paper's S1 and S2.

    Smaller sets are parts of larger ones on either side, so that nothing but the number of images
    changes along figure 1.

    Parameters
    ----------
    images
        (N, C, H, W), floats or bytes. Remove near copies first (`remove_duplicates`): they may lie
        in both parts.
    n
        Size of each part, at most N / 2.

    Returns
    -------
    tuple of Tensor
        S1 and S2, (n, C, H, W) each: views of `images`, not copies.

    Raises
    ------
    ShapeError
        If `images` are not a batch of images.
    ConfigError
        If n is not a positive whole number, or the two would overlap.

    References
    ----------
    The paper, section 2 and figure 2.
    """
    if not isinstance(images, Tensor) or images.ndim != 4:
        shape = tuple(images.shape) if isinstance(images, Tensor) else type(images).__name__
        raise ShapeError(
            f"images are {shape}; expected a tensor (N, C, H, W). Stack them with torch.stack."
        )
    n = check_count(n, "n")
    if 2 * n > len(images):
        raise ConfigError(
            f"Two disjoint sets of {n:,} need {2 * n:,} images; there are {len(images):,}. Pass "
            f"n={len(images) // 2} or less, or more images."
        )
    return images[:n], images[len(images) - n :]
