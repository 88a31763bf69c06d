"""The cached results of the disputes: found again in part, and their measures against formulas."""

import itertools
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from gahr_lib.data import fashion, shuffle_pixels
from gahr_lib.jobs.measurements import card_noise
from gahr_lib.metrics import cosine_similarity
from gahr_lib.models import Wiener
from gahr_lib.models.transformer import PatchTransformer
from gahr_lib.training import train
from gahr_lib.zoo import experiments, load_denoiser
from gahr_lib.zoo.experiments import mosaics, onsets, transformers
from gahr_lib.zoo.results import load_result

pytestmark = pytest.mark.usefixtures("untouched_random_state")

needs_all_images = pytest.mark.skipif(
    not Path("/usr/share/datasets/fashion-mnist").is_dir(),
    reason="needs Debian's package dataset-fashion-mnist",
)


def close(ours: Tensor, theirs: Tensor, atol: float) -> None:
    torch.testing.assert_close(ours, theirs, rtol=0, atol=atol, equal_nan=True)


# Machines


def test_agreement_is_the_coefficient_of_determination() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 3, 1, 4, 5)).astype(np.float32)
    found = experiments.agreement(torch.from_numpy(a), torch.from_numpy(b))
    for i in range(3):
        expected = 1 - ((a[i] - b[i]) ** 2).sum() / ((a[i] - a[i].mean()) ** 2).sum()
        assert float(found[i]) == pytest.approx(expected, rel=1e-5)
    x = torch.from_numpy(a)
    assert torch.equal(experiments.agreement(x, x), torch.ones(3))
    flat = x.mean((1, 2, 3), keepdim=True).expand_as(x)
    torch.testing.assert_close(experiments.agreement(x, flat), torch.zeros(3), atol=1e-6, rtol=0)


def test_the_likeness_of_machines_is_found_again() -> None:
    cached = load_result("likeness", experiments.Likeness)
    level = 2
    found = experiments.compare_machines(
        [100],
        [float(cached.sigmas[level])],
        images=cached.r2.shape[-1],
        sides=[5],
        equivariant=int(cached.seen[0, cached.machines.index("equivariant-5")]),
    )
    assert int(cached.n_train[0]) == 100
    for i, name in enumerate(found.machines):
        at = cached.machines.index(name)
        assert cached.seen[0, at] == found.seen[0, i]
        close(cached.r2[0, at, level], found.r2[0, i, 0], 2e-3)
        close(cached.machine_error[0, at, level], found.machine_error[0, i, 0], 1e-4)
    close(cached.network_error[0, level], found.network_error[0, 0], 1e-5)
    # The clean image is as far from the network as the network from it.
    clean = found.machines.index("clean")
    close(found.distance[0, clean], found.network_error[0], 1e-7)


@needs_all_images
def test_the_samples_of_network_and_twin_are_drawn_again() -> None:
    cached = load_result("mosaics", experiments.Mosaics)
    n = cached.samples.shape[1]
    a, b = (load_denoiser("fashion", n_train=1_000, half=half) for half in ("A", "B"))
    drawn = [mosaics.draw(denoiser, n) for denoiser in (a, b)]
    for i, samples in enumerate(drawn):
        difference = cached.samples[i].float() - 255 * samples.clamp(0, 1)
        assert difference.abs().mean() < 1
    close(cached.r2[1], experiments.agreement(*drawn), 0.02)
    assert torch.equal(cached.r2[0], torch.ones(n))


# Footprints


def test_half_of_the_energy_lies_within_the_radius() -> None:
    rows = torch.zeros(2, 1, 15, 15)
    rows[0, 0, 7, 10] = 1.0  # three to the right
    rows[1, 0, 7, 8] = 0.6  # one away, and less than half of the energy
    rows[1, 0, 3, 4] = 0.8
    radius = experiments.half_energy_radius(rows, [(7, 7), (7, 7)])
    assert radius.tolist() == [3.0, 5.0]
    side = 201
    axis = torch.arange(side) - 100.0
    bell = torch.exp(-(axis[:, None] ** 2 + axis**2) / (2 * 20**2))[None, None]
    found = float(experiments.half_energy_radius(bell, [(100, 100)])[0])
    assert found == pytest.approx(20 * math.sqrt(math.log(2)), rel=0.01)


def test_a_shuffled_filter_has_its_footprint_in_the_data() -> None:
    images = fashion("train", half="A", n=300)
    pixels = [(9, 12), (14, 14), (20, 10)]
    found = experiments.compare_footprints(
        {
            "plain": (Wiener.from_images(images), False),
            "shuffled": (Wiener.from_images(shuffle_pixels(images)), True),
        },
        [0.3],
        pixels,
        images=1,
        training=300,
    )
    plain, shuffled = range(2)
    assert torch.equal(found.on_grid[plain], found.in_data[plain])
    close(found.in_data[shuffled], found.in_data[plain], 1e-6)
    close(found.rows[shuffled].float(), found.rows[plain].float(), 1e-3)
    close(found.overlap, torch.ones(2, 1, 1, 3), 1e-4)
    assert found.on_grid[shuffled].min() > 2 * found.in_data[shuffled].max()
    for row, (i, j) in zip(found.rows[plain, 0], pixels, strict=True):
        assert row[i, j] == 0


def test_places_are_those_to_which_pixels_are_moved() -> None:
    pixels = [(0, 0), (3, 5), (27, 27)]
    for (i, j), (k, m) in zip(pixels, experiments.places_when_shuffled(pixels), strict=True):
        one = torch.zeros(1, 1, 28, 28)
        one[0, 0, i, j] = 1
        assert shuffle_pixels(one)[0, 0, k, m] == 1


