"""Images that a collection holds twice, or nearly: a network that sees both halves has seen them.

Every image is compared with every other one as in the paper, after pooling; only the pooled images
and one tile of the table of similarities are ever in memory, so 100,000 images need some 400 MB.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from gahr_lib._checks import check_count, check_images
from gahr_lib.errors import ValueRangeError

__all__ = ["Duplicates", "duplicates", "remove_duplicates"]

_SIDE = 20  # pixels on which the paper compares
_POOLED_AT_ONCE = 2**23  # pixels that are floats at a time: 32 MB
_TILE = 4_096


@dataclass(frozen=True)
class Duplicates:
    """Which images to keep of a collection, and why the others go.

    Attributes
    ----------
    kept
        The numbers of the images that are like no earlier one, (K,), rising.
    pairs
        For each of the others, the number of the first image that it is like, and its own, (P, 2),
        ordered by its own; K + P is the number of images. One pair an image, not all of them,
        because a collection of equal images has billions.
    similarities
        The cosine of the angle between the two images of each pair, (P,), negative for a negative.
    """

    kept: Tensor
    pairs: Tensor
    similarities: Tensor


@torch.no_grad()
def duplicates(images: Tensor, threshold: float = 0.95, *, block: int = _TILE) -> Duplicates:
    """Find the images that are like an earlier one.

    Images are averaged over a grid of 20x20 (as they are where a side is shorter) and the mean of
    each channel subtracted, so that a common tint is no likeness; the later of each pair whose
    cosine is beyond the threshold, of either sign, is a duplicate. An image without contrast has no
    direction, so it is like no other.

    Parameters
    ----------
    images
        (N, C, H, W): floating intensities in [0, 1], or bytes from 0 to 255. They may be on any
        device; the comparisons run there.
    threshold
        The absolute cosine beyond which two images are one, between 0 and 1.
    block
        How many images are compared with as many others at a time: 4 block^2 bytes of memory,
        twice that in double precision.

    Returns
    -------
    Duplicates
        The numbers to keep, and the pairs.

    Raises
    ------
    ShapeError, ValueRangeError
        If `images` are no batch of images, or the threshold is not between 0 and 1.
    ConfigError
        If the block is not a positive whole number.

    References
    ----------
    The paper, appendix A and figure 6.
    """
    if not isinstance(threshold, int | float) or not 0 < threshold < 1:
        raise ValueRangeError(
            f"threshold is {threshold!r}; expected a number between 0 and 1. "
            "The paper's is threshold=0.95."
        )
    block = check_count(block, "block")
    rows = _directions(images)
    numbers = torch.arange(len(rows), device=rows.device)
    partner = torch.full_like(numbers, -1)
    cosines = rows.new_zeros(len(rows))
    for mine in numbers.split(block):
        for theirs in numbers[: int(mine[-1]) + 1].split(block):
            tile = rows[mine] @ rows[theirs].T
            if theirs[0] == mine[0]:
                tile.tril_(-1)  # earlier images only
            least, most = tile.aminmax()
            if most <= threshold and least >= -threshold:
                continue  # most tiles: nothing to look for
            alike = (tile > threshold) | (tile < -threshold)
            first = alike.byte().argmax(dim=1)  # of equal values the first
            new = alike.any(dim=1) & (partner[mine] < 0)
            partner[mine[new]] = theirs[first[new]]
            cosines[mine[new]] = tile[new, first[new]]
    found = partner >= 0
    pairs = torch.stack([partner[found], numbers[found]], dim=1)
    return Duplicates(numbers[~found], pairs, cosines[found].clamp(-1, 1))


def remove_duplicates(images: Tensor, threshold: float = 0.95, *, block: int = _TILE) -> Tensor:
    """Return the images without those that are like an earlier one, (K, C, H, W), a copy.

    Its arguments and errors are those of `duplicates`.
    """
    return images[duplicates(images, threshold, block=block).kept]


def _directions(images: Tensor) -> Tensor:
    """Return the pooled images as rows of norm 1, each channel of mean 0, or as rows of zeros."""
    if not isinstance(images, Tensor) or images.ndim != 4 or images.numel() == 0:
        check_images(images, "images")
    n, channels, height, width = images.shape
    sides = min(_SIDE, height), min(_SIDE, width)
    dtype = torch.promote_types(images.dtype, torch.float32)
    directions = torch.empty(n, channels * sides[0] * sides[1], dtype=dtype, device=images.device)
    at_once = max(1, _POOLED_AT_ONCE // images[0].numel())
    for part, rows in zip(images.split(at_once), directions.split(at_once), strict=True):
        if part.dtype == torch.uint8:
            part = part.float() / 255
        check_images(part, "images")
        pooled = adaptive_avg_pool2d(part.to(dtype), sides)
        size = pooled.flatten(1).norm(dim=1, keepdim=True)
        pooled = (pooled - pooled.mean(dim=(2, 3), keepdim=True)).flatten(1)
        norm = pooled.norm(dim=1, keepdim=True)
        # A constant minus its mean is not 0 but rounding error, whose direction means nothing.
        meaningful = norm > 16 * torch.finfo(dtype).eps * size
        rows.copy_(torch.where(meaningful, pooled / norm, torch.zeros_like(pooled)))
    return directions
