import pytest
import torch
from torch import Tensor

from gahr_lib.analysis.evaluation import psnr_curve
from gahr_lib.analysis.memorization import (
    Fraction,
    above_similarity,
    below_ratio,
    model_variance,
    paired_gap,
    sample_pairs,
    train_test_gap,
)
from gahr_lib.analysis.neighbours import Neighbours
from gahr_lib.errors import ConfigError, ShapeError, SigmaError
from gahr_lib.sampling import SampleConfig, sample
from helpers import LinearDenoiser, intensities, seeded, small_unet

pytestmark = pytest.mark.usefixtures("untouched_random_state")

X = intensities(40, 1, 4, 4, dtype=torch.float64)


def shrinkage(factor: float) -> LinearDenoiser:
    return LinearDenoiser(factor * torch.eye(16, dtype=torch.float64))


def neighbours(*rows: tuple[float, ...]) -> Neighbours:
    values = torch.tensor(rows)
    return Neighbours(torch.zeros(values.shape, dtype=torch.long), values)


# Copies


def test_images_above_a_similarity_are_counted() -> None:
    found = above_similarity(neighbours((0.99, 0.9), (0.95, 0.9), (0.7, 0.6), (0.96, 0.95)))
    assert found.each.tolist() == [True, False, False, True]
    assert found.value == 0.5
    assert above_similarity(neighbours((0.7,), (0.6,)), 0.65).each.tolist() == [True, False]


def test_images_much_nearer_to_one_are_counted() -> None:
    found = below_ratio(neighbours((1.0, 3.1), (1.0, 2.9), (0.0, 1.0), (2.0, 2.0)))
    assert found.each.tolist() == [True, False, True, False]
    assert below_ratio(neighbours((1.0, 2.9)), 0.5).value == 1


@pytest.mark.parametrize(("count", "of"), [(0, 20), (3, 20), (20, 20), (128, 256)])
def test_the_interval_is_wilsons(count: int, of: int) -> None:
    found = above_similarity(neighbours(*([(1.0,)] * count + [(0.0,)] * (of - count))))
    z, p = 1.959964, count / of
    centre = (p + z**2 / (2 * of)) / (1 + z**2 / of)
    half = z / (1 + z**2 / of) * (p * (1 - p) / of + z**2 / (4 * of**2)) ** 0.5
    assert found.low == pytest.approx(centre - half, abs=1e-6)
    assert found.high == pytest.approx(centre + half, abs=1e-6)


def test_one_neighbour_has_no_ratio() -> None:
    with pytest.raises(ShapeError, match="Search with k=2"):
        below_ratio(neighbours((1.0,)))


def test_a_fraction_can_be_kept(tmp_path) -> None:
    found = above_similarity(neighbours((1.0,), (0.0,)))
    found.save(tmp_path / "fraction")
    kept = Fraction.load(tmp_path / "fraction")
    assert kept.each.tolist() == [True, False]
    assert (kept.value, kept.low, kept.high) == (found.value, found.low, found.high)


# Pairs


def test_pairs_are_the_samples_of_equal_noise() -> None:
    a, b = small_unet(1, seed=1), small_unet(1, seed=2)
    config = SampleConfig(h0=1.0, ramp=False, beta=1.0, sigma_inf=0.9, max_steps=50)
    pairs = sample_pairs(a, b, 3, shape=(1, 8, 8), config=config, generator=seeded(5))
    seed = int(torch.randint(2**31, (), generator=seeded(5)))
    for found, network in ((pairs.a, a), (pairs.b, b)):
        own = sample(network, 3, shape=(1, 8, 8), config=config, generator=seeded(seed))
        assert torch.equal(found, own)
    for i in range(3):
        pair = torch.stack([pairs.a[i].flatten(), pairs.b[i].flatten()])
        assert float(pairs.similarity[i]) == pytest.approx(float(pair.corrcoef()[0, 1]), abs=1e-5)


