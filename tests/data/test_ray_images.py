from typing import Any

import pytest
import torch
from scipy import stats

from gahr_lib.data.ray_images import lit_ball, ray
from gahr_lib.errors import ConfigError, ShapeError, ValueRangeError
from helpers import intensities, seeded

pytestmark = pytest.mark.usefixtures("untouched_random_state")


def test_images_are_multiples_of_the_template() -> None:
    template = intensities(1, 3, 9, 12, dtype=torch.float64)
    images = ray(2000, template=template, generator=seeded(), dtype=torch.float64)
    assert images.shape == (2000, 3, 9, 12)
    scale = images.sum((1, 2, 3)) / template.sum()
    torch.testing.assert_close(images, scale.reshape(-1, 1, 1, 1) * template)
    assert 0 <= float(scale.min()) <= float(scale.max()) <= 1
    assert stats.kstest(scale.numpy(), "uniform").pvalue > 1e-3


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_only_the_generator_decides(dtype: torch.dtype) -> None:
    images = ray(5, 16, generator=seeded(3), dtype=dtype)
    assert images.dtype == dtype
    assert torch.equal(images[:2], ray(2, 16, generator=seeded(3), dtype=dtype))
    reference = ray(5, 16, generator=seeded(3), dtype=torch.float64)
    torch.testing.assert_close(images.double(), reference, atol=5e-4, rtol=0)
    assert not torch.equal(images, ray(5, 16, generator=seeded(4), dtype=dtype))


def test_the_default_template_is_a_picture() -> None:
    assert ray(1, generator=seeded()).shape == (1, 1, 80, 80)
    for size in (8, 28, 80):
        ball = lit_ball(size)
        assert ball.shape == (1, 1, size, size)
        assert 0 <= float(ball.min()) < 0.2
        assert 0.9 < float(ball.max()) <= 1
    # Lit from the upper left: brighter there than at the mirrored place.
    ball = lit_ball(80)[0, 0]
    assert float(ball[32, 32]) > float(ball[47, 47]) + 0.3
    torch.testing.assert_close(ball[24:56, 24:56], ball[24:56, 24:56].T, atol=0.02, rtol=0)
    # The same scene at each size: twice the pixels average to it, but for the edge.
    coarse = torch.nn.functional.avg_pool2d(lit_ball(80), 2)
    assert float((coarse - lit_ball(40)).abs().mean()) < 0.01


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"n": 0}, ConfigError, "of at least 1"),
        ({"size": 4}, ShapeError, "8 or more"),
        ({"generator": None}, ConfigError, "torch.Generator"),
        ({"dtype": torch.int64}, ConfigError, "floating"),
        ({"template": torch.rand(16, 16, generator=seeded())}, ShapeError, "B, C, H, W"),
        ({"template": torch.rand(2, 1, 16, 16, generator=seeded())}, ShapeError, "one image"),
        ({"template": torch.rand(1, 1, 9, 16, generator=seeded())}, ShapeError, "16x16"),
        ({"template": -torch.rand(1, 1, 16, 16, generator=seeded())}, ValueRangeError, "spans"),
        ({"template": torch.zeros(1, 1, 16, 16)}, ValueRangeError, "not all 0"),
    ],
)
def test_wrong_arguments_are_refused(
    change: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        ray(**({"n": 2, "size": 16, "generator": seeded()} | change))
