import copy
from typing import Any

import numpy as np
import pytest
import torch

import gahr_lib as gahr
from gahr_lib import bases, errors
from gahr_lib.analysis.shrinkage import kept_error, oracle_factors
from gahr_lib.widgets import ShrinkageExplorer
from helpers import (
    BAD_IMAGES,
    LinearDenoiser,
    assert_refused,
    intensities,
    seeded,
    size_in_bytes,
    small_unet,
    symmetric,
)

SIGMAS = (0.05, 0.2)


def small(denoiser=None, **arguments: Any) -> ShrinkageExplorer:
    images = arguments.pop("images", intensities(2, 1, 8, 8))
    arguments = {"sigmas": SIGMAS, "generator": seeded(3), **arguments}
    return ShrinkageExplorer(denoiser or small_unet(), images, **arguments)


@pytest.fixture
def explorer():
    return small()


def read(data: bytes, kind: str = "<f4") -> torch.Tensor:
    return torch.from_numpy(np.frombuffer(data, kind).copy())


# ------------------------------------------------------------------------- what it shows


def test_noise_is_that_of_add_noise_and_the_same_at_each_level(explorer):
    images = intensities(2, 1, 8, 8)
    for sigma in SIGMAS:
        explorer.sigma = sigma
        expected = gahr.add_noise(images, sigma, generator=seeded(3))
        for explorer.image in (0, 1):
            torch.testing.assert_close(explorer.noisy()[0], expected[explorer.image])


@pytest.mark.parametrize("name", ["cosine", "wavelet"])
def test_fixed_bases_are_the_best_terms_of_the_clean_image(explorer, name):
    explorer.basis, explorer.kept, explorer.image, explorer.sigma = name, 9, 1, 0.2
    x = intensities(2, 1, 8, 8)[1:]
    basis = bases.dct_basis(8, 8) if name == "cosine" else bases.wavelet_basis(8, 8)
    clean, noisy = bases.coefficients(basis, x), bases.coefficients(basis, explorer.noisy())
    largest = clean.abs().topk(9).indices[0]
    for factors in (torch.ones(64), oracle_factors(clean[0], 0.2)):
        expected = bases.synthesize(basis[largest], (factors * noisy)[:, largest])
        torch.testing.assert_close(explorer.denoised(), expected)
        assert explorer.psnr() == pytest.approx(float(gahr.psnr(expected, x)), abs=1e-4)
        explorer.factors = "shrinkage"


def test_networks_basis_is_the_eigenbasis(explorer):
    explorer.basis, explorer.factors, explorer.kept = "network", "shrinkage", 12
    y = explorer.noisy()
    basis = gahr.eigenbasis(small_unet(), y, 64)
    shown = explorer.shrinkage()
    torch.testing.assert_close(shown.factors, basis.values)
    torch.testing.assert_close(shown.noisy.abs(), basis.coefficients(y)[0].abs())
    torch.testing.assert_close(explorer.denoised(), basis.shrink(y, kept=12), atol=1e-5, rtol=0)


def test_all_of_a_symmetric_denoisers_coefficients_are_its_answer():
    matrix, _ = symmetric(torch.linspace(1, 0, 64))
    explorer = small(LinearDenoiser(matrix), basis="network", factors="shrinkage", kept=64)
    expected = LinearDenoiser(matrix)(explorer.noisy())
    torch.testing.assert_close(explorer.denoised(), expected, atol=1e-5, rtol=0)
    x = intensities(2, 1, 8, 8)[:1]
    place = SIGMAS.index(explorer.sigma)
    error = explorer._data["network"]["mse"][place]
    assert error == pytest.approx(float(gahr.mse(expected, x)), rel=1e-4)


def test_nothing_kept_is_black_and_everything_kept_is_the_noisy_image(explorer):
    explorer.kept = 0
    assert torch.equal(explorer.denoised(), torch.zeros(1, 1, 8, 8))
    explorer.kept = 64
    torch.testing.assert_close(explorer.denoised(), explorer.noisy(), atol=1e-5, rtol=0)