def test_a_network_and_itself_draw_the_same_images() -> None:
    network = small_unet(1)
    config = SampleConfig(h0=1.0, ramp=False, beta=1.0, sigma_inf=0.9, max_steps=50)
    pairs = sample_pairs(network, network, 2, shape=(1, 8, 8), config=config, generator=seeded())
    assert torch.equal(pairs.a, pairs.b)
    assert pairs.similarity.tolist() == pytest.approx([1, 1])


# Variance and gaps


def test_the_variance_of_two_shrinkages_is_known() -> None:
    found = model_variance(shrinkage(0.9), shrinkage(0.5), X, [0.1, 1.0], generator=seeded())
    noise = torch.randn(X.shape, generator=seeded(), dtype=X.dtype)
    for s, sigma in enumerate((0.1, 1.0)):
        expected = (0.4 * (X + sigma * noise)).square().mean() / 2
        assert float(found.mean[s]) == pytest.approx(float(expected))
        assert found.low[s] < found.mean[s] < found.high[s]


def test_half_the_squared_difference_is_the_variance_over_training_sets() -> None:
    """Two noisy versions of one denoiser, many times: its variance comes out."""
    factors = 0.7 + 0.1 * torch.randn(200, 2, generator=seeded(1), dtype=torch.float64)
    found = torch.stack(
        [
            model_variance(shrinkage(a), shrinkage(b), X[:8], [0.5], generator=seeded(2)).mean
            for a, b in factors.tolist()
        ]
    ).mean()
    noise = torch.randn(8, 1, 4, 4, generator=seeded(2), dtype=X.dtype)
    expected = 0.1**2 * (X[:8] + 0.5 * noise).square().mean()
    assert float(found) == pytest.approx(float(expected), rel=0.2)


def test_batches_do_not_matter() -> None:
    a, b = shrinkage(0.9), shrinkage(0.5)
    whole = model_variance(a, b, X, [0.3], generator=seeded())
    parts = model_variance(a, b, X, [0.3], generator=seeded(), batch_size=7)
    assert torch.allclose(whole.mean, parts.mean)


def test_the_gap_is_the_difference_of_the_mean_curves() -> None:
    train, test = X[:15], X[15:]
    found = train_test_gap(shrinkage(0.8), train, test, [0.2, 0.4], generator=seeded())
    generator = seeded()
    curves = [psnr_curve(shrinkage(0.8), x, [0.2, 0.4], generator=generator) for x in (train, test)]
    assert torch.allclose(found.mean, curves[0].mean(1) - curves[1].mean(1))
    assert (found.low < found.mean).all()
    assert (found.mean < found.high).all()


def test_a_paired_gap_is_on_equal_noise_and_tighter() -> None:
    a, b = shrinkage(0.9), shrinkage(0.8)
    paired = paired_gap(a, b, X, [0.3], generator=seeded(1))
    again = paired_gap(b, a, X, [0.3], generator=seeded(1))
    assert float(paired.mean) == pytest.approx(-float(again.mean))
    nothing = paired_gap(a, a, X, [0.3], generator=seeded(1))
    assert (float(nothing.mean), float(nothing.low), float(nothing.high)) == (0, 0, 0)
    unpaired = train_test_gap(a, X[:20], X[20:], [0.3], generator=seeded(1))
    assert float(paired.high - paired.low) < float(unpaired.high - unpaired.low)


@pytest.mark.parametrize("measure", [model_variance, paired_gap, train_test_gap])
def test_levels_are_checked(measure) -> None:
    first = shrinkage(1.0)
    second: Tensor | LinearDenoiser = X if measure is train_test_gap else first
    with pytest.raises(ConfigError, match="sigmas is empty"):
        measure(first, second, X, [])
    with pytest.raises(SigmaError, match="not negative"):
        measure(first, second, X, [-0.1])


def test_networks_in_training_mode_are_refused() -> None:
    with pytest.raises(ConfigError, match="training mode"):
        model_variance(small_unet(), small_unet().train(), intensities(1, 1, 8, 8), [0.1])
