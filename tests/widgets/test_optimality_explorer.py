import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import gahr_lib as gahr
from gahr_lib import errors
from gahr_lib.analysis.jacobian import jacobian
from gahr_lib.models import WaveletShrinkage, Wiener
from gahr_lib.widgets.optimality_explorer import OptimalityExplorer
from gahr_lib.widgets.optimality_scenes import FIT
from gahr_lib.zoo import experiments
from gahr_lib.zoo.experiments import ClassCurves
from gahr_lib.zoo.results import load_result
from helpers import (
    BAD_IMAGES,
    LinearDenoiser,
    assert_refused,
    intensities,
    seeded,
    small_unet,
    symmetric,
)

ALPHAS, SIGMAS = (1, 3.5), (0.4, 0.1)
PICTURES = ("noisy", "network", "wavelet", "wiener")


def scenes_of(alpha: float, count: int = 2) -> torch.Tensor:
    return intensities(count, 1, 8, 8, seed=round(10 * alpha))


def curves_of(alpha: float) -> ClassCurves:
    """Curves of nothing but chance, which no line fits well."""
    levels = torch.arange(2.0, 41, 2)
    noise = torch.randn(3, 20, 7, generator=seeded(round(10 * alpha)))
    outputs = 0.7 * levels[:, None] + 10 + alpha + noise
    return ClassCurves(levels, *outputs, bayes=torch.empty(20, 0))


def wiener_of(alpha: float) -> Wiener:
    return Wiener.from_images(intensities(80, 1, 8, 8, seed=round(100 * alpha)))


def unet_of(alpha: float):
    return small_unet(seed=round(alpha))


MAKERS = {"networks": unet_of, "images": scenes_of, "curves": curves_of, "wieners": wiener_of}


def small(**arguments: Any) -> OptimalityExplorer:
    of_alpha = {name: {a: make(a) for a in ALPHAS} for name, make in MAKERS.items()}
    return OptimalityExplorer(
        **{**of_alpha, "sigmas": SIGMAS, "k": 9, "generator": seeded(3), **arguments}
    )


@pytest.fixture
def explorer():
    return small()


@pytest.fixture(scope="module")
def of_the_book():
    """One smoothness of the explorer in chapter 4."""
    scenes, _ = experiments.contour_images(8, 40, 3.0, generator=seeded(3))
    return OptimalityExplorer(
        {3: gahr.load_denoiser("c_alpha", alpha=3.0)},
        {3: scenes[6:7]},
        {3: load_result("curves-c_alpha-3", ClassCurves)},
        {3: LinearDenoiser(0.5 * torch.eye(1_600))},
        k=16,
        generator=seeded(),
    )


def every(explorer: OptimalityExplorer):
    """Go through all scenes in the order in which they are sent."""
    for explorer.alpha in ALPHAS:
        for explorer.image in range(2):
            for explorer.sigma in SIGMAS:
                yield explorer.alpha, explorer.image, explorer.sigma


def read(data: bytes, kind: str, *shape: int) -> torch.Tensor:
    return torch.from_numpy(np.frombuffer(data, kind).reshape(shape).astype("f8"))


# ------------------------------------------------------------------------- what it shows


def test_pictures_are_what_the_denoisers_make_of_equal_noise(explorer):
    noise = torch.randn(2, 1, 8, 8, generator=seeded(3))
    for alpha, image, sigma in every(explorer):
        shown = explorer.scene()
        x = scenes_of(alpha)[image, None]
        y = x + sigma * noise[image]
        expected = {
            "clean": x,
            "noisy": y,
            "network": unet_of(alpha)(y),
            "wavelet": WaveletShrinkage()(y, sigma),
            "wiener": wiener_of(alpha)(y, sigma),
        }
        for name, picture in expected.items():
            torch.testing.assert_close(getattr(shown, name), picture)
        for name in PICTURES:
            error = (expected[name] - x).square().mean()
            assert shown.psnr[name] == pytest.approx(-10 * float(error.log10()), abs=1e-4)


def test_oracle_shrinks_wavelet_coefficients_as_is_best_for_the_clean_image(explorer):
    wavelets = WaveletShrinkage()
    for _, _, sigma in every(explorer):
        shown = explorer.scene()
        clean, noisy = (wavelets.analyze(x) for x in (shown.clean, shown.noisy))
        factors = clean.square() / (clean.square() + sigma**2)
        # An orthonormal basis: the error of the coefficients is that of the image.
        error = (factors * noisy - clean).square().mean()
        assert shown.psnr["oracle"] == pytest.approx(-10 * float(error.log10()), abs=1e-4)
        assert shown.psnr["oracle"] > shown.psnr["noisy"]


