"""What measures the claims of Chapter 2, memorization and generalization.

Where a claim is about a single noise level, its experiment runs again. Where it is about many or
about samples, it is read from a cached result, which has to be made of the networks that are there,
and a part of which is computed again.
"""

import math
from collections.abc import Callable
from functools import cache, partial

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from gahr_lib import data, schedules
from gahr_lib.analysis.memorization import sample_pairs
from gahr_lib.analysis.neighbours import nearest_by_cosine, nearest_by_distance
from gahr_lib.claims.cached import current_result
from gahr_lib.claims.claim import Measured
from gahr_lib.errors import DataFileError
from gahr_lib.jobs.measurements import card_noise
from gahr_lib.metrics import mse
from gahr_lib.models import EmpiricalOptimum
from gahr_lib.noise import add_noise
from gahr_lib.sampling import sample
from gahr_lib.zoo import LADDER, experiments, load_denoiser

__all__ = ["MEASURES"]

_AGAIN = 4  # samples drawn again
_SHIPPED = 500  # training images of a half that come with the package
_CLOSE = 0.02  # of cosines, and of decibels: what two machines differ by


def _optimum_copies() -> Measured:
    hundred = data.fashion("train", half="A", n=100)
    drawn = sample(
        EmpiricalOptimum(hundred),
        64,
        shape=(1, 28, 28),
        config=schedules.ddim(schedules.falling_sigmas(40, sigma_0=8.0)),
        generator=torch.Generator().manual_seed(0),
    )
    return Measured(float(nearest_by_distance(drawn, hundred, 1).values.max()))


def _slope(n: int, curve: str) -> Measured:
    low, high = (getattr(_climbed(n, decibels), curve)[0, 0] for decibels in (10, 30))
    # As if the two levels had independent images, which can only be too wide.
    spread = math.hypot(*(float(ends[2] - ends[1]) / 2 for ends in (low, high)))
    return Measured(float(high[0] - low[0]) / 20, spread / 20)


def _train_meets_test() -> Measured:
    ladder = _ladder((30_000,))
    largest = int((ladder.n_train == 30_000).nonzero())
    return Measured(float((ladder.train - ladder.test)[largest, :, 0].abs().max()))


def _transition() -> Measured:
    bands = torch.stack([_climbed(n, 20).gap[0, 0] for n in (300, 1_000)])
    middle, low, high = (_crossing(edge, 0.5) for edge in bands.T.tolist())
    return Measured.of_interval(middle, low, high)


def _gap_falls() -> Measured:
    ladder = _ladder((300, 1_000, 30_000))
    ranks = ladder.gap[:, _at_20_decibels(ladder), 0].argsort().argsort().double()
    sizes = torch.arange(len(LADDER), dtype=torch.float64)
    return Measured(float(torch.corrcoef(torch.stack([sizes, ranks]))[0, 1]))


def _gap_at_end() -> Measured:
    return Measured.of_interval(*_climbed(30_000, 20).gap[0, 0].tolist())


def _variance_share() -> Measured:
    a, b = (load_denoiser("fashion", n_train=30_000, half=half) for half in ("A", "B"))
    x = data.fashion("test", n=500)
    y = add_noise(x, 0.1, generator=torch.Generator().manual_seed(0))
    of_a, of_b = a(y), b(y)
    return Measured.of_ratio(mse(of_a, of_b) / 2, (mse(of_a, x) + mse(of_b, x)) / 2)


def _seed_share() -> Measured:
    again = experiments.compare_seeds([30_000], [0.1])
    same, other = again.same_data[0, 0], again.other_data[0, 0]
    ratio = float(same[0] / other[0])
    relative = (float((ends[2] - ends[1]) / ends[0]) / 2 for ends in (same, other))
    return Measured(ratio, ratio * math.hypot(*relative))


def _pair_cosine(n: int) -> Measured:
    return _median(_drawn(n).similarity)


def _copies(n: int, dark: bool) -> Measured:
    return Measured.of_mean((_drawn(n, dark).to_own > 0.95).double())


def _less_similar() -> Measured:
    many, few = (_median(_drawn(n).to_own) for n in (30_000, 10))
    return Measured(many.value - few.value, math.hypot(many.spread, few.spread))


def _closer_to_twin(dark: bool) -> Measured:
    drawn = _drawn(30_000, dark)
    return Measured.of_mean((drawn.similarity > drawn.to_own).double())


def _collages() -> Measured:
    own, other = (data.fashion("train", half=half, n=100) for half in ("A", "B"))
    ratios = []
    for n in (100, 30_000):
        drawn = _drawn(n)
        x = drawn.a[drawn.to_own < 0.95][:64].float() / 255
        ratios.append(_missed(x, own) / _missed(x, other))
    return Measured(ratios[0] / ratios[1])


