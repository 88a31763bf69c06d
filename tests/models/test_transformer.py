"""A transformer on patches: independent of places' order, homogeneous, differentiated exactly."""

import pytest
import torch

from gahr_lib.analysis.jacobian import jacobian, jvp, vjp
from gahr_lib.errors import ConfigError, ShapeError
from gahr_lib.models.transformer import PatchTransformer
from gahr_lib.training import TrainConfig, train
from helpers import intensities, seeded

pytestmark = pytest.mark.usefixtures("untouched_random_state")


def small(**settings: int) -> PatchTransformer:
    network = PatchTransformer(
        (1, 8, 8), width=8, layers=2, heads=2, generator=seeded(0), **settings
    )
    return network.eval().requires_grad_(False)


def test_its_size_is_that_of_its_matrices() -> None:
    d, p, tokens, layers = 48, 16, 49, 4
    layer = 12 * d * d + 13 * d  # attention 4 d^2, perceptron 8 d^2; biases and norms
    ends = 2 * p * d + p + d + tokens * d + 2 * d
    assert (
        sum(w.numel() for w in PatchTransformer(generator=seeded()).parameters())
        == layers * layer + ends
    )


def test_it_is_homogeneous_and_so_the_jacobian_times_the_image_is_the_output() -> None:
    network, y = small(), intensities(1, 1, 8, 8) - 0.3
    torch.testing.assert_close(network(3 * y), 3 * network(y))
    torch.testing.assert_close(jvp(network, y, y), network(y), atol=1e-5, rtol=1e-5)
    black = torch.zeros(1, 1, 8, 8)
    assert bool(torch.isfinite(network(black)).all())


def test_the_jacobian_is_that_of_finite_differences() -> None:
    network, y = small().double(), intensities(1, 1, 8, 8).double()
    ours = jacobian(network, y, block=10)
    steps = 1e-6 * torch.eye(64, dtype=torch.float64).reshape(64, 1, 8, 8)
    theirs = (network(y + steps) - network(y - steps)).flatten(1).T / 2e-6
    torch.testing.assert_close(ours, theirs, atol=1e-7, rtol=1e-5)
    u = intensities(3, 1, 8, 8).double()
    torch.testing.assert_close(vjp(network, y, u).flatten(1), u.flatten(1) @ ours)


def test_the_patches_are_a_set() -> None:
    """Exchanged patches, with their embeddings, change the output in nothing but its order."""
    network, y = small(), intensities(2, 1, 8, 8)
    before = network(y)
    network.places.data = network.places.data.flip(0)
    after = network(y.unflatten(2, (2, 4)).unflatten(4, (2, 4)).flip(2, 4).reshape(y.shape))
    back = after.unflatten(2, (2, 4)).unflatten(4, (2, 4)).flip(2, 4).reshape(y.shape)
    torch.testing.assert_close(back, before, atol=1e-5, rtol=1e-5)


def test_every_pixel_can_see_every_other() -> None:
    network, y = small(), intensities(1, 1, 8, 8)
    assert int((jacobian(network, y) == 0).sum()) == 0


def test_the_loop_trains_it() -> None:
    images = intensities(4, 1, 8, 8)
    config = TrainConfig(steps=150, batch_size=8, optimizer="adam", learning_rate=4e-3, warmup=10)
    losses = [
        state.loss for state in train(small().requires_grad_(), images, config, generator=seeded(1))
    ]
    assert sum(losses[-20:]) < 0.5 * sum(losses[:20])


def test_the_same_generator_gives_the_same_weights() -> None:
    ours, theirs = (small().state_dict() for _ in range(2))
    for name, value in ours.items():
        assert torch.equal(value, theirs[name]), name


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ConfigError, match="Patches of 3 and 2 heads do not divide images of 8x8"):
        small(patch=3)
    with pytest.raises(ConfigError, match="layers"):
        PatchTransformer(layers=0)
    network = small()
    with pytest.raises(ShapeError, match=r"\(1, 8, 8\)"):
        network(intensities(1, 1, 12, 12))
    with pytest.raises(ShapeError, match="expected one"):
        network.linearize(intensities(2, 1, 8, 8))
    with pytest.raises(ConfigError, match="training mode"):
        network.train().linearize(intensities(1, 1, 8, 8))
