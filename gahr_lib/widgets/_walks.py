"""What two networks do from equal noise, kept at common levels of it."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gahr_lib.figures import bright
from gahr_lib.metrics import cosine_similarity
from gahr_lib.sampling import SampleConfig, sample_steps
from gahr_lib.sampling._noise_streams import NoiseStreams, Shape

_TRACE = 400  # points of a curve of sigma: more than a plot has pixels


@dataclass(frozen=True)
class Path:
    """One network's path: sigma of every step (T,), and what is kept at each of F moments.

    `places` are indices of steps, (F,); `pictures` bytes of states and guesses, (F, 2, H, W).
    """

    sigmas: Tensor
    places: Tensor
    pictures: Tensor


@dataclass(frozen=True)
class Pair:
    """Two networks' paths from one noise, with common levels (F,), and cosines of guesses (F,)."""

    paths: tuple[Path, ...]
    levels: Tensor
    cosines: Tensor


def compare(
    denoisers: list[Callable[..., Tensor]],
    config: SampleConfig,
    n: int,
    frames: int,
    shape: Shape,
    seed: int,
) -> list[Pair]:
    """Return the paths of two networks from each of n noises."""
    walks = [_walk(denoiser, config, n, shape, seed) for denoiser in denoisers]
    pairs = []
    for i in range(n):
        states, guesses, sigmas = zip(*(walk[i] for walk in walks), strict=True)
        # An exact denoiser finds no noise at all, and zero has no logarithm.
        start, end = (max(float(s[k]) for s in sigmas) or 1e-9 for k in (0, -1))
        share = torch.linspace(0, 1, frames, dtype=torch.float64)
        levels = start * (end / start) ** share
        levels[0], levels[-1] = start, end  # rounding must not hide the ends
        places = [_first_below(s, levels) for s in sigmas]
        kept = [guess[place] for guess, place in zip(guesses, places, strict=True)]
        pairs.append(
            Pair(
                paths=tuple(
                    Path(sigma, place, _as_bytes(state[place], guess))
                    for state, guess, sigma, place in zip(states, kept, sigmas, places, strict=True)
                ),
                levels=levels.float(),
                cosines=cosine_similarity(*kept),
            )
        )
    return pairs


def _walk(
    denoiser: Callable[..., Tensor], config: SampleConfig, n: int, shape: Shape, seed: int
) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Return, of each noise, x before every step, f(x), (T, 1, H, W), and sigma, (T,)."""
    streams = NoiseStreams(denoiser, n, shape, generator=torch.Generator().manual_seed(seed))
    before = config.mean + config.sigma_0 * streams.draw(streams.everyone)
    kept: list[list[tuple[Tensor, Tensor, Tensor]]] = [[] for _ in range(n)]
    steps = sample_steps(
        denoiser, n, shape=shape, config=config, generator=torch.Generator().manual_seed(seed)
    )
    for state in steps:
        for i in state.active.nonzero().flatten().tolist():
            kept[i].append((before[i], state.denoised[i], state.sigma[i]))
        before = state.x
    stacked = (
        [torch.stack(part).float().cpu() for part in zip(*path, strict=True)] for path in kept
    )
    return [(states, guesses, sigmas) for states, guesses, sigmas in stacked]


def _first_below(sigmas: Tensor, levels: Tensor) -> Tensor:
    """Return the index of the first of (T,) numbers that is not above each level, (F,)."""
    return (sigmas.double()[None] <= levels[:, None]).int().argmax(dim=1)


def _as_bytes(states: Tensor, guesses: Tensor) -> Tensor:
    """Return (F, 1, H, W) states and guesses as bytes, (F, 2, H, W).

    A guess is a picture, from black to its own white. A state has no black while it is mostly
    noise: it is drawn from its smallest number to its largest.
    """
    both = torch.cat(
        [bright(states - states.amin(dim=(1, 2, 3), keepdim=True)), bright(guesses)], 1
    )
    return (255 * both).round().to(torch.uint8)


def thinned(sigmas: Tensor) -> tuple[Tensor, Tensor]:
    """Return steps, from 1, and their sigmas: all of them, or as many as a plot can show."""
    count = min(len(sigmas), _TRACE)
    places = torch.linspace(0, len(sigmas) - 1, count, dtype=torch.float64).round().long()
    return places + 1, sigmas[places]
