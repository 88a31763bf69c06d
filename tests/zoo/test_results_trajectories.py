"""The cached results of the sampler's chapter: what the code gives, and the code itself."""

import pytest
import torch
from torch import Tensor

from gahr_lib.errors import SamplingError
from gahr_lib.sampling import SampleConfig, sample_steps
from gahr_lib.zoo import experiments, load_denoiser
from gahr_lib.zoo.results import load_result

pytestmark = pytest.mark.usefixtures("untouched_random_state")

STRAIGHT = SampleConfig(beta=1, mean=0.3)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def shrink(y: Tensor) -> Tensor:
    """Return nearly a grey image, whatever there is."""
    return 0.5 + 0.001 * (y - 0.5)


def test_the_table_of_samplers_is_found_again() -> None:
    cached = load_result("samplers", experiments.SamplerTable)
    row = int(((cached.beta == 1) & (cached.h0 - 0.05).abs().lt(1e-6)).nonzero())
    found = experiments.compare_settings([experiments.SAMPLERS[row]], 64)
    for name in ("steps", "agreement", "nearest", "distance"):
        torch.testing.assert_close(
            getattr(cached, name)[row], getattr(found, name)[0], rtol=0.02, atol=1e-3
        )
    difference = cached.pictures[row].float() - found.pictures[0].float()
    assert difference.abs().mean() < 1  # of 255


def test_forks_are_found_again() -> None:
    cached = load_result("forks-30000", experiments.Forks)
    # The noise on the way depends on how many paths there are; the guesses at the fork do not.
    found = experiments.fork(30_000, cached.sigmas.tolist()[::5], 6)
    difference = cached.denoised[:, ::5].float() - found.denoised.float()
    assert difference.abs().mean() < 1  # of 255
    assert torch.equal(found.together.argmax(dim=1), torch.full((6,), 2))


def test_partings_are_found_again() -> None:
    cached = load_result("partings", experiments.Partings)
    found = experiments.part(cached.sigmas.tolist()[::5], 6)
    torch.testing.assert_close(cached.similarity[:6], found.similarity, rtol=0, atol=0.01)
    torch.testing.assert_close(cached.along[:6, ::5], found.along, rtol=0, atol=0.01)


def test_walking_on_without_noise_leads_where_the_sampler_went() -> None:
    network = load_denoiser("fashion", n_train=30_000)
    states = list(sample_steps(network, 3, config=STRAIGHT, generator=seeded()))
    x, denoised, steps = experiments.state_at(states, 0.4)
    with torch.no_grad():
        torch.testing.assert_close(network(x), denoised, rtol=0, atol=1e-4)
    ends = experiments.walk_on(network, x, steps, STRAIGHT, generator=seeded())
    torch.testing.assert_close(ends, states[-1].x, rtol=0, atol=1e-4)


def test_walking_on_shrinks_the_noise_as_planned() -> None:
    # The denoiser knows the image, so theory is exact: 1 - beta h in each step, up to chance.
    config = SampleConfig(h0=0.2, ramp=False, beta=0.5, sigma_inf=0.01)
    clean = torch.full((1, 1, 40, 40), 0.3)
    found: list[float] = []

    def denoiser(y: Tensor) -> Tensor:
        found.append(float((y - clean).square().mean().sqrt()))
        return clean.expand_as(y)

    x = clean + torch.randn(clean.shape, generator=seeded())
    end = experiments.walk_on(denoiser, x, torch.tensor([1]), config, generator=seeded(1))
    torch.testing.assert_close(end, clean)
    ratios = torch.tensor(found[1:]) / torch.tensor(found[:-1])
    torch.testing.assert_close(ratios.mean(), torch.tensor(0.9), rtol=0, atol=0.005)


def test_paths_that_do_not_end_are_refused() -> None:
    config = SampleConfig(beta=0.1, max_steps=3)
    with pytest.raises(SamplingError, match="not finished"):
        experiments.walk_on(
            shrink,
            torch.rand(1, 1, 8, 8, generator=seeded()) * 50,
            torch.tensor([1]),
            config,
            generator=seeded(),
        )


def test_levels_that_are_not_crossed_are_refused() -> None:
    states = list(sample_steps(shrink, 2, shape=(1, 8, 8), config=STRAIGHT, generator=seeded()))
    for level in (5.0, 1e-9):
        with pytest.raises(SamplingError, match="crosses"):
            experiments.state_at(states, level)


def test_the_energy_distance_is_that_of_two_pairs() -> None:
    # Unit vectors at right angles: pairs within a set are sqrt 2 apart, those between as well.
    axes = torch.eye(4).reshape(4, 1, 2, 2)
    assert experiments.energy_distance(axes[:2], axes[2:]) == pytest.approx(2 * 2**0.5 - 2 * 2**0.5)
    # Two equal sets of two: half of the distances between are 0.
    assert experiments.energy_distance(axes[:2], 3 * axes[:2]) == pytest.approx(2**0.5 - 2 * 2**0.5)


def test_the_energy_distance_tells_two_densities_apart() -> None:
    noise = torch.randn(400, 1, 4, 4, generator=seeded())
    same = experiments.energy_distance(noise[:200], noise[200:])
    other = experiments.energy_distance(noise[:200] + 0.5, noise[200:])
    assert abs(same) < 0.02 < 0.1 < other
