import pytest
import torch
from torch import Tensor

from gahr_lib.analysis.evaluation import psnr_curve
from gahr_lib.bases import dct_basis
from gahr_lib.errors import ConfigError, SigmaError
from gahr_lib.metrics import input_psnr, psnr
from gahr_lib.models import BasisThresholding
from helpers import intensities, seeded, small_unet

pytestmark = pytest.mark.usefixtures("untouched_random_state")

X = intensities(5, 1, 8, 8)
SIGMAS = [0.01, 0.1, 0.5]


def identity(y: Tensor, sigma: object = None) -> Tensor:
    return y


def test_a_curve_is_the_psnr_of_every_image_at_every_level() -> None:
    network = small_unet()
    z = torch.randn(X.shape, generator=seeded(1))
    curve = psnr_curve(network, X, SIGMAS, generator=seeded(1))
    assert curve.shape == (3, 5)
    for s, sigma in enumerate(SIGMAS):
        for i in range(5):
            expected = psnr(network(X[i : i + 1] + sigma * z[i]), X[i : i + 1])
            torch.testing.assert_close(curve[s, i : i + 1], expected, rtol=1e-4, atol=1e-4)


def test_doing_nothing_gives_the_input_psnr() -> None:
    x = intensities(1, 1, 100, 100)
    curve = psnr_curve(identity, x, SIGMAS, generator=seeded())
    for value, sigma in zip(curve[:, 0].tolist(), SIGMAS, strict=True):
        assert value == pytest.approx(input_psnr(sigma), abs=4 * 4.34 * 2**0.5 / 100)


def test_every_level_has_the_same_noise_but_for_its_scale() -> None:
    curve = psnr_curve(identity, X, [0.1, 0.2], generator=seeded())
    difference = input_psnr(0.1) - input_psnr(0.2)
    torch.testing.assert_close(curve[0] - curve[1], torch.full((5,), difference), atol=1e-3, rtol=0)


@pytest.mark.parametrize("batch_size", [1, 2, 5, 100])
def test_the_batch_size_does_not_matter(batch_size: int) -> None:
    expected = psnr_curve(small_unet(), X, SIGMAS, generator=seeded())
    found = psnr_curve(small_unet(), X, SIGMAS, generator=seeded(), batch_size=batch_size)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_denoisers_that_need_sigma_are_told_it() -> None:
    denoiser = BasisThresholding(dct_basis(8, 8))
    curve = psnr_curve(denoiser, X, torch.tensor([0.1]), generator=seeded())
    y = X + 0.1 * torch.randn(X.shape, generator=seeded())
    torch.testing.assert_close(curve[0], psnr(denoiser(y, 0.1), X), rtol=1e-4, atol=1e-4)


def test_network_and_images_are_left_as_they_were() -> None:
    network, before = small_unet().requires_grad_(True), X.clone()
    curve = psnr_curve(network, X, SIGMAS, generator=seeded())
    assert not curve.requires_grad
    assert torch.equal(X, before)
    assert all(p.grad is None for p in network.parameters())


def test_a_network_in_training_mode_is_refused_and_not_changed() -> None:
    network = small_unet().train()
    state = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.raises(ConfigError, match="training mode"):
        psnr_curve(network, X, SIGMAS, generator=seeded())
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())


def test_a_curve_without_levels_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least one noise level"):
        psnr_curve(identity, X, [], generator=seeded())


@pytest.mark.parametrize("sigmas", [0.1, torch.tensor(0.1), None])
def test_a_number_is_no_sequence_of_levels(sigmas: object) -> None:
    with pytest.raises(ConfigError, match=r"expected a sequence.*sigmas=\[0.1\]"):
        psnr_curve(identity, X, sigmas, generator=seeded())  # type: ignore[arg-type]


def test_one_bad_level_is_enough_to_refuse() -> None:
    with pytest.raises(SigmaError, match="not negative"):
        psnr_curve(identity, X, [0.1, -0.1], generator=seeded())


@pytest.mark.parametrize("batch_size", [0, -1, 2.5])
def test_impossible_batch_sizes_are_refused(batch_size: object) -> None:
    with pytest.raises(ConfigError, match=r"batch_size is .*whole number of at least 1"):
        psnr_curve(identity, X, [0.1], generator=seeded(), batch_size=batch_size)  # type: ignore[arg-type]
