import pytest
import torch

from gahr_lib.errors import ConfigError
from gahr_lib.models import Denoiser
from gahr_lib.sampling._noise_streams import NoiseStreams
from helpers import LinearDenoiser, seeded

pytestmark = pytest.mark.usefixtures("untouched_random_state")

SHAPE = (1, 4, 4)


def denoiser(dtype: torch.dtype = torch.float32) -> Denoiser:
    return LinearDenoiser(torch.eye(16, dtype=dtype))


def streams(n: int, seed: int) -> list[torch.Generator]:
    seeds = torch.randint(2**62, (n,), generator=seeded(seed)).tolist()
    return [seeded(s) for s in seeds]


def test_noise_streams_go_on_sample_by_sample() -> None:
    noise, expected = NoiseStreams(denoiser(), 3, SHAPE, generator=seeded(8)), streams(3, 8)
    assert len(noise) == 3
    for samples in ([0, 1, 2], [2, 0], [1], [0, 1, 2]):
        drawn = noise.draw(torch.tensor(samples))
        for image, i in zip(drawn, samples, strict=True):
            assert torch.equal(image, torch.randn(SHAPE, generator=expected[i]))


def test_every_sample_has_a_stream_of_its_own() -> None:
    noise = NoiseStreams(denoiser(), 50, SHAPE, generator=seeded())
    drawn = torch.stack([noise.draw(noise.everyone) for _ in range(40)])  # 40 draws of 50 samples
    pixels = drawn.flatten(2).transpose(0, 1).flatten(1)  # (50, 640)
    assert float((pixels.corrcoef() - torch.eye(50)).abs().max()) < 5 / 640**0.5
    assert float(pixels.mean().abs()) < 4 / 32_000**0.5
    assert float(pixels.square().mean()) == pytest.approx(1, abs=4 * (2 / 32_000) ** 0.5)


def test_noise_has_the_precision_of_the_denoiser_and_not_of_its_counters() -> None:
    for dtype in (torch.float32, torch.float64):
        counting = denoiser(dtype)
        counting._buffers = {"count": torch.zeros(1, dtype=torch.int64), **counting._buffers}
        noise = NoiseStreams(counting, 2, SHAPE, generator=seeded())
        assert noise.draw(noise.everyone).dtype == dtype


def test_the_shape_is_the_denoisers_unless_another_is_asked_for() -> None:
    sized = denoiser()
    sized.image_shape = (1, 2, 8)
    assert NoiseStreams(sized, 2, generator=seeded()).shape == (1, 2, 8)
    assert NoiseStreams(sized, 2, SHAPE, generator=seeded()).shape == SHAPE
    with pytest.raises(ConfigError, match=r"Pass shape=\(C, H, W\)"):
        NoiseStreams(denoiser(), 2, generator=seeded())
