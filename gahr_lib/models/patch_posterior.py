"""Posterior means of patches, averaged where they overlap."""

import torch
from torch import Tensor
from torch.nn import functional as F

from gahr_lib._checks import check_count
from gahr_lib.models._patches import PatchDenoiser, PatchSize
from gahr_lib.models._training_set import check_training_images, mean_image

__all__ = ["PatchPosterior"]


class PatchPosterior(PatchDenoiser):
    """Denoise every patch by the training patches at its place, and average the overlaps.

    With R_u the cut of the P x P patch at u, for all (H - P + 1)(W - P + 1) places inside the
    image: f(y) = (sum_u R_u' m_u) / (sum_u R_u' 1), m_u = sum_i w_iu R_u x_i, and w_u =
    ``softmax(-|R_u y - R_u x_i|^2 / (2 sigma^2))``. Unlike `LocalScore`, a patch gives all its
    pixels, and patches do not cross the border: pixels there lie in fewer of them. P = 1 denoises
    each pixel alone; patches as large as the image give `EmpiricalOptimum`.

    Parameters
    ----------
    images
        Training images, (N, C, H, W), floating intensities in [0, 1] or bytes in 0..255, which stay
        bytes. They are not copied: do not change them.
    patch_size
        P, up to the shorter side of the images. A number, a function of sigma, or a table
        {sigma: P} of which the sigma counts that is nearest on a logarithmic scale.
    block
        How many training images are compared with as many patches at a time.

    Raises
    ------
    ShapeError, ValueRangeError
        If `images` is not a batch of images.
    ConfigError
        If another argument is not one of those above.

    References
    ----------
    Niedoba, Zwartsenberg, Murphy and Wood, "Towards a mechanistic explanation of diffusion model
    generalization", ICML 2025, arXiv 2411.19339: the patch set posterior composite of squares.
    """

    def __init__(self, images: Tensor, patch_size: PatchSize, *, block: int = 1024) -> None:
        check_training_images(images)
        self._sides = (images.shape[2], images.shape[3])
        super().__init__(images, mean_image(images), patch_size, block)

    def check_side(self, side: int) -> int:
        """Return the side of a patch if it fits into the images."""
        return check_count(side, "patch_size", 1, min(self._sides))

    def denoise_with(self, side: int, y: Tensor, sigma: float | Tensor) -> Tensor:
        """Return the average over patches of their posterior means."""
        levels = self.noise_levels(sigma, y, self.image_shape[0] * side**2)
        centred = y.to(levels.dtype) - self.centre.to(levels.dtype)
        height, width = self._sides
        means = [
            self.patch_means(centred, levels, (i, i + side), (j, j + side), (side, side), None)
            for i in range(height - side + 1)
            for j in range(width - side + 1)
        ]
        patches = torch.cat([mean.flatten(2) for mean in means], dim=2)
        counts = F.fold(torch.ones_like(patches[:1]), self._sides, side)
        return (F.fold(patches, self._sides, side) / counts).to(y.dtype) + self.centre
