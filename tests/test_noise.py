import pytest
import torch

from gahr_lib.errors import SigmaError, ValueRangeError
from gahr_lib.noise import add_noise, standard_noise
from helpers import BAD_SIGMAS, intensities, seeded

pytestmark = pytest.mark.usefixtures("untouched_random_state")


def test_noise_is_standard_normal_times_sigma() -> None:
    x = intensities(3, 2, 8, 6)
    z = torch.randn(3, 2, 8, 6, generator=seeded(1))
    assert torch.equal(add_noise(x, 0.3, generator=seeded(1)), x + 0.3 * z)


def test_noise_has_mean_zero_and_variance_sigma_squared() -> None:
    x = torch.full((1, 1, 300, 300), 0.5, dtype=torch.float64)
    noise = add_noise(x, 0.2, generator=seeded()) - x
    standard_error = 0.2 / 300
    assert abs(float(noise.mean())) < 4 * standard_error
    assert float(noise.std()) == pytest.approx(0.2, abs=4 * standard_error / 2**0.5)


def test_each_image_can_have_its_own_noise_level() -> None:
    x = intensities(3, 1, 8, 8)
    sigma = torch.tensor([0.0, 0.1, 2.0])
    y = add_noise(x, sigma, generator=seeded(2))
    z = standard_noise(x, generator=seeded(2))
    for i in range(3):
        torch.testing.assert_close(y[i], x[i] + sigma[i] * z[i])


def test_no_noise_changes_nothing() -> None:
    x = intensities(2, 1, 4, 4)
    assert torch.equal(add_noise(x, 0, generator=seeded()), x)


def test_noisy_images_are_not_clipped() -> None:
    y = add_noise(intensities(1, 1, 16, 16), 1.0, generator=seeded())
    assert y.min() < 0
    assert y.max() > 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_noise_has_the_type_of_the_images(dtype: torch.dtype) -> None:
    x = intensities(1, 1, 4, 4, dtype=dtype)
    assert add_noise(x, torch.tensor(0.1), generator=seeded()).dtype == dtype
    assert standard_noise(x, generator=seeded()).dtype == dtype


def test_clean_images_are_left_as_they_were() -> None:
    x = intensities(2, 1, 4, 4)
    before = x.clone()
    add_noise(x, 0.5, generator=seeded())
    assert torch.equal(x, before)


def test_equal_generators_give_equal_noise_and_a_generator_moves_on() -> None:
    x = intensities(1, 1, 4, 4)
    generator = seeded(3)
    first = add_noise(x, 0.1, generator=generator)
    assert torch.equal(first, add_noise(x, 0.1, generator=seeded(3)))
    assert not torch.equal(first, add_noise(x, 0.1, generator=generator))


def test_without_a_generator_the_default_one_is_drawn_from() -> None:
    x = intensities(1, 1, 4, 4)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        y = add_noise(x, 0.1)
    assert torch.equal(y, add_noise(x, 0.1, generator=seeded(4)))


@pytest.mark.parametrize("bad", BAD_SIGMAS)
def test_what_is_no_noise_level_is_refused(bad: str) -> None:
    sigma, words = BAD_SIGMAS[bad]
    with pytest.raises(SigmaError, match=words):
        add_noise(intensities(2, 1, 4, 4), sigma, generator=seeded())  # type: ignore[arg-type]


@pytest.mark.parametrize("like", [torch.zeros(2, dtype=torch.uint8), 3, None])
def test_noise_is_like_a_tensor_of_floats(like: object) -> None:
    with pytest.raises(ValueRangeError, match="expected a tensor of floats"):
        standard_noise(like, generator=seeded())  # type: ignore[arg-type]
