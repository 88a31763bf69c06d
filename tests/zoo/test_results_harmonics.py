"""The cached results of Chapter 3 are what their code gives."""

from pathlib import Path

import pytest
import torch

from gahr_lib.analysis.eigenbases import eigenbasis
from gahr_lib.analysis.harmonicity import contour_preference, frequencies, half_waves, missed
from gahr_lib.data import fashion
from gahr_lib.jobs.measurements import card_noise
from gahr_lib.models import EmpiricalOptimum
from gahr_lib.noise import add_noise
from gahr_lib.zoo import experiments, load_denoiser
from gahr_lib.zoo.results import load_result

pytestmark = pytest.mark.usefixtures("untouched_random_state")

with_all_images = pytest.mark.skipif(
    not Path("/usr/share/datasets/fashion-mnist").is_dir(),
    reason="needs Debian's package dataset-fashion-mnist",
)


@pytest.fixture
def harmonics() -> experiments.Harmonics:
    return load_result("harmonics", experiments.Harmonics)


@pytest.mark.parametrize("name", ["harmonics", "harmonics-weak", "harmonics-strong"])
def test_measures_of_the_network_are_found_again(name: str) -> None:
    harmonics = load_result(name, experiments.Harmonics)
    images = fashion("test", n=harmonics.contours.shape[1])
    noisy = add_noise(images, harmonics.sigma, generator=card_noise())
    basis = eigenbasis(load_denoiser("fashion", n_train=30_000), noisy[2:3], k=64).vectors
    at = harmonics.names.index("network")
    # Near-equal eigenvalues mix their vectors with the rounding: compare in the mean.
    for ours, found in (
        (harmonics.half_waves, half_waves(basis)),
        (harmonics.frequencies, frequencies(basis)),
    ):
        assert ours[at, 2].mean().item() == pytest.approx(found.mean().item(), rel=0.05)
    torch.testing.assert_close(
        harmonics.missed[at, 2].double(), missed(basis, images), rtol=0.01, atol=1e-4
    )
    assert harmonics.contours[at, 2].item() == pytest.approx(
        contour_preference(basis, images[2:3]), rel=0.01
    )


@with_all_images
def test_fixed_bases_are_found_again_and_all_bases_are_there(
    harmonics: experiments.Harmonics,
) -> None:
    found = experiments.measure_harmonics(fashion("test", n=2), harmonics.sigma, k=8, n_train=500)
    assert found.names == harmonics.names
    for name in ("cosines", "Haar", "wavelets"):
        at = found.names.index(name)
        torch.testing.assert_close(found.half_waves[at], harmonics.half_waves[at, :2, :8])
    at = found.names.index("network, other noise")
    torch.testing.assert_close(
        found.frequencies[at].mean(1), harmonics.frequencies[at, :2, :8].mean(1), rtol=0.1, atol=0
    )


def test_the_optimums_basis_is_that_of_its_jacobian() -> None:
    train, y = fashion("train", half="A", n=40), fashion("test", n=1)
    ours = experiments.optimum_basis(train, y, 2.0, 6)
    theirs = eigenbasis(EmpiricalOptimum(train), y, k=6, sigma=2.0).vectors
    overlaps = (ours.flatten(1) @ theirs.flatten(1).T).abs().diagonal()
    torch.testing.assert_close(overlaps, torch.ones(6), atol=1e-3, rtol=0)


def test_the_shuffled_network_is_measured_again() -> None:
    cached = load_result("shuffled", experiments.Shuffled)
    level = 4
    found = experiments.compare_shuffled([float(cached.input_psnr[level])], images=10, n_train=100)
    at = cached.names.index("network")
    assert found.names == cached.names
    # The noise is drawn image by image, so that of ten images is that of the first ten.
    for name in ("plain", "shuffled"):
        ours, again = getattr(cached, name)[at, level, :10], getattr(found, name)[at, 0]
        torch.testing.assert_close(ours, again, atol=0.02, rtol=0)


def test_a_permutation_costs_wiener_filter_and_optimum_nothing() -> None:
    found = experiments.compare_shuffled([8, 24], images=6, n_train=200)
    for name in ("Wiener", "optimum"):
        at = found.names.index(name)
        torch.testing.assert_close(found.plain[at], found.shuffled[at], atol=1e-3, rtol=0)
    assert torch.equal(found.input_psnr, torch.tensor([8, 24]))
