"""C^alpha images: two smooth regions that meet along a smooth contour.

They are the class on which geometry-adaptive harmonic bases are known to be optimal, so that the
slope of a denoiser's PSNR can be compared with alpha / (alpha + 1) (eq. 13 of the paper).

Choices that the paper leaves open, all of them made here:

- The Fourier series has a period longer than the image, of which one window is kept: the two ends
  of a contour, or of a background, need not meet. `period=1` gives series that close on themselves.
- The mean height of the contour is random too, with the weight of the first harmonic, about the
  middle of the image. Harmonic k has the standard deviation k^-alpha / sqrt(240) in units of the
  side: that is what noise in [-1, 1] on 80 pixels gives, and it is kept at all sizes, so that an
  image of 40 pixels is a smaller version of one of 80 instead of a rougher one.
- The contour is a real number in every column, and the 2x2 box averages the exact mask of it.
  `whole_pixels=True` rounds it first, which turns a smooth contour into stairs.
- A background is stretched to its range by the extremes in the window, before it is masked.
"""

import math

import torch
from torch import Tensor

from gahr_lib._checks import check_count, check_generator
from gahr_lib.data._arguments import (
    check_dtype,
    check_number,
    check_size,
    chunks,
)

__all__ = ["c_alpha", "compose", "contour_heights", "smooth_fields"]

REFERENCE_SIZE = 80  # side of the paper's images, at which its noise sets the contours' amplitude
SCALARS = 3  # random numbers of an image besides the noise: side of the bright part, two ranges


