"""How fast the error falls with the noise: slopes of PSNR curves, theory lines, the KL bound.

Output PSNR against input PSNR is a straight line where the error is a power of the noise level: a
mean squared error that falls as sigma^(2 s) has slope s.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gahr_lib._checks import check_count, check_sigma
from gahr_lib.analysis.bootstrap import resampled_means
from gahr_lib.analysis.results import Result
from gahr_lib.errors import ConfigError, ShapeError, ValueRangeError

__all__ = [
    "CLASSICAL_SLOPES",
    "Slope",
    "fit_constant",
    "fit_slope",
    "gaussian_slope",
    "kl_bound",
    "line",
    "manifold_psnr",
    "optimal_slope",
]

# Of images that are smooth apart from edges along smooth curves, up to logarithms.
CLASSICAL_SLOPES = {
    "linear": 1 / 3,
    "wavelet thresholding": 1 / 2,
    "curvelet thresholding": 2 / 3,
}


@dataclass(frozen=True)
class Slope(Result):
    """The slope of a PSNR curve over a range of input PSNR.

    Attributes
    ----------
    slope
        Decibels of output for a decibel of input.
    low, high
        Its 95 % interval.
    intercept
        Output PSNR of the fitted line at an input PSNR of 0 dB.
    lowest, highest
        The ends of the range, input PSNR in decibels.
    """

    slope: float
    low: float
    high: float
    intercept: float
    lowest: float
    highest: float


def fit_slope(
    input_psnr: Tensor,
    output_psnr: Tensor,
    *,
    lowest: float = -math.inf,
    highest: float = math.inf,
    generator: torch.Generator | None = None,
) -> Slope:
    """Fit a line to a PSNR curve by least squares over a stated range.

    With the curves of several images the interval is that of the bootstrap over images: it answers
    how much the slope would change with other images. With one curve it is that of the regression,
    and answers how well a line fits.

    Parameters
    ----------
    input_psnr
        In decibels, (S,).
    output_psnr
        In decibels, (S, B) for B images as `psnr_curve` returns them, or (S,).
    lowest, highest
        The range of input PSNR, ends included; it must hold three levels or more.
    generator
        Source of the bootstrap, on the CPU.

    Raises
    ------
    ShapeError
        If the two do not fit together.
    ConfigError
        If fewer than three levels lie in the range.
    ValueRangeError
        If a PSNR in the range is not finite.

    References
    ----------
    The paper, equation 13 and figure 4; it does not say over which range it fits.
    """
    from scipy.stats import linregress, t

    levels, curves = _inside(input_psnr, output_psnr, lowest, highest)
    if len(levels.unique()) < 3:
        raise ConfigError(
            f"{len(levels.unique())} levels lie between {lowest} and {highest} dB; expected three "
            "or more, for a slope and how well a line fits."
        )
    fit = linregress(levels.numpy(), curves.mean(1).numpy())
    if curves.shape[1] > 1:
        # The slope is a fixed combination of the levels, so that of each image is soon computed.
        centred = levels - levels.mean()
        each = centred @ curves / centred.square().sum()
        edges = torch.tensor([0.025, 0.975], dtype=torch.float64)
        low, high = resampled_means(each, generator=generator).quantile(edges).tolist()
    else:
        half = float(t.ppf(0.975, len(levels) - 2)) * fit.stderr
        low, high = fit.slope - half, fit.slope + half
    return Slope(
        float(fit.slope),
        float(low),
        float(high),
        float(fit.intercept),
        float(levels.min()),
        float(levels.max()),
    )


def fit_constant(
    input_psnr: Tensor,
    output_psnr: Tensor,
    slope: float,
    *,
    lowest: float = -math.inf,
    highest: float = math.inf,
) -> float:
    """Fit the constant of a line whose slope theory gives, by least squares.

    Theory says how fast the error falls and not from where: ``line(input_psnr, slope,
    through=(0, constant))`` is the line to draw beside a measured curve.

    Parameters
    ----------
    input_psnr, output_psnr, lowest, highest
        See `fit_slope`; one level in the range will do.
    slope
        Decibels of output for a decibel of input.

    Returns
    -------
    float
        Output PSNR of the line at an input PSNR of 0 dB, in decibels.

    Raises
    ------
    ShapeError, ConfigError, ValueRangeError
        See `fit_slope`.
    """
    levels, curves = _inside(input_psnr, output_psnr, lowest, highest)
    if len(levels) == 0:
        raise ConfigError(f"No level lies between {lowest} and {highest} dB; expected one or more.")
    return float(curves.mean() - slope * levels.mean())


def _inside(
    input_psnr: Tensor, output_psnr: Tensor, lowest: float, highest: float
) -> tuple[Tensor, Tensor]:
    """Return the levels in a range, (S',), and the curves there, (S', B), after checking them."""
    fits = output_psnr.ndim in (1, 2) and output_psnr.shape[:1] == input_psnr.shape
    if not fits or 0 in output_psnr.shape:
        raise ShapeError(
            f"input_psnr has shape {tuple(input_psnr.shape)} and output_psnr "
            f"{tuple(output_psnr.shape)}; expected (S,) and (S, B) or (S,), and none empty."
        )
    inside = (input_psnr >= lowest) & (input_psnr <= highest)
    levels = input_psnr[inside].double().cpu()
    curves = output_psnr[inside.to(output_psnr.device)].double().cpu()
    for values, name in ((levels, "input_psnr"), (curves, "output_psnr")):
        if not bool(torch.isfinite(values).all()):
            raise ValueRangeError(
                f"{name} has values that are not finite between {lowest} and {highest} dB; "
                "expected decibels. Leave out levels without noise or without error."
            )
    return levels, curves if curves.ndim == 2 else curves[:, None]


def optimal_slope(alpha: float) -> float:
    """Return alpha / (alpha + 1), the best slope for C^alpha images and contours (eq. 13)."""
    if not 0 <= alpha < math.inf:
        raise ValueRangeError(f"alpha is {alpha!r}; expected a finite number >= 0.")
    return alpha / (alpha + 1)


def gaussian_slope(alpha: float) -> float:
    """Return (alpha - 1) / alpha, the slope of the Wiener filter for a Gaussian field.

    The field has the spectrum ``|w|^(-2 alpha)`` in the plane; alpha > 1, or it has no variance to
    lose. On a small grid the slope is steeper where all frequencies are above the noise.
    """
    if not 1 < alpha < math.inf:
        raise ValueRangeError(f"alpha is {alpha!r}; expected a finite number above 1.")
    return (alpha - 1) / alpha


def manifold_psnr(input_psnr: Tensor, dimension: int, d: int) -> Tensor:
    """Return the output PSNR of the optimum on an m-dimensional manifold, noise going to 0.

    The optimum keeps the noise of the m tangent directions out of d: MSE = m sigma^2 / d, a line
    of slope 1.

    Parameters
    ----------
    input_psnr
        In decibels.
    dimension
        Of the manifold: 5 for discs, 2 for sinusoids, 1 for a ray.
    d
        Numbers in an image.

    Raises
    ------
    ConfigError
        If the dimension is not between 1 and d.
    """
    d = check_count(d, "d")
    dimension = check_count(dimension, "dimension", 1, d)
    return input_psnr + 10 * math.log10(d / dimension)


def line(input_psnr: Tensor, slope: float, *, through: tuple[float, float]) -> Tensor:
    """Return the line of a slope through a point, (input PSNR, output PSNR)."""
    return through[1] + slope * (input_psnr - through[0])


def kl_bound(sigmas: Tensor, error: Tensor, optimal_error: Tensor) -> float:
    """Return the bound of eq. 5 on the divergence of a model's density from the true one.

    It is the integral of the excess error over noise levels, ``(MSE(f) - MSE(f*)) sigma^-3``, by
    the trapezoidal rule in log sigma. Levels beyond the ends of `sigmas` are left out, so the
    curves must reach to where the excess is negligible.

    Parameters
    ----------
    sigmas
        Noise levels, rising, (S,).
    error, optimal_error
        Mean squared errors of the denoiser and of the optimal one, (S,). Summed over the pixels of
        an image, they give nats per image; per pixel, nats per pixel.

    Returns
    -------
    float
        In nats. Where the denoiser is the exact optimum of some density, it is the divergence
        itself and not only a bound.

    Raises
    ------
    ShapeError
        If the three are not of one length, two or more.
    ConfigError
        If the noise levels do not rise, or are not positive.
    ValueRangeError
        If an error is not finite.
    """
    if sigmas.ndim != 1 or not sigmas.shape == error.shape == optimal_error.shape:
        raise ShapeError(
            f"sigmas, error and optimal_error have shapes {tuple(sigmas.shape)}, "
            f"{tuple(error.shape)} and {tuple(optimal_error.shape)}; expected (S,) three times."
        )
    check_sigma(sigmas, len(sigmas))
    if len(sigmas) < 2 or not bool((sigmas > 0).all()) or not bool((sigmas.diff() > 0).all()):
        raise ConfigError("sigmas must be two or more positive noise levels that rise.")
    for values, name in ((error, "error"), (optimal_error, "optimal_error")):
        if not bool(torch.isfinite(values).all()):
            raise ValueRangeError(
                f"{name} has values that are not finite; expected squared intensities. Leave out "
                "the levels where the denoiser fails."
            )
    s = sigmas.double().cpu()
    integrand = (
        error.double() - optimal_error.double()
    ).cpu() / s**2  # sigma^-3 d sigma, in log sigma
    return float(torch.trapezoid(integrand, s.log()))
