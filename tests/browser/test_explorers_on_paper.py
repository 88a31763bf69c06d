"""Explorers on paper: in light colours, whatever the page had.

That of optimality, and that of shrinkage in the page of its chapter, are tested in their own files.
"""

from collections.abc import Callable

import pytest
from ipywidgets import Widget

import gahr_lib as gahr
from gahr_lib.sampling import SampleConfig
from gahr_lib.widgets import (
    EigenbasisExplorer,
    FilterExplorer,
    LiveEigenbasisExplorer,
    MemorizationExplorer,
    SamplerExplorer,
)
from gahr_lib.zoo.experiments import Samples
from gahr_lib.zoo.results import load_result
from helpers import intensities, seeded, small_unet

pytestmark = pytest.mark.browser


def eigenbasis() -> Widget:
    networks = {"one": small_unet()}
    return EigenbasisExplorer(networks, intensities(1, 1, 8, 8), [0.2], k=5, generator=seeded())


def filters() -> Widget:
    return FilterExplorer(small_unet(), intensities(1, 1, 8, 8), [0.2], generator=seeded())


def live() -> Widget:
    return LiveEigenbasisExplorer({"one": small_unet()}, intensities(1, 1, 8, 8), k=5, sigma=0.2)


def memorization() -> Widget:
    return MemorizationExplorer({10: load_result("samples-10", Samples)}, pairs=8)


def sampler() -> Widget:
    networks = {half: gahr.load_denoiser("fashion", n_train=10, half=half) for half in "AB"}
    settings = {"n": 1, "frames": 4, "shape": (1, 16, 16), "generator": seeded()}
    return SamplerExplorer(networks, {"calm": SampleConfig(beta=1)}, **settings)


@pytest.mark.parametrize("make", [eigenbasis, filters, live, memorization, sampler])
def test_print_is_in_light_colours(make: Callable[[], Widget], show_explorer) -> None:
    explorer = show_explorer(make(), color_scheme="light")
    light = explorer.seen()
    explorer.darken()
    assert explorer.seen() != light
    explorer.print()
    assert explorer.seen() == light
