"""What measures the claims of Chapter 1, denoising as shrinkage."""

import math
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from gahr_lib import bases, data
from gahr_lib.analysis import jacobian, shrinkage
from gahr_lib.claims.claim import Measured
from gahr_lib.metrics import mse, psnr
from gahr_lib.noise import add_noise
from gahr_lib.zoo import load_denoiser

__all__ = ["MEASURES"]

_SIGMA = 0.1
_CIRCLE_SIGMA = 0.08


def _tweedie() -> Measured:
    # The two sides of equation 3 for the points of a circle, the score by differentiation.
    y = _near_circle().requires_grad_()
    squared = (y[:, None] - _circle()).square().sum(2)
    log_density = torch.logsumexp(-squared / (2 * _CIRCLE_SIGMA**2), dim=1)
    (score,) = torch.autograd.grad(log_density.sum(), y)
    mean = _posterior(y.detach())[0]
    step = mean - y.detach()
    return Measured(float((_CIRCLE_SIGMA**2 * score - step).norm() / step.norm()))


def _covariance() -> Measured:
    y = _near_circle()
    derivative = torch.func.vmap(torch.func.jacrev(lambda point: _posterior(point[None])[0][0]))(y)
    covariance = _posterior(y)[1] / _CIRCLE_SIGMA**2
    return Measured(float((derivative - covariance).norm() / derivative.norm()))


def _tangent() -> Measured:
    # Traces at points of the circle itself.
    y = _circle()[::40]
    traces = _posterior(y)[1].diagonal(dim1=1, dim2=2).sum(1) / _CIRCLE_SIGMA**2
    return Measured(float(traces.mean()))


def _homogeneous() -> Measured:
    return Measured(jacobian.homogeneity_error(_network(), _noisy(_clothes(12), 0.2), 0.3))


def _own_jacobian() -> Measured:
    y, matrix = _noisy_boot(), _jacobian_at_boot()
    output = _network()(y).flatten()
    return Measured(float((matrix @ y.flatten() - output).norm() / output.norm()))


def _symmetry() -> Measured:
    return Measured(jacobian.asymmetry(_jacobian_at_boot()))


def _no_negative() -> Measured:
    return Measured(float(_spectrum_at_boot()[0][-1]))


def _eigenvalue_sum() -> Measured:
    values, vectors = _spectrum_at_boot()
    y, boot = _noisy_boot(), _clothes(1)
    total = (vectors * values) @ (vectors.T @ y.flatten().double())
    output = _network()(y)
    return Measured(float(psnr(total.reshape(y.shape).float(), boot) - psnr(output, boot)))


def _sure() -> Measured:
    errors, _, sure = _errors_and_traces()
    return Measured.of_ratio(sure, errors)


def _trace() -> Measured:
    errors, traces, _ = _errors_and_traces()
    return Measured.of_ratio(traces * _SIGMA**2 / 784, errors)


def _divergence() -> Measured:
    # Equation 5 for one pixel: the density is normal of variance 1, the denoiser that of variance
    # 4. Both sides are known; the integral is taken over log sigma.
    log_sigma = torch.linspace(-9, 9, 100_001, dtype=torch.float64)
    square = (2 * log_sigma).exp()
    own, model = 1 / (1 + square), 4 / (4 + square)
    excess = (model - own) ** 2 * (1 + square)
    bound = torch.trapezoid(excess / square, log_sigma)
    divergence = (1 / 4 - 1 + math.log(4)) / 2
    return Measured(float(divergence / bound))


def _oracle() -> Measured:
    basis, boot = bases.wavelet_basis(28, 28, wavelet="db2"), _clothes(1)
    clean = bases.coefficients(basis, boot)[0]
    factors = clean**2 / (clean**2 + _SIGMA**2)
    expected = (clean**2 * _SIGMA**2 / (clean**2 + _SIGMA**2)).sum() / 784
    draws = _noisy(boot.expand(2_000, -1, -1, -1), _SIGMA, seed=1)
    estimates = bases.synthesize(basis, factors * bases.coefficients(basis, draws))
    return Measured.of_mean(mse(estimates, boot) / expected)


def _kept() -> Measured:
    ratios = []
    for basis in (
        torch.eye(784).reshape(-1, 1, 28, 28),
        bases.dct_basis(28, 28),
        bases.wavelet_basis(28, 28, wavelet="db2"),
    ):
        clean = bases.coefficients(basis, _clothes(200))
        for c in clean:
            best = shrinkage.kept_error(c, _SIGMA).min()
            ratios.append(float(best / shrinkage.oracle_error(c, _SIGMA)))
    return Measured(max(ratios))