def test_other_wavelets_are_taken(explorer):
    haar = small(wavelets=WaveletShrinkage("haar", rule="hard"))
    y = haar.scene().noisy
    expected = WaveletShrinkage("haar", rule="hard")(y, haar.sigma)
    torch.testing.assert_close(haar.scene().wavelet, expected)
    assert haar.scene().psnr["oracle"] != explorer.scene().psnr["oracle"]


def test_vectors_are_eigenvectors_of_the_symmetric_part(explorer):
    for alpha, _, _ in every(explorer):
        shown = explorer.scene()
        matrix = jacobian(unet_of(alpha), shown.noisy)
        e = shown.vectors.flatten(1)
        torch.testing.assert_close(e @ e.T, torch.eye(9), atol=1e-5, rtol=0)
        expected = shown.values[:, None] * e
        torch.testing.assert_close(e @ (matrix + matrix.T) / 2, expected, atol=1e-5, rtol=0)
        every_value = torch.linalg.eigvalsh((matrix + matrix.T) / 2).flip(0)
        torch.testing.assert_close(shown.values, every_value[:9], atol=1e-5, rtol=0)
        assert bool((e @ shown.noisy.flatten() >= 0).all())


def test_vectors_of_a_matrix_that_is_known():
    matrix, vectors = symmetric(torch.linspace(1, 0.01, 64))
    explorer = small(networks=dict.fromkeys(ALPHAS, LinearDenoiser(matrix)))
    found = explorer.scene().vectors.flatten(1)
    torch.testing.assert_close((found @ vectors[:, :9]).abs(), torch.eye(9), atol=1e-4, rtol=0)


def test_slopes_and_the_line_of_theory_are_fitted_from_6_to_30_decibels(explorer):
    for explorer.alpha in ALPHAS:
        curves, lines = curves_of(explorer.alpha), explorer.lines()
        levels = curves.input_psnr.numpy().astype("f8")
        inside = (levels >= 6) & (levels <= 30)
        assert lines.images == 7
        for name in ("network", "wavelet", "wiener"):
            mean = getattr(curves, name).numpy().astype("f8").mean(1)
            np.testing.assert_allclose(lines.means[name].numpy(), mean, rtol=1e-6)
            slope = np.polyfit(levels[inside], mean[inside], 1)[0]
            assert lines.slopes[name] == pytest.approx(slope, abs=1e-6)
        assert lines.theory == explorer.alpha / (explorer.alpha + 1)
        mean = curves.network.numpy().astype("f8").mean(1)[inside]
        least = [
            np.square(mean - lines.theory * levels[inside] - lines.constant - shift).sum()
            for shift in (-0.01, 0, 0.01)
        ]
        assert least[1] < min(least[0], least[2])
    assert FIT == (6, 30)


def test_network_of_the_book_beats_an_oracle_in_wavelets(of_the_book):
    for of_the_book.sigma in (0.5, 0.2, 0.1, 0.03):
        psnr = of_the_book.scene().psnr
        assert psnr["network"] > psnr["oracle"] + 3
        assert psnr["oracle"] > psnr["wavelet"] + 3


def test_vectors_of_the_book_are_those_at_the_head_of_its_chapter(of_the_book):
    of_the_book.sigma = 0.1
    y = gahr.add_noise(of_the_book.scene().clean, 0.1, generator=seeded())
    torch.testing.assert_close(of_the_book.scene().noisy, y)
    basis = gahr.eigenbasis(gahr.load_denoiser("c_alpha", alpha=3.0), y, k=24)
    torch.testing.assert_close(of_the_book.scene().values, basis.values[:16], atol=1e-3, rtol=0)


def test_sentence_has_the_numbers():
    explorer = small(alpha=3.5, sigma=0.1, names=["hill", "valley"], image=1)
    psnr, lines = explorer.scene().psnr, explorer.lines()
    sentence = explorer.describe()
    assert sentence.startswith("valley of smoothness 3.5 with noise of sigma = 0.1: ")
    for name, by in (("network", "the network"), ("wavelet", "wavelets"), ("wiener", "the Wiener")):
        assert f"{psnr[name]:.1f} dB by {by}" in sentence
    slopes = [f"{lines.slopes[name]:.2f}" for name in ("network", "wavelet", "wiener")]
    assert f"slope {slopes[0]}, {slopes[1]} and {slopes[2]}" in sentence
    assert "alpha / (alpha + 1) is 0.78." in sentence


