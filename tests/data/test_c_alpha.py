import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import gahr_lib.data._arguments as arguments
from gahr_lib.data.c_alpha_images import c_alpha, compose, contour_heights, smooth_fields
from gahr_lib.errors import ConfigError, ShapeError, ValueRangeError


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def white(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, dtype=torch.float64, generator=seeded(seed)) * 2 - 1


def slope(power: Tensor, frequency: Tensor) -> float:
    """Least-squares slope of log power on log frequency, in float64."""
    return float(np.polyfit(frequency.log().numpy(), power.log().numpy(), 1)[0])


@pytest.mark.parametrize("size", [8, 15, 28, 80])
@pytest.mark.parametrize("alpha", [0, 0.5, 1.5, 5, 40])
def test_images_are_finite_intensities(size: int, alpha: float) -> None:
    images = c_alpha(n=5, size=size, alpha=alpha, generator=seeded())
    assert images.shape == (5, 1, size, size)
    assert images.dtype == torch.float32
    assert torch.isfinite(images).all()
    assert images.min() >= 0
    assert images.max() <= 1
    assert images.std(dim=(1, 2, 3)).min() > 0.005


def test_only_the_generator_decides() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = c_alpha(n=3, size=20, generator=seeded(5))
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert torch.equal(first, c_alpha(n=3, size=20, generator=seeded(5)))
    assert not torch.equal(first, c_alpha(n=3, size=20, generator=seeded(6)))


def test_a_generator_moves_on() -> None:
    generator = seeded()
    first = c_alpha(n=2, size=16, generator=generator)
    assert not torch.equal(first, c_alpha(n=2, size=16, generator=generator))


@pytest.mark.parametrize("chunk_pixels", [1, 2**12, 2**30])
def test_an_image_depends_neither_on_its_batch_nor_on_the_chunks(
    monkeypatch: pytest.MonkeyPatch, chunk_pixels: int
) -> None:
    expected = c_alpha(n=9, size=20, generator=seeded())
    monkeypatch.setattr(arguments, "CHUNK_PIXELS_CPU", chunk_pixels)
    torch.testing.assert_close(c_alpha(n=9, size=20, generator=seeded()), expected)
    torch.testing.assert_close(c_alpha(n=4, size=20, generator=seeded()), expected[:4])


def test_precision_changes_rounding_only() -> None:
    single = c_alpha(n=6, size=40, generator=seeded())
    double = c_alpha(n=6, size=40, generator=seeded(), dtype=torch.float64)
    half = c_alpha(n=6, size=40, generator=seeded(), dtype=torch.float16)
    assert double.dtype == torch.float64
    torch.testing.assert_close(single.double(), double, atol=2e-4, rtol=0)
    torch.testing.assert_close(half, single.half())


