"""Images under one fixed permutation of their pixels, on which harmonic bases are of no use.

A permutation of the pixels turns every image of a class at the same time. It is an orthogonal map,
so white noise stays white noise and the optimal denoiser loses nothing: it undoes the permutation,
denoises, and permutes again. A convolutional network loses the neighbourhoods that it is built on
(figure 21 of the paper).
"""

import torch
from torch import Tensor

from gahr_lib._checks import check_count, check_whole
from gahr_lib.errors import ConfigError, ShapeError

__all__ = ["pixel_order", "shuffle_pixels", "unshuffle_pixels"]


def pixel_order(pixels: int, *, seed: int = 0) -> Tensor:
    """Return the permutation under which images of so many pixels are shuffled.

    Parameters
    ----------
    pixels
        Rows times columns. Each number of pixels has a permutation of its own.
    seed
        Which permutation: any 64-bit integer.

    Returns
    -------
    Tensor
        (pixels,), int64, on the CPU: pixel k of a shuffled image, counted row by row, is pixel
        ``order[k]`` of the image.

    Raises
    ------
    ConfigError
        If a number is not whole, there are no pixels, or the seed has more than 64 bits.
    """
    pixels, seed = check_count(pixels, "pixels"), check_whole(seed, "seed")
    if not -(2**63) <= seed < 2**64:
        raise ConfigError(f"seed is {seed}; expected 64 bits at most. Pass seed=0, for instance.")
    return torch.randperm(pixels, generator=torch.Generator().manual_seed(seed))


def shuffle_pixels(images: Tensor, *, seed: int = 0) -> Tensor:
    """Return the same images with their pixels in another order, which is the same for all.

    All channels of a pixel go to the same place.

    Parameters
    ----------
    images
        (B, C, H, W), of any dtype and on any device; they are left as they are.
    seed
        Which permutation; see `pixel_order`.

    Returns
    -------
    Tensor
        (B, C, H, W), of the same dtype and on the same device.

    Raises
    ------
    ShapeError
        If `images` are not a batch of images.
    ConfigError
        If the seed is not a whole number of at most 64 bits.

    References
    ----------
    The paper, figure 21.
    """
    return _reordered(images, _order_of(images, seed))


def unshuffle_pixels(images: Tensor, *, seed: int = 0) -> Tensor:
    """Return images that `shuffle_pixels` has shuffled, with every pixel back in its place.

    Parameters, results and errors are those of `shuffle_pixels`.
    """
    return _reordered(images, torch.argsort(_order_of(images, seed)))


def _order_of(images: Tensor, seed: int) -> Tensor:
    if not isinstance(images, Tensor) or images.ndim != 4 or not images.shape[-2:].numel():
        shape = tuple(images.shape) if isinstance(images, Tensor) else type(images).__name__
        raise ShapeError(
            f"images are {shape}; expected a tensor (B, C, H, W). Add the missing dimensions with "
            "reshape, e.g. image[None, None] for one grey image."
        )
    # Drawn on the CPU, where the order of the numbers is the same for every device.
    return pixel_order(images.shape[-2:].numel(), seed=seed)


def _reordered(images: Tensor, order: Tensor) -> Tensor:
    return images.flatten(-2).index_select(-1, order.to(images.device)).view(images.shape)
