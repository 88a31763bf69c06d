"""Chapter 4, optimality."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from gahr_lib.data.disc_images import DiscParameters, draw_disc_parameters, render_discs
from gahr_lib.exercises.exercise import Exercise
from gahr_lib.noise import add_noise
from gahr_lib.zoo import experiments
from gahr_lib.zoo.results import load_result

__all__ = ["EXERCISES"]


def _read_slope() -> Sequence[float]:
    # alpha = s / (1 - s); the squared error goes as sigma^(2 s).
    slope = 0.8
    return [slope / (1 - slope), 10 ** (2 * slope)]


def _decay_slope() -> Sequence[float]:
    a = math.log(8) / math.log(4)
    return [a, a / (a + 1)]


def _manifold() -> Sequence[float]:
    return [-10 * math.log10(3 * 0.1**2 / 64**2)]


def _edge_length() -> Sequence[float]:
    import pywt

    counts = []
    for side in (64, 128):
        disc = DiscParameters(
            torch.full((1, 2), side / 2),
            torch.full((1,), side * 20 / 64),
            torch.ones(1),
            torch.zeros(1),
        )
        parts = pywt.wavedec2(render_discs(disc, side)[0, 0].numpy(), "haar", "periodization")
        counts.append(float((np.abs(pywt.coeffs_to_array(parts)[0]) > 0.1).sum()))
    return counts


def _two_ranges() -> Sequence[float]:
    curves = load_result("curves-c_alpha-5", experiments.ClassCurves)
    slopes = []
    for low, high in ((6, 20), (20, 40)):
        inside = (curves.input_psnr >= low) & (curves.input_psnr <= high)
        line = np.polyfit(curves.input_psnr[inside], curves.network[inside].mean(1), 1)
        slopes.append(float(line[0]))
    return slopes


def _field_limit() -> Sequence[float]:
    frequency = np.fft.fftfreq(60, 1 / 60)
    square = (frequency[:, None] ** 2 + frequency**2).ravel()
    power = np.where(square > 0, 1 / np.maximum(square, 1) ** 2, 0)
    power *= 0.04 / power.mean()
    inputs = np.arange(0, 91, 2)
    errors = [np.mean(power / (1 + power * 10 ** (p / 10))) for p in inputs]
    rises = np.diff(-10 * np.log10(errors)) / 2
    return [float(inputs[np.argmax(rises > 0.75)])]


def _nearest_disc() -> Sequence[float]:
    from scipy.optimize import least_squares

    parameters = draw_disc_parameters(8, 40, generator=torch.Generator().manual_seed(1))
    clean = render_discs(parameters, 40)
    noisy = add_noise(clean, 0.04, generator=torch.Generator().manual_seed(0)).double()

    def image(values: NDArray[np.float64]) -> NDArray[np.float64]:
        disc = DiscParameters.from_tensor(torch.from_numpy(values)[None])
        return render_discs(disc, 40).numpy().ravel()

    total = 0.0
    for start, x, y in zip(parameters.as_tensor().double().numpy(), clean, noisy, strict=True):
        found = least_squares(
            lambda values, y=y: image(values) - y.numpy().ravel(),
            np.append(start[:3], np.clip(start[3:], 1e-6, 1 - 1e-6)),
            bounds=([0, 0, 1, 0, 0], [40, 40, 40, 1, 1]),
        )
        total += float(np.square(image(found.x) - x.numpy().ravel()).sum())
    return [total / 8 / 0.04**2]


EXERCISES = {
    "rates-read-slope": Exercise(
        _read_slope,
        "α, and the factor by which the squared error falls, in this order",
        (
            "Solve α / (α + 1) = 0.8. A tenth of σ is 20 dB of input PSNR.",
            "20 dB in are 0.8 times as many out, and 10 dB are a factor of 10.",
        ),
    ),
    "rates-decay-slope": Exercise(
        _decay_slope,
        "an exponent and a slope, in this order",
        (
            "Write the statement as 4⁻ᵃ = 1/8 and take logarithms.",
            "The slope is a / (a + 1).",
        ),
    ),
    "rates-manifold": Exercise(
        _manifold,
        "one PSNR, in dB",
        (
            "The optimum keeps the noise of three directions out of 64 × 64.",
            "The error of a pixel is 3σ² / 4096; the PSNR is −10 log₁₀ of it.",
        ),
        tolerance=0.002,
    ),
    "rates-edge-length": Exercise(
        _edge_length,
        "two whole numbers: for 64 and for 128 pixels",
        (
            "The centre of the image is at (side / 2, side / 2); grey levels are 1 and 0.",
            '`WaveletShrinkage("haar").analyze(render_discs(disc, side))` has all coefficients.',
        ),
        tolerance=0.02,
    ),
    "rates-two-ranges": Exercise(
        _two_ranges,
        "two slopes: from 6 to 20 dB, then from 20 to 40 dB",
        (
            "`fit_slope` takes `lowest=...` and `highest=...`, in dB of input PSNR.",
            "Pass `curves[5].input_psnr` and `curves[5].network`, with `lowest=6, highest=20`, and "
            "take `.slope` of what comes back.",
        ),
    ),
    "rates-field-limit": Exercise(
        _field_limit,
        "one input PSNR, in dB",
        (
            "Compute `field_psnr(2, inputs)` at 0, 2, 4, … dB; differences over 2 are slopes.",
            "Look for the first difference above 2 × 0.75, and take the level where it starts.",
        ),
        tolerance=1e-6,
    ),
    "rates-nearest-disc": Exercise(
        _nearest_disc,
        "one mean squared error of an image, in units of σ²",
        (
            "Linearize the disc in its five parameters with `torch.func.jacfwd`, and solve for "
            "them.",
            "Repeat `lstsq(tangent, y - disc)` some ten times, halving a step that goes too far.",
        ),
        tolerance=0.03,
    ),
}