@pytest.mark.parametrize("alpha", [1.0, 1.5, 2.0, 4.0])
@pytest.mark.parametrize("size", [40, 80])
def test_harmonics_of_the_contour_have_the_stated_power(alpha: float, size: int) -> None:
    heights = contour_heights(white(4000, size), alpha, size)[:, :-1] / size
    power = (torch.fft.rfft(heights) / size).abs().square().mean(0)[1 : size // 2]
    k = torch.arange(1, size // 2, dtype=torch.float64)
    assert slope(power, k) == pytest.approx(-2 * alpha, abs=0.03)
    # The complex amplitude of harmonic k has the second moment k^-2alpha / 240 at every size.
    torch.testing.assert_close(power * 240 * k ** (2 * alpha), torch.ones_like(k), atol=0.1, rtol=0)
    assert float(heights.mean(1).var()) == pytest.approx(1 / 240, rel=0.1)
    assert float(heights.mean()) == pytest.approx(0.5, abs=0.005)


@pytest.mark.parametrize("beta", [1.0, 2.0, 3.0])
def test_spectrum_of_the_background_decays_as_stated(beta: float) -> None:
    length = 64
    fields = smooth_fields(white(150, 2, length, length), beta, length)
    power = torch.fft.fft2(fields).abs().square().mean((0, 1))
    k = torch.fft.fftfreq(length, 1 / length, dtype=torch.float64)
    radius = torch.hypot(k[:, None], k)
    band = (radius > 0) & (radius < length / 2)
    assert slope(power[band], radius[band]) == pytest.approx(-2 * beta, abs=0.05)


def test_beta_is_alpha_unless_given() -> None:
    def draw(*exponents: float) -> Tensor:
        return c_alpha(3, 24, *exponents, generator=seeded())

    assert torch.equal(draw(1.5), draw(1.5, 1.5))
    rough_contour = draw(1.5, 8)
    assert not torch.equal(rough_contour, draw(1.5))
    assert not torch.equal(rough_contour, draw(8))


def test_one_state_gives_one_scene_at_every_alpha() -> None:
    pairs = torch.stack([c_alpha(50, 40, a, generator=seeded()).flatten(1) for a in (3.0, 5.0)])
    centred = pairs - pairs.mean(-1, keepdim=True)
    cosine = torch.cosine_similarity(centred[0], centred[1])
    assert float(cosine.median()) > 0.95


def test_only_the_paper_period_closes_on_itself() -> None:
    size = 80
    closed = contour_heights(white(200, size), 4.0, size)
    assert torch.equal(closed[:, 0], closed[:, -1])
    opened = contour_heights(white(200, size * 3 // 2), 4.0, size)
    gap = (opened[:, 0] - opened[:, -1]).abs().median()
    assert float(gap) > 5  # pixels
    # The seam of a closed series is no larger than a step elsewhere.
    field = smooth_fields(white(20, 1, size, size), 3.0, size)
    seam = (field[..., 0] - field[..., -1]).abs().mean()
    assert float(seam) < 1.2 * float(field.diff(dim=-1).abs().mean())


def plain_image(
    line: np.ndarray, planes: np.ndarray, scalars: np.ndarray, alpha: float, beta: float
) -> np.ndarray:
    """Follow the paper's recipe with loops: one period, whole pixels, a mask of zeros and ones."""
    size = len(line)
    k = np.abs(np.fft.fftfreq(size, 1 / size))
    weight = np.maximum(k, 1) ** -alpha * math.sqrt(size / 80)
    contour = size * (0.5 + np.fft.ifft(np.fft.fft(line) * weight).real)
    fields = []
    for plane in planes:
        radius = np.sqrt(k[:, None] ** 2 + k[None, :] ** 2)
        field = np.fft.ifft2(np.fft.fft2(plane) * np.maximum(radius, 1) ** -beta).real
        fields.append((field - field.min()) / (field.max() - field.min()))
    u, r, r_dark = scalars
    bright, dark = (0, 1) if u < 0.5 else (1, 0)
    fields[bright] = r + (1 - r) * fields[bright]
    fields[dark] = r_dark * fields[dark]
    below = np.zeros((size + 1, size + 1))  # one row more above, one column more on the right
    for column in range(size + 1):
        for row in range(-1, size):
            below[row + 1, column] = row >= round(contour[column % size])
    mask = (below[1:, 1:] + below[:-1, 1:] + below[1:, :-1] + below[:-1, :-1]) / 4
    return fields[0] * (1 - mask) + fields[1] * mask


@pytest.mark.parametrize(("alpha", "beta", "size"), [(1.0, 1.0, 20), (2.0, 3.0, 32), (4, 1, 17)])
def test_images_equal_the_plain_recipe(alpha: float, beta: float, size: int) -> None:
    n = 4
    drawn = c_alpha(
        n,
        size,
        alpha,
        beta,
        generator=seeded(3),
        period=1,
        whole_pixels=True,
        dtype=torch.float64,
    )
    row = size + 2 * size**2 + 3
    noise = (torch.rand(n, row, generator=seeded(3)) * 2 - 1).double().numpy()
    for image, values in zip(drawn[:, 0].numpy(), noise, strict=True):
        expected = plain_image(
            values[:size],
            values[size:-3].reshape(2, size, size),
            (values[-3:] + 1) / 2,
            alpha,
            beta,
        )
        np.testing.assert_allclose(image, expected, atol=1e-6)


def test_a_contour_between_pixels_is_averaged_exactly() -> None:
    size, fine = 24, 64
    heights = contour_heights(white(5, 36), 2.0, size)
    fields = torch.stack((torch.zeros(5, size, size), torch.ones(5, size, size)), 1).double()
    scalars = torch.tensor([[0.9, 0.0, 0.0]], dtype=torch.float64).expand(5, 3).clone()
    # Part below bright with range [0, 1], part above black: the image is the mask.
    image = compose(heights, fields, scalars)
    rows = (torch.arange((size + 1) * fine, dtype=torch.float64) + 0.5) / fine - 1
    below = (rows[:, None] >= heights[:, None, :]).double()  # from row -1 to row `size`
    share = below.unflatten(1, (size + 1, fine)).mean(2)
    box = (share[:, 1:] + share[:, :-1]) / 2
    expected = (box[..., 1:] + box[..., :-1]) / 2
    torch.testing.assert_close(image, expected, atol=0.51 / fine, rtol=0)


@pytest.mark.parametrize("alpha", [1.0, 2.0, 5.0])
def test_the_contour_crosses_the_image_and_separates_two_greys(alpha: float) -> None:
    size = 80
    heights = contour_heights(white(500, 120), alpha, size)
    assert float(((heights > 0) & (heights < size)).double().mean()) > 0.98
    assert 5 < float(heights.std()) < 15  # pixels
    images = c_alpha(n=150, size=size, alpha=alpha, generator=seeded())[:, 0]
    contrast = images[:, :10].mean((1, 2)) - images[:, -10:].mean((1, 2))
    assert float(contrast.abs().mean()) > 0.35
    assert 0.4 < float((contrast > 0).double().mean()) < 0.6  # either part may be the bright one


def test_noise_is_left_as_it_was() -> None:
    line, plane = white(2, 24), white(2, 2, 24, 24)
    copies = line.clone(), plane.clone()
    fields = smooth_fields(plane, 2.0, 16)
    heights = contour_heights(line, 2.0, 16)
    kept = heights.clone(), fields.clone()
    compose(heights, fields, torch.rand(2, 3, dtype=torch.float64, generator=seeded()))
    for tensor, copy in zip((line, plane, heights, fields), (*copies, *kept), strict=True):
        assert torch.equal(tensor, copy)


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"n": 0}, ConfigError, "of at least 1"),
        ({"n": -3}, ConfigError, "n is -3"),
        ({"n": 2.0}, ConfigError, "whole number"),
        ({"n": True}, ConfigError, "whole number"),
        ({"size": 7}, ShapeError, "8 or more"),
        ({"size": "80"}, ConfigError, "whole number"),
        ({"alpha": math.nan}, ValueRangeError, "alpha is nan"),
        ({"alpha": math.inf}, ValueRangeError, "finite"),
        ({"alpha": -0.5}, ValueRangeError, "alpha"),
        ({"alpha": "two"}, ValueRangeError, "one number"),
        ({"alpha": "2"}, ValueRangeError, "one number"),
        ({"alpha": torch.ones(2)}, ValueRangeError, "one number"),
        ({"beta": -1}, ValueRangeError, "beta"),
        ({"period": 0.5}, ValueRangeError, "period"),
        ({"generator": None}, ConfigError, "torch.Generator"),
        ({"generator": 0}, ConfigError, "torch.Generator"),
        ({"generator": np.random.default_rng(0)}, ConfigError, "torch.Generator"),
        ({"dtype": torch.uint8}, ConfigError, "floating"),
        ({"dtype": torch.complex64}, ConfigError, "floating"),
        ({"dtype": "float32"}, ConfigError, "floating"),
    ],
)
def test_wrong_arguments_are_refused(
    change: dict[str, Any], error: type[Exception], says: str
) -> None:
    draw: Callable[..., Tensor] = c_alpha
    with pytest.raises(error, match=says):
        draw(**({"n": 2, "size": 16, "alpha": 2.0, "generator": seeded()} | change))


def test_whole_numbers_of_numpy_are_whole_numbers() -> None:
    assert c_alpha(n=np.int64(2), size=np.int32(16), generator=seeded()).shape == (2, 1, 16, 16)
