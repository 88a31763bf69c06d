"""What the optimal denoisers of synthetic classes of images have in common."""

import math
from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from gahr_lib._checks import check_sigma
from gahr_lib.errors import ShapeError
from gahr_lib.models.base import Denoiser

__all__ = ["BayesOptimum", "Posterior", "truncated_normal"]


@dataclass(frozen=True, eq=False)
class Posterior:
    """What is known about clean images once noisy ones were seen.

    Attributes
    ----------
    mean
        The posterior mean E[x | y], (B, C, H, W): the optimal denoised image (eq. 8).
    standard_error
        How far the computed mean may be from the exact one, (B, C, H, W), in intensity units:
        one standard deviation if it was computed by Monte-Carlo, the difference to half as many
        nodes if by quadrature, or 0 for a closed form.
    mse
        The posterior variance per pixel, ``E[|x - E[x | y]|^2 | y] / d``, (B,): the mean squared
        error that the optimal denoiser expects of itself. Its mean over images is the least MSE.
    """

    mean: Tensor
    standard_error: Tensor
    mse: Tensor


class BayesOptimum(Denoiser):
    """The optimal denoiser E[x | y] of images drawn from a class that is known exactly.

    No denoiser has a smaller mean squared error on that class. Its Jacobian is the covariance
    Cov[x | y] / sigma^2, symmetric and not negative (eq. 9). It is computed in double precision
    whatever the type of the images, and each image for itself. A subclass writes `compute`.
    """

    needs_sigma = True
    image_shape: tuple[int, int, int]

    def posterior(self, y: Tensor, sigma: float | Tensor) -> Posterior:
        """Return the posterior mean with its error bar, and the posterior variance.

        Parameters
        ----------
        y
            Noisy images, (B, C, H, W).
        sigma
            Standard deviation of the noise in intensity units, a number or (B,).

        Returns
        -------
        Posterior
            In the type of `y`.

        Raises
        ------
        ShapeError, ValueRangeError
            If `y` is not a batch of images of the class's size.
        SigmaError
            If sigma is not a noise level.
        """
        self.check_input(y)
        check_sigma(sigma, len(y))
        return self.compute(y, sigma)

    @abstractmethod
    def compute(self, y: Tensor, sigma: float | Tensor) -> Posterior:
        """Return the posterior without checking its arguments."""

    def denoise(self, y: Tensor, sigma: float | Tensor | None) -> Tensor:
        """Return the posterior mean."""
        assert sigma is not None  # needs_sigma: the call has checked it
        return self.compute(y, sigma).mean

    def check_input(self, y: Tensor, name: str = "y") -> None:
        """Raise `ShapeError` or `ValueRangeError` unless `y` are images of the class's size."""
        super().check_input(y, name)
        if tuple(y.shape[1:]) != self.image_shape:
            raise ShapeError(
                f"{name} has shape {tuple(y.shape)}; expected images of the class, of shape "
                f"{self.image_shape}. Make the {type(self).__name__} for the size of the images."
            )


def truncated_normal(mean: Tensor, deviation: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return mass, mean and variance of a normal distribution that is cut off outside [0, 1].

    With a = -mean / deviation, b = (1 - mean) / deviation, and phi and Phi the standard normal
    density and distribution function, the mass is Phi(b) - Phi(a), the mean
    ``mean + deviation r`` with r = (phi(a) - phi(b)) / (Phi(b) - Phi(a)), and the variance
    ``deviation^2 (1 + (a phi(a) - b phi(b)) / (Phi(b) - Phi(a)) - r^2)``.

    Parameters
    ----------
    mean, deviation
        Of the normal distribution before the cut, double precision, broadcast; deviations > 0.

    Returns
    -------
    tuple
        Logarithm of the mass, mean and variance. Errors of the last two are below 1e-9 for
        |mean| / deviation < 1e3, and grow with its square; deviations above 1e3 count as 1e3.

    References
    ----------
    Johnson, Kotz and Balakrishnan, "Continuous univariate distributions", volume 1, section 10.1.
    """
    # A wider one is flat on [0, 1] to six digits, where differences would lose as many.
    tau = deviation.clamp(max=1e3)
    # Reflect, so that the far tail is always that on the right: |a| <= b.
    mirrored = mean > 0.5
    centre = torch.where(mirrored, 1 - mean, mean)
    a, b = -centre / tau, (1 - centre) / tau
    gap = (b - a) * (b + a) / 2  # (b^2 - a^2) / 2 >= 0
    fall = torch.exp(-gap)  # phi(b) / phi(a)
    # Where 0 is in the tail, all is divided by exp(-a^2 / 2), which may underflow, and the mass
    # comes from the scaled complementary error function; elsewhere from the error function.
    in_tail, root = a > 0, math.sqrt(0.5)
    tail = torch.special.erfcx(a.clamp(min=0) * root) - fall * torch.special.erfcx(b * root)
    inner = a.clamp(max=0)
    mass = torch.where(in_tail, tail, torch.erf(b * root) - torch.erf(inner * root)) / 2
    density = torch.exp(-inner.square() / 2) / math.sqrt(2 * math.pi)  # phi(a)
    shift = -torch.expm1(-gap) * density / mass
    variance = 1 + (a - b * fall) * density / mass - shift.square()
    log_mass = torch.log(mass) - a.clamp(min=0).square() / 2
    inside = (centre + tau * shift).clamp(0, 1)
    return (
        log_mass,
        torch.where(mirrored, 1 - inside, inside),
        (tau.square() * variance).clamp(min=0),
    )
