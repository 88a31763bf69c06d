"""The optimal denoiser of a finite training set: it can only reproduce training images."""

from collections.abc import Iterator

import torch
from torch import Tensor

from gahr_lib._checks import check_sigma
from gahr_lib.models._softmax_mean import posterior_mean, with_norms
from gahr_lib.models._training_set import TrainingSetDenoiser, check_training_images, mean_image

__all__ = ["EmpiricalOptimum"]

_ROWS = 512  # noisy images compared with a block at a time


class EmpiricalOptimum(TrainingSetDenoiser):
    """The posterior mean if the clean image is one of the training images, all equally likely.

    f(y) = sum_i w_i(y) x_i with w = ``softmax(-|y - x_i|^2 / (2 sigma^2))``. No denoiser has a
    smaller mean squared error on the training set; its Jacobian is Cov_w[x] / sigma^2, symmetric,
    not negative, and of rank N - 1 at most. At sigma = 0 it returns the nearest training image (the
    mean of the nearest, if several are equally near).

    Training images are read in blocks with a running maximum of the exponents, so that nothing
    overflows and memory grows with the block. Where single precision would not tell near images
    apart, at small sigma, exponents are computed in double precision; derivatives always are.

    Parameters
    ----------
    images
        Training images, (N, C, H, W): floating intensities in [0, 1], or bytes in 0..255, which are
        kept as bytes and divided by 255 block by block. They are not copied: do not change them.
    block
        How many training images are compared at a time.

    Raises
    ------
    ShapeError, ValueRangeError
        If `images` is not a batch of images.
    ConfigError
        If `block` is not a positive number.

    References
    ----------
    The paper, equations 8 and 9, for the posterior of the training set; Kamb and Ganguli,
    arXiv 2412.20292, who call it the ideal score machine.
    """

    def __init__(self, images: Tensor, *, block: int = 2048) -> None:
        check_training_images(images)
        super().__init__(images, mean_image(images), block)

    def denoise(self, y: Tensor, sigma: float | Tensor | None) -> Tensor:
        """Return the weighted mean of the training images."""
        queries, precision = self._compare(y, sigma)
        screen = queries.dtype == torch.float64 != y.dtype
        mean = posterior_mean(queries, precision, self._blocks, rows=_ROWS, screen=screen)
        return mean.to(y.dtype).reshape(y.shape) + self.centre

    def weights(self, y: Tensor, sigma: float | Tensor) -> Tensor:
        """Return the posterior probability of each training image.

        Parameters
        ----------
        y
            Noisy images, (B, C, H, W).
        sigma
            Standard deviation of the noise in intensity units, a number or (B,).

        Returns
        -------
        Tensor
            (B, N); every row sums to 1. All are kept at once, so memory grows with B N.

        Raises
        ------
        ShapeError, ValueRangeError
            If `y` is not a batch of images like those of the training set.
        SigmaError
            If sigma is not a noise level.
        """
        self.check_input(y)
        check_sigma(sigma, len(y))
        queries, precision = self._compare(y, sigma)
        exponents = torch.cat((precision * queries, precision), dim=1)
        logits = [exponents @ points.T for points, _ in self._blocks(exponents.dtype)]
        return torch.softmax(torch.cat(logits, dim=1), dim=1).to(y.dtype)

    def _compare(self, y: Tensor, sigma: float | Tensor | None) -> tuple[Tensor, Tensor]:
        levels = self.noise_levels(sigma, y, self.centre.numel())
        queries = (y.to(levels.dtype) - self.centre.to(levels.dtype)).flatten(1)
        return queries, levels.flatten(1) ** -2

    def _blocks(self, dtype: torch.dtype) -> Iterator[tuple[Tensor, Tensor]]:
        for part in self.images.split(self.block):
            images = self.centred(part, self.centre, dtype).flatten(1)
            yield with_norms(images), images
