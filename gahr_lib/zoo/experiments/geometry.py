"""Contours and tangent spaces: where a denoiser keeps noise, and in which directions."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gahr_lib import bases
from gahr_lib._checks import check_count, check_images, check_sigma
from gahr_lib.analysis.eigenbases import eigenbasis
from gahr_lib.analysis.results import Result
from gahr_lib.data.c_alpha_images import SCALARS, compose, contour_heights, smooth_fields
from gahr_lib.data.disc_images import DiscParameters, render_discs
from gahr_lib.errors import ShapeError
from gahr_lib.models import Denoiser
from gahr_lib.noise import add_noise

__all__ = ["ErrorParts", "contour_images", "contour_shares", "disc_tangents", "split_error"]

_PERIOD = 1.5  # of `gahr_lib.data.c_alpha`
_STEPS = 10  # points of the contour for each pixel, among which the nearest is sought


@dataclass(frozen=True)
class ErrorParts(Result):
    """The mean squared error of a denoiser at single discs, in units of sigma^2.

    The three add up to the error: ``tangent + normal + bias``.

    Attributes
    ----------
    tangent
        Variance over the noise within the five tangent directions, (B,); 5 for a projection.
    normal
        Variance in all other directions, (B,); 0 for a projection on the tangent space.
    bias
        Squared mean error, (B,), freed of what the finite number of draws adds to it.
    """

    tangent: Tensor
    normal: Tensor
    bias: Tensor


def contour_images(
    n: int, size: int, alpha: float, beta: float | None = None, *, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Draw the images of `gahr_lib.data.c_alpha`, and say how far each pixel is from the contour.

    Parameters
    ----------
    n, size, alpha, beta, generator
        See `gahr_lib.data.c_alpha`: the same state gives the same images.

    Returns
    -------
    tuple
        Images (n, 1, size, size), intensities in [0, 1], and distances (n, size, size) in pixels.

    Raises
    ------
    ConfigError
        If n is below 1.
    """
    n = check_count(n, "n")
    length = math.ceil(_PERIOD * size)
    noise = torch.empty(n, length + 2 * length**2 + SCALARS).uniform_(-1, 1, generator=generator)
    line, plane, scalars = noise.split([length, 2 * length**2, SCALARS], dim=1)
    heights = contour_heights(line, alpha, size)
    fields = smooth_fields(
        plane.unflatten(1, (2, length, length)), alpha if beta is None else beta, size
    )
    images = compose(heights, fields, (scalars + 1) / 2)[:, None]
    # `compose` averages columns j and j + 1 for pixel j, and rows from i - 1 to i + 1 for pixel i.
    fine = torch.nn.functional.interpolate(
        heights[:, None], size=size * _STEPS + 1, mode="linear", align_corners=True
    )[:, 0]
    across = torch.linspace(0, size, size * _STEPS + 1)
    rows, columns = torch.arange(float(size))[:, None, None], torch.arange(float(size)) + 0.5
    aside = (columns[None, :, None] - across).square()
    distances = [((rows - heights_).square() + aside).amin(2).sqrt() for heights_ in fine]
    return images, torch.stack(distances)


def contour_shares(
    denoiser: Denoiser,
    images: Tensor,
    distances: Tensor,
    sigma: float,
    *,
    k: int = 16,
    within: float = 3.0,
    generator: torch.Generator,
) -> Tensor:
    """Return which share of the energy of each leading eigenvector lies near the contour.

    Parameters
    ----------
    denoiser
        Whose Jacobian.
    images, distances
        See `contour_images`, (B, 1, H, W) and (B, H, W).
    sigma
        Noise level.
    k
        How many eigenvectors.
    within
        What is near, in pixels.
    generator
        Source of the noise.

    Returns
    -------
    Tensor
        (B, k), each in [0, 1]. Compare with the share of the pixels that are near.

    Raises
    ------
    ShapeError, ValueRangeError, SigmaError
        If an argument is not one of those above.

    References
    ----------
    The paper looks at such vectors in figures 16 to 18; the number is ours.
    """
    check_images(images, "images")
    check_sigma(sigma)
    if distances.shape != images[:, 0].shape:
        raise ShapeError(
            f"distances has shape {tuple(distances.shape)}; expected "
            f"{tuple(images[:, 0].shape)}, one for each pixel. Take both from contour_images."
        )
    noisy = add_noise(images, sigma, generator=generator)
    shares = []
    for y, distance in zip(noisy.split(1), distances, strict=True):
        vectors = eigenbasis(denoiser, y, k=k, sigma=sigma).vectors[:, 0]
        shares.append(vectors.square()[:, distance < within].sum(1))
    return torch.stack(shares)


def disc_tangents(parameters: DiscParameters, size: int) -> Tensor:
    """Return an orthonormal basis of the tangent space of the discs at each of B discs.

    It spans the derivatives of the image with respect to row, column, radius and two grey levels.

    Parameters
    ----------
    parameters
        B discs of contrast: where both grey levels are equal there is no such space.
    size
        Side of the images in pixels.

    Returns
    -------
    Tensor
        (B, 5, 1, size, size).

    References
    ----------
    The paper, section 3.3 and figure 5.
    """

    def draw(values: Tensor) -> Tensor:
        return render_discs(DiscParameters.from_tensor(values[None]), size)[0]

    tangents = []
    for values in parameters.as_tensor():
        derivatives = torch.func.jacrev(draw)(values.double()).flatten(0, 2)
        tangents.append(torch.linalg.qr(derivatives).Q.T.reshape(-1, 1, size, size))
    return torch.stack(tangents).to(parameters.radius.dtype)


def split_error(
    denoiser: Denoiser,
    parameters: DiscParameters,
    sigma: float,
    *,
    size: int = 40,
    draws: int = 128,
    generator: torch.Generator,
) -> ErrorParts:
    """Split the error of a denoiser at discs into tangent variance, normal variance and bias.

    Parameters
    ----------
    denoiser
        Any denoiser of images of this size.
    parameters
        The discs, B of them.
    sigma
        Noise level.
    size
        Side of the images in pixels.
    draws
        Of the noise, for each disc, 2 or more.
    generator
        Source of the noise.

    Raises
    ------
    ConfigError
        If there are fewer than two draws.
    SigmaError
        If the noise level is none.
    """
    check_sigma(sigma)
    draws = check_count(draws, "draws", 2)
    parts = []
    clean = render_discs(parameters, size).split(1)
    for x, tangents in zip(clean, disc_tangents(parameters, size), strict=True):
        error = denoiser(add_noise(x.expand(draws, -1, -1, -1), sigma, generator=generator), sigma)
        error = error - x
        mean = error.mean(0, keepdim=True)
        # Over draws - 1, so that neither variance is too small for having used the mean.
        variance = (error - mean).square().sum() / (draws - 1)
        within = bases.coefficients(tangents, error - mean).square().sum() / (draws - 1)
        bias = mean.square().sum() - variance / draws
        parts.append(torch.stack((within, variance - within, bias)) / sigma**2)
    return ErrorParts(*torch.stack(parts, dim=1))
