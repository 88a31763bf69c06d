import math
from typing import Any

import pytest
import torch
from scipy import stats

from gahr_lib.data.sinusoid_images import sinusoid_plane, sinusoids
from gahr_lib.errors import ConfigError, ShapeError, ValueRangeError
from helpers import seeded

pytestmark = pytest.mark.usefixtures("untouched_random_state")


@pytest.mark.parametrize("frequency", [(2, 3), (0, 1), (5, -2), (10, 1)])
def test_the_plane_is_a_cosine_and_a_sine(frequency: tuple[int, int]) -> None:
    size = 20
    plane = sinusoid_plane(size, frequency)
    gram = torch.einsum("acij,bcij->ab", plane, plane)
    torch.testing.assert_close(gram, torch.eye(2, dtype=torch.float64) * size**2 / 2)
    for i in range(0, size, 3):
        for j in range(0, size, 3):
            angle = 2 * math.pi * (frequency[0] * i + frequency[1] * j) / size
            assert float(plane[0, 0, i, j]) == pytest.approx(math.cos(angle), abs=1e-12)
            assert float(plane[1, 0, i, j]) == pytest.approx(math.sin(angle), abs=1e-12)


def test_amplitude_and_phase_are_uniform() -> None:
    images = sinusoids(4000, 12, frequency=(1, 2), generator=seeded(), dtype=torch.float64)
    assert images.shape == (4000, 1, 12, 12)
    assert float(images.abs().max()) <= 0.5
    spectrum = torch.fft.fft2(images[:, 0])[:, 1, 2] * 2 / 144  # A exp(i phi)
    assert stats.kstest(2 * spectrum.abs().numpy(), "uniform").pvalue > 1e-3
    phase = spectrum.angle() / (2 * math.pi) + 0.5
    assert stats.kstest(phase.numpy(), "uniform").pvalue > 1e-3
    assert abs(float(torch.corrcoef(torch.stack((spectrum.abs(), phase)))[0, 1])) < 0.06
    # Nothing at any other frequency.
    energy = spectrum.abs().square() * 72
    torch.testing.assert_close(images.square().sum((1, 2, 3)), energy)


def test_amplitudes_keep_their_range() -> None:
    images = sinusoids(200, 16, amplitudes=(0.2, 0.3), generator=seeded(), dtype=torch.float64)
    amplitude = (images.square().sum((1, 2, 3)) / 128).sqrt()
    assert 0.2 <= float(amplitude.min()) < 0.205
    assert 0.295 < float(amplitude.max()) <= 0.3


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_only_the_generator_decides(dtype: torch.dtype) -> None:
    images = sinusoids(5, 16, generator=seeded(3), dtype=dtype)
    assert images.dtype == dtype
    assert torch.equal(images[:2], sinusoids(2, 16, generator=seeded(3), dtype=dtype))
    reference = sinusoids(5, 16, generator=seeded(3), dtype=torch.float64)
    torch.testing.assert_close(images.double(), reference, atol=5e-4, rtol=0)


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"n": 0}, ConfigError, "of at least 1"),
        ({"size": 4}, ShapeError, "8 or more"),
        ({"generator": None}, ConfigError, "torch.Generator"),
        ({"dtype": torch.int64}, ConfigError, "floating"),
        ({"frequency": (0, 0)}, ConfigError, "vanish"),
        ({"frequency": (8, 0)}, ConfigError, "vanish"),
        ({"frequency": (9, 1)}, ConfigError, "at most 8"),
        ({"frequency": (1.5, 1)}, ConfigError, "two whole numbers"),
        ({"frequency": 3}, ConfigError, "two whole numbers"),
        ({"amplitudes": (0.3, 0.2)}, ValueRangeError, "between 0 and 1/2"),
        ({"amplitudes": (-0.1, 0.2)}, ValueRangeError, "between 0 and 1/2"),
        ({"amplitudes": (0, 1)}, ValueRangeError, "between 0 and 1/2"),
        ({"amplitudes": 0.3}, ValueRangeError, "between 0 and 1/2"),
    ],
)
def test_wrong_arguments_are_refused(
    change: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        sinusoids(**({"n": 2, "size": 16, "generator": seeded()} | change))
