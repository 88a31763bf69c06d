"""Samples of disc geometries where a noisy image makes them likely: the search of `BayesDiscs`.

The geometry (row, column, radius) is a point of the unit cube, on which the prior is uniform. All
tensors here are in double precision: at small noise a likelihood is the exponential of a small
difference of large numbers.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from gahr_lib.data._arguments import chunks
from gahr_lib.data.disc_images import MARGIN, SMALLEST_RADIUS, DiscParameters, render_discs
from gahr_lib.models._posterior import truncated_normal

__all__ = [
    "Geometries",
    "Proposal",
    "background",
    "disc_parameters",
    "draw_foreground",
    "effective_size",
    "random_numbers",
    "search",
]

KERNELS = 128  # bumps of which a proposal is made
# Widths of the bumps, in turn, relative to the spread of the samples that they stand for: wide ones
# suit a posterior in one piece, narrow ones a posterior in several, or on a curved sheet.
WIDTHS = (0.5, 0.5, 0.15)
FREEDOM = 5  # of the t distribution of a bump: its tails are heavier than those of a posterior
PRIOR_SHARE = 0.1  # of a proposal that stays the prior, so that no weight is unbounded
ENOUGH = 0.1  # part of the samples that has to share the weight at each level of the search
BISECTIONS = 8
SHARP = 0.4  # part of the samples with which a proposal is good enough
ROUNDS = 4  # after which it has to be
FALL = 0.8  # the search goes on by this factor at least
TAIL = 5.0  # deviations from which a cut-off normal variable is drawn as an exponential one


@dataclass(frozen=True, eq=False)
class Geometries:
    """Disc geometries and what the likelihood needs of them.

    Attributes
    ----------
    masks
        Coverage m of every pixel, (N, d).
    inside, overlap, outside
        The products m.m, m.(1 - m) and (1 - m).(1 - m), (N,): the Gram matrix of the two patterns
        that the grey levels multiply.
    log_prior
        0 in the cube, minus infinity outside, (N,).
    """

    masks: Tensor
    inside: Tensor
    overlap: Tensor
    outside: Tensor
    log_prior: Tensor

    @classmethod
    def at(cls, points: Tensor, size: int) -> "Geometries":
        """Render the geometries at points of the cube, (N, 3)."""
        within = ((points >= 0) & (points <= 1)).all(1)
        parameters = disc_parameters(points.clamp(0, 1), size).as_tensor()
        masks = points.new_empty(len(points), size**2)
        inside, total = points.new_empty(2, len(points))
        for chunk in chunks(len(points), size**2, points.device):  # while they are in the cache
            part = render_discs(DiscParameters.from_tensor(parameters[chunk]), size).flatten(1)
            masks[chunk], total[chunk], inside[chunk] = part, part.sum(1), part.square().sum(1)
        outside = size**2 - 2 * total + inside
        log_prior = torch.where(within, 0.0, -math.inf).to(points.dtype)
        return cls(masks, inside, total - inside, outside, log_prior)


def disc_parameters(points: Tensor, size: int) -> DiscParameters:
    """Return white discs on black at points of the cube; the map of `draw_disc_parameters`."""
    centre = size * (MARGIN + (1 - 2 * MARGIN) * points[:, :2])
    border = torch.minimum(centre, size - centre).amin(1)
    smallest = size * SMALLEST_RADIUS
    radius = smallest + (border - smallest) * points[:, 2]
    return DiscParameters(centre, radius, torch.ones_like(radius), torch.zeros_like(radius))


def random_numbers(n: int, generator: torch.Generator) -> Tensor:
    """Return what n samples are made of: a t variable in the first 3 columns, 5 uniform ones."""
    device = generator.device
    normal = torch.randn(n, 3 + FREEDOM, generator=generator, device=device)
    uniform = torch.rand(n, 5, generator=generator, device=device)
    scale = normal[:, 3:].square().mean(1, keepdim=True).rsqrt()
    return torch.cat((normal[:, :3] * scale, uniform), dim=1)


@dataclass(frozen=True, eq=False)
class Proposal:
    """A density on the cube: bumps of one shape, and a share of the uniform density.

    Attributes
    ----------
    centres
        Of the bumps, (M, 3).
    widths
        Of the bumps, (M,).
    root
        Lower triangular root of the covariance of a bump of width 1, (3, 3).
    """

    centres: Tensor
    widths: Tensor
    root: Tensor

    @classmethod
    def around(cls, points: Tensor, weights: Tensor) -> "Proposal":
        """Return a proposal for the next samples, around weighted samples (N, 3) and (N,)."""
        step = (torch.arange(KERNELS, device=points.device) + 0.5) / KERNELS
        chosen = torch.searchsorted(weights.cumsum(0), step.to(weights)).clamp(max=len(points) - 1)
        offset = points - weights @ points
        covariance = (offset.T * weights) @ offset
        # A floor far below every posterior, for the case that one sample has all the weight.
        floor = 1e-20 * torch.eye(3, dtype=points.dtype, device=points.device)
        # In turn, of samples in no order: neighbours get different widths.
        widths = points.new_tensor(WIDTHS).repeat(KERNELS // len(WIDTHS) + 1)[:KERNELS]
        return cls(points[chosen], widths, torch.linalg.cholesky(covariance + floor))

    def draw(self, numbers: Tensor) -> Tensor:
        """Return a point for each row of random numbers, (N, 3)."""
        choice = (numbers[:, 3] - PRIOR_SHARE) / (1 - PRIOR_SHARE)
        kernel = (choice * KERNELS).long().clamp(0, KERNELS - 1)
        near = self.centres[kernel] + self.widths[kernel, None] * numbers[:, :3] @ self.root.T
        return torch.where(choice[:, None] < 0, numbers[:, 4:7], near)

    def log_density(self, points: Tensor) -> Tensor:
        """Return the logarithm of the density at points of the cube, (N,)."""
        white = torch.linalg.solve_triangular(
            self.root, torch.cat((points, self.centres)).T, upper=False
        ).T
        difference = (white[: len(points), None] - white[len(points) :]) / self.widths[:, None]
        power = (FREEDOM + 3) / 2
        constant = math.lgamma(power) - math.lgamma(FREEDOM / 2) - 1.5 * math.log(FREEDOM * math.pi)
        constant -= float(self.root.diagonal().log().sum()) + math.log(KERNELS)
        distance = difference.square().sum(2)
        log_kernel = constant - 3 * self.widths.log() - power * torch.log1p(distance / FREEDOM)
        bumps = math.log(1 - PRIOR_SHARE) + torch.logsumexp(log_kernel, dim=1)
        return torch.logaddexp(bumps, torch.full_like(bumps, math.log(PRIOR_SHARE)))


def draw_foreground(
    geometries: Geometries, inner: Tensor, total: Tensor, sigma: Tensor, uniform: Tensor
) -> tuple[Tensor, Tensor]:
    """Draw the grey level of each disc from its cut-off normal distribution given the geometry.

    Parameters
    ----------
    geometries
        N of them.
    inner, total
        The products m.y, (N,), and the sum of y, ().
    sigma
        The noise level, ().
    uniform
        Uniform random numbers, (N,).

    Returns
    -------
    tuple
        Grey levels, (N,), and the logarithm of the density from which they were drawn.
    """
    m = geometries
    determinant = m.inside * m.outside - m.overlap.square()
    mean = (m.outside * inner - m.overlap * (total - inner)) / determinant
    deviation = sigma * (m.outside / determinant).sqrt()
    # Reflect, so that the far tail is always that on the right; a, b are 0 and 1 in deviations.
    mirrored = mean > 0.5
    centre = torch.where(mirrored, 1 - mean, mean)
    a, b = -centre / deviation, (1 - centre) / deviation
    in_tail = a > TAIL
    # An exponential variable, cut off too, is close to what is wanted far out ...
    rate = a.clamp(min=TAIL)
    part = -torch.expm1(-rate * (b - a))
    excess = -torch.log1p(-uniform * part) / rate
    log_tail = torch.log(rate) - rate * excess - torch.log(part)
    # ... and the inverse of the distribution function gives just that elsewhere.
    near = a.clamp(max=TAIL)
    low, high = torch.special.ndtr(-b), torch.special.ndtr(-near)
    normal = -torch.special.ndtri(high - uniform * (high - low))
    log_mass, _, _ = truncated_normal(mean, deviation)
    log_normal = -normal.square() / 2 - math.log(2 * math.pi) / 2 - log_mass
    level = (deviation * torch.where(in_tail, excess, normal - a)).clamp(0, 1)
    log_density = torch.where(in_tail, log_tail, log_normal) - torch.log(deviation)
    return torch.where(mirrored, 1 - level, level), log_density


def background(
    geometries: Geometries, inner: Tensor, total: Tensor, sigma: Tensor, foreground: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Integrate the grey level around the disc out of the likelihood.

    Parameters
    ----------
    geometries, foreground
        N discs, but for the grey level around them; foreground is (N,).
    inner, total, sigma
        The products m.y, (K, N), sums of y, (K, 1), and noise levels, (K, 1), of K images.

    Returns
    -------
    tuple
        log p(y | m, f) + |y|^2 / (2 sigma^2) up to a constant, and mean and variance of the grey
        level given y, m, f, each (K, N).
    """
    m = geometries
    best = (total - inner - foreground * m.overlap) / m.outside
    deviation = sigma / m.outside.sqrt()
    log_mass, mean, variance = truncated_normal(best, deviation)
    explained = m.outside * best.square() + foreground * (2 * inner - foreground * m.inside)
    log_likelihood = explained / (2 * sigma.square()) + log_mass + torch.log(deviation)
    return log_likelihood, mean, variance


