"""The training images nearest to given images, by cosine and by distance.

Training sets are walked through in blocks, so that of a set kept as bytes only a block at a time
is ever floats: beyond the set itself, 100,000 images of 80x80 pixels need less than 1 GB.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from gahr_lib._checks import check_count, check_images
from gahr_lib.analysis.results import Result
from gahr_lib.errors import ShapeError

__all__ = ["Neighbours", "nearest_by_cosine", "nearest_by_distance"]

# Numbers in a block, unless the caller says how many images: 16 MB of floats, which the steps of a
# search hold a few times over.
_AT_ONCE = 2**22


@dataclass(frozen=True)
class Neighbours(Result):
    """The nearest training images of each image, the nearest first.

    Attributes
    ----------
    indices
        Their numbers in the training set, (B, k).
    values
        Their similarities, falling, or their distances, rising, (B, k).
    measure
        What the values are: "cosine", "distance" or "ssim".
    """

    indices: Tensor
    values: Tensor
    measure: str


@torch.no_grad()
def nearest_by_cosine(
    images: Tensor, training: Tensor, k: int = 2, *, block: int | None = None
) -> Neighbours:
    """Return the k training images with the highest cosine similarity, the means removed.

    Blind to brightness and contrast, and to nothing else: an image moved by a pixel or two counts
    as another image.

    Parameters
    ----------
    images
        (B, C, H, W).
    training
        (N, C, H, W): intensities, or bytes from 0 to 255.
    k
        How many neighbours, at most N.
    block
        Training images looked at together; memory grows with it. By default so many that they are
        some 16 MB.

    Returns
    -------
    Neighbours
        ``values`` are similarities in [-1, 1]; that of an image without contrast is 0.

    Raises
    ------
    ShapeError, ValueRangeError
        If the images and the training images are not of one size.
    ConfigError
        If k is not between 1 and N, or the block is not positive.

    References
    ----------
    The paper, figure 2 and appendix A.
    """
    k = check_sets(images, training, k)
    queries = unit_rows(images.flatten(1))

    def similarity(part: Tensor) -> Tensor:
        return queries @ unit_rows(part.flatten(1)).T

    indices, values = _search(images, training, k, block, similarity)
    return Neighbours(indices, values, "cosine")


@torch.no_grad()
def nearest_by_distance(
    images: Tensor,
    training: Tensor,
    k: int = 2,
    *,
    fit_scale: bool = False,
    block: int | None = None,
) -> Neighbours:
    """Return the k training images at the smallest Euclidean distance.

    The ratio of the first distance to the second tells a copy from one of many similar images: in
    other work a sample counts as memorised where it is below 1/3. It is blind to copies of an image
    that the training set holds twice.

    Parameters
    ----------
    images, training, k, block
        See `nearest_by_cosine`.
    fit_scale
        Compare the image with the best multiple of each training image, ``min ||x - c t||`` over
        c >= 0. A network without biases knows images up to a factor only (eq. 6), and its dim
        copies are copies. It is not the training image that approaches: the dimmest of them would
        be the nearest to everything.

    Returns
    -------
    Neighbours
        ``values`` are distances, in intensity units times the square root of the pixels.

    Raises
    ------
    ShapeError, ValueRangeError, ConfigError
        See `nearest_by_cosine`.
    """
    k = check_sets(images, training, k)
    x = images.flatten(1)
    # Seen from among the images, their squares are smaller and lose fewer digits.
    centre = x.mean(dim=0)

    def closeness(part: Tensor) -> Tensor:
        t = part.flatten(1)
        if fit_scale:
            return x @ _directions(t).T
        t = t - centre
        return 2 * (x - centre) @ t.T - t.square().sum(1)

    # Small distances lose digits in either, so a few more are found this way and measured again,
    # one by one.
    found, _ = _search(images, training, min(len(training), k + 8), block, closeness)
    exact = []
    for image, indices in zip(x, found, strict=True):
        t = floats_like(training[indices.to(training.device)], images).flatten(1)
        if fit_scale:
            t = _directions(t)
            t = (t @ image).clamp_min(0)[:, None] * t
        exact.append((image - t).norm(dim=1))
    values, order = torch.stack(exact).sort(dim=1)
    return Neighbours(found.gather(1, order)[:, :k], values[:, :k], "distance")


def _search(
    images: Tensor,
    training: Tensor,
    k: int,
    block: int | None,
    score: Callable[[Tensor], Tensor],
) -> tuple[Tensor, Tensor]:
    """Return where the k highest scores are, and them: of each block, then with those so far."""
    values = images.new_empty(len(images), 0)
    indices = torch.empty(len(images), 0, dtype=torch.long, device=images.device)
    # A block has as many scores as images times training images: there may be more than pixels.
    together = block_size(block, max(images[0].numel(), len(images)))
    for start, part in float_blocks(training, images, together):
        best = score(part).topk(min(k, len(part)), dim=1)
        values = torch.cat([values, best.values], dim=1)
        indices = torch.cat([indices, start + best.indices], dim=1)
        best = values.topk(min(k, values.shape[1]), dim=1)
        values, indices = best.values, indices.gather(1, best.indices)
    return indices, values


def block_size(block: int | None, numbers: int, at_once: int = _AT_ONCE) -> int:
    """Return how many images make a block, each of so many numbers: the caller's choice, if any."""
    return max(1, at_once // numbers) if block is None else check_count(block, "block")


def float_blocks(training: Tensor, like: Tensor, block: int) -> Iterator[tuple[int, Tensor]]:
    """Yield blocks of a training set as intensities, each with the number of its first image."""
    for start in range(0, len(training), block):
        yield start, floats_like(training[start : start + block], like)


def floats_like(part: Tensor, like: Tensor) -> Tensor:
    """Return intensities on the device and in the precision of other images."""
    part = part.to(like.device)
    return part.to(like.dtype) / 255 if part.dtype == torch.uint8 else part.to(like.dtype)


def unit_rows(rows: Tensor) -> Tensor:
    """Return rows of mean 0 and norm 1, or of zeros where there is no contrast."""
    centred = rows - rows.mean(dim=1, keepdim=True)
    # A row of one grey leaves rounding errors behind, and they are no picture.
    flat = centred.abs().amax(1, keepdim=True) <= 1e-6 * rows.abs().amax(1, keepdim=True)
    norm = centred.norm(dim=1, keepdim=True)
    return torch.where(flat, 0, centred / torch.where(norm > 0, norm, 1))


def _directions(rows: Tensor) -> Tensor:
    """Return rows of norm 1, or of zeros where there is nothing."""
    norm = rows.norm(dim=1, keepdim=True)
    return rows / torch.where(norm > 0, norm, 1)


def check_sets(images: Tensor, training: Tensor, k: int) -> int:
    """Return a checked number of neighbours, after checking images and training images."""
    check_images(images, "images")
    if isinstance(training, Tensor) and training.dtype == torch.uint8:
        check_images(training[:1].float() / 255, "training")
    elif isinstance(training, Tensor) and training.ndim == 4 and training.numel() > 0:
        # The check makes a copy of what it looks at.
        for part in training.split(block_size(None, training[0].numel())):
            check_images(part, "training")
    else:
        check_images(training, "training")
    if training.shape[1:] != images.shape[1:]:
        raise ShapeError(
            f"The training images have shape {tuple(training.shape[1:])}; expected that of the "
            f"images, {tuple(images.shape[1:])}."
        )
    return check_count(k, "k", 1, len(training))
