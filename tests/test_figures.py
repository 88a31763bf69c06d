"""Figures show the numbers they were given, and leave matplotlib as it was."""

import re
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
import torch

from gahr_lib import figures
from gahr_lib.errors import ShapeError, ValueRangeError


@pytest.fixture(autouse=True)
def without_a_screen():
    mpl.use("Agg")


def pictures(figure):
    return [ax.images[0] for ax in figure.axes if ax.images]


def test_images_are_drawn_as_they_are_from_black_to_white():
    images = torch.rand((3, 1, 4, 5), generator=torch.Generator().manual_seed(0))
    drawn = pictures(figures.show_images(images, ["a", "b", "c"]))
    assert len(drawn) == 3
    np.testing.assert_array_equal(drawn[1].get_array(), images[1, 0].numpy())
    assert drawn[1].get_clim() == (0, 1)


def test_colour_images_keep_their_channels_last():
    images = torch.rand((1, 3, 4, 5), generator=torch.Generator().manual_seed(0))
    (drawn,) = pictures(figures.show_images(images))
    np.testing.assert_allclose(drawn.get_array(), images[0].permute(1, 2, 0).numpy())


def test_bright_images_reach_white_and_are_cut_off_at_black():
    images = torch.tensor([[-1.0, 0.5], [0.0, 0.0], [2.0, 4.0]]).reshape(3, 1, 1, 2)
    expected = torch.tensor([[0.0, 1.0], [0.0, 0.0], [0.5, 1.0]]).reshape(3, 1, 1, 2)
    assert torch.equal(figures.bright(images), expected)
    assert torch.equal(figures.bright((images.clamp(min=0) * 50).byte()), expected)
    with pytest.raises(ShapeError, match=r"\(2, 2\); expected \(B, C, H, W\)"):
        figures.bright(torch.ones(2, 2))


def test_rows_have_their_names_and_columns_their_titles():
    images = torch.rand((3, 1, 4, 4), generator=torch.Generator().manual_seed(0))
    figure = figures.show_rows({"first": images, "second": images / 2}, ["a", "b", "c"])
    drawn = pictures(figure)
    assert len(drawn) == 6
    for above, below in zip(drawn[:3], drawn[3:], strict=True):
        np.testing.assert_allclose(above.get_array(), below.get_array())
    names = [[text.get_text() for text in ax.texts] for ax in figure.axes]
    assert names == [["first"], [], [], ["second"], [], []]
    assert [ax.get_title() for ax in figure.axes] == ["a", "b", "c", "", "", ""]
    with pytest.raises(ShapeError, match=r"\[3, 2\] images; expected equally many"):
        figures.show_rows({"first": images, "second": images[:2]})


def lightness(colour):
    """CIE L* of a colour, 0 for black and 100 for white."""
    channels = np.array(mpl.colors.to_rgb(colour))
    linear = np.where(channels > 0.04045, ((channels + 0.055) / 1.055) ** 2.4, channels / 12.92)
    return 116 * np.cbrt(linear @ [0.2126, 0.7152, 0.0722]) - 16


def test_signs_stay_apart_in_black_and_white():
    strengths = np.linspace(0, 0.5, 33)
    below, above = (
        np.array([lightness(figures.SIGNED(0.5 + sign * s)) for s in strengths]) for sign in (-1, 1)
    )
    assert below[0] == above[0] == pytest.approx(100, abs=1e-3)
    assert (np.diff(below) < 0).all(), "the larger, the darker"
    assert (np.diff(above) < 0).all()
    assert below[-1] - above[-1] > 25
    assert below[-1] < 75


def test_signs_of_the_explorers_stay_apart_in_black_and_white():
    style = (Path(figures.__file__).parent / "widgets" / "explorer.css").read_text("utf-8")
    colours = [
        re.findall(rf"--gx-{name}: (#\w+);", style) for name in ("negative", "zero", "positive")
    ]
    light, dark, printed = zip(*colours, strict=True)
    assert printed == light
    for scheme in (light, dark):
        negative, zero, positive = (lightness(colour) for colour in scheme)
        assert abs(positive - negative) > 25
        assert abs(positive - zero) > abs(negative - zero) > 25


def test_signed_images_are_white_at_zero():
    images = torch.randn((2, 1, 6, 6), generator=torch.Generator().manual_seed(0))
    for drawn in pictures(figures.show_signed(images)):
        low, high = drawn.get_clim()
        assert low == -high < 0


def test_bases_begin_with_their_image_in_grey():
    images = torch.rand((2, 1, 4, 4), generator=torch.Generator().manual_seed(0))
    vectors = [-torch.ones(3, 1, 4, 4), torch.ones(3, 1, 4, 4)]
    drawn = pictures(figures.show_bases(images, vectors, [str(i) for i in range(8)]))
    assert [picture.get_cmap().name for picture in drawn] == (["gray"] + ["signed"] * 3) * 2
    np.testing.assert_array_equal(drawn[4].get_array(), images[1, 0].numpy())


def test_unused_places_of_a_grid_stay_empty():
    figure = figures.show_images(torch.zeros(5, 1, 4, 4), columns=3)
    assert len(figure.axes) == 6
    assert len(pictures(figure)) == 5


def test_identity_line_spans_the_axis_and_keeps_it():
    figure = figures.show_images(torch.zeros(1, 1, 4, 4))
    ax = figure.add_subplot()
    ax.set_xlim(3, 30)
    figures.identity_line(ax)
    np.testing.assert_allclose(ax.lines[0].get_xydata(), [[3, 3], [30, 30]])
    assert ax.get_xlim() == (3, 30)


def test_settings_are_left_alone():
    before = dict(mpl.rcParams)
    figures.show_images(torch.zeros(1, 1, 4, 4))
    assert dict(mpl.rcParams) == before


def test_curves_differ_in_black_and_white():
    dashes = [str(figures.line(colour)["linestyle"]) for colour in figures.COLOURS]
    assert len(set(dashes)) == len(dashes)


def test_bad_input_is_a_typed_error():
    with pytest.raises(ShapeError, match="2 titles for 1 images"):
        figures.show_images(torch.zeros(1, 1, 4, 4), ["a", "b"])
    with pytest.raises(ValueRangeError):
        figures.show_images(torch.zeros(1, 1, 4, 4, dtype=torch.uint8))
    with pytest.raises(ShapeError, match="1 bases for 2 images"):
        figures.show_bases(torch.zeros(2, 1, 4, 4), [torch.zeros(1, 1, 4, 4)], ["a"] * 4)