def c_alpha(
    n: int,
    size: int = 80,
    alpha: float = 2.0,
    beta: float | None = None,
    *,
    generator: torch.Generator,
    period: float = 1.5,
    whole_pixels: bool = False,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Draw images of two smooth regions separated by a smooth contour that crosses the image.

    Parameters
    ----------
    n
        Number of images.
    size
        Side in pixels, 8 or more.
    alpha
        Decay of the contour's spectrum, whose amplitude is ``1 / |w|^alpha``. Not negative.
    beta
        Decay of the spectrum of the two backgrounds; equal to `alpha` if it is not given.
    generator
        The only source of randomness; the images are made on its device.
    period
        Period of the Fourier series in units of the side, 1 or more.
    whole_pixels
        Round the contour to whole pixels before the blur. With `period=1` and `size=80` this is
        the ensemble on which the paper's networks were trained.
    dtype
        Floating type of the result. The same random numbers are drawn whatever it is.

    Returns
    -------
    Tensor
        Images of shape (n, 1, size, size), intensities in [0, 1].

    Raises
    ------
    ConfigError
        If `n` is below 1, `generator` is no torch.Generator, or `dtype` is not floating.
    ShapeError
        If `size` is too small.
    ValueRangeError
        If an exponent is negative or not finite, or `period` is below 1.

    Notes
    -----
    A random series with amplitudes k^-alpha has almost alpha - 1/2 bounded derivatives (and a
    background beta - 1), so alpha names the decay of the spectrum, as in the paper, rather than
    the exact order of differentiability.

    On the CPU the first images of a large batch are those of a small one from the same state, and
    one state gives the same noise for every alpha: the same scene, rougher or smoother.

    References
    ----------
    Kadkhodaie, Guth, Simoncelli, Mallat, ICLR 2024, section 3.2, figure 4 and eq. (34).
    """
    n, size = check_count(n, "n"), check_size(size)
    alpha = check_number(alpha, "alpha", at_least=0)
    beta = alpha if beta is None else check_number(beta, "beta", at_least=0)
    length = math.ceil(size * check_number(period, "period", at_least=1))
    device = check_generator(generator).device
    precision = torch.float64 if check_dtype(dtype) == torch.float64 else torch.float32

    images = torch.empty(n, 1, size, size, dtype=dtype, device=device)
    parts = [length, 2 * length**2, SCALARS]
    for chunk in chunks(n, length**2, device):
        # One row of random numbers for each image makes an image independent of the batch.
        noise = torch.empty(chunk.stop - chunk.start, sum(parts), device=device)
        noise = noise.uniform_(-1, 1, generator=generator).to(precision)
        line, plane, scalars = noise.split(parts, dim=1)
        heights = contour_heights(line, alpha, size)
        fields = smooth_fields(plane.unflatten(1, (2, length, length)), beta, size)
        images[chunk, 0] = compose(
            heights.round() if whole_pixels else heights, fields, (scalars + 1) / 2
        )
    return images


def contour_heights(noise: Tensor, alpha: float, size: int) -> Tensor:
    """Integrate white noise into contours: row numbers, as a function of the column.

    Parameters
    ----------
    noise
        Independent values in [-1, 1], (n, length), one period of `length` >= `size` pixels.
    alpha
        Decay of the spectrum.
    size
        Side of the image in pixels.

    Returns
    -------
    Tensor
        Heights in pixels from the top, (n, size + 1): the blur takes two columns for each pixel.
    """
    length = noise.shape[-1]
    frequency = torch.arange(length // 2 + 1, dtype=torch.float64, device=noise.device)
    weight = frequency.clamp(min=1) ** -alpha * math.sqrt(length / REFERENCE_SIZE)
    spectrum = torch.fft.rfft(noise) * weight.to(noise.dtype)
    line = torch.fft.irfft(spectrum, n=length)
    columns = torch.arange(size + 1, device=noise.device) % length
    return size * (0.5 + line[:, columns])


def smooth_fields(noise: Tensor, beta: float, size: int) -> Tensor:
    """Filter white noise by ``1 / |w|^beta``, cut out a window and stretch it to [0, 1].

    Parameters
    ----------
    noise
        Independent values, (n, m, length, length), with `length` >= `size`.
    beta
        Decay of the spectrum.
    size
        Side of the window in pixels.

    Returns
    -------
    Tensor
        Fields of shape (n, m, size, size), each of which reaches both 0 and 1.
    """
    length = noise.shape[-1]
    rows = torch.fft.fftfreq(length, 1 / length, dtype=torch.float64, device=noise.device)
    columns = torch.arange(length // 2 + 1, dtype=torch.float64, device=noise.device)
    weight = torch.hypot(rows[:, None], columns).clamp(min=1) ** -beta
    weight[0, 0] = 0  # the mean goes anyway when the field is stretched, and would cost precision
    spectrum = torch.fft.rfft2(noise) * weight.to(noise.dtype)
    # The inverse transform one axis after the other: only the rows of the window need the second.
    window = torch.fft.ifft(spectrum, dim=-2)[..., :size, :]
    window = torch.fft.irfft(window, n=length, dim=-1)[..., :size]
    pixels = window.flatten(-2)
    lowest, highest = pixels.amin(-1), pixels.amax(-1)  # five times as fast as aminmax on the CPU
    return (window - lowest[..., None, None]) / (highest - lowest)[..., None, None]


def compose(heights: Tensor, fields: Tensor, scalars: Tensor) -> Tensor:
    """Put one field above a contour and one below it, and blur the border between them.

    Parameters
    ----------
    heights
        Contours in pixels from the top, (n, size + 1).
    fields
        The part above and the part below, (n, 2, size, size), in [0, 1].
    scalars
        Numbers u, r, r' in [0, 1], (n, 3): the part above is the bright one if u < 1/2, the bright
        part is stretched to [r, 1] and the dark one to [0, r'].

    Returns
    -------
    Tensor
        Images of shape (n, size, size), in [0, 1].
    """
    size = fields.shape[-1]
    bright_above, bright_floor, dark_ceiling = scalars[:, 0] < 0.5, scalars[:, 1], scalars[:, 2]
    bright = torch.stack((bright_above, ~bright_above), dim=1)
    floor = torch.where(bright, bright_floor[:, None], 0.0)
    ceiling = torch.where(bright, 1.0, dark_ceiling[:, None])
    above, below = torch.lerp(
        floor[..., None, None], ceiling[..., None, None], fields.clamp(0, 1)
    ).unbind(1)
    # Exact share of the part below in a box from row - 1 to row + 1, then the mean of two columns:
    # for a contour in whole pixels, the 2x2 box average of a mask of zeros and ones.
    rows = torch.arange(size, dtype=heights.dtype, device=heights.device)
    share = ((rows[:, None] + 1 - heights[:, None, :]) / 2).clamp(0, 1)
    mask = (share[..., :-1] + share[..., 1:]) / 2
    return torch.lerp(above, below, mask).clamp(0, 1)
