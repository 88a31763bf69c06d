"""How far from a pixel the weights lie with which networks and filters denoise it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gahr_lib.analysis.jacobian import filters
from gahr_lib.analysis.results import Result
from gahr_lib.data import fashion, shuffle_pixels, unshuffle_pixels
from gahr_lib.jobs.measurements import card_noise
from gahr_lib.models import Wiener
from gahr_lib.noise import standard_noise
from gahr_lib.zoo.experiments.transformers import TrainedTransformer
from gahr_lib.zoo.networks import load_denoiser

__all__ = [
    "PIXELS",
    "Footprints",
    "compare_footprints",
    "footprints_of_the_zoo",
    "half_energy_radius",
    "places_when_shuffled",
]

PIXELS = ((9, 12), (12, 18), (14, 14), (18, 16), (20, 10))
"""Row and column of pixels that lie within most of the clothes."""

_KEPT = 3


@dataclass(frozen=True)
class Footprints(Result):
    """How far from a pixel the weights lie with which it is denoised.

    For D denoisers, S noise levels, I images and K pixels: rows of the Jacobian without the pixel
    itself, whose weight says nothing of distance. Two pixels are near on the grid if they are near
    in the image as the denoiser sees it, and near in the data if they are in the image as it was
    taken. Only for denoisers of shuffled images is this not the same.

    Attributes
    ----------
    names
        Of the denoisers.
    sigmas
        Noise levels, (S,).
    on_grid, in_data
        The distance in pixels within which half of a row's energy lies, (D, S, I, K).
    overlap
        Cosine of the row and that of the Wiener filter, (D, S, I, K).
    rows
        Those of the first three pixels at the first image, as it was taken, half precision,
        (D, S, 3, H, W).
    """

    names: list[str]
    sigmas: Tensor
    on_grid: Tensor
    in_data: Tensor
    overlap: Tensor
    rows: Tensor


def compare_footprints(
    denoisers: Mapping[str, tuple[Callable[..., Tensor], bool]],
    sigmas: Sequence[float],
    pixels: Sequence[tuple[int, int]],
    *,
    images: int = 4,
    training: int = 30_000,
) -> Footprints:
    """Measure how far the rows of Jacobians reach, on the grid and in the data.

    Parameters
    ----------
    denoisers
        By name; each with whether its images have their pixels shuffled, as those of the zoo's
        network of shuffled images.
    sigmas
        Noise levels.
    pixels
        Row and column of those whose rows are taken, in the image as it was taken.
    images
        At how many noisy test images.
    training
        From how many images of half A the Wiener filter has its covariance.

    References
    ----------
    Lukoianov, Yuan, Solomon and Sitzmann, arXiv 2509.09672.
    """
    wiener = Wiener.from_images(fashion("train", half="A", n=training))
    x = fashion("test", n=images)
    noise = standard_noise(x, generator=card_noise())
    found: dict[str, list[Tensor]] = {name: [] for name in ("grid", "data", "overlap")}
    kept = []
    for denoiser, shuffled in denoisers.values():
        for sigma in sigmas:
            noisy = (x + sigma * noise).split(1)
            for i, y in enumerate(noisy):
                on_grid, places, rows = _rows(denoiser, y, pixels, sigma, shuffled)
                reference = _rows(wiener, y, pixels, sigma, False)[2]
                found["grid"].append(half_energy_radius(on_grid, places))
                found["data"].append(half_energy_radius(rows, pixels))
                found["overlap"].append(
                    torch.cosine_similarity(rows.flatten(1), reference.flatten(1))
                )
                if i == 0:
                    kept.append(rows[:_KEPT, 0].half())
    shape = (len(denoisers), len(sigmas), images, len(pixels))
    return Footprints(
        list(denoisers),
        torch.tensor(list(sigmas)),
        torch.stack(found["grid"]).reshape(shape),
        torch.stack(found["data"]).reshape(shape),
        torch.stack(found["overlap"]).reshape(shape),
        torch.stack(kept).unflatten(0, shape[:2]),
    )


def footprints_of_the_zoo(
    sigmas: Sequence[float],
    pixels: Sequence[tuple[int, int]] = PIXELS,
    *,
    images: int = 4,
    training: int = 30_000,
) -> Footprints:
    """Measure the footprints of the zoo's networks of 30,000 images, and of filters beside them.

    Parameters
    ----------
    sigmas, pixels, images, training
        See `compare_footprints`.
    """
    from gahr_lib.zoo.results import load_result  # which imports this module

    own = fashion("train", half="A", n=training)

    def network(variant: str = "", n_train: int = 30_000) -> Callable[..., Tensor]:
        return load_denoiser("fashion", n_train=n_train, variant=variant)

    def transformer(name: str) -> Callable[..., Tensor]:
        return load_result(name, TrainedTransformer).denoiser()

    return compare_footprints(
        {
            "Wiener": (Wiener.from_images(own), False),
            "UNet": (network(), False),
            "BF-CNN": (network("bf_cnn"), False),
            "transformer": (transformer("transformer"), False),
            "UNet of 100 images": (network(n_train=100), False),
            "Wiener, shuffled": (Wiener.from_images(shuffle_pixels(own)), True),
            "UNet, shuffled": (network("shuffled"), True),
            "transformer, shuffled": (transformer("transformer-shuffled"), True),
        },
        sigmas,
        pixels,
        images=images,
        training=training,
    )


def half_energy_radius(rows: Tensor, pixels: Sequence[tuple[int, int]]) -> Tensor:
    """Return the distance within which half of the energy of weights around a pixel lies.

    Parameters
    ----------
    rows
        Weights, (K, 1, H, W).
    pixels
        Row and column of the pixel of each.

    Returns
    -------
    Tensor
        (K,), in pixels.
    """
    height, width = rows.shape[-2:]
    down, across = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    radii = []
    for row, (i, j) in zip(rows, pixels, strict=True):
        distance = ((down - i) ** 2 + (across - j) ** 2).sqrt().flatten()
        distance, order = distance.sort()
        energy = row.flatten().double().square()[order].cumsum(0)
        radii.append(distance[int((energy < energy[-1] / 2).sum())])
    return torch.stack(radii)


def places_when_shuffled(
    pixels: Sequence[tuple[int, int]], side: int = 28
) -> list[tuple[int, int]]:
    """Return row and column at which `shuffle_pixels` puts pixels of square images."""
    numbers = torch.arange(side * side).reshape(1, 1, side, side)
    where = shuffle_pixels(numbers).flatten().argsort()
    return [divmod(int(where[i * side + j]), side) for i, j in pixels]


def _rows(
    denoiser: Callable[..., Tensor],
    y: Tensor,
    pixels: Sequence[tuple[int, int]],
    sigma: float,
    shuffled: bool,
) -> tuple[Tensor, list[tuple[int, int]], Tensor]:
    """Return rows of the Jacobian on the grid, where their pixels are there, and in the data."""
    places = list(pixels)
    if shuffled:
        y, places = shuffle_pixels(y), places_when_shuffled(pixels, y.shape[-1])
    rows = filters(denoiser, y, places, sigma=sigma).rows
    for row, (i, j) in zip(rows, places, strict=True):
        row[:, i, j] = 0
    return rows, places, unshuffle_pixels(rows) if shuffled else rows