# ------------------------------------------------------------------------- what it sends


def test_pictures_are_sent_in_bytes(explorer):
    data = explorer._data
    clean = read(data["clean"], "u1", 4, 64) / 255
    pictures = read(data["pictures"], "u1", 8, 4, 64) / 255
    for place, _ in enumerate(every(explorer)):
        shown = explorer.scene()
        sent = {"clean": clean[place // 2], **dict(zip(PICTURES, pictures[place], strict=True))}
        for name, picture in sent.items():
            expected = getattr(shown, name).flatten().double().clamp(0, 1)
            torch.testing.assert_close(picture, expected, atol=0.501 / 255, rtol=0)


def test_vectors_are_sent_in_bytes_with_a_scale(explorer):
    packed = explorer._data["vectors"]
    codes = read(packed["codes"], "i1", 8, 9, 64)
    scales = read(packed["scales"], "<f4", 8, 9, 1)
    vectors = scales * codes * codes.abs() / 127**2
    values = read(explorer._data["values"], "<f4", 8, 9)
    for place, _ in enumerate(every(explorer)):
        shown = explorer.scene()
        exact = shown.vectors.flatten(1).double()
        largest = exact.abs().amax(1, keepdim=True)
        assert float(((vectors[place] - exact).abs() / largest).max()) < 0.01
        torch.testing.assert_close(values[place].float(), shown.values)


def test_numbers_are_sent(explorer):
    data = explorer._data
    psnr = read(data["psnr"], "<f4", 8, 5)
    for place, _ in enumerate(every(explorer)):
        expected = [explorer.scene().psnr[name] for name in (*PICTURES, "oracle")]
        assert psnr[place].tolist() == pytest.approx(expected, abs=1e-5)
    assert data["alphas"] == [1.0, 3.5]
    assert data["sigmas"] == list(SIGMAS)
    assert data["counts"] == [7, 7]
    assert data["fit"] == [6.0, 30.0]
    assert read(data["levels"], "<f4", 20).tolist() == list(range(2, 41, 2))
    means = read(data["means"], "<f4", 2, 3, 20)
    for i, explorer.alpha in enumerate(ALPHAS):
        lines = explorer.lines()
        expected = torch.stack([lines.means[n] for n in ("network", "wavelet", "wiener")])
        torch.testing.assert_close(means[i].float(), expected)
        assert data["slopes"][i] == [lines.slopes[n] for n in ("network", "wavelet", "wiener")]
        assert (data["theory"][i], data["constants"][i]) == (lines.theory, lines.constant)


def test_five_smoothnesses_take_less_than_a_megabyte(of_the_book):
    def size(data: Any) -> int:
        if isinstance(data, dict):
            return sum(map(size, data.values()))
        return len(data) if isinstance(data, bytes) else 0

    assert 5 * size(of_the_book._data) * 4 / 3 < 1e6  # as they stand in the page


def test_choices_do_not_change_what_was_sent(explorer):
    before = copy.deepcopy(explorer._data)
    for _ in every(explorer):
        for explorer.index in (1, 9):
            explorer.describe()
    assert explorer._data == before
    assert set(explorer.get_state()) >= {"alpha", "image", "sigma", "index", "_data"}


# ------------------------------------------------------------------------- manners


def test_what_it_is_given_is_left_as_it_was(untouched_random_state):
    network, images, curves = small_unet(), scenes_of(1), curves_of(1)
    originals = copy.deepcopy((network.state_dict(), images, curves.network))
    explorer = small(
        networks=dict.fromkeys(ALPHAS, network),
        images=dict.fromkeys(ALPHAS, images),
        curves=dict.fromkeys(ALPHAS, curves),
    )
    assert not network.training
    assert all(torch.equal(v, originals[0][name]) for name, v in network.state_dict().items())
    assert torch.equal(images, originals[1])
    assert torch.equal(curves.network, originals[2])
    before = explorer.still()
    images.zero_()
    assert explorer.still() == before


def test_repr_and_still_picture(explorer):
    data, _ = explorer._repr_mimebundle_()
    expected = "OptimalityExplorer(alpha=1, image='image 0', sigma=0.4, index=1)"
    assert data["text/plain"] == repr(explorer) == expected
    assert 'src="data:image/png;base64,iVBOR' in data["text/html"]
    assert explorer.describe() in data["text/html"]
    seen = {explorer.still()}
    for name, value in (("alpha", 3.5), ("image", 1), ("sigma", 0.1), ("index", 2)):
        setattr(explorer, name, value)
        seen.add(explorer.still())
    assert len(seen) == 5
    assert explorer.still() in seen


def test_alphas_are_shown_in_rising_order():
    flipped = {name: {a: make(a) for a in ALPHAS[::-1]} for name, make in MAKERS.items()}
    explorer = small(**flipped)
    assert explorer._data["alphas"] == [1.0, 3.5]
    assert explorer.alpha == 1
    torch.testing.assert_close(explorer.scene().clean, scenes_of(1)[:1])


# ------------------------------------------------------------------------- bad input


@pytest.mark.parametrize("case", BAD_IMAGES)
def test_bad_images(case):
    images, error, words = BAD_IMAGES[case]
    with pytest.raises(error, match=words):
        small(images={1: scenes_of(1), 3.5: images})


def test_images_that_do_not_fit_together():
    for others in (scenes_of(1, 3), intensities(2, 1, 8, 10)):
        with pytest.raises(errors.ShapeError, match=r"alpha = 3\.5 .*as many images of one size"):
            small(images={1: scenes_of(1), 3.5: others})
    with pytest.raises(errors.ShapeError, match=r"mean\(1, keepdim=True\)"):
        small(images=dict.fromkeys(ALPHAS, torch.rand(1, 3, 8, 8, generator=seeded())))


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("value", [None, [1], {}, {"1": None, "3.5": None}, {True: None}])
def test_what_is_not_given_by_alpha(name, value):
    with pytest.raises(errors.ConfigError, match=f"{name} .*expected"):
        small(**{name: value})


@pytest.mark.parametrize("name", ["images", "curves", "wieners"])
def test_different_alphas(name):
    with pytest.raises(errors.ConfigError, match=rf"{name} has alpha \[1, 2\] and networks has"):
        small(**{name: {a: MAKERS[name](a) for a in (1, 2)}})


def test_alphas_below_zero():
    below = {name: {-1: make(1)} for name, make in MAKERS.items()}
    with pytest.raises(errors.ValueRangeError, match="expected a finite number >= 0"):
        small(**below)


def test_bad_curves():
    with pytest.raises(errors.ConfigError, match=r"3\.5 are Tensor; expected ClassCurves"):
        small(curves={1: curves_of(1), 3.5: torch.zeros(20)})
    shifted = replace(curves_of(1), input_psnr=torch.arange(3.0, 42, 2))
    with pytest.raises(errors.ConfigError, match="different levels"):
        small(curves={1: curves_of(1), 3.5: shifted})
    few = ClassCurves(torch.tensor([0.0, 8, 40]), *torch.ones(3, 3, 2), bayes=torch.empty(3, 0))
    with pytest.raises(errors.ConfigError, match="expected three or more"):
        small(curves=dict.fromkeys(ALPHAS, few))


@pytest.mark.parametrize("sigmas", [(), (0.0,), (0.1, 0.1), 0.1])
def test_bad_sigmas(sigmas):
    with pytest.raises(errors.SigmaError):
        small(sigmas=sigmas)


@pytest.mark.parametrize("sigma", [0.9, 0.001])
def test_sigmas_beyond_the_curves(sigma):
    with pytest.raises(errors.SigmaError, match="expected one within the curves, 2 to 40 dB"):
        small(sigmas=(0.1, sigma))


@pytest.mark.parametrize("arguments", [{"names": ["one"]}, {"k": 0}, {"k": 65}, {"k": 2.0}])
def test_bad_arguments(arguments):
    with pytest.raises(errors.ConfigError, match="expected"):
        small(**arguments)


BAD_CHOICES = [
    ("alpha", 2, errors.ConfigError),
    ("image", 2, errors.ConfigError),
    ("image", -1, errors.ConfigError),
    ("sigma", 0.3, errors.SigmaError),
    ("index", 0, errors.ConfigError),
    ("index", 10, errors.ConfigError),
]


@pytest.mark.parametrize(("name", "value", "error"), BAD_CHOICES)
def test_bad_choices(name, value, error, explorer):
    assert_refused(explorer, small, name, value, error)
