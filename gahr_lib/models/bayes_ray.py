"""The optimal denoiser of one image at every brightness."""

import torch
from torch import Tensor

from gahr_lib._checks import sigma_per_image
from gahr_lib.data.ray_images import check_template
from gahr_lib.models._posterior import BayesOptimum, Posterior, truncated_normal

__all__ = ["BayesRay"]


class BayesRay(BayesOptimum):
    """The posterior mean of images s x, with x one known image and s uniform on [0, 1].

    Given y, s follows a normal distribution of mean ``<x, y> / |x|^2`` and deviation
    ``sigma / |x|``, cut off outside [0, 1]; ``f(y) = x E[s | y]``, in closed form. At small noise
    this is the projection on the line through x.

    Parameters
    ----------
    template
        The image x, (1, C, H, W), intensities in [0, 1]: that of `gahr_lib.data.ray_images.ray`,
        of which `lit_ball(size)` is the default.

    Raises
    ------
    ShapeError
        If the template is not one image.
    ValueRangeError
        If it is not in [0, 1], or black.

    Notes
    -----
    Without noise it is the limit, the nearest image of the ray. Far from the class, where <x, y>
    lies a million deviations outside ``[0, |x|^2]``, the Jacobian is exact to 1e-3 only.

    References
    ----------
    Kadkhodaie, Guth, Simoncelli, Mallat, ICLR 2024, equations 8 and 9, and figure 19 for the class.
    """

    template: Tensor

    def __init__(self, template: Tensor) -> None:
        super().__init__()
        check_template(template)
        self.register_buffer("template", template.detach().clone())
        self.channels = template.shape[1]
        self.image_shape = (template.shape[1], template.shape[2], template.shape[3])

    def compute(self, y: Tensor, sigma: float | Tensor) -> Posterior:
        """Return the posterior without checking its arguments."""
        x = self.template.double()
        energy = x.square().sum()
        best = (y.double() * x).sum((1, 2, 3)) / energy
        noise = sigma_per_image(sigma, y).double().flatten().expand(len(y))
        exact = noise == 0
        _, mean, variance = truncated_normal(best, torch.where(exact, 1, noise) / energy.sqrt())
        scale = torch.where(exact, best.clamp(0, 1), mean)
        mse = torch.where(exact, 0, variance) * energy / x.numel()
        estimate = (scale.reshape(-1, 1, 1, 1) * x).to(y.dtype)
        return Posterior(estimate, torch.zeros_like(estimate), mse.to(y.dtype))
