"""The training images nearest to given images, by three measures of nearness.

Training sets are walked through in blocks, so that of a set kept as bytes only a block at a time
is ever floats: 100,000 images need little more memory than they take up themselves.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from gahr_lib._checks import check_count, check_images
from gahr_lib.analysis.results import Result
from gahr_lib.errors import ConfigError, ShapeError

__all__ = ["Neighbours", "nearest_by_cosine", "nearest_by_distance", "nearest_by_ssim"]

_BLOCK = 2_000


@dataclass(frozen=True)
class Neighbours(Result):
    """The nearest training images of each image, the nearest first.

    Attributes
    ----------
    indices
        Their numbers in the training set, (B, k).
    values
        Their similarities, falling, or their distances, rising, (B, k).
    """

    indices: Tensor
    values: Tensor


@torch.no_grad()
def nearest_by_cosine(
    images: Tensor, training: Tensor, k: int = 2, *, block: int = _BLOCK
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
        Training images looked at together.

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

    return _search(images, training, k, block, similarity)


@torch.no_grad()
def nearest_by_distance(
    images: Tensor,
    training: Tensor,
    k: int = 2,
    *,
    fit_scale: bool = False,
    block: int = _BLOCK,
) -> Neighbours:
    """Return the k training images at the smallest Euclidean distance.

    The ratio of the first distance to the second tells a copy from one of many similar images: in
    other work a sample counts as memorised where it is below 1/3.

    Parameters
    ----------
    images, training, k, block
        See `nearest_by_cosine`.
    fit_scale
        Compare each training image with the best multiple of the image, ``min_c ||c x - t||``. A
        network without biases knows images up to a factor only, and its dim copies are copies.

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
    direction = x / x.norm(dim=1, keepdim=True).clamp_min(torch.finfo(x.dtype).tiny)

    def closeness(part: Tensor) -> Tensor:
        t = part.flatten(1)
        if fit_scale:
            return (direction @ t.T).square() - t.square().sum(1)
        t = t - centre
        return 2 * (x - centre) @ t.T - t.square().sum(1)

    # Differences of large squares lose digits where it matters, so a few more are found this way
    # and measured again, one by one.
    spare = min(len(training), k + 8)
    found = _search(images, training, spare, block, closeness)
    exact = []
    for row, indices in enumerate(found.indices):
        t = _floats(training[indices.to(training.device)], images).flatten(1)
        c = t @ direction[row] / x[row].norm() if fit_scale and x[row].any() else t.new_ones(len(t))
        exact.append((c[:, None] * x[row] - t).norm(dim=1))
    values, order = torch.stack(exact).sort(dim=1)
    return Neighbours(found.indices.gather(1, order)[:, :k], values[:, :k])


@torch.no_grad()
def nearest_by_ssim(
    images: Tensor,
    training: Tensor,
    k: int = 2,
    *,
    shortlist: int | None = 200,
    block: int = _BLOCK,
) -> Neighbours:
    """Return the k training images with the highest structural similarity, SSIM.

    SSIM compares brightness, contrast and structure in windows of 11x11 pixels, so it sees a shared
    part where the whole differs, which the cosine of all pixels does not. It needs no trained
    network. It is blind to what changes inside a window without changing its mean, variance and
    covariance, minds changes of flat regions more than an eye would, and like the cosine takes an
    image moved by a few pixels for another one.

    Parameters
    ----------
    images, training, k, block
        See `nearest_by_cosine`; sides of 11 pixels or more.
    shortlist
        Compare only with so many training images of the highest cosine similarity, and as many of
        the smallest distance; with all N if None, which takes a second for 10,000 pairs or so.

    Returns
    -------
    Neighbours
        ``values`` are similarities in [-1, 1].

    Raises
    ------
    ShapeError, ValueRangeError, ConfigError
        See `nearest_by_cosine`.

    References
    ----------
    Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to
    structural similarity", IEEE Transactions on Image Processing, 2004; computed by torchmetrics.
    """
    k = check_sets(images, training, k)
    if min(images.shape[-2:]) < 11:
        raise ShapeError(
            f"The images have sides {tuple(images.shape[-2:])}; expected 11 pixels or more, the "
            "window of SSIM."
        )
    if shortlist is None:
        everyone = torch.arange(len(training), device=images.device)
        candidates = [everyone] * len(images)
    else:
        most = min(len(training), max(k, check_count(shortlist, "shortlist")))
        by_cosine = nearest_by_cosine(images, training, most, block=block).indices
        by_distance = nearest_by_distance(images, training, most, block=block).indices
        both = torch.cat([by_cosine, by_distance], dim=1)
        candidates = [row.unique() for row in both]
    indices, values = [], []
    for image, chosen in zip(images, candidates, strict=True):
        found = torch.cat(
            [
                _ssim(image, _floats(training[i], images))
                for i in chosen.to(training.device).split(block)
            ]
        )
        best = found.topk(k)
        indices.append(chosen[best.indices])
        values.append(best.values)
    return Neighbours(torch.stack(indices), torch.stack(values))


def _ssim(image: Tensor, others: Tensor) -> Tensor:
    """Return the SSIM of one image with each of several, (n,)."""
    # Here, because it takes a second to import and few callers need it.
    from torchmetrics.functional.image import structural_similarity_index_measure as ssim

    found = ssim(image.expand_as(others), others, data_range=1.0, reduction="none")
    assert isinstance(found, Tensor)
    return found.reshape(-1)


def _search(
    images: Tensor,
    training: Tensor,
    k: int,
    block: int,
    score: Callable[[Tensor], Tensor],
) -> Neighbours:
    """Return the k highest scores: of every block, with the k highest so far."""
    values = images.new_empty(len(images), 0)
    indices = torch.empty(len(images), 0, dtype=torch.long, device=images.device)
    for start, part in float_blocks(training, images, block):
        scores = score(part)
        numbers = torch.arange(start, start + len(part), device=images.device)
        values = torch.cat([values, scores], dim=1)
        indices = torch.cat([indices, numbers.expand(len(images), -1)], dim=1)
        best = values.topk(min(k, values.shape[1]), dim=1)
        values, indices = best.values, indices.gather(1, best.indices)
    return Neighbours(indices, values)


def float_blocks(training: Tensor, like: Tensor, block: int) -> Iterator[tuple[int, Tensor]]:
    """Yield blocks of a training set as intensities, each with the number of its first image."""
    block = check_count(block, "block")
    for start in range(0, len(training), block):
        yield start, _floats(training[start : start + block], like)


def _floats(part: Tensor, like: Tensor) -> Tensor:
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


def check_sets(images: Tensor, training: Tensor, k: int) -> int:
    """Return a checked number of neighbours, after checking images and training images."""
    check_images(images, "images")
    if isinstance(training, Tensor) and training.dtype == torch.uint8:
        check_images(training[:1].float() / 255, "training")
    else:
        check_images(training, "training")
    if training.shape[1:] != images.shape[1:]:
        raise ShapeError(
            f"The training images have shape {tuple(training.shape[1:])}; expected that of the "
            f"images, {tuple(images.shape[1:])}."
        )
    if not training.is_floating_point() and training.dtype != torch.uint8:
        raise ConfigError(f"training has dtype {training.dtype}; expected floats or uint8.")
    return check_count(k, "k", 1, len(training))