@torch.no_grad()
def search(y: Tensor, sigma: Tensor, size: int, numbers: Tensor) -> Proposal:
    """Find where the posterior of the geometry is.

    The noise is first taken for so large that every geometry is likely, then for less and less,
    down to what it is. Each level is the least at which a tenth of the samples still share the
    weight; they become the bumps from which the next samples are drawn.

    Parameters
    ----------
    y
        One noisy image, (d,).
    sigma
        Its noise level, ().
    size
        Side of the image in pixels.
    numbers
        See `random_numbers`; all levels use the same.

    Returns
    -------
    Proposal
        A density close to the posterior, with heavier tails.

    References
    ----------
    Cappe, Guillin, Marin and Robert, "Population Monte Carlo", 2004; Neal, "Annealed importance
    sampling", 2001.
    """
    points, log_proposal = numbers[:, 4:7], torch.zeros_like(numbers[:, 0])
    level, rounds = sigma.clamp(min=float(size)), 0
    while True:
        m = Geometries.at(points, size)
        weights = partial(
            _weights, m, m.masks @ y, y.sum(), numbers[:, 7], m.log_prior - log_proposal
        )
        # At the true level, further rounds only sharpen the proposal.
        rounds += int(level == sigma)
        level = _next_level(level, sigma, weights)
        share = effective_size(weights(level)) / len(points)
        proposal = Proposal.around(points, weights(level))
        if rounds == ROUNDS or (rounds and share > SHARP):
            return proposal
        points = proposal.draw(numbers)
        log_proposal = proposal.log_density(points)


def _weights(
    m: Geometries, inner: Tensor, total: Tensor, uniform: Tensor, log_ratio: Tensor, sigma: Tensor
) -> Tensor:
    """Return the weights of samples of the geometry at a noise level, (N,), of sum 1."""
    f, log_density = draw_foreground(m, inner, total, sigma, uniform)
    log_likelihood, _, _ = background(m, inner, total, sigma, f)
    return torch.softmax(log_likelihood - log_density + log_ratio, dim=0)


def _next_level(level: Tensor, sigma: Tensor, weights: Callable[[Tensor], Tensor]) -> Tensor:
    """Return the least noise level, from sigma up, at which enough samples share the weight."""

    def enough(level: Tensor) -> bool:
        w = weights(level)
        return float(effective_size(w)) >= ENOUGH * len(w)

    if enough(sigma):
        return sigma
    low, high = sigma, (FALL * level).maximum(sigma)
    for _ in range(BISECTIONS):
        middle = (low * high).sqrt()
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def effective_size(weights: Tensor) -> Tensor:
    """Return 1 / sum w^2 over the last axis, for weights that sum to 1."""
    return 1 / weights.square().sum(-1)
