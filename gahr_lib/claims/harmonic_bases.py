"""What measures the claims of Chapter 3, harmonic bases."""

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from gahr_lib import data
from gahr_lib.analysis import harmonicity, jacobian
from gahr_lib.analysis.bootstrap import resampled_means
from gahr_lib.claims.cached import current_result
from gahr_lib.claims.claim import Measured
from gahr_lib.noise import add_noise
from gahr_lib.zoo import load_denoiser
from gahr_lib.zoo.experiments import Harmonics, Shuffled

__all__ = ["MEASURES"]

_SIGMA = 0.15  # that of figure 3
_IMAGES = 6  # at which Jacobians are taken anew


def _values_above_one() -> Measured:
    return Measured.of_mean(torch.stack([basis.values[0] for basis in _own()]))


def _symmetric() -> Measured:
    return Measured.of_mean(torch.tensor([basis.asymmetry for basis in _own()]))


def _soft_rank() -> Measured:
    # The ratio of two means, resampled image by image; the trace is that of the symmetric part.
    traces = torch.stack([basis.values.sum() for basis in _own()])
    network, x, y = _network(), _clothes(), _noisy()
    with torch.no_grad():
        soft = (network(y) - x).flatten(1).square().sum(1) / _SIGMA**2
    means = resampled_means(torch.stack([traces, soft]), generator=torch.Generator().manual_seed(0))
    low, high = (means[0] / means[1]).quantile(torch.tensor([0.025, 0.975]).double())
    return Measured.of_interval(traces.mean() / soft.mean(), low, high)


def _adapted() -> Measured:
    measured, at = _found("network")
    shares = measured.missed[at].double()
    by_own = shares.diagonal()
    by_others = (shares.sum(0) - by_own) / (len(shares) - 1)
    return Measured.of_mean(10 * (by_others / by_own).log10())


def _harmonic() -> Measured:
    measured, at = _found("network")
    return Measured.of_mean(harmonicity.growth(measured.half_waves[at]))


def _lower_is_faster() -> Measured:
    # Mean frequency of the vectors of ranks 57 to 64 over that of ranks 1 to 8.
    measured, at = _found("network")
    pitch = measured.frequencies[at]
    return Measured.of_mean(pitch[:, -8:].mean(1) / pitch[:, :8].mean(1))


def _on_contours() -> Measured:
    measured, at = _found("network")
    return Measured.of_mean(measured.contours[at])


def _bias() -> Measured:
    measured, at = _found("network of 100")
    return Measured.of_mean(harmonicity.growth(measured.half_waves[at]))


def _shuffled_loss() -> Measured:
    result = current_result("shuffled", Shuffled)
    level = int((result.input_psnr - 12).abs().argmin())  # about figure 21's noise of 0.3
    at = result.names.index("network")
    return Measured.of_mean((result.plain - result.shuffled)[at, level])


def _shuffled_slope() -> Measured:
    result = current_result("shuffled", Shuffled)
    at, weak = result.names.index("network"), result.input_psnr >= 20
    inputs = result.input_psnr[weak].double()
    inputs = inputs - inputs.mean()
    gain = (result.shuffled - result.plain)[at, weak].double()
    return Measured.of_mean((inputs @ gain) / inputs.square().sum())


def _permuted_wiener() -> Measured:
    result = current_result("shuffled", Shuffled)
    at = result.names.index("Wiener")
    return Measured(float((result.shuffled - result.plain)[at].abs().max()))


@cache
def _network() -> torch.nn.Module:
    return load_denoiser("fashion", n_train=30_000)


def _clothes() -> Tensor:
    return data.fashion("test", n=24 + _IMAGES)[24:]


def _noisy() -> Tensor:
    return add_noise(_clothes(), _SIGMA, generator=torch.Generator().manual_seed(0))


@cache
def _own() -> list[jacobian.Eigenbasis]:
    return [jacobian.eigenbasis(_network(), y, k=None) for y in _noisy().split(1)]


def _found(name: str) -> tuple[Harmonics, int]:
    measured = current_result("harmonics", Harmonics)
    return measured, measured.names.index(name)


MEASURES: dict[str, Callable[[], Measured]] = {
    "harmonics-values-above-one": _values_above_one,
    "harmonics-symmetric": _symmetric,
    "harmonics-soft-rank": _soft_rank,
    "harmonics-adapted": _adapted,
    "harmonics-oscillate": _harmonic,
    "harmonics-lower-is-faster": _lower_is_faster,
    "harmonics-on-contours": _on_contours,
    "harmonics-inductive-bias": _bias,
    "harmonics-shuffled-loss": _shuffled_loss,
    "harmonics-shuffled-slope": _shuffled_slope,
    "harmonics-shuffled-task": _permuted_wiener,
}