def test_the_footprints_of_networks_are_found_again() -> None:
    cached = load_result("footprints", experiments.Footprints)
    names = {"UNet": ("", False), "UNet, shuffled": ("shuffled", True)}
    found = experiments.compare_footprints(
        {
            name: (load_denoiser("fashion", n_train=30_000, variant=variant), shuffled)
            for name, (variant, shuffled) in names.items()
        },
        [float(cached.sigmas[3])],
        experiments.PIXELS,
        images=cached.on_grid.shape[2],
        training=100,
    )
    for i, name in enumerate(found.names):
        at = cached.names.index(name)
        for field in ("on_grid", "in_data"):
            # A radius jumps from one ring of pixels to the next.
            close(getattr(cached, field)[at, 3], getattr(found, field)[i, 0], 0.5)
        close(cached.rows[at, 3].float(), found.rows[i, 0].float(), 2e-3)


# Onsets


def test_crossings_of_a_power_are_where_they_are() -> None:
    steps = torch.tensor([10, 20, 40, 80, 160])
    values = steps.double().log()
    assert experiments.crossing(steps, values, math.log(55)) == pytest.approx(55)
    assert math.isnan(experiments.crossing(steps, values, 10.0))
    assert math.isnan(experiments.crossing(steps, values, 1.0))
    values[-1] = torch.nan
    assert math.isnan(experiments.crossing(steps, values, math.log(100)))


def test_the_onset_of_four_images_is_found_again() -> None:
    cached = load_result("onsets", experiments.Onsets)
    assert tuple(cached.steps.tolist()) == onsets.ONSET_STEPS
    few = onsets.ONSET_STEPS[:4]
    found = experiments.watch_onsets([4], few)
    close(cached.test[:1, :4], found.test, 0.1)
    close(cached.lead[:1, :4], found.lead, 0.1)


def test_a_network_is_stopped_when_it_leads_enough() -> None:
    found = experiments.watch_onsets([1], (20, 40, 80), width=2, enough=-100.0)
    assert found.test.isfinite().tolist() == [[True, False, False]]
    assert found.lead.isfinite().tolist() == [[True, False, False]]


# Relatives


def test_relatives_are_the_most_similar_images() -> None:
    images, training = fashion("test", n=2), fashion("train", half="A", n=60)
    found = experiments.find_relatives(images, 60)
    for i, image in enumerate(found.images.float() / 255):
        similarity = cosine_similarity(image.expand_as(training), training)
        best = training[int(similarity.argmax())]
        close(found.by_cosine[i].float() / 255, best, 1e-6)
        assert float(found.cosine_to[i, 0]) == pytest.approx(float(similarity.max()), abs=1e-4)
        assert bool(found.same[i]) == torch.equal(found.by_cosine[i], found.by_ssim[i])
    assert bool((found.ssim_of_both[:, 1] >= found.ssim_of_both[:, 0] - 1e-6).all())


def test_brightness_does_not_count_for_relatives() -> None:
    images = fashion("test", n=2)
    ours, dim = (experiments.find_relatives(x, 60) for x in (images, 0.5 * images))
    assert torch.equal(ours.by_ssim, dim.by_ssim)
    close(ours.ssim_to, dim.ssim_to, 1e-3)


@needs_all_images
def test_the_relatives_of_samples_are_found_again() -> None:
    cached = load_result("relatives", experiments.Relatives)
    found = experiments.find_relatives(load_result("dim-samples-30000", experiments.Samples).a[:2])
    assert torch.equal(cached.by_ssim[:2], found.by_ssim)
    close(cached.cosine_to[:2], found.cosine_to, 1e-3)
    close(cached.ssim_to[:2], found.ssim_to, 1e-3)


# The transformer


@pytest.mark.parametrize("name", ["transformer", "transformer-shuffled"])
def test_the_transformers_denoise_as_was_measured(name: str) -> None:
    cached = load_result(name, experiments.TrainedTransformer)
    images = fashion("test", n=500)
    if name.endswith("shuffled"):
        images = shuffle_pixels(images)
    y = images + 0.1 * torch.randn(images.shape, generator=card_noise())
    error = (cached.denoiser()(y) - images).square().mean((1, 2, 3))
    at = int((cached.sigmas - 0.1).abs().argmin())
    assert float(-10 * error.log10().mean()) == pytest.approx(float(cached.test[-1, at]), abs=0.02)
    assert int(cached.steps[-1]) == transformers.TRANSFORMER.steps


@needs_all_images
def test_its_training_begins_as_it_did() -> None:
    cached = load_result("transformer", experiments.TrainedTransformer)
    start = PatchTransformer(generator=card_noise())
    states = train(
        start,
        fashion("train", half="A", n=cached.n_train),
        transformers.TRANSFORMER,
        generator=torch.Generator().manual_seed(1),
    )
    losses = torch.tensor([state.loss for state in itertools.islice(states, 10)])
    torch.testing.assert_close(losses, cached.first_losses[:10], rtol=0.01, atol=0)


def test_a_short_training_is_measured_as_often_as_asked() -> None:
    config = replace(transformers.TRANSFORMER, steps=4, warmup=1)
    found = experiments.train_transformer(50, config, sigmas=[0.1], measurements=2)
    assert found.steps.tolist() == [2, 4]
    assert found.test.shape == (2, 1)
    y = fashion("test", n=1)
    assert torch.equal(found.denoiser()(y), found.denoiser()(y))
    shuffled = experiments.train_transformer(
        50, config, sigmas=[0.1], measurements=2, shuffled=True
    )
    assert not torch.equal(shuffled.weights, found.weights)
