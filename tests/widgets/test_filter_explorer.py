import copy
from typing import Any

import pytest
import torch

import gahr_lib as gahr
from gahr_lib import errors
from gahr_lib.analysis import jacobian as jacobians
from gahr_lib.models import Wiener
from gahr_lib.widgets.filter_explorer import FilterExplorer
from helpers import (
    BAD_IMAGES,
    LinearDenoiser,
    assert_refused,
    intensities,
    seeded,
    size_in_bytes,
    small_unet,
)

SIGMAS = (0.05, 0.2)


def small(denoiser=None, **arguments: Any) -> FilterExplorer:
    images = arguments.pop("images", intensities(2, 1, 8, 8))
    arguments = {"sigmas": SIGMAS, "generator": seeded(3), **arguments}
    return FilterExplorer(denoiser or small_unet(), images, **arguments)


@pytest.fixture
def explorer():
    return small(reference=Wiener.from_images(intensities(90, 1, 8, 8, seed=5)))


# ------------------------------------------------------------------------- what it shows


def test_filters_are_rows_and_columns_of_the_jacobians(explorer):
    wiener = Wiener.from_images(intensities(90, 1, 8, 8, seed=5))
    for explorer.image, explorer.sigma, explorer.row, explorer.column in [
        (0, 0.05, 3, 5), (1, 0.2, 0, 0), (1, 0.05, 7, 2),
    ]:  # fmt: skip
        expected = gahr.add_noise(intensities(2, 1, 8, 8), explorer.sigma, generator=seeded(3))
        y = expected[explorer.image, None]
        torch.testing.assert_close(explorer.noisy(), y)
        pixel = [(explorer.row, explorer.column)]
        own = jacobians.filters(small_unet(), y, pixel)
        other = jacobians.filters(wiener, y, pixel, sigma=explorer.sigma)
        shown = explorer.filters()
        for name, weights in [
            ("row", own.rows), ("column", own.columns), ("reference", other.rows)
        ]:  # fmt: skip
            torch.testing.assert_close(shown[name].weights, weights[0, 0], atol=1e-6, rtol=1e-4)
            assert shown[name].total == pytest.approx(float(weights.sum()), abs=1e-5)
            at_pixel = float(weights[0, 0, explorer.row, explorer.column])
            assert shown[name].own == pytest.approx(at_pixel, abs=1e-6)
        values = explorer.values()
        place = (0, 0, explorer.row, explorer.column)
        assert values["noisy"] == pytest.approx(float(y[place]))
        assert values["denoised"] == pytest.approx(float(small_unet()(y)[place]), abs=1e-6)
        answer = float(wiener(y, explorer.sigma)[place])
        assert values["reference"] == pytest.approx(answer, abs=1e-6)


def test_without_biases_the_weighted_sum_is_the_denoised_pixel():
    values = small().values()
    assert values["weighted sum"] == pytest.approx(values["denoised"], abs=1e-5)
    values = small(LinearDenoiser(torch.eye(64) / 2, offset=0.3)).values()
    assert values["weighted sum"] == pytest.approx(values["denoised"] - 0.3, abs=1e-5)
    assert values["weighted sum"] == pytest.approx(values["noisy"] / 2, abs=1e-5)


def test_reference_can_be_left_out(explorer):
    without = small()
    assert "reference" not in without.filters()
    assert "reference" not in without.values()
    assert "reference" not in without._data
    # One Jacobian more for each noise level: the same for both images.
    inside = len(without._data["codes"]) // 4
    assert len(explorer._data["codes"]) == 6 * inside


def test_denoisers_that_need_sigma_are_given_it():
    class Less(gahr.Denoiser):
        needs_sigma = True

        def denoise(self, y, sigma):
            return y * (1 - sigma)

    explorer = small(Less())
    for explorer.sigma in SIGMAS:
        assert explorer.filters()["row"].own == pytest.approx(1 - explorer.sigma)


# ------------------------------------------------------------------------- what it sends


