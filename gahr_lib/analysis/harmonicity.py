"""How harmonic a basis of images is, and how well it is adapted to one image: two numbers.

*Harmonic*: the k-th vector of a harmonic basis has more half-waves the larger k is, as the cosines
have; a wavelet has as many at every scale. `half_waves` counts them and `growth` is the exponent.
*Adapted*: an image has more of its energy in the leading vectors of its own basis than in those of
other images. `adaptation` is the ratio of what they miss, in dB; it is 0 for every fixed basis.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from gahr_lib import bases
from gahr_lib._checks import check_images
from gahr_lib.errors import ShapeError, ValueRangeError

__all__ = ["adaptation", "contour_preference", "frequencies", "growth", "half_waves", "missed"]


def half_waves(vectors: Tensor) -> Tensor:
    """Return the effective number of regions of one sign of each vector.

    The pixels of one sign fall into connected regions, the nodal domains. With E_j the share of the
    energy of a vector in its region j, the number is 1 / sum_j E_j^2: m if m regions have equal
    energy. Crumbs of rounding and noise, which have next to no energy, do not count.

    Parameters
    ----------
    vectors
        Grey basis images, (K, 1, H, W), none of them zero; pixels are connected by their sides.

    Returns
    -------
    Tensor
        (K,), float64, 1 or more. It is p^2 / (p - 1/2) for a long cosine of p half-waves: those at
        its two ends are quarter waves.

    Raises
    ------
    ShapeError, ValueRangeError
        If these are no grey images, or one of them is zero.

    References
    ----------
    Courant and Hilbert, "Methods of mathematical physics", volume 1, chapter VI, section 6: the
    k-th eigenfunction of a Laplacian has at most k nodal domains.
    """
    from scipy.ndimage import label

    pictures = _grey(vectors).numpy()
    counts = []
    for picture in pictures:
        energy = picture**2
        concentration = 0.0
        for mask in (picture > 0, picture < 0):
            regions, _ = label(mask)
            shares = np.bincount(regions.ravel(), weights=energy.ravel())[1:] / energy.sum()
            concentration += float((shares**2).sum())
        counts.append(1 / concentration)
    return torch.tensor(counts, dtype=torch.float64)


def growth(counts: Tensor) -> Tensor:
    """Return the exponent of k with which numbers of half-waves grow along a basis.

    It is the slope of the least-squares line through log(count) against log(k), from k = 2 on.

    Parameters
    ----------
    counts
        `half_waves` of the vectors in their order, (..., K) with K of at least 3.

    Returns
    -------
    Tensor
        (...). About 1 for harmonics on a domain of one dimension, 0 for vectors that have as many
        half-waves whatever k is.
    """
    if counts.ndim == 0 or counts.shape[-1] < 3:
        raise ShapeError(
            f"The counts have shape {tuple(counts.shape)}; expected (..., K) with K of at least 3. "
            "Ask for more vectors."
        )
    if not bool((counts > 0).all()):
        raise ValueRangeError("A count is not positive; expected those of `half_waves`.")
    logs = counts.double()[..., 1:].log()
    ranks = torch.arange(2, counts.shape[-1] + 1, dtype=torch.float64).log().to(logs.device)
    ranks = ranks - ranks.mean()
    return (logs @ ranks) / ranks.square().sum()


def frequencies(vectors: Tensor) -> Tensor:
    """Return the mean frequency of each vector, ``|grad e| / |e|``, in radians per pixel.

    Differences are those of neighbouring pixels. For the cosine with p and q half-waves on H x W
    pixels it is the root of 4 sin^2(pi p / 2 H) + 4 sin^2(pi q / 2 W); for white noise about 2.

    Parameters
    ----------
    vectors
        Grey basis images, (K, 1, H, W), none of them zero.

    Returns
    -------
    Tensor
        (K,), float64.
    """
    pictures = _grey(vectors)
    down, across = pictures.diff(dim=1), pictures.diff(dim=2)
    squares = down.square().sum((1, 2)) + across.square().sum((1, 2))
    return (squares / pictures.square().sum((1, 2))).sqrt()


def missed(vectors: Tensor, images: Tensor) -> Tensor:
    """Return the share of the energy of each image that orthonormal vectors do not span.

    Parameters
    ----------
    vectors
        (K, C, H, W), orthonormal.
    images
        (B, C, H, W).

    Returns
    -------
    Tensor
        (B,), between 0 and 1.
    """
    vectors, images = vectors.double(), images.double()
    kept = bases.coefficients(vectors, images)
    left = images - bases.synthesize(vectors, kept)
    return left.flatten(1).square().sum(1) / images.flatten(1).square().sum(1)


def adaptation(own: Sequence[Tensor], images: Tensor) -> Tensor:
    """Return by how much each image fits its own basis better than those of the other images.

    Parameters
    ----------
    own
        A basis for each image, B tensors (K, C, H, W) with as many vectors.
    images
        The clean images, (B, C, H, W), two or more.

    Returns
    -------
    Tensor
        (B,), in dB: the mean share of the image that the bases of the others miss, over the share
        that its own misses. 0 if all bases are the same.

    Raises
    ------
    ShapeError
        If there are fewer than two images, or not one basis for each, of one size.
    """
    if len(own) != len(images) or len(images) < 2 or len({basis.shape for basis in own}) != 1:
        raise ShapeError(
            f"There are {len(own)} bases for {len(images)} images; expected two images or more and "
            "a basis for each, all with as many vectors."
        )
    shares = torch.stack([missed(basis, images) for basis in own])  # (basis, image)
    by_own = shares.diagonal()
    by_others = (shares.sum(0) - by_own) / (len(images) - 1)
    return 10 * (by_others / by_own).log10()


def contour_preference(vectors: Tensor, image: Tensor, *, share: float = 0.2) -> float:
    """Return how much more energy the vectors have on an image's contours than elsewhere.

    Contours are the pixels where the gradient of the clean image is largest.

    Parameters
    ----------
    vectors
        Orthonormal grey images, (K, 1, H, W).
    image
        The clean image, (1, 1, H, W).
    share
        The share of the pixels that are called contours, above 0 and below 1.

    Returns
    -------
    float
        The mean energy per pixel on contours over that of all pixels; 1 for a complete basis.
    """
    if not 0 < share < 1:
        raise ValueRangeError(f"share is {share!r}; expected one above 0 and below 1.")
    pictures, picture = _grey(vectors), _grey(image)[0]
    if picture.shape != pictures.shape[1:]:
        raise ShapeError(
            f"The image has {tuple(picture.shape)} pixels and the vectors "
            f"{tuple(pictures.shape[1:])}; expected as many."
        )
    down, across = torch.gradient(picture)
    steepest = (down**2 + across**2).flatten().topk(max(1, round(share * picture.numel())))
    energy = pictures.square().sum(0).flatten()
    return float(energy[steepest.indices].mean() / energy.mean())


def _grey(images: Tensor) -> Tensor:
    check_images(images)
    if images.shape[1] != 1:
        raise ShapeError(
            f"There are {images.shape[1]} channels; expected grey images, (K, 1, H, W)."
        )
    pictures = images.detach()[:, 0].double().cpu()
    if not bool(pictures.flatten(1).any(1).all()):
        raise ValueRangeError("A vector is zero everywhere; expected basis vectors.")
    return pictures