def test_mean_error_of_what_is_kept_is_equation_12():
    x = intensities(1, 1, 8, 8).expand(1, 1, 8, 8)
    found = torch.zeros(3)
    for seed in range(200):
        explorer = small(LinearDenoiser(torch.eye(64)), images=x, generator=seeded(seed))
        for i, explorer.kept in enumerate((5, 20, 50)):
            found[i] += 10 ** (-explorer.psnr() / 10) * 64 / 200
    clean = bases.coefficients(bases.dct_basis(8, 8), x)[0]
    torch.testing.assert_close(found, kept_error(clean, SIGMAS[0])[[5, 20, 50]], rtol=0.05, atol=0)


def test_denoisers_that_need_sigma_are_given_it():
    class Half(gahr.Denoiser):
        needs_sigma = True

        def denoise(self, y, sigma):
            return y * (1 - sigma)

    explorer = small(Half(), basis="network")
    for explorer.sigma in SIGMAS:
        torch.testing.assert_close(
            explorer.shrinkage().factors, torch.full((64,), 1 - explorer.sigma)
        )


# ------------------------------------------------------------------------- what it sends


def test_page_of_three_images_stays_under_two_megabytes(trained_a):
    images = gahr.data.fashion("test", n=3)
    explorer = ShrinkageExplorer(trained_a, images, generator=seeded())
    assert 1e6 < size_in_bytes(explorer._data) < 2e6
    # What is stored is what the network keeps most of: no vector left out beats one that is in.
    rows = [shown for row in explorer._network for shown in row]
    stored = min(float(shown.factors[len(shown.vectors) - 1]) for shown in rows)
    assert max(float(shown.factors[len(shown.vectors)]) for shown in rows) <= stored


def test_pictures_from_bytes_have_the_psnr_of_pictures_from_floats(trained_a):
    """The browser's sums of 8-bit vectors against Python's, within 0.05 dB."""
    x = gahr.data.fashion("test", n=1)
    explorer = ShrinkageExplorer(trained_a, x, [0.05, 0.4], generator=seeded(), basis="network")
    network = explorer._data["network"]
    codes = read(network["codes"], "i1").reshape(-1, 784).float()
    vectors = read(network["scales"])[:, None] * codes * codes.abs() / 127**2
    first = 0
    for place, sigma in enumerate((0.05, 0.4)):
        explorer.sigma = sigma
        count = network["counts"][place]
        noisy, factors = (
            read(network[name]).reshape(2, 784)[place] for name in ("noisy", "factors")
        )
        for explorer.factors in ("projection", "shrinkage"):
            weights = noisy * factors if explorer.factors == "shrinkage" else noisy
            for explorer.kept in (1, 30, count):
                kept = slice(first, first + explorer.kept)
                picture = (weights[: explorer.kept] @ vectors[kept]).reshape(1, 1, 28, 28)
                assert float(gahr.psnr(picture, x)) == pytest.approx(explorer.psnr(), abs=0.05)
        first += count


def test_coefficients_are_sent_in_the_order_in_which_they_are_kept(explorer):
    for name, explorer.basis in (("cosine", "cosine"), ("wavelet", "wavelet")):
        packed = explorer._data["fixed"][name]
        for explorer.image in (0, 1):
            shown = explorer.shrinkage()
            clean = read(packed["clean"]).reshape(2, 64)[explorer.image]
            noise = read(packed["noise"]).reshape(2, 64)[explorer.image]
            order = read(packed["order"], "<u2").reshape(2, 64)[explorer.image].long()
            torch.testing.assert_close(clean, shown.clean)
            torch.testing.assert_close(clean + explorer.sigma * noise, shown.noisy)
            torch.testing.assert_close(explorer._fixed[name][order], shown.vectors)


