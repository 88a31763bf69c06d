"""Measures of error and similarity between images."""

import math

import torch
from torch import Tensor

from gahr_lib._checks import check_images, check_sigma, number
from gahr_lib.errors import ShapeError, ValueRangeError

__all__ = ["cosine_similarity", "input_psnr", "mse", "psnr", "sigma_from_psnr"]


def mse(estimate: Tensor, x: Tensor) -> Tensor:
    """Return the mean squared error per pixel of each image.

    Parameters
    ----------
    estimate, x
        The two batches of images, (B, C, H, W); one of them may have B = 1.

    Returns
    -------
    Tensor
        (B,), in squared intensity units.

    Raises
    ------
    ShapeError, ValueRangeError
        If they are not batches of images of the same size.
    """
    _check_pair(estimate, x)
    return (estimate - x).square().mean(dim=(1, 2, 3))


def psnr(estimate: Tensor, x: Tensor) -> Tensor:
    """Return the peak signal-to-noise ratio of each image, -10 log10 MSE, for a peak of 1.

    Averages over images are taken after the logarithm, as in the paper: ``psnr(a, b).mean()``.

    Parameters
    ----------
    estimate, x
        The two batches of images, (B, C, H, W).

    Returns
    -------
    Tensor
        (B,), in decibels; infinite where the two images are equal.

    Raises
    ------
    ShapeError, ValueRangeError
        If they are not batches of images of the same size.
    """
    return -10 * mse(estimate, x).log10()


def input_psnr(sigma: float) -> float:
    """Return the PSNR of an image with noise of level `sigma`: -20 log10 sigma, in dB.

    Raises
    ------
    SigmaError
        If `sigma` is not a noise level.
    """
    check_sigma(sigma)
    return -20 * math.log10(sigma) if sigma > 0 else math.inf


def sigma_from_psnr(decibels: float) -> float:
    """Return the noise level whose input PSNR is `decibels`; the inverse of `input_psnr`.

    Raises
    ------
    ValueRangeError
        If `decibels` is not a finite number.
    """
    if not math.isfinite(number(decibels)):
        raise ValueRangeError(f"The PSNR is {decibels!r}; expected a finite number of decibels.")
    return 10 ** (-decibels / 20)


def cosine_similarity(a: Tensor, b: Tensor, *, remove_mean: bool = True) -> Tensor:
    """Return the cosine of the angle between images, pair by pair.

    Parameters
    ----------
    a, b
        Two batches of images, (B, C, H, W); one of them may have B = 1.
    remove_mean
        Subtract each image's mean first, as the paper does for its histograms (figure 2).

    Returns
    -------
    Tensor
        (B,), between -1 and 1; 0 where an image is constant and so has no direction.

    Raises
    ------
    ShapeError, ValueRangeError
        If they are not batches of images of the same size.
    """
    _check_pair(a, b)
    cosine = (_directions(a, remove_mean) * _directions(b, remove_mean)).sum(dim=1)
    return cosine.clamp(-1, 1)


def _directions(images: Tensor, remove_mean: bool) -> Tensor:
    """Return each image as a vector of norm 1, or 0 if it has no direction."""
    vectors = images.flatten(1)
    size = vectors.norm(dim=1, keepdim=True)
    if remove_mean:
        vectors = vectors - vectors.mean(dim=1, keepdim=True)
    norm = vectors.norm(dim=1, keepdim=True)
    # A constant minus its mean is not 0 but rounding error, whose direction means nothing.
    meaningful = norm > 16 * torch.finfo(images.dtype).eps * size
    return torch.where(meaningful, vectors / norm, torch.zeros_like(vectors))


def _check_pair(a: Tensor, b: Tensor) -> None:
    check_images(a, "the first batch")
    check_images(b, "the second batch")
    if a.shape[1:] != b.shape[1:] or (len(a) != len(b) and 1 not in (len(a), len(b))):
        raise ShapeError(
            f"The batches have shapes {tuple(a.shape)} and {tuple(b.shape)}; expected images of "
            "one size, and as many in one batch as in the other (or a single one)."
        )
