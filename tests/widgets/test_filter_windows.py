import math

import numpy as np
import pytest
import torch

from gahr_lib import errors
from gahr_lib.widgets.filter_windows import answers as answers_of
from gahr_lib.widgets.filter_windows import distinct, largest_reach, measure, pack, window
from helpers import LinearDenoiser, intensities, seeded, small_unet

HEIGHT, WIDTH = 5, 7
PIXELS = [(r, c) for r in range(HEIGHT) for c in range(WIDTH)]


def random_matrix(seed: int = 0) -> torch.Tensor:
    return torch.randn(35, 35, generator=seeded(seed))


@pytest.mark.parametrize("reach", [1, 2, 6])
def test_window_is_a_square_around_each_pixel(reach):
    inside = window(HEIGHT, WIDTH, reach)
    for i, (r, c) in enumerate(PIXELS):
        for j, (s, d) in enumerate(PIXELS):
            assert inside[i, j] == (abs(r - s) <= reach and abs(c - d) <= reach)


@pytest.mark.parametrize("reach", [1, 2, 3, 4, 5, 6])
def test_largest_reach_has_room_and_the_next_has_not(reach):
    room = 3 * int(window(HEIGHT, WIDTH, reach).sum())
    assert largest_reach(HEIGHT, WIDTH, 3, room) == reach
    if reach > 1:
        assert largest_reach(HEIGHT, WIDTH, 3, room - 1) == reach - 1


@pytest.mark.parametrize("room", [0, -1, 3 * 35, 1e6, True, None])
def test_no_room(room):
    with pytest.raises(errors.ConfigError, match="filters_bytes"):
        largest_reach(HEIGHT, WIDTH, 3, room)


def test_what_is_said_of_the_identity_and_of_nothing():
    said = measure(torch.eye(35), HEIGHT, WIDTH, 1)
    assert torch.equal(said.total, torch.ones(35, dtype=torch.float64))
    assert not said.radius.any()
    assert not said.outside.any()
    said = measure(torch.zeros(35, 35), HEIGHT, WIDTH, 1)
    assert said.radius.isnan().all()
    assert not said.outside.any()
    assert not said.total.any()


def test_what_is_said_of_filters_is_what_their_weights_say():
    matrix = random_matrix()
    said = measure(matrix, HEIGHT, WIDTH, 2)
    for i, (r, c) in enumerate(PIXELS):
        weights = dict(zip(PIXELS, matrix[i].tolist(), strict=True))
        energy = sum(w**2 for w in weights.values())
        within = 0.0
        for pixel in sorted(PIXELS, key=lambda p: math.dist(p, (r, c))):
            within += weights[pixel] ** 2
            if within >= energy / 2:
                break
        far = [w for (s, d), w in weights.items() if max(abs(s - r), abs(d - c)) > 2]
        assert float(said.total[i]) == pytest.approx(sum(weights.values()), abs=1e-5)
        assert float(said.radius[i]) == pytest.approx(math.dist(pixel, (r, c)))
        assert float(said.outside[i]) == pytest.approx(sum(w**2 for w in far) / energy, rel=1e-5)


def test_half_of_the_energy_of_a_shift_is_as_far_as_it_shifts():
    matrix = torch.roll(torch.eye(35), 2 * WIDTH + 1, dims=1)  # two down, one to the right
    said = measure(matrix, HEIGHT, WIDTH, 1)
    assert float(said.radius[0]) == pytest.approx(math.sqrt(5))
    assert float(said.outside[0]) == 1


@pytest.mark.parametrize("reach", [1, 3, 6])
def test_weights_can_be_read_again(reach):
    matrices = [random_matrix(0), 1e-3 * random_matrix(1)]
    codes, scales = pack(matrices, HEIGHT, WIDTH, reach)
    inside = window(HEIGHT, WIDTH, reach)
    read = torch.zeros(2, 35, 35)
    values = torch.from_numpy(np.frombuffer(codes, np.int8).astype(np.float32))
    read[inside.expand(2, 35, 35)] = values * values.abs() / 127**2
    read *= torch.from_numpy(np.frombuffer(scales, "<f4").copy()).reshape(2, 35, 1)
    for matrix, again in zip(matrices, read, strict=True):
        largest = (matrix * inside).abs().amax(dim=1, keepdim=True)
        assert bool(((again - matrix * inside).abs() <= 0.009 * largest).all())
        assert not again[~inside].any()


def test_only_jacobians_that_differ_are_stored():
    images, noise = intensities(2, 1, 8, 8), intensities(2, 1, 8, 8, seed=1)
    own = answers_of(small_unet(), images, noise, (0.1, 0.2))
    linear = answers_of(LinearDenoiser(torch.eye(64), 0.1), images, noise, (0.1, 0.2))
    matrices, places = distinct(own, linear, 2)
    assert len(matrices) == 6
    assert places == [4, 5, 4, 5]
    other = answers_of(small_unet(seed=1), images, noise, (0.1, 0.2))
    matrices, places = distinct(own, other, 2)
    assert len(matrices) == 8
    assert places == [4, 5, 6, 7]
    assert torch.equal(matrices[6], other[2].jacobian)
