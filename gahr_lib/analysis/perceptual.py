"""The training images that look most like given images, by structural similarity."""

import torch
from torch import Tensor

from gahr_lib._checks import check_count
from gahr_lib.analysis.neighbours import (
    Neighbours,
    block_size,
    check_sets,
    floats_like,
    nearest_by_cosine,
    nearest_by_distance,
)
from gahr_lib.errors import ShapeError

__all__ = ["nearest_by_ssim"]

# Numbers in a block: 2 MB of floats, but SSIM holds the windows of all pixels, a hundredfold.
_AT_ONCE = 2**19


@torch.no_grad()
def nearest_by_ssim(
    images: Tensor,
    training: Tensor,
    k: int = 2,
    *,
    shortlist: int | None = 200,
    block: int | None = None,
) -> Neighbours:
    """Return the k training images with the highest structural similarity, SSIM.

    SSIM compares brightness, contrast and structure in windows of 11x11 pixels, so it sees a shared
    part where the whole differs, which the cosine of all pixels does not. It needs no trained
    network.

    Parameters
    ----------
    images, training, k
        See `nearest_by_cosine`; sides of 11 pixels or more.
    shortlist
        Compare only with so many training images of the highest cosine similarity, and as many of
        the smallest distance; with all N if None, which takes minutes for a million pairs.
    block
        Training images looked at together; memory grows with it. By default so many that SSIM holds
        some 200 MB of their windows.

    Returns
    -------
    Neighbours
        ``values`` are similarities in [-1, 1].

    Raises
    ------
    ShapeError, ValueRangeError, ConfigError
        See `nearest_by_cosine`.

    Notes
    -----
    It is blind to what changes inside a window without changing its mean, variance and covariance,
    and it minds changes of flat regions more than an eye would: little noise on a black background
    costs a copy more than it costs its cosine. Like the cosine it takes an image moved by two
    pixels for another one. It minds brightness, unlike the cosine, so bring the dim samples of a
    homogeneous network to the brightness of the training images first.

    The alternative was a distance between wavelet coefficients. Of 64 images of Fashion-MNIST,
    altered and sought among 30,000, these fractions were found by SSIM with its shortlist, by the
    cosine, by the distance of orthonormal coefficients scaled to equal variance, and by the cosine
    of the magnitudes of undecimated ones pooled over 4x4 pixels; each is known to .06 or so::

        noise of sigma = .05    1.00  1.00  1.00  1.00
        noise of sigma = .15    1.00  1.00  1.00   .16
        mean of 3x3 pixels       .84   .56   .00   .12
        the same, twice          .58   .50   .00   .00
        a grey patch over it    1.00   .94   .98   .83
        half of another image    .31   .17   .28   .06
        intensities squared      .94  1.00  1.00   .97
        half as bright           .59  1.00   .81  1.00
        moved by (1, 0) pixels   .47   .28   .12   .89
        moved by (1, 2) pixels   .00   .00   .00   .23

    The magnitudes see through small moves, and are lost in the noise and blur that samples have;
    the coefficients are lost in blur. SSIM finds the most of what is blurred, covered or mixed,
    and the cosine, which is there beside it, what is brighter or dimmer.

    The shortlist costs little: for 32 test images and the 30,000 the nearest was the same as in a
    full search, even with a shortlist of 50.

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
    together = block_size(block, images[0].numel(), _AT_ONCE)
    indices, values = [], []
    for image, chosen in zip(images, candidates, strict=True):
        parts = chosen.to(training.device).split(together)
        best = torch.cat([_ssim(image, floats_like(training[i], images)) for i in parts]).topk(k)
        indices.append(chosen[best.indices])
        values.append(best.values)
    return Neighbours(torch.stack(indices), torch.stack(values), "ssim")


def _ssim(image: Tensor, others: Tensor) -> Tensor:
    """Return the SSIM of one image with each of several, (n,)."""
    # Here, because it takes a second to import and few callers need it.
    from torchmetrics.functional.image import structural_similarity_index_measure as ssim

    found = ssim(image.expand_as(others), others, data_range=1.0, reduction="none")
    assert isinstance(found, Tensor)
    return found.reshape(-1)