def _rate() -> Measured:
    decaying = torch.arange(1, 1_000_001, dtype=torch.float64) ** -1.5  # alpha = 2
    low, high = (
        -10 * math.log10(shrinkage.oracle_error(decaying, 10 ** (-decibels / 20)))
        for decibels in (40, 80)
    )
    return Measured((high - low) / 40)


def _above_one() -> Measured:
    y = _noisy(_clothes(1), _SIGMA)
    matrix = jacobian.jacobian(_network(), y).double()
    return Measured(float(torch.linalg.eigvalsh((matrix + matrix.T) / 2)[-1]))


def _adaptive() -> Measured:
    # The clean boot on 40 vectors: the network's first, and the wavelets that serve it best.
    boot = _clothes(1)
    vectors = _spectrum_at_boot()[1].T.reshape(-1, 1, 28, 28).float()
    wavelets = bases.wavelet_basis(28, 28, wavelet="db2")
    order = bases.coefficients(wavelets, boot)[0].abs().argsort(descending=True)
    own, fixed = (
        psnr(bases.synthesize(v, bases.coefficients(v, boot)), boot)
        for v in (vectors[:40], wavelets[order[:40]])
    )
    return Measured(float(own - fixed))


MEASURES: dict[str, Callable[[], Measured]] = {
    "shrinkage-tweedie": _tweedie,
    "shrinkage-covariance": _covariance,
    "shrinkage-tangent": _tangent,
    "shrinkage-oracle": _oracle,
    "shrinkage-kept": _kept,
    "shrinkage-rate": _rate,
    "shrinkage-homogeneous": _homogeneous,
    "shrinkage-own-jacobian": _own_jacobian,
    "shrinkage-symmetry": _symmetry,
    "shrinkage-no-negative": _no_negative,
    "shrinkage-eigenvalue-sum": _eigenvalue_sum,
    "shrinkage-above-one": _above_one,
    "shrinkage-adaptive": _adaptive,
    "shrinkage-sure": _sure,
    "shrinkage-trace": _trace,
    "shrinkage-divergence": _divergence,
}


def _network() -> torch.nn.Module:
    return load_denoiser("fashion", n_train=30_000, half="A")


def _clothes(n: int) -> Tensor:
    return data.fashion("test", n=n)


def _noisy(images: Tensor, sigma: float, seed: int = 0) -> Tensor:
    return add_noise(images, sigma, generator=torch.Generator().manual_seed(seed))


def _noisy_boot() -> Tensor:
    return _noisy(_clothes(1), 0.2)


@cache
def _jacobian_at_boot() -> Tensor:
    return jacobian.jacobian(_network(), _noisy_boot())


@cache
def _spectrum_at_boot() -> tuple[Tensor, Tensor]:
    """Return eigenvalues and eigenvectors of the symmetric part, the largest first."""
    matrix = _jacobian_at_boot().double()
    found = torch.linalg.eigh((matrix + matrix.T) / 2)
    return found.eigenvalues.flip(0), found.eigenvectors.flip(1)


@cache
def _errors_and_traces() -> Tensor:
    """Return errors per pixel, traces, and SURE per pixel of 500 images, (3, 500).

    The chapter has whole traces of twelve images; here a vector of random signs stands for each,
    whose product with J has the trace as its mean, and many images make up for its noise.
    """
    network, x = _network(), _clothes(500)
    generator = torch.Generator().manual_seed(1)
    y = add_noise(x, _SIGMA, generator=generator)
    signs = torch.randint(0, 2, y.shape, generator=generator).float() * 2 - 1
    outputs, moved = [], []
    for part, along in zip(y.split(100), signs.split(100), strict=True):
        part.requires_grad_()
        outputs.append(network(part))
        moved += torch.autograd.grad((outputs[-1] * along).sum(), part)
    output = torch.cat(outputs).detach()
    traces = (signs * torch.cat(moved)).flatten(1).sum(1)
    sure = 2 * _SIGMA**2 * traces / 784 + mse(output, y) - _SIGMA**2
    return torch.stack([mse(output, x), traces, sure])


def _circle() -> Tensor:
    angle = torch.linspace(0, 2 * math.pi, 721, dtype=torch.float64)[:-1]
    return 0.5 + 0.35 * torch.stack([angle.cos(), angle.sin()], dim=1)


def _near_circle() -> Tensor:
    noise = torch.randn(60, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    return _circle()[::12] + _CIRCLE_SIGMA * noise


def _posterior(y: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean, (B, 2), and covariance, (B, 2, 2), of the point of the circle behind y."""
    circle = _circle()
    squared = (y[:, None] - circle).square().sum(2)
    weights = torch.softmax(-squared / (2 * _CIRCLE_SIGMA**2), dim=1)
    mean = weights @ circle
    offsets = circle - mean[:, None]
    return mean, torch.einsum("bi,bij,bik->bjk", weights, offsets, offsets)