def test_page_of_two_noise_levels_and_a_reference_has_room(trained_a):
    images = gahr.data.fashion("test", n=30)
    wiener = Wiener.from_images(images[10:])
    explorer = FilterExplorer(trained_a, images[:1], generator=seeded(), reference=wiener)
    assert 9e5 < size_in_bytes(explorer._data) < 1.1e6
    assert explorer._reach == 10
    # Nearly all of the network's weights are in the windows.
    energies = [J.square().sum(dim=1) for J in explorer._matrices[:2]]
    for facts, energy in zip(explorer._rows, energies, strict=False):
        assert float((facts.outside * energy).sum() / energy.sum()) < 0.03


def test_images_that_are_small_are_sent_whole():
    explorer = small()
    assert len(explorer._data["codes"]) == 4 * 64 * 64
    assert explorer.filters()["row"].outside == 0


def test_picking_does_not_change_what_was_sent(explorer):
    before = copy.deepcopy(explorer._data)
    for explorer.row in range(8):
        explorer.filters()
    assert explorer._data == before
    assert set(explorer.get_state()) >= {"image", "sigma", "row", "column", "_data"}


# ------------------------------------------------------------------------- manners


def test_first_pixel_is_in_the_middle_and_first_sigma_the_first(explorer):
    assert (explorer.row, explorer.column, explorer.sigma) == (4, 4, 0.05)


def test_denoiser_and_images_are_left_as_they_were(untouched_random_state):
    denoiser, images = small_unet(), intensities(2, 1, 8, 8)
    state, original = copy.deepcopy(denoiser.state_dict()), images.clone()
    small(denoiser, images=images)
    assert torch.equal(images, original)
    for name, value in denoiser.state_dict().items():
        assert torch.equal(value, state[name])


def test_still_picture_and_words_come_with_the_widget(explorer):
    data, _ = explorer._repr_mimebundle_()
    assert 'src="data:image/png;base64,iVBOR' in data["text/html"]
    row = explorer.filters()["row"]
    assert f"sum {row.total:.2f}, own weight {row.own:.2f}, half of its" in data["text/html"]
    assert data["text/plain"] == repr(explorer)
    assert repr(explorer) == "FilterExplorer(image='image 0', sigma=0.05, row=4, column=4)"
    before = explorer.still()
    explorer.column = 6
    assert explorer.still() != before


def test_filters_without_any_weight_are_described_all_the_same():
    explorer = small(LinearDenoiser(torch.zeros(64, 64)))
    assert explorer.describe().endswith("sum 0.00, own weight 0.00.")
    assert explorer.still()


# ------------------------------------------------------------------------- bad input


@pytest.mark.parametrize("case", BAD_IMAGES)
def test_bad_images(case):
    images, error, words = BAD_IMAGES[case]
    with pytest.raises(error, match=words):
        small(images=images)


def test_colour_images():
    with pytest.raises(errors.ShapeError, match=r"mean\(1, keepdim=True\)"):
        small(images=torch.rand(1, 3, 8, 8, generator=seeded()))


@pytest.mark.parametrize("sigmas", [(), (0.0,), (0.1, float("nan")), (0.1, 0.1), 0.1])
def test_bad_sigmas(sigmas):
    with pytest.raises(errors.SigmaError):
        small(sigmas=sigmas)


@pytest.mark.parametrize("arguments", [{"names": ["one"]}, {"filters_bytes": 1}])
def test_bad_arguments(arguments):
    with pytest.raises(errors.ConfigError, match="expected"):
        small(**arguments)


BAD_CHOICES = [
    ("image", 2, errors.ConfigError),
    ("image", -1, errors.ConfigError),
    ("sigma", 0.3, errors.SigmaError),
    ("row", 8, errors.ConfigError),
    ("column", -1, errors.ConfigError),
]


@pytest.mark.parametrize(("name", "value", "error"), BAD_CHOICES)
def test_bad_choices(name, value, error, explorer):
    assert_refused(explorer, small, name, value, error)


def test_a_fraction_is_no_row():
    with pytest.raises(errors.ConfigError, match="expected a whole number from 0 to 7"):
        small(row=1.0)
