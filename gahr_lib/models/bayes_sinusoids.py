"""The optimal denoiser of sinusoids of one frequency."""

import math
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gahr_lib._checks import check_count, sigma_per_image
from gahr_lib.data.sinusoid_images import check_amplitudes, sinusoid_plane
from gahr_lib.models._posterior import BayesOptimum, Posterior

__all__ = ["BayesSinusoids"]

# Nodes lie where the integrand is within a factor exp(-40) of its peak.
_DROP = 40.0
# Without noise the limit is meant: less noise than this changes no digit of an intensity.
_LEAST_SIGMA = 1e-9
_LEAST_REACH = 1e-12


class BayesSinusoids(BayesOptimum):
    """The posterior mean of sinusoids A cos(w . p + phi) of random amplitude and phase.

    The phase is uniform, the amplitude uniform on an interval. With c and s the cosine and the
    sine of the frequency, both of squared norm d / 2, rho^2 = <c, y>^2 + <s, y>^2 and
    z = A rho / sigma^2, the integral over the phase gives modified Bessel functions::

        p(A | y) ~ exp(-A^2 d / (4 sigma^2)) I0(z)
        f(y) = (<c, y> c + <s, y> s) / rho * E[A I1(z) / I0(z) | y]

    The expectation over the amplitude is a Gauss-Legendre quadrature on the part of the interval
    where the density is not negligible.

    Parameters
    ----------
    size
        Side of the images in pixels.
    frequency
        Cycles per image, along the rows' numbers and along the columns'.
    amplitudes
        The least and the largest amplitude: these three as for `gahr_lib.data.sinusoid_images`.
    nodes
        Nodes of the quadrature, 2 or more. The error bar is the difference to half as many; with
        64 it is below 1e-7.

    Raises
    ------
    ShapeError, ConfigError, ValueRangeError
        If an argument is not one of those above.

    Notes
    -----
    Without noise it is the limit, the nearest sinusoid of the class. The Jacobian that autograd
    finds is exact for the amplitudes at the nodes: a covariance, symmetric and not negative.

    References
    ----------
    Kadkhodaie, Guth, Simoncelli, Mallat, ICLR 2024, equations 8 and 9, and figure 20 for the class.
    Rice, "Mathematical analysis of random noise", 1944, for the integral over the phase.
    """

    def __init__(
        self,
        size: int = 80,
        *,
        frequency: tuple[int, int] = (2, 3),
        amplitudes: tuple[float, float] = (0.0, 0.5),
        nodes: int = 64,
    ) -> None:
        super().__init__()
        self.amplitudes = check_amplitudes(amplitudes)
        self.nodes = check_count(nodes, "nodes", 2)
        # No buffers: the pattern is a formula, so images of every type are taken.
        channels, height, width = sinusoid_plane(size, frequency)[0].shape
        self.frequency = frequency
        self.channels = channels
        self.image_shape = (channels, height, width)

    def compute(self, y: Tensor, sigma: float | Tensor) -> Posterior:
        """Return the posterior without checking its arguments."""
        plane = sinusoid_plane(y.shape[-1], self.frequency).to(y.device)
        inner = torch.einsum("ncij,kcij->nk", y.double(), plane)
        noise = sigma_per_image(sigma, y).double().flatten().expand(len(y)).clamp(min=_LEAST_SIGMA)
        factor, mse = self._factor(inner, noise, y[0].numel(), self.nodes)
        with torch.no_grad():
            coarse, _ = self._factor(inner, noise, y[0].numel(), self.nodes // 2)

        def image(factors: Tensor) -> Tensor:
            return torch.einsum("nk,kcij->ncij", factors[:, None] * inner, plane).to(y.dtype)

        error = image((factor - coarse).detach()).detach().abs()
        return Posterior(image(factor), error, mse.to(y.dtype))

    def _factor(self, inner: Tensor, noise: Tensor, d: int, nodes: int) -> tuple[Tensor, Tensor]:
        """Return E[A I1(z) / I0(z) | y] / rho, and the posterior variance per pixel."""
        # A number too small to be seen keeps the root differentiable where y has no such wave.
        rho = (inner.square().sum(1) + 1e-200).sqrt()
        likeliest, width = 2 * rho / d, noise * math.sqrt(2 / d)
        highest = likeliest.detach().clamp(*self.amplitudes)  # where the density has its peak
        amplitude, weight = self._quadrature(likeliest.detach(), highest, width.detach(), nodes)
        z = amplitude * (rho / noise.square())[:, None]
        zeroth, first = torch.special.i0e(z), torch.special.i1e(z)
        # I0(z) = exp(z) i0e(z), and z - A^2 d / (4 sigma^2) completes to a square, which is taken
        # relative to that at the peak: the difference of two squares, without cancellation.
        offset = (amplitude - highest[:, None]) / width[:, None]
        fall = offset * (offset / 2 + ((highest - likeliest) / width)[:, None])
        density = torch.softmax(torch.log(weight * zeroth) - fall, dim=1)
        mean = (density * amplitude * first / zeroth).sum(1)
        energy = (density * amplitude.square()).sum(1)
        # |x|^2 = A^2 d / 2, and |E[x | y]|^2 = mean^2 d / 2.
        return mean / rho, ((energy - mean.square()) / 2).clamp(min=0)

    def _quadrature(
        self, likeliest: Tensor, highest: Tensor, width: Tensor, nodes: int
    ) -> tuple[Tensor, Tensor]:
        """Return amplitudes and their weights, (B, nodes), around where the density is largest."""
        low, high = self.amplitudes
        # At an end of the interval a parabola may be `outside` deviations down its slope.
        outside = (likeliest - highest).abs() / width
        reach = width * 2 * _DROP / ((outside.square() + 2 * _DROP).sqrt() + outside)
        reach = reach.clamp(min=_LEAST_REACH)
        # I0(z) grows more slowly than exp(z), which moves the peak down by a deviation or so.
        start = (highest - 1.5 * reach).clamp(min=low)[:, None]
        stop = (highest + reach).clamp(max=high)[:, None]
        position, weight = (torch.from_numpy(a).to(width.device) for a in _gauss_legendre(nodes))
        half = (stop - start) / 2
        return (start + stop) / 2 + half * position, half * weight


@lru_cache(maxsize=8)
def _gauss_legendre(nodes: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    position, weight = np.polynomial.legendre.leggauss(nodes)
    return position, weight