def _alike() -> Measured:
    images = torch.cat([data.fashion("train", half=half, n=500) for half in ("A", "B")])
    would_go = len(data.duplicates(images, 0.95).pairs) / len(images)
    return Measured(would_go, 1.96 * math.sqrt(would_go * (1 - would_go) / len(images)))


MEASURES: dict[str, Callable[[], Measured]] = {
    "memorization-optimum-copies": _optimum_copies,
    "memorization-slope-one": partial(_slope, 1, "train"),
    "memorization-slope-ten": partial(_slope, 10, "train"),
    "memorization-test-flat": partial(_slope, 10, "test"),
    "memorization-train-meets-test": _train_meets_test,
    "memorization-transition": _transition,
    "memorization-gap-falls": _gap_falls,
    "memorization-gap-at-end": _gap_at_end,
    "memorization-variance": _variance_share,
    "memorization-seeds": _seed_share,
    "memorization-same-picture": partial(_pair_cosine, 30_000),
    "memorization-other-picture": partial(_pair_cosine, 10),
    "memorization-copies": partial(_copies, 10, dark=False),
    "memorization-copies-dark": partial(_copies, 10, dark=True),
    "memorization-less-similar": _less_similar,
    "memorization-closer-to-twin": partial(_closer_to_twin, dark=False),
    "memorization-closer-to-twin-dark": partial(_closer_to_twin, dark=True),
    "memorization-collages": _collages,
    "memorization-alike": _alike,
}


@cache
def _climbed(n: int, decibels: int) -> experiments.Ladder:
    """Return the ladder's measurement of one size at one input PSNR, made now."""
    return experiments.climb([n], [10 ** (-decibels / 20)])


def _ladder(sizes: tuple[int, ...]) -> experiments.Ladder:
    """Return the cached ladder, some sizes of which are compared with measurements made now."""
    cached = current_result("ladder", experiments.Ladder)
    level = _at_20_decibels(cached)
    for n in sizes:
        row, again = int((cached.n_train == n).nonzero()), _climbed(n, 20)
        for name in ("train", "test", "gap"):
            _compare("ladder", getattr(cached, name)[row, level], getattr(again, name)[0, 0])
    return cached


def _at_20_decibels(ladder: experiments.Ladder) -> int:
    return int((ladder.sigmas - 0.1).abs().argmin())


@cache
def _drawn(n: int, dark: bool = False) -> experiments.Samples:
    """Return the cached samples of a pair, the first of which are compared with ones drawn now."""
    name = f"dim-samples-{n}" if dark else f"samples-{n}"
    cached = current_result(name, experiments.Samples)
    config = experiments.DIM if dark else experiments.SAMPLING
    a, b = (load_denoiser("fashion", n_train=n, half=half) for half in ("A", "B"))
    again = sample_pairs(a, b, _AGAIN, config=config, generator=card_noise())
    _compare(name, cached.similarity[:_AGAIN], again.similarity)
    if n <= _SHIPPED:
        own = data.fashion("train", half="A", n=n)
        _compare(name, cached.to_own[:_AGAIN], nearest_by_cosine(again.a, own, 1).values[:, 0])
    return cached


def _compare(name: str, cached: Tensor, again: Tensor) -> None:
    if (difference := float((cached - again).abs().max())) > _CLOSE:
        raise DataFileError(
            f"The result {name} differs by {difference:.2g} from what is computed now; expected "
            f"{_CLOSE:g} at most. Make it again with gahr zoo build, and look what has changed."
        )


def _crossing(gaps: list[float], level: float) -> float:
    """Return the N between 300 and 1,000 at which the gap reaches a level, log-linear in N."""
    part = (gaps[0] - level) / (gaps[0] - gaps[1])
    return 300 * (1_000 / 300) ** part


def _median(values: Tensor) -> Measured:
    """Return a median; its interval lies between two order statistics."""
    ordered = values.double().sort().values
    middle, margin = len(ordered) / 2, 0.98 * math.sqrt(len(ordered))
    low, high = ordered[int(middle - margin)], ordered[math.ceil(middle + margin)]
    return Measured.of_interval(ordered.quantile(0.5), low, high)


def _missed(images: Tensor, training: Tensor, size: int = 7) -> float:
    """Return the median relative error of images put together from pieces of training images.

    Around each pixel it is the training image that fits best, up to a factor.
    """

    def around(values: Tensor) -> Tensor:
        return avg_pool2d(values, size, 1, size // 2)

    t = training[:, 0][None]
    xx, xt, tt = around(images.square()), around(images * t), around(t.square())
    factor = (xt / tt.clamp_min(1e-6)).clamp_min(0)
    misfit = xx - 2 * factor * xt + factor.square() * tt
    together = (factor * t).gather(1, misfit.argmin(dim=1, keepdim=True))
    error = (images - together).flatten(1).norm(dim=1)
    return float((error / images.flatten(1).norm(dim=1)).median())
