"""What the sampler's settings do, and at which noise level a trajectory is decided."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count

import torch
from torch import Tensor

from gahr_lib.analysis.neighbours import nearest_by_cosine
from gahr_lib.analysis.results import Result
from gahr_lib.errors import SamplingError
from gahr_lib.jobs.measurements import card_noise
from gahr_lib.metrics import cosine_similarity
from gahr_lib.sampling import SampleConfig, SampleState, sample, sample_steps
from gahr_lib.zoo.scales import BOOK, Scale

__all__ = [
    "CLOTHES",
    "FORK_LEVELS",
    "SAMPLERS",
    "Forks",
    "Partings",
    "SamplerTable",
    "compare_settings",
    "energy_distance",
    "fork",
    "part",
    "state_at",
    "walk_on",
]

CLOTHES = BOOK.sampler
"""The default sampler, started around the mean intensity of Fashion-MNIST."""

SAMPLERS = (
    SampleConfig(h0=0.01, sigma_inf=0.05, mean=0.3),  # the steps of the authors' code
    SampleConfig(h0=0.1, ramp=False, mean=0.3),
    *(SampleConfig(beta=beta, mean=0.3) for beta in (0.05, 0.1, 0.3, 0.5, 1.0)),
    SampleConfig(h0=0.3, beta=0.1, mean=0.3),
    SampleConfig(h0=0.3, beta=1.0, mean=0.3),
    SampleConfig(h0=1.0, ramp=False, beta=1.0, mean=0.3),  # denoised again and again
)
"""Settings that differ in h, beta and the ramp."""

FORK_LEVELS = (0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.15, 0.1, 0.05)
"""Noise levels at which a trajectory is left, or handed over."""

_COPIES = 4
_SHOWN = 6


@dataclass(frozen=True)
class SamplerTable(Result):
    """What R settings of the sampler cost and give, with the networks of most images.

    Attributes
    ----------
    h0, ramp, beta
        The settings, (R,) each.
    steps
        Steps that an image took, the mean over images, (R,).
    agreement
        Median cosine similarity of the samples of A and B from equal noise, (R,).
    nearest
        Median cosine similarity of A's samples to the nearest of 500 real test images, (R,).
    distance
        Energy distance of A's samples to those images, see `energy_distance`, (R,).
    pictures
        The first samples of A as bytes, (R, K, 1, H, W).
    """

    h0: Tensor
    ramp: Tensor
    beta: Tensor
    steps: Tensor
    agreement: Tensor
    nearest: Tensor
    distance: Tensor
    pictures: Tensor


@dataclass(frozen=True)
class Forks(Result):
    """How alike the ends are of paths that part at S noise levels, for n trajectories.

    Attributes
    ----------
    n_train
        Images in the training set of the network.
    sigmas
        Noise levels, falling, (S,).
    together
        Mean cosine similarity of two ends of the paths that leave one trajectory, (n, S).
    denoised
        What the network makes of the first trajectories where they are left, bytes,
        (K, S, 1, H, W).
    ends
        The ends of their paths, bytes, (K, S, copies, 1, H, W).
    """

    n_train: int
    sigmas: Tensor
    together: Tensor
    denoised: Tensor
    ends: Tensor


@dataclass(frozen=True)
class Partings(Result):
    """Where the trajectories of the networks of most images of the two halves part, for n noises.

    Attributes
    ----------
    sigmas
        Noise levels, falling, (S,).
    along
        Cosine similarity of what A and B make of their own states at these levels, (n, S).
    similarity
        That of their samples, (n,).
    handed
        That of the ends if both go on from A's state at these levels with equal noise, (n, S).
    """

    sigmas: Tensor
    along: Tensor
    similarity: Tensor
    handed: Tensor


def energy_distance(a: Tensor, b: Tensor) -> float:
    """Return the energy distance of two sets of images, each image divided by its norm.

    It is 2 E||a - b|| - E||a - a'|| - E||b - b'|| over pairs of different images: 0 in the mean for
    two sets from one density, above 0 otherwise. It sees bad images and missing ones alike. Norms
    do not count, since a homogeneous network knows no scale.

    Parameters
    ----------
    a, b
        Images, (A, C, H, W) and (B, C, H, W), two or more of each and none of them zero.

    References
    ----------
    Szekely and Rizzo, "Energy statistics: a class of statistics based on distances", 2013.
    """

    def within(rows: Tensor) -> Tensor:
        return torch.pdist(rows).mean()

    rows, others = (
        images.flatten(1) / images.flatten(1).norm(dim=1, keepdim=True) for images in (a, b)
    )
    exact = "donot_use_mm_for_euclid_dist"
    between = torch.cdist(rows, others, compute_mode=exact).mean()
    return float(2 * between - within(rows) - within(others))


def compare_settings(
    settings: Sequence[SampleConfig], n: int = 64, *, scale: Scale = BOOK
) -> SamplerTable:
    """Draw samples of the networks of most images with several settings, from equal noise.

    Parameters
    ----------
    settings
        R of them.
    n
        How many samples of each network and setting.
    scale
        Whose networks and images.
    """
    a, b = (scale.network(n_train=scale.sizes[-1], half=half) for half in ("A", "B"))
    real = scale.images(500)
    rows, pictures = [], []
    for config in settings:
        steps = 0
        for state in sample_steps(a, n, config=config, generator=card_noise()):
            steps += int(state.active.sum())
        other = sample(b, n, config=config, generator=card_noise())
        rows.append(
            (
                steps / n,
                float(cosine_similarity(state.x, other).median()),
                float(nearest_by_cosine(state.x, real, 1).values.median()),
                energy_distance(state.x, real),
            )
        )
        pictures.append(_bytes(state.x[:_SHOWN]))
    steps_taken, agreement, nearest, distance = torch.tensor(rows).unbind(1)
    return SamplerTable(
        torch.tensor([config.h0 for config in settings]),
        torch.tensor([config.ramp for config in settings]),
        torch.tensor([config.beta for config in settings]),
        steps_taken,
        agreement,
        nearest,
        distance,
        torch.stack(pictures),
    )


def state_at(states: Sequence[SampleState], sigma: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return where trajectories were when the noise found in them first was below a level.

    Parameters
    ----------
    states
        All states of `sample_steps`.
    sigma
        The level, below what was found at the start.

    Returns
    -------
    Tensor, Tensor, Tensor
        The images x then, (B, C, H, W); what the denoiser made of them, (B, C, H, W); and the
        number of the step that came next, (B,).

    Raises
    ------
    SamplingError
        If a trajectory was there from its start, or never came there.
    """
    below = torch.stack([state.sigma for state in states]) < sigma
    first = below.int().argmax(dim=0)
    if not bool(below.any(dim=0).all()) or not bool((first > 0).all()):
        raise SamplingError(
            f"Not every trajectory crosses sigma = {sigma}. Choose a level between those found at "
            "the first step and at the last."
        )
    indices = first.tolist()
    x = torch.stack([states[t - 1].x[i] for i, t in enumerate(indices)])
    denoised = torch.stack([states[t].denoised[i] for i, t in enumerate(indices)])
    return x, denoised, first + 1


