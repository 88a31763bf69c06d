"""What measures the claims of Chapter 5, sampling."""

from collections.abc import Callable

import torch
from torch import Tensor

from gahr_lib.analysis.memorization import sample_pairs
from gahr_lib.analysis.neighbours import nearest_by_cosine
from gahr_lib.claims.cached import current_result
from gahr_lib.claims.claim import Measured
from gahr_lib.data import fashion
from gahr_lib.inverse_problems import block_super_resolution, solve
from gahr_lib.metrics import cosine_similarity, mse
from gahr_lib.noise import add_noise
from gahr_lib.sampling import SampleConfig, sample, sample_steps
from gahr_lib.schedules import expected_schedule
from gahr_lib.zoo import experiments, load_denoiser

__all__ = ["MEASURES"]

_SIGMA = 0.1


def _gauge() -> Measured:
    found, _ = _noise_found()
    return Measured.of_mean(found / _SIGMA)


def _gauge_law() -> Measured:
    found, error = _noise_found()
    return Measured.of_mean(found.square() / (_SIGMA**2 - error.mean()))


def _plan() -> Measured:
    # The settings of the authors' code, around the mean intensity of clothes.
    config = experiments.SAMPLERS[0]
    taken = torch.zeros(16)
    for state in sample_steps(_network(), 16, config=config, generator=_seed()):
        taken += state.active
    return Measured.of_mean(taken / len(expected_schedule(config).moves))


def _twins() -> Measured:
    pairs = current_result("partings", experiments.Partings).similarity
    # A part of them again, so that the cached numbers cannot stand for another sampler.
    networks = (load_denoiser("fashion", n_train=30_000, half=half) for half in ("A", "B"))
    ends = (sample(f, 8, config=experiments.CLOTHES, generator=_seed()) for f in networks)
    again = cosine_similarity(*ends)
    if not torch.allclose(again.median(), pairs[:8].median(), atol=0.02):
        return Measured(float(again.median()))
    return _median(pairs)


def _parting() -> Measured:
    found = current_result("partings", experiments.Partings)
    start_alike = found.along[:, :2].mean(dim=1) > 0.8
    return Measured.of_mean((start_alike & (found.similarity < 0.7)).float())


def _deterministic() -> Measured:
    a, b = (load_denoiser("fashion", n_train=30_000, half=half) for half in ("A", "B"))
    straight = SampleConfig(beta=1, mean=0.3)
    return _median(sample_pairs(a, b, 64, config=straight, generator=_seed()).similarity)


def _recite() -> Measured:
    network = load_denoiser("fashion", n_train=10)
    drawn = sample(network, 32, config=experiments.CLOTHES, generator=_seed(1))
    nearest = nearest_by_cosine(drawn, fashion("train", half="A", n=10), 1).values
    return Measured.of_mean((nearest > 0.95).float())


def _constraint() -> Measured:
    x = fashion("test", n=8)
    problem = block_super_resolution((1, 28, 28), 4)
    m = problem.measure(x)
    drawn = solve(_network(), problem, m, config=experiments.CLOTHES, generator=_seed())
    return Measured(float((problem.measure(drawn) - m).abs().max()))


def _noise_found() -> tuple[Tensor, Tensor]:
    """Return the noise that the network finds in 100 images, and its error, (100,) each."""
    x = fashion("test", n=100)
    y = add_noise(x, _SIGMA, generator=_seed())
    with torch.no_grad():
        denoised = _network()(y)
    return mse(denoised, y).sqrt(), mse(denoised, x)


def _median(values: Tensor) -> Measured:
    """Return the median with its 95 % interval by order statistics."""
    ordered, n = values.sort().values, len(values)
    reach = round(0.98 * n**0.5)
    low, high = ordered[n // 2 - reach], ordered[min(n - 1, n // 2 + reach)]
    return Measured.of_interval(values.median(), low, high)


def _network() -> Callable[..., Tensor]:
    return load_denoiser("fashion", n_train=30_000)


def _seed(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


MEASURES: dict[str, Callable[[], Measured]] = {
    "sampling-gauge": _gauge,
    "sampling-gauge-law": _gauge_law,
    "sampling-plan": _plan,
    "sampling-twins": _twins,
    "sampling-parting": _parting,
    "sampling-deterministic": _deterministic,
    "sampling-recite": _recite,
    "sampling-constraint": _constraint,
}
