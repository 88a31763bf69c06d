import pytest
import torch

from gahr_lib.analysis.memorization import (
    Fraction,
    above_similarity,
    below_ratio,
    sample_pairs,
)
from gahr_lib.analysis.neighbours import (
    Neighbours,
    nearest_by_cosine,
    nearest_by_distance,
)
from gahr_lib.analysis.perceptual import nearest_by_ssim
from gahr_lib.data import fashion
from gahr_lib.errors import ConfigError, ShapeError, ValueRangeError
from gahr_lib.sampling import SampleConfig, sample
from helpers import seeded, small_unet

pytestmark = pytest.mark.usefixtures("untouched_random_state")


def neighbours(*rows: tuple[float, ...], measure: str = "cosine") -> Neighbours:
    values = torch.tensor(rows)
    return Neighbours(torch.zeros(values.shape, dtype=torch.long), values, measure)


def at_distances(*rows: tuple[float, ...]) -> Neighbours:
    return neighbours(*rows, measure="distance")


# Copies


def test_images_above_a_similarity_are_counted() -> None:
    found = above_similarity(neighbours((0.99, 0.9), (0.95, 0.9), (0.7, 0.6), (0.96, 0.95)))
    assert found.each.tolist() == [True, False, False, True]
    assert found.value == 0.5
    assert above_similarity(neighbours((0.7,), (0.6,)), 0.65).each.tolist() == [True, False]


def test_images_much_nearer_to_one_are_counted() -> None:
    found = below_ratio(at_distances((1.0, 3.1), (1.0, 2.9), (0.0, 1.0), (2.0, 2.0)))
    assert found.each.tolist() == [True, False, True, False]
    assert below_ratio(at_distances((1.0, 2.9)), 0.5).value == 1


@pytest.mark.parametrize(("count", "of"), [(0, 20), (3, 20), (20, 20), (128, 256)])
def test_the_interval_is_wilsons(count: int, of: int) -> None:
    found = above_similarity(neighbours(*([(1.0,)] * count + [(0.0,)] * (of - count))))
    z, p = 1.959964, count / of
    centre = (p + z**2 / (2 * of)) / (1 + z**2 / of)
    half = z / (1 + z**2 / of) * (p * (1 - p) / of + z**2 / (4 * of**2)) ** 0.5
    assert found.low == pytest.approx(centre - half, abs=1e-6)
    assert found.high == pytest.approx(centre + half, abs=1e-6)


def test_distances_are_not_taken_for_similarities_nor_the_reverse() -> None:
    with pytest.raises(ConfigError, match="found by distance; expected similarities"):
        above_similarity(at_distances((1.0, 3.1)))
    for measure in ("cosine", "ssim"):
        assert above_similarity(neighbours((0.99, 0.3), measure=measure)).value == 1
        with pytest.raises(ConfigError, match=f"found by {measure}; expected distances"):
            below_ratio(neighbours((0.99, 0.3), measure=measure))


@pytest.mark.parametrize("threshold", [-1.0, 0.0, 1.0, 2.0, float("nan")])
def test_thresholds_have_a_range(threshold: float) -> None:
    with pytest.raises(ValueRangeError, match="between 0 and 1"):
        below_ratio(at_distances((1.0, 3.0)), threshold)
    if threshold != 0:
        with pytest.raises(ValueRangeError, match="between -1 and 1"):
            above_similarity(neighbours((1.0,)), threshold)


def test_copies_are_counted_by_every_measure_and_real_images_are_not() -> None:
    training = fashion("train", half="A", n=300)
    noise = 0.02 * torch.randn(20, 1, 28, 28, generator=seeded())
    copies, others = training[:20] + noise, fashion("test", n=20)
    for found, expected in ((copies, 1.0), (others, 0.0)):
        assert below_ratio(nearest_by_distance(found, training)).value == expected
        assert above_similarity(nearest_by_cosine(found, training), 0.98).value == expected
    scaled = nearest_by_distance(0.5 * copies, training, fit_scale=True)
    assert below_ratio(scaled).value > 0.9
    assert below_ratio(nearest_by_distance(0.5 * copies, training)).value == 0


def test_ssim_needs_its_own_threshold() -> None:
    """Noise that the cosine hardly sees brings copies below what real images reach."""
    training, others = fashion("train", half="A", n=300), fashion("test", n=20)
    copies = training[:20]
    noisy = copies + 0.02 * torch.randn(20, 1, 28, 28, generator=seeded())
    real, exact, found = (
        nearest_by_ssim(x, training, shortlist=10) for x in (others, copies, noisy)
    )
    threshold = float(real.values[:, 0].max())
    assert above_similarity(exact, threshold).value == 1
    assert found.indices[:, 0].tolist() == list(range(20))
    assert above_similarity(found, threshold).value < 0.9


def test_one_neighbour_has_no_ratio() -> None:
    with pytest.raises(ShapeError, match="Search with k=2"):
        below_ratio(at_distances((1.0,)))


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
