import copy
from typing import Any

import numpy as np
import pytest
import torch

import gahr_lib as gahr
from gahr_lib import errors
from gahr_lib.analysis.jacobian import asymmetry, jacobian
from gahr_lib.widgets.eigenbasis_explorer import VECTORS, EigenbasisExplorer
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

SIGMAS = (0.1, 0.4)


def small(denoisers=None, **arguments: Any) -> EigenbasisExplorer:
    images = arguments.pop("images", intensities(2, 1, 8, 8))
    arguments = {"sigmas": SIGMAS, "k": 20, "generator": seeded(3), **arguments}
    if denoisers is None:
        denoisers = {"one": small_unet(), "two": small_unet(seed=1)}
    return EigenbasisExplorer(denoisers, images, **arguments)


@pytest.fixture
def explorer():
    return small()


@pytest.fixture(scope="module")
def trained(trained_a):
    images = gahr.data.fashion("test", n=2)[1:]  # a pullover, whose sums have many large terms
    return EigenbasisExplorer({"A": trained_a}, images, SIGMAS, k=48, generator=seeded())


def vectors_of(packed: dict[str, Any], d: int) -> torch.Tensor:
    """The vectors as a browser reads them, written out here once more."""
    codes = torch.from_numpy(np.frombuffer(packed["codes"], "i1").reshape(-1, d).copy()).double()
    scales = torch.from_numpy(np.frombuffer(packed["scales"], "<f4").copy()).double()
    vectors = scales[:, None] * codes * codes.abs() / 127**2
    if "fine" in packed:
        places = np.frombuffer(packed["fine"]["places"], "<u2").astype(int).reshape(-1, 8)
        kept = len(vectors) // len(places)
        rows = places + kept * np.arange(len(places))[:, None]
        vectors[rows.ravel()] += vectors_of(packed["fine"], d)
    return vectors


# ------------------------------------------------------------------------- what it shows


def test_all_terms_over_singular_vectors_are_the_networks_answer():
    explorer = small(k=64, index=64)
    for explorer.network, seed in (("one", 0), ("two", 1)):
        for explorer.image in range(2):
            for explorer.sigma in SIGMAS:
                noise = gahr.add_noise(intensities(2, 1, 8, 8), explorer.sigma, generator=seeded(3))
                y = noise[explorer.image, None]
                expected = small_unet(seed=seed)(y)
                torch.testing.assert_close(explorer.answer().noisy, y)
                torch.testing.assert_close(explorer.answer().output, expected)
                torch.testing.assert_close(explorer.partial(), expected, atol=1e-5, rtol=0)
                assert explorer.expansion().gap < 1e-6


def test_jacobian_takes_what_is_read_to_what_is_written(explorer):
    shown, y = explorer.expansion(), explorer.answer().noisy
    matrix = jacobian(small_unet(), y)
    read, written = shown.read.flatten(1), shown.written.flatten(1)
    torch.testing.assert_close(
        read @ matrix.T, shown.values[:20, None] * written, atol=1e-5, rtol=0
    )
    torch.testing.assert_close(read @ read.T, torch.eye(20), atol=1e-5, rtol=0)
    torch.testing.assert_close(written @ written.T, torch.eye(20), atol=1e-5, rtol=0)
    torch.testing.assert_close(shown.coefficients[:20], read @ y.flatten(), atol=1e-5, rtol=0)
    assert bool((shown.coefficients >= 0).all())
    assert explorer.answer().asymmetry == pytest.approx(asymmetry(matrix), rel=1e-4)


def test_eigenvectors_are_those_of_the_symmetric_part(explorer):
    explorer.vectors, explorer.index = "eigen", 1
    y, shown = explorer.answer().noisy, explorer.expansion()
    basis = gahr.eigenbasis(small_unet(), y, 64)
    torch.testing.assert_close(shown.values, basis.values, atol=1e-5, rtol=0)
    torch.testing.assert_close(explorer.partial(), basis.shrink(y, kept=1), atol=1e-4, rtol=0)
    # Where eigenvalues lie close, any rotation of their vectors is nearly as good.
    matrix, e = jacobian(small_unet(), y), shown.written.flatten(1)
    torch.testing.assert_close(
        e @ (matrix + matrix.T) / 2, shown.values[:20, None] * e, atol=1e-5, rtol=0
    )
    assert torch.equal(shown.read, shown.written)
    everything = basis.shrink(y) - small_unet()(y)
    assert shown.gap == pytest.approx(float(everything.square().mean().sqrt()), rel=1e-3)
    assert shown.gap > 5e-4  # this network's Jacobian is not symmetric


def test_both_sums_are_the_same_for_a_symmetric_denoiser():
    matrix, vectors = symmetric(torch.linspace(1, 0.01, 64))
    explorer = small({"symmetric": LinearDenoiser(matrix)}, index=7)
    y = explorer.answer().noisy.flatten()
    top = vectors[:, :7]
    expected = (top * torch.linspace(1, 0.01, 64)[:7]) @ (top.T @ y)
    for explorer.vectors in VECTORS:
        torch.testing.assert_close(explorer.partial().flatten(), expected, atol=1e-5, rtol=0)
        assert explorer.expansion().gap < 1e-5
    assert explorer.answer().asymmetry < 1e-5


def test_constants_of_a_denoiser_are_in_no_term():
    explorer = small({"shifted": LinearDenoiser(0.5 * torch.eye(64), offset=0.25)})
    assert explorer.expansion().gap == pytest.approx(0.25, rel=1e-5)