def walk_on(
    denoiser: Callable[..., Tensor],
    x: Tensor,
    steps: Tensor,
    config: SampleConfig,
    *,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Go on with Algorithm 1 from the middle of trajectories, and return their ends.

    The noise of a step is drawn for all images, at their end or not: so two denoisers see equal
    noise if their generators are equal.

    Parameters
    ----------
    denoiser
        A blind one, in evaluation mode.
    x
        Where to start, (B, C, H, W).
    steps
        The number of the next step of each, (B,), from 1.
    config
        The settings.
    generator
        Source of the noise; torch's default generator if None.

    Raises
    ------
    SamplingError
        If an image is not finished after `max_steps` more, or leaves all bounds.
    """
    x, moving = x.clone(), torch.arange(len(x))
    for more in count():
        with torch.no_grad():
            r = denoiser(x[moving]) - x[moving]
        s = r.flatten(1).norm(dim=1) / r[0].numel() ** 0.5
        if more == config.max_steps or not bool(torch.isfinite(s).all()):
            raise SamplingError(
                f"After {more} more steps {len(moving)} images are not finished, or left all "
                "bounds. Raise beta, or take smaller steps."
            )
        t = [int(step) + more for step in steps[moving]]
        finished = s < config.sigma_inf
        h = s.new_tensor([config.step_size(step) for step in t]).masked_fill(finished, 1)
        gamma = (s.new_tensor([config.injected(step) for step in t]) * s).masked_fill(finished, 0)
        z = torch.randn(x.shape, generator=generator)[moving]
        x[moving] += h.reshape(-1, 1, 1, 1) * r + gamma.reshape(-1, 1, 1, 1) * z
        moving = moving[~finished]
        if not len(moving):
            break
    return x


def fork(n_train: int, sigmas: Sequence[float], n: int = 32, *, scale: Scale = BOOK) -> Forks:
    """Leave trajectories at several noise levels, each time on several paths of fresh noise.

    Parameters
    ----------
    n_train
        Size of the training set of the network, of half A.
    sigmas
        Noise levels at which to leave, falling.
    n
        How many trajectories.
    scale
        Whose network and settings of the sampler.

    References
    ----------
    The paper's figure 8 shows a trajectory that bifurcates.
    """
    network, config = scale.network(n_train=n_train), scale.sampler
    states = list(sample_steps(network, n, config=config, generator=card_noise()))
    together, denoised, ends = [], [], []
    for sigma in sigmas:
        x, seen, steps = state_at(states, sigma)
        many = x.repeat_interleave(_COPIES, dim=0)
        end = walk_on(
            network, many, steps.repeat_interleave(_COPIES), config, generator=card_noise()
        ).unflatten(0, (n, _COPIES))
        i, j = torch.triu_indices(_COPIES, _COPIES, offset=1)
        pairs = cosine_similarity(end[:, i].flatten(0, 1), end[:, j].flatten(0, 1))
        together.append(pairs.unflatten(0, (n, -1)).mean(dim=1))
        denoised.append(_bytes(seen[:_SHOWN]))
        ends.append(_bytes(end[:_SHOWN]))
    return Forks(
        n_train,
        torch.tensor(list(sigmas)),
        torch.stack(together, dim=1),
        torch.stack(denoised, dim=1),
        torch.stack(ends, dim=1),
    )


def part(sigmas: Sequence[float], n: int = 128, *, scale: Scale = BOOK) -> Partings:
    """Follow the two networks of most images from equal noise, and let B go on from A's states.

    Parameters
    ----------
    sigmas
        Noise levels, falling.
    n
        How many noises.
    scale
        Whose networks and settings of the sampler.
    """
    config = scale.sampler
    a, b = (scale.network(n_train=scale.sizes[-1], half=half) for half in ("A", "B"))
    of_a, of_b = (list(sample_steps(f, n, config=config, generator=card_noise())) for f in (a, b))
    along, handed = [], []
    for sigma in sigmas:
        x, seen, steps = state_at(of_a, sigma)
        along.append(cosine_similarity(seen, state_at(of_b, sigma)[1]))
        ends = (walk_on(f, x, steps, config, generator=card_noise()) for f in (a, b))
        handed.append(cosine_similarity(*ends))
    return Partings(
        torch.tensor(list(sigmas)),
        torch.stack(along, dim=1),
        cosine_similarity(of_a[-1].x, of_b[-1].x),
        torch.stack(handed, dim=1),
    )


def _bytes(images: Tensor) -> Tensor:
    return (images.clamp(0, 1) * 255).round().byte()
