from typing import Any

import pytest
import torch

from gahr_lib.analysis import bootstrap
from gahr_lib.analysis.bootstrap import Band, band, resampled_means
from gahr_lib.errors import ConfigError
from helpers import seeded
from peak_memory import peak_memory

pytestmark = pytest.mark.usefixtures("untouched_random_state")


def test_means_are_those_of_the_drawn_images() -> None:
    values = torch.randn(2, 6, generator=seeded(), dtype=torch.float64)
    means = resampled_means(values, resamples=4, generator=seeded(1))
    drawn = torch.randint(6, (4, 6), generator=seeded(1))
    expected = torch.stack([values[:, row].mean(1) for row in drawn], dim=1)
    assert torch.allclose(means, expected)


def test_many_images_are_drawn_a_part_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    values = torch.randn(2, 70, generator=seeded(), dtype=torch.float64)
    expected = resampled_means(values, resamples=25, generator=seeded(1))
    monkeypatch.setattr(bootstrap, "_AT_ONCE", 300)
    drawn, original = [], torch.randint

    def spy(high: int, size: tuple[int, int], **settings: Any) -> torch.Tensor:
        drawn.append(size)
        return original(high, size, **settings)

    monkeypatch.setattr(torch, "randint", spy)
    found = resampled_means(values, resamples=25, generator=seeded(1))
    assert drawn == [(4, 70)] * 6 + [(1, 70)]
    assert torch.allclose(found, expected)


@pytest.mark.slow
def test_a_hundred_thousand_images_need_less_than_1_gb() -> None:
    setup = "from gahr_lib.analysis.bootstrap import resampled_means\nvalues = torch.ones(100_000)"
    code = "resampled_means(values, generator=torch.Generator().manual_seed(0))"
    assert peak_memory(setup, code) < 1e9


def test_their_spread_is_the_standard_error() -> None:
    values = torch.randn(500, generator=seeded(), dtype=torch.float64)
    spread = resampled_means(values, resamples=4_000, generator=seeded(1)).std()
    assert float(spread) == pytest.approx(float(values.std()) / 500**0.5, rel=0.05)


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    samples = torch.randn(400, 60, generator=seeded(), dtype=torch.float64) + 3
    found = band(torch.arange(400), samples, generator=seeded(1))
    hits = ((found.low <= 3) & (found.high >= 3)).double().mean()
    assert 0.91 < float(hits) < 0.97


def test_a_difference_of_means_is_resampled_on_both_sides() -> None:
    a = torch.randn(1, 200, generator=seeded(1), dtype=torch.float64) + 1
    b = 3 * torch.randn(1, 50, generator=seeded(2), dtype=torch.float64)
    found = band(torch.ones(1), a, b, resamples=4_000, generator=seeded(3))
    assert float(found.mean) == pytest.approx(float(a.mean() - b.mean()))
    error = float((a.var() / 200 + b.var() / 50).sqrt())
    assert float(found.high - found.low) == pytest.approx(2 * 1.96 * error, rel=0.1)


def test_equal_generators_give_equal_bands_and_a_band_can_be_kept(tmp_path) -> None:
    values = torch.rand(3, 20, generator=seeded())
    one, two = (band(torch.arange(3.0), values, generator=seeded(4)) for _ in range(2))
    assert torch.equal(one.low, two.low)
    one.save(tmp_path / "band.safetensors")
    kept = Band.load(tmp_path / "band.safetensors")
    assert torch.equal(kept.high, one.high)
    assert torch.equal(kept.sigmas, one.sigmas)


def test_one_resample_is_no_interval() -> None:
    with pytest.raises(ConfigError, match="resamples is 1"):
        resampled_means(torch.ones(3), resamples=1)
