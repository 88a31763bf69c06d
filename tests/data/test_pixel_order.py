import pytest
import torch
from torch import Tensor

from gahr_lib.data import c_alpha, shuffle_pixels, unshuffle_pixels
from gahr_lib.data.pixel_order import pixel_order
from gahr_lib.errors import ConfigError, ShapeError
from gahr_lib.metrics import psnr
from gahr_lib.models import Denoiser, EmpiricalOptimum, StationaryWiener, Wiener
from gahr_lib.noise import add_noise
from helpers import intensities, seeded

pytestmark = pytest.mark.usefixtures("untouched_random_state")

IMAGES = intensities(5, 3, 6, 9)


@pytest.mark.parametrize("shape", [(5, 3, 6, 9), (1, 1, 1, 7), (2, 1, 80, 80), (0, 1, 4, 4)])
@pytest.mark.parametrize("seed", [0, -1, 2**64 - 1])
def test_what_is_shuffled_can_be_put_back(shape: tuple[int, ...], seed: int) -> None:
    images = intensities(*shape)
    assert torch.equal(unshuffle_pixels(shuffle_pixels(images, seed=seed), seed=seed), images)
    assert torch.equal(shuffle_pixels(unshuffle_pixels(images, seed=seed), seed=seed), images)


def test_every_pixel_is_still_there_with_all_its_channels() -> None:
    before, after = (x.permute(0, 2, 3, 1).flatten(1, 2) for x in (IMAGES, shuffle_pixels(IMAGES)))
    for a, b in zip(before, after, strict=True):
        assert not torch.equal(a, b)
        assert torch.equal(a.unique(dim=0), b.unique(dim=0))  # sorted, and all are different
        assert len(a.unique(dim=0)) == 54


def test_the_order_is_the_one_that_pixel_order_says() -> None:
    order = pixel_order(54, seed=3)
    assert torch.equal(order.sort().values, torch.arange(54))
    shuffled = shuffle_pixels(IMAGES, seed=3)
    for k in range(54):
        row, column = divmod(int(order[k]), 9)
        assert torch.equal(shuffled[:, :, k // 9, k % 9], IMAGES[:, :, row, column])


def test_the_order_is_the_same_for_every_batch_and_never_changes() -> None:
    assert torch.equal(shuffle_pixels(IMAGES)[2:4], shuffle_pixels(IMAGES[2:4]))
    # Networks that were trained on shuffled images need these.
    assert pixel_order(8).tolist() == [4, 0, 7, 3, 2, 5, 1, 6]
    assert int((pixel_order(784) * torch.arange(784)).sum()) == 119852741


def test_another_seed_is_another_order() -> None:
    orders = {tuple(pixel_order(100, seed=seed).tolist()) for seed in range(50)}
    assert len(orders) == 50
    assert not torch.equal(shuffle_pixels(IMAGES, seed=1), shuffle_pixels(IMAGES, seed=2))


def test_all_orders_are_as_likely() -> None:
    places = torch.stack([pixel_order(6, seed=seed) for seed in range(3000)])
    counts = torch.stack([torch.bincount(place, minlength=6) for place in places.unbind(1)])
    # Each of 36 counts is binomial with mean 500 and standard deviation 20.4.
    assert float((counts - 500).abs().max()) < 4.5 * 20.4


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float16, torch.float64])
def test_type_and_input_stay_as_they_are(dtype: torch.dtype) -> None:
    images = (IMAGES * 255).to(dtype).transpose(-1, -2)  # not contiguous
    before = images.clone()
    shuffled = shuffle_pixels(images)
    assert shuffled.dtype == dtype
    assert shuffled.shape == images.shape
    assert shuffled.is_contiguous()
    assert torch.equal(images, before)
    shuffled.zero_()
    assert torch.equal(images, before)


def pair(kind: type, train: Tensor) -> tuple[Denoiser, Denoiser]:
    """A denoiser of the training images, and one of the same images shuffled."""
    make = getattr(kind, "from_images", kind)
    return make(train), make(shuffle_pixels(train))


@pytest.mark.parametrize("kind", [EmpiricalOptimum, Wiener])
def test_denoisers_without_neighbourhoods_do_not_mind(kind: type) -> None:
    train, x = c_alpha(40, 8, generator=seeded()).split(20)
    plain, shuffled = pair(kind, train)
    y = add_noise(x, 0.2, generator=seeded(1))
    expected = plain(y, 0.2)
    found = shuffled(shuffle_pixels(y), 0.2)
    torch.testing.assert_close(found, shuffle_pixels(expected), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(psnr(found, shuffle_pixels(x)), psnr(expected, x), atol=5e-3, rtol=0)


def test_a_denoiser_of_frequencies_loses_what_it_is_built_on() -> None:
    train, x = c_alpha(600, 16, generator=seeded()).split(500)
    plain, shuffled = pair(StationaryWiener, train)
    y = add_noise(x, 0.2, generator=seeded(1))
    gain = psnr(plain(y, 0.2), x).mean()
    assert float(psnr(shuffled(shuffle_pixels(y), 0.2), shuffle_pixels(x)).mean()) < gain - 2


@pytest.mark.parametrize("function", [shuffle_pixels, unshuffle_pixels])
@pytest.mark.parametrize(
    "images", [IMAGES[0], IMAGES[0, 0], [[0.5]], torch.zeros(1, 1, 0, 4)], ids=str
)
def test_only_batches_of_images_are_shuffled(function, images: object) -> None:
    with pytest.raises(ShapeError, match=r"expected a tensor \(B, C, H, W\)"):
        function(images)


@pytest.mark.parametrize("function", [shuffle_pixels, unshuffle_pixels])
@pytest.mark.parametrize(
    ("seed", "words"),
    [(0.5, "whole number"), (True, "whole number"), (None, "whole number"), (2**64, "64 bits")],
)
def test_seeds_are_whole_numbers(function, seed: object, words: str) -> None:
    with pytest.raises(ConfigError, match=f"seed is .*{words}"):
        function(IMAGES, seed=seed)


@pytest.mark.parametrize("pixels", [0, -4, 2.0, None])
def test_an_order_is_one_of_pixels(pixels: object) -> None:
    with pytest.raises(ConfigError, match=r"pixels is .*at least 1"):
        pixel_order(pixels)  # type: ignore[arg-type]
