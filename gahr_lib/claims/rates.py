"""What measures the claims of Chapter 4, rates."""

from collections.abc import Callable
from functools import cache, partial

import torch
from torch import Tensor

from gahr_lib.analysis.rates import fit_slope
from gahr_lib.claims.cached import current_result
from gahr_lib.claims.claim import Measured
from gahr_lib.data.disc_images import draw_disc_parameters
from gahr_lib.zoo import experiments, load_denoiser

__all__ = ["MEASURES"]

_RANGE = (6.0, 30.0)  # input PSNR in dB, for the slopes of C^alpha images
_WEAK = (20.0, 40.0)


def _slope(data: str, alpha: int | None = None, ends: tuple[float, float] = _RANGE) -> Measured:
    curves = _curves(data, alpha)
    found = _fit(curves.network, curves.input_psnr, ends)
    return Measured.of_interval(*found)


def _range() -> Measured:
    # How far apart the slopes of one curve are, alpha = 5, in strong and in weak noise.
    curves = _curves("c_alpha", 5)
    each = [_slopes(curves.network, curves.input_psnr, ends) for ends in ((6.0, 20.0), _WEAK)]
    return Measured.of_mean(each[0] - each[1])


def _over_wiener() -> Measured:
    # The network's slope minus that of the best fixed basis, image by image, alpha = 5.
    curves = _curves("c_alpha", 5)
    own, fixed = (
        _slopes(curve, curves.input_psnr, _RANGE) for curve in (curves.network, curves.wiener)
    )
    return Measured.of_mean(own - fixed)


def _field() -> Measured:
    # The Wiener slope of a Gaussian field without a contour, alpha = 5, on a torus of 60 pixels.
    w = torch.fft.fftfreq(60, 1 / 60, dtype=torch.float64)
    power = torch.hypot(w[:, None], w).clamp(min=1).flatten() ** -10.0
    power[0] = 0
    power *= 0.2**2 / power.mean()
    inputs = torch.arange(6.0, 31.0, 2.0, dtype=torch.float64)
    noise = 10 ** (-inputs[:, None] / 10)
    return Measured(
        fit_slope(inputs, -10 * (power * noise / (power + noise)).mean(1).log10()).slope
    )


def _contour() -> Measured:
    shares = []
    for alpha in (1.5, 4.0):
        images, distances = experiments.contour_images(8, 40, alpha, 8.0, generator=_seeded(3))
        shares.append(
            experiments.contour_shares(
                load_denoiser("contour", alpha=alpha), images, distances, 0.05, generator=_seeded()
            ).mean(1)
        )
    return Measured.of_mean(shares[0] - shares[1])


def _step() -> Measured:
    values = _spectra("discs").network
    return Measured.of_mean(values[:, 5] / values[:, 4])


def _first(data: str, k: int) -> Measured:
    return Measured.of_mean(_spectra(data).network[:, :k])


def _superfluous(data: str, k: int) -> Measured:
    return Measured.of_mean(_spectra(data).network[:, k])


def _tangent() -> Measured:
    return Measured.of_mean(_error_parts().tangent)


def _normal() -> Measured:
    return Measured.of_mean(_error_parts().normal)


MEASURES: dict[str, Callable[[], Measured]] = {
    **{f"rates-slope-{a}": partial(_slope, "c_alpha", a) for a in (1, 2, 3, 5)},
    "rates-one-slope": _range,
    "rates-over-fixed": _over_wiener,
    "rates-field": _field,
    "rates-contour": _contour,
    "rates-discs-slope": partial(_slope, "discs", ends=_WEAK),
    "rates-discs-step": _step,
    "rates-discs-tangent": _tangent,
    "rates-discs-superfluous": _normal,
    "rates-ray-first": partial(_first, "ray", 1),
    "rates-ray-superfluous": partial(_superfluous, "ray", 1),
    "rates-sinusoids-first": partial(_first, "sinusoids", 2),
    "rates-sinusoids-superfluous": partial(_superfluous, "sinusoids", 2),
}


def _curves(data: str, alpha: int | None = None) -> experiments.ClassCurves:
    name = data if alpha is None else f"{data}-{alpha}"
    return current_result(f"curves-{name}", experiments.ClassCurves)


def _spectra(data: str) -> experiments.Spectra:
    return current_result(f"spectra-{data}", experiments.Spectra)


@cache
def _error_parts() -> experiments.ErrorParts:
    discs = draw_disc_parameters(4, 40, generator=_seeded(1))
    return experiments.split_error(load_denoiser("discs"), discs, 0.04, generator=_seeded())


def _fit(curve: Tensor, levels: Tensor, ends: tuple[float, float]) -> tuple[float, float, float]:
    found = fit_slope(levels, curve, lowest=ends[0], highest=ends[1], generator=_seeded())
    return found.slope, found.low, found.high


def _slopes(curve: Tensor, levels: Tensor, ends: tuple[float, float]) -> Tensor:
    """Return the slope of the curve of each image, (B,)."""
    inside = (levels >= ends[0]) & (levels <= ends[1])
    centred = levels[inside] - levels[inside].mean()
    return centred @ curve[inside] / centred.square().sum()


def _seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
