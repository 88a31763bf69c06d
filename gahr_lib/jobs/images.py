"""The images of a run: a training set, or a source of fresh images, and images to test on."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, Protocol

import torch
from torch import Tensor

from gahr_lib.data import (
    c_alpha,
    discs,
    fashion,
    image_folder,
    photographs,
    ray,
    shuffle_pixels,
    sinusoids,
    split_halves,
)
from gahr_lib.errors import ConfigError
from gahr_lib.jobs.settings import Images
from gahr_lib.training import ImageSource

__all__ = ["ImageSets", "load_images"]

TEST_SIZE = 500
# Of the generators of drawn sets; far from the seeds that one gives to a run.
_SEEDS = {"A": 2_310_025_571, "B": 2_310_025_572, "test": 2_310_025_573}


@dataclass(frozen=True)
class ImageSets:
    """The images of a run.

    Attributes
    ----------
    train
        The training set, (N, C, H, W), intensities in [0, 1]; or a function that draws images.
    test
        Up to 500 images that training does not see, (T, C, H, W).
    other
        Up to 500 images of the other half, on which the network's twin is trained, if there is one.
    """

    train: ImageSource
    test: Tensor
    other: Tensor | None = None

    @property
    def seen(self) -> Tensor | None:
        """Up to 500 images of the training set, if there is one."""
        return None if callable(self.train) else self.train[:TEST_SIZE]

    def to(self, device: torch.device) -> "ImageSets":
        """Return the same images on a device; a function draws where its generator lives."""
        train = self.train if callable(self.train) else self.train.to(device)
        other = None if self.other is None else self.other.to(device)
        return ImageSets(train, self.test.to(device), other)


def load_images(images: Images, *, channels: int = 1) -> ImageSets:
    """Read or draw the images of a run.

    The test images are the first of the test set of fashion; drawn with a seed of their own, from a
    photograph of their own; or, from a folder, one in ten of its files (at most 500), evenly
    spread. Of the other files half A has the first and half B the last, as in the paper. Remove
    near copies from a folder first (see `gahr_lib.data.duplicates`): they may lie in several of
    these sets.

    Parameters
    ----------
    images
        Which images.
    channels
        1 for grey, 3 for colour, which only a folder has.

    Returns
    -------
    ImageSets
        On the CPU, float32.

    Raises
    ------
    ConfigError
        If there are not so many images.
    DataFileError, DownloadError, CacheError, ShapeError, ValueRangeError
        If files cannot be read or fetched, or images cannot be drawn as asked.
    """
    sets = _load(images, channels)
    if images.shuffled is None:
        return sets
    train, shuffle = sets.train, partial(shuffle_pixels, seed=images.shuffled)
    return ImageSets(
        (lambda n, generator: shuffle(train(n, generator))) if callable(train) else shuffle(train),
        shuffle(sets.test),
        None if sets.other is None else shuffle(sets.other),
    )


def _load(images: Images, channels: int) -> ImageSets:
    other: Literal["A", "B"] = "B" if images.half == "A" else "A"
    if images.data == "fashion":
        train = fashion("train", half=images.half, n=images.n_train)
        test = fashion("test", n=TEST_SIZE)
        return ImageSets(train, test, fashion("train", half=other, n=TEST_SIZE))
    if images.is_folder:
        return _from_folder(images, channels)
    draw, test = _source(images), _source(images, test=True)(TEST_SIZE, _generator("test"))
    if images.n_train is None:
        return ImageSets(draw, test)
    return ImageSets(
        draw(images.n_train, _generator(images.half)),
        test,
        _source(replace(images, half=other))(min(TEST_SIZE, images.n_train), _generator(other)),
    )


class _Draw(Protocol):
    def __call__(self, n: int, generator: torch.Generator) -> Tensor: ...


def _source(images: Images, *, test: bool = False) -> _Draw:
    size, half = images.size, images.half
    if images.data == "photographs":
        if test:
            return lambda n, generator: photographs(n, size, split="test", generator=generator)
        return lambda n, generator: photographs(n, size, half=half, generator=generator)
    if images.data == "c_alpha":
        alpha, beta = images.alpha or 0.0, images.beta
        return lambda n, generator: c_alpha(n, size, alpha, beta, generator=generator)
    draw = {"discs": discs, "ray": ray, "sinusoids": sinusoids}[images.data]
    return lambda n, generator: draw(n, size, generator=generator)


def _generator(which: str) -> torch.Generator:
    return torch.Generator().manual_seed(_SEEDS[which])


def _from_folder(images: Images, channels: int) -> ImageSets:
    everything = image_folder(images.data, size=images.size, crop=images.crop, grey=channels == 1)
    if len(everything) < 3:
        raise ConfigError(
            f"{images.data} has {len(everything)} images; expected 3 or more: for each half, and "
            "to test on. Add some."
        )
    spacing = max(10, -(-len(everything) // TEST_SIZE))
    held_out = torch.zeros(len(everything), dtype=torch.bool)
    held_out[::spacing] = True
    rest = everything[~held_out]
    first, last = split_halves(rest, images.n_train or len(rest) // 2)
    ours, others = (first, last) if images.half == "A" else (last, first)
    return ImageSets(ours.clone(), everything[held_out], others[:TEST_SIZE].clone())
