"""Noise that a sample gets whatever else is drawn beside it."""

from collections.abc import Callable
from itertools import chain

import torch
from torch import Tensor, nn

from gahr_lib._checks import check_count, check_generator
from gahr_lib.errors import ConfigError, ShapeError

Shape = tuple[int, int, int]


class NoiseStreams:
    """A stream of standard normal images for each sample, seeded one by one from a generator.

    What a sample gets does not depend on the others that are drawn beside it.

    Parameters
    ----------
    denoiser
        Whose images they are for: they get its dtype and device.
    n
        How many samples.
    shape
        (C, H, W) of the images; the denoiser's `image_shape` if None.
    generator
        Gives the seeds; torch's default generator if None.

    Raises
    ------
    ConfigError
        If n is not positive, the shape is unknown, or `generator` is no torch.Generator.
    ShapeError
        If the shape is not (C, H, W).
    """

    def __init__(
        self,
        denoiser: Callable[..., Tensor],
        n: int,
        shape: Shape | None = None,
        *,
        generator: torch.Generator | None = None,
    ) -> None:
        n = check_count(n, "n")
        shape = shape or getattr(denoiser, "image_shape", None)
        if shape is None:
            raise ConfigError("The denoiser knows no size of images. Pass shape=(C, H, W).")
        self.shape = check_shape(shape)
        module = denoiser if isinstance(denoiser, nn.Module) else nn.Module()
        tensors = (t for t in chain(module.parameters(), module.buffers()) if t.is_floating_point())
        self._like = next(tensors, torch.empty(0))
        device = "cpu" if generator is None else check_generator(generator).device
        seeds = torch.randint(2**62, (n,), generator=generator, device=device).tolist()
        self._streams = [torch.Generator().manual_seed(seed) for seed in seeds]

    def __len__(self) -> int:
        return len(self._streams)

    @property
    def everyone(self) -> Tensor:
        """The numbers of all samples, (n,)."""
        return torch.arange(len(self), device=self._like.device)

    def draw(self, samples: Tensor) -> Tensor:
        """Return the next image of the streams of these samples, (B,), as (B, C, H, W)."""
        like = self._like
        noise = torch.empty(len(samples), *self.shape, dtype=like.dtype)
        for image, i in zip(noise, samples.tolist(), strict=True):
            image.normal_(generator=self._streams[i])
        return noise.to(like.device)


def check_shape(shape: Shape) -> Shape:
    """Return an image's shape, or raise `ShapeError` unless it is (C, H, W)."""
    if not isinstance(shape, tuple) or len(shape) != 3:
        raise ShapeError(
            f"The images' shape is {shape!r}; expected (C, H, W). "
            "Pass denoiser.image_shape or tuple(x.shape[1:])."
        )
    c, height, width = (check_count(side, name) for side, name in zip(shape, "CHW", strict=True))
    return c, height, width