def test_room_for_vectors_is_not_exceeded_even_where_all_eigenvalues_are_equal():
    explorer = small(LinearDenoiser(torch.eye(64)), vectors_bytes=10 * 64)
    assert sum(explorer._data["network"]["counts"]) <= 10 + 3  # each pair has one at least
    assert min(explorer._data["network"]["counts"]) >= 1


def test_m_goes_no_further_than_the_stored_vectors():
    explorer = small(vectors_bytes=20 * 64, basis="network", kept=64)
    stored = len(explorer.shrinkage().vectors)
    everything = explorer.denoised()
    explorer.kept = stored
    assert torch.equal(explorer.denoised(), everything)


def test_choices_do_not_change_what_was_sent(explorer):
    before = copy.deepcopy(explorer._data)
    for explorer.basis in ("network", "wavelet", "cosine"):
        for explorer.kept in range(0, 64, 7):
            explorer.psnr()
    assert explorer._data == before
    assert set(explorer.get_state()) >= {"image", "sigma", "basis", "kept", "factors", "_data"}


# ------------------------------------------------------------------------- manners


def test_denoiser_and_images_are_left_as_they_were(untouched_random_state):
    denoiser, images = small_unet(), intensities(2, 1, 8, 8)
    state, original = copy.deepcopy(denoiser.state_dict()), images.clone()
    small(denoiser, images=images)
    assert torch.equal(images, original)
    assert not denoiser.training
    for name, value in denoiser.state_dict().items():
        assert torch.equal(value, state[name])


def test_later_changes_of_the_images_are_not_seen():
    images = intensities(2, 1, 8, 8)
    explorer = small(images=images)
    before = explorer.psnr()
    images.zero_()
    assert explorer.psnr() == before


def test_repr_says_what_is_shown_and_no_address(explorer):
    assert repr(explorer) == (
        "ShrinkageExplorer(image='image 0', sigma=0.05, basis='cosine', kept=30, "
        "factors='projection')"
    )


def test_still_picture_comes_with_the_widget(explorer):
    data, _ = explorer._repr_mimebundle_()
    html = data["text/html"]
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] in html
    assert 'src="data:image/png;base64,iVBOR' in html
    assert f"give PSNR {explorer.psnr():.1f} dB" in html
    assert data["text/plain"] == repr(explorer)


def test_names_cannot_break_the_page():
    explorer = small(names=['"><script>alert(1)</script>', "b"])
    html = explorer._repr_mimebundle_()[0]["text/html"]
    assert "<script>alert" not in html


# ------------------------------------------------------------------------- bad input


@pytest.mark.parametrize("case", BAD_IMAGES)
def test_bad_images(case):
    images, error, words = BAD_IMAGES[case]
    with pytest.raises(error, match=words):
        small(images=images)


def test_colour_images():
    with pytest.raises(errors.ShapeError, match=r"mean\(1, keepdim=True\)"):
        small(images=torch.rand(1, 3, 8, 8, generator=seeded()))


@pytest.mark.parametrize(
    "sigmas", [(), (0.0,), (-0.1,), (0.1, float("nan")), (0.1, 0.1), 0.1, ["a"]]
)
def test_bad_sigmas(sigmas):
    with pytest.raises(errors.SigmaError):
        small(sigmas=sigmas)


@pytest.mark.parametrize("arguments", [{"names": ["one"]}, {"vectors_bytes": 1}])
def test_bad_arguments(arguments):
    with pytest.raises(errors.ConfigError, match="expected"):
        small(**arguments)


BAD_CHOICES = [
    ("image", 2, errors.ConfigError),
    ("image", -1, errors.ConfigError),
    ("sigma", 0.3, errors.SigmaError),
    ("basis", "fourier", errors.ConfigError),
    ("kept", 65, errors.ConfigError),
    ("kept", -1, errors.ConfigError),
    ("factors", "soft", errors.ConfigError),
]


@pytest.mark.parametrize(("name", "value", "error"), BAD_CHOICES)
def test_bad_choices(name, value, error, explorer):
    assert_refused(explorer, small, name, value, error)
