"""The comparison of closed-form denoisers: kept as it is computed, and computed as it is said."""

import pytest
import torch

from gahr_lib.analysis.evaluation import psnr_curve
from gahr_lib.data import fashion
from gahr_lib.errors import CacheError, DownloadError
from gahr_lib.jobs.measurements import card_noise
from gahr_lib.models import LocalScore, PatchPosterior, WaveletShrinkage, Wiener
from gahr_lib.zoo import experiments, load_denoiser
from gahr_lib.zoo.experiments.closed_forms import SIDES, best_sides
from gahr_lib.zoo.results import load_result

pytestmark = pytest.mark.usefixtures("untouched_random_state")

LEVEL = 4  # 20 dB


@pytest.fixture(scope="module")
def cached() -> experiments.ClosedForms:
    return load_result("closed-forms", experiments.ClosedForms)


def row(result: experiments.ClosedForms, name: str) -> torch.Tensor:
    return result.psnr[result.names.index(name)]


def test_what_needs_no_training_image_is_found_again(cached: experiments.ClosedForms) -> None:
    sigma = 10 ** (-float(cached.input_psnr[LEVEL]) / 20)
    x = fashion("test", n=cached.psnr.shape[2])
    for name, denoiser in (
        ("network", load_denoiser("fashion", n_train=30_000)),
        ("wavelets", WaveletShrinkage()),
        ("wavelets, cycle spun", WaveletShrinkage(cycle_spins=4)),
    ):
        found = psnr_curve(denoiser, x, [sigma], generator=card_noise())[0]
        torch.testing.assert_close(row(cached, name)[LEVEL], found, rtol=0, atol=0.01)


def test_patches_of_single_pixels_are_found_again(cached: experiments.ClosedForms) -> None:
    """Of one pixel, the local score and the patch posterior are the same, and quickly computed."""
    try:
        train = fashion(
            "train", half="A", n=int(cached.n_train[cached.names.index("local scores")])
        )
    except (DownloadError, CacheError):
        pytest.skip("the whole of Fashion-MNIST is not on this machine")
    sigma = 10 ** (-float(cached.input_psnr[-1]) / 20)
    x = fashion("test", n=cached.psnr.shape[2])
    for name, kind in (("local scores", LocalScore), ("patch posterior", PatchPosterior)):
        assert cached.sides[cached.names.index(name), -1] == 1
        found = psnr_curve(kind(train, 1), x, [sigma], generator=card_noise())[0]
        torch.testing.assert_close(row(cached, name)[-1], found, rtol=0, atol=0.01)


def test_a_small_comparison_is_what_it_says() -> None:
    found = experiments.compare_closed_forms(
        [10, 30], images=2, n_train=40, n_local=12, n_everywhere=2
    )
    sigmas = (10 ** (-found.input_psnr / 20)).tolist()
    x, train = fashion("test", n=2), fashion("train", half="A", n=40)
    assert found.psnr.shape == (len(found.names), 2, 2)
    assert dict(zip(found.names, found.n_train.tolist(), strict=True)) == {
        "cosines": 0,
        "wavelets": 0,
        "wavelets, cycle spun": 0,
        "stationary Wiener": 40,
        "Wiener": 40,
        "empirical optimum": 40,
        "local scores": 12,
        "equivariant local scores": 2,
        "patch posterior": 12,
        "network": 30_000,
    }
    expected = psnr_curve(Wiener.from_images(train), x, sigmas, generator=card_noise())
    torch.testing.assert_close(row(found, "Wiener"), expected)
    at = found.names.index("local scores")
    sides = dict(zip(sigmas, found.sides[at].tolist(), strict=True))
    expected = psnr_curve(LocalScore(train[:12], sides), x, sigmas, generator=card_noise())
    torch.testing.assert_close(found.psnr[at], expected)
    patchwise = found.sides.amax(dim=1) > 0
    assert [name for name, is_one in zip(found.names, patchwise, strict=True) if is_one] == [
        "local scores",
        "equivariant local scores",
        "patch posterior",
    ]


def test_the_best_side_is_the_best_of_all_sides() -> None:
    train, x = fashion("train", half="A", n=20), fashion("train", half="B", n=3)
    sigmas = [0.5, 0.05]
    found = best_sides(lambda side: LocalScore(train, side), x, sigmas)
    for i, sigma in enumerate(sigmas):
        means = {
            side: float(
                psnr_curve(LocalScore(train, side), x, sigmas, generator=card_noise())[i].mean()
            )
            for side in SIDES
        }
        assert found[sigma] == max(means, key=means.__getitem__)
