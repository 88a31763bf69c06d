import pytest
import torch
from torch import Tensor

from gahr_lib.analysis.evaluation import psnr_curve
from gahr_lib.analysis.variance import model_variance, paired_gap, train_test_gap
from gahr_lib.errors import ConfigError, SigmaError
from helpers import LinearDenoiser, intensities, seeded, small_unet

pytestmark = pytest.mark.usefixtures("untouched_random_state")

X = intensities(40, 1, 4, 4, dtype=torch.float64)


def shrinkage(factor: float) -> LinearDenoiser:
    return LinearDenoiser(factor * torch.eye(16, dtype=torch.float64))


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