def test_error_after_each_term_is_that_of_the_sum(explorer):
    x = intensities(2, 1, 8, 8)[:1]
    for explorer.vectors in VECTORS:
        for explorer.index in (1, 5, 20):
            error = float(explorer.expansion().errors[explorer.index - 1])
            assert error == pytest.approx(float(gahr.mse(explorer.partial(), x)), rel=1e-4)
            assert explorer.psnr() == pytest.approx(-10 * np.log10(error), abs=1e-3)
    assert explorer.answer().error == pytest.approx(
        float(gahr.mse(small_unet()(explorer.answer().noisy), x)), rel=1e-5
    )


def test_denoisers_that_need_sigma_are_given_it():
    class Half(gahr.Denoiser):
        needs_sigma = True

        def denoise(self, y, sigma):
            return y * (1 - sigma)

    explorer = small({"half": Half()})
    for explorer.sigma in SIGMAS:
        for explorer.vectors in VECTORS:
            expected = torch.full((64,), 1 - explorer.sigma)
            torch.testing.assert_close(explorer.expansion().values, expected)


# ------------------------------------------------------------------------- what it sends


def test_sums_from_bytes_are_those_from_floats(trained):
    """No pixel of any sum is off by 0.01 through the rounding of 48 vectors to bytes."""
    worst = 0.0
    for trained.vectors in VECTORS:
        packed = trained._data[trained.vectors]
        written = vectors_of(packed["written"], 784).reshape(2, 48, 784)
        for place, trained.sigma in enumerate(SIGMAS):
            shown = trained.expansion()
            weights = (shown.values * shown.coefficients)[:48, None].double()
            sent = (weights * written[place]).cumsum(0)
            exact = (weights * shown.written.flatten(1).double()).cumsum(0)
            worst = max(worst, float((sent - exact).abs().max()))
    assert worst < 0.01


def test_vectors_from_bytes_look_like_those_from_floats(trained):
    trained.vectors = "singular"
    for name in ("read", "written"):
        sent = vectors_of(trained._data["singular"][name], 784).reshape(2, 48, 784)
        for place, trained.sigma in enumerate(SIGMAS):
            exact = getattr(trained.expansion(), name).flatten(1).double()
            largest = exact.abs().amax(1, keepdim=True)
            assert float(((sent[place] - exact).abs() / largest).max()) < 0.02


def test_two_networks_two_images_and_two_levels_take_a_megabyte(trained):
    """Of the least explorer, what is not for each network and image is forgotten in the rest."""
    assert 4 * size_in_bytes(trained._data) < 1.2e6


def test_choices_do_not_change_what_was_sent(explorer):
    before = copy.deepcopy(explorer._data)
    for explorer.vectors in VECTORS:
        for explorer.index in range(1, 21, 4):
            explorer.psnr()
    assert explorer._data == before
    names = {"network", "image", "sigma", "vectors", "index", "_data"}
    assert set(explorer.get_state()) >= names


# ------------------------------------------------------------------------- manners


def test_denoiser_and_images_are_left_as_they_were(untouched_random_state):
    denoiser, images = small_unet(), intensities(2, 1, 8, 8)
    state, original = copy.deepcopy(denoiser.state_dict()), images.clone()
    explorer = small({"one": denoiser}, images=images)
    assert torch.equal(images, original)
    assert not denoiser.training
    for name, value in denoiser.state_dict().items():
        assert torch.equal(value, state[name])
    before = explorer.psnr()
    images.zero_()
    assert explorer.psnr() == before


def test_repr_says_what_is_shown_and_no_address(explorer):
    assert repr(explorer) == (
        "EigenbasisExplorer(network='one', image='image 0', sigma=0.1, vectors='singular', index=1)"
    )


def test_still_picture_comes_with_the_widget(explorer):
    data, _ = explorer._repr_mimebundle_()
    html = data["text/html"]
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] in html
    assert 'src="data:image/png;base64,iVBOR' in html
    assert f"add up to an image of PSNR {explorer.psnr():.1f} dB" in html


def test_names_cannot_break_the_page():
    explorer = small({'"><script>alert(1)</script>': small_unet()})
    assert "<script>alert" not in explorer._repr_mimebundle_()[0]["text/html"]


# ------------------------------------------------------------------------- bad input


@pytest.mark.parametrize("case", BAD_IMAGES)
def test_bad_images(case):
    images, error, words = BAD_IMAGES[case]
    with pytest.raises(error, match=words):
        small(images=images)


def test_colour_images():
    with pytest.raises(errors.ShapeError, match=r"mean\(1, keepdim=True\)"):
        small(images=torch.rand(1, 3, 8, 8, generator=seeded()))


@pytest.mark.parametrize("sigmas", [(), (0.0,), (0.1, 0.1), 0.1])
def test_bad_sigmas(sigmas):
    with pytest.raises(errors.SigmaError):
        small(sigmas=sigmas)


@pytest.mark.parametrize(
    "arguments",
    [{"names": ["one"]}, {"k": 0}, {"k": 65}, {"denoisers": {}}, {"denoisers": [small_unet()]},
     {"denoisers": {1: small_unet()}}],
)  # fmt: skip
def test_bad_arguments(arguments):
    with pytest.raises(errors.ConfigError, match="expected"):
        small(**arguments)


def test_denoisers_without_a_finite_derivative():
    with pytest.raises(errors.NotDifferentiableError, match="expected a finite one"):
        small({"root": lambda y, sigma: (0 * y).sqrt()})


BAD_CHOICES = [
    ("network", "three", errors.ConfigError),
    ("image", 2, errors.ConfigError),
    ("image", -1, errors.ConfigError),
    ("sigma", 0.3, errors.SigmaError),
    ("vectors", "fourier", errors.ConfigError),
    ("index", 0, errors.ConfigError),
    ("index", 21, errors.ConfigError),
]


@pytest.mark.parametrize(("name", "value", "error"), BAD_CHOICES)
def test_bad_choices(name, value, error, explorer):
    assert_refused(explorer, small, name, value, error)
