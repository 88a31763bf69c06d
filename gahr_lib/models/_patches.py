"""What the denoisers that compare patches of an image with patches of training images share."""

import math
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor

from gahr_lib._checks import check_sigma
from gahr_lib.errors import ConfigError
from gahr_lib.models._softmax_mean import posterior_mean, with_norms
from gahr_lib.models._training_set import TrainingSetDenoiser

__all__ = ["PatchDenoiser", "PatchSize"]

PatchSize = int | Mapping[float, int] | Callable[[float], int]

Span = tuple[int, int]  # first, and one behind the last


class PatchDenoiser(TrainingSetDenoiser):
    """A denoiser made of posterior means of patches, whose side may depend on the noise level.

    A subclass writes `check_side` and `denoise_with`.

    Parameters
    ----------
    images
        Training images, (N, C, H, W), floating or bytes.
    centre
        What is subtracted from images before they are compared, (C, H, W).
    patch_size
        The side of the patches in pixels: a number, a function of sigma, or a table {sigma: side}
        of which the sigma counts that is nearest on a logarithmic scale.
    block
        How many patches are compared with as many at a time.
    """

    def __init__(self, images: Tensor, centre: Tensor, patch_size: PatchSize, block: int) -> None:
        super().__init__(images, centre, block)
        self._patch_size = dict(patch_size) if isinstance(patch_size, Mapping) else patch_size
        if isinstance(self._patch_size, dict):
            for sigma, side in self._patch_size.items():
                check_sigma(sigma, name="A sigma of patch_size")
                self.check_side(side)
            if not self._patch_size or min(self._patch_size) <= 0:
                raise ConfigError(
                    f"patch_size is {patch_size!r}; expected a table {{sigma: side}} with at least "
                    "one sigma, all above 0. Pass {0.1: 7, 1.0: 15}, for instance."
                )
        elif not callable(self._patch_size):
            self._patch_size = self.check_side(self._patch_size)

    def patch_size(self, sigma: float) -> int:
        """Return the side of the patches at a noise level, in pixels.

        Parameters
        ----------
        sigma
            Standard deviation of the noise, in intensity units.

        Raises
        ------
        SigmaError
            If sigma is not a noise level.
        ConfigError
            If the function that was given as `patch_size` returns no possible side.
        """
        check_sigma(sigma)
        if isinstance(self._patch_size, int):
            return self._patch_size
        if isinstance(self._patch_size, dict):
            table = self._patch_size
            if sigma == 0:
                return table[min(table)]
            return table[min(table, key=lambda listed: abs(math.log(listed / sigma)))]
        return self.check_side(self._patch_size(sigma))

    @abstractmethod
    def check_side(self, side: int) -> int:
        """Return the side of a patch, or raise `ConfigError` if the denoiser cannot use it."""

    @abstractmethod
    def denoise_with(self, side: int, y: Tensor, sigma: float | Tensor) -> Tensor:
        """Return images denoised with patches of one side."""

    def denoise(self, y: Tensor, sigma: float | Tensor | None) -> Tensor:
        """Return the denoised images, each computed with the patches of its own noise level."""
        assert sigma is not None  # needs_sigma: the call has checked it
        exact = None if isinstance(sigma, Tensor) else torch.float64
        levels = torch.as_tensor(sigma, dtype=exact).flatten().expand(len(y))
        side_of = {level: self.patch_size(level) for level in set(levels.tolist())}
        sides = [side_of[level] for level in levels.tolist()]
        if len(set(sides)) == 1:
            return self.denoise_with(sides[0], y, sigma)
        parts, order = [], []
        for side in sorted(set(sides)):
            chosen = [i for i, other in enumerate(sides) if other == side]
            parts.append(self.denoise_with(side, y[chosen], levels[chosen]))
            order += chosen
        return torch.cat(parts)[torch.tensor(order).argsort().tolist()]

    def patch_means(
        self, y: Tensor, levels: Tensor, rows: Span, columns: Span, side: Span, pixel: Span | None
    ) -> Tensor:
        """Return posterior means of the patches in a region of images, at all its places alike.

        Parameters
        ----------
        y
            Noisy images minus the centre, (B, C, H, W).
        levels
            Noise level of each, (B, 1, 1, 1).
        rows, columns
            The region; it goes around the border of the image where it is outside.
        side
            Height and width of the patches. Every patch in the region of a noisy image is compared
            with every patch in the region of every training image.
        pixel
            The row and column in the patch of the pixel that is estimated; all if None.

        Returns
        -------
        Tensor
            (B, c, places down, places across), with c the channels of a pixel or of a patch.
        """
        places = (rows[1] - rows[0] - side[0] + 1, columns[1] - columns[0] - side[1] + 1)
        step = max(1, self.block // (places[0] * places[1]))

        def values_of(patches: Tensor) -> Tensor:
            if pixel is None:
                return patches
            return patches.unflatten(1, (-1, *side))[:, :, pixel[0], pixel[1]]

        def blocks(dtype: torch.dtype) -> Iterator[tuple[Tensor, Tensor]]:
            for start in range(0, len(self.images), step):
                images = _region(self.images[start : start + step], rows, columns)
                centre = _region(self.centre, rows, columns)
                for patches in _patches(self.centred(images, centre, dtype), side).split(
                    self.block
                ):
                    yield with_norms(patches), values_of(patches)

        means = []
        for part, sigma in zip(y.split(step), levels.split(step), strict=True):
            queries = _patches(_region(part, rows, columns), side)
            precision = sigma.flatten(1) ** -2
            precision = precision.repeat_interleave(places[0] * places[1], dim=0)
            means.append(posterior_mean(queries, precision, blocks, rows=self.block))
        return torch.cat(means).reshape(len(y), *places, -1).movedim(-1, 1)


def _region(images: Tensor, rows: Span, columns: Span) -> Tensor:
    """Return a rectangle of images, which are periodic."""
    for dim, (start, stop) in ((-2, rows), (-1, columns)):
        size = images.shape[dim]
        if start >= 0 and stop <= size:
            images = images.narrow(dim, start, stop - start)
        else:
            around = torch.arange(start, stop, device=images.device) % size
            images = images.index_select(dim, around)
    return images


def _patches(images: Tensor, side: Span) -> Tensor:
    """Return all patches of images (B, C, H, W), (B places, C side side), image by image."""
    windows = images.unfold(2, side[0], 1).unfold(3, side[1], 1)  # (B, C, rows, columns, *side)
    return windows.permute(0, 2, 3, 1, 4, 5).flatten(3).flatten(0, 2)
