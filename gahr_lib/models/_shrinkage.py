"""What the denoisers that shrink coefficients in a fixed orthonormal basis have in common."""

import math
from abc import abstractmethod
from collections.abc import Callable
from itertools import product
from typing import Literal

import torch
from torch import Tensor

from gahr_lib._checks import check_count, check_images, number, sigma_per_image
from gahr_lib.errors import ConfigError, ShapeError
from gahr_lib.models.base import Denoiser

__all__ = ["OracleShrinkage", "Shrinkage", "usual_threshold"]

# In units of sigma: where each rule does well on natural and on piecewise smooth images.
_USUAL_THRESHOLDS = {"hard": 3.0, "soft": 1.5}


def usual_threshold(rule: Literal["hard", "soft"]) -> float:
    """Return the threshold that suits a rule, or raise `ConfigError` if there is no such rule."""
    if rule not in _USUAL_THRESHOLDS:
        raise ConfigError(f"The rule is {rule!r}; expected 'hard' or 'soft'.")
    return _USUAL_THRESHOLDS[rule]


class Shrinkage(Denoiser):
    """Thresholding in an orthonormal basis of which a subclass knows the fast transform.

    Every channel is denoised for itself. The coarsest averages, which hold the brightness and
    hardly any noise, are kept as they are. A subclass writes `analyze`, `synthesize` and `coarse`.

    Parameters
    ----------
    rule
        "hard" keeps coefficients beyond the threshold as they are; "soft" also moves them towards
        zero by the threshold.
    threshold
        In units of sigma; "universal" is sqrt(2 log(H W)), beyond which noise alone hardly ever
        comes; None stands for what usually does well, 1.5 for soft and 3 for hard.
    cycle_spins
        Denoise the n x n copies of the image that are shifted by 0 ... n - 1 pixels in both
        directions, its opposite sides joined, shift each back and average. 1 does not shift.

    Raises
    ------
    ConfigError
        If the rule is unknown, the threshold negative or `cycle_spins` not a positive number.
    """

    needs_sigma = True

    def __init__(
        self,
        rule: Literal["hard", "soft"],
        threshold: float | Literal["universal"] | None,
        cycle_spins: int,
    ) -> None:
        super().__init__()
        usual = usual_threshold(rule)
        if threshold is None:
            threshold = usual
        if threshold != "universal" and not 0 <= number(threshold) < math.inf:
            raise ConfigError(
                f"threshold is {threshold!r}; expected a number of sigmas >= 0, or 'universal'."
            )
        self.rule = rule
        self.threshold: float | Literal["universal"] = threshold
        self.cycle_spins = check_count(cycle_spins, "cycle_spins")

    @abstractmethod
    def analyze(self, images: Tensor) -> Tensor:
        """Return the coefficients of images (B, C, H, W), as many, the channels in place 1."""

    @abstractmethod
    def synthesize(self, coefficients: Tensor) -> Tensor:
        """Return the images (B, C, H, W) that have these coefficients; inverse of `analyze`."""

    @abstractmethod
    def coarse(self, coefficients: Tensor) -> Tensor:
        """Return which coefficients are coarse averages, bool, broadcast against them."""

    def oracle(self, x: Tensor) -> "OracleShrinkage":
        """Return the best linear shrinkage in this basis for given clean images.

        Parameters
        ----------
        x
            Clean images, (B, C, H, W).

        Returns
        -------
        OracleShrinkage
            A denoiser for noisy versions of these images, in their order, and of no others.

        Raises
        ------
        ShapeError, ValueRangeError
            If `x` is not a batch of images that the transform takes.
        """
        return OracleShrinkage(self, x)

    def factor(self, height: int, width: int) -> float:
        """Return the threshold in units of sigma for images of this size."""
        if self.threshold == "universal":
            return math.sqrt(2 * math.log(height * width))
        return float(self.threshold)

    def denoise(self, y: Tensor, sigma: float | Tensor | None) -> Tensor:
        """Return the images rebuilt from the coefficients that were kept."""
        assert sigma is not None  # needs_sigma: the call has checked it
        t = self.factor(*y.shape[-2:]) * sigma_per_image(sigma, y)

        def threshold(shifted: Tensor) -> Tensor:
            c = self.analyze(shifted)
            limit = t.reshape(-1, *(1,) * (c.ndim - 1))
            if self.rule == "soft":
                kept = c - torch.maximum(torch.minimum(c, limit), -limit)
            else:
                kept = torch.where(c.abs() > limit, c, torch.zeros_like(c))
            return self.synthesize(torch.where(self.coarse(c), c, kept))

        return self.spin(threshold, y)

    def spin(self, shrink: Callable[..., Tensor], *images: Tensor) -> Tensor:
        """Shift the images together, shrink, shift back; return the average over the cycle."""
        n = self.cycle_spins
        total = torch.zeros_like(images[0])
        for i, j in product(range(n), range(n)):
            shifted = [torch.roll(image, (i, j), dims=(-2, -1)) for image in images]
            total = total + torch.roll(shrink(*shifted), (-i, -j), dims=(-2, -1))
        return total / n**2


class OracleShrinkage(Denoiser):
    """Linear shrinkage whose factors were chosen by someone who knows the clean images.

    It multiplies each coefficient <y, e_k> by lambda_k = <x, e_k>^2 / (<x, e_k>^2 + sigma^2). No
    other choice of factors has a smaller mean error: it bounds what any way of shrinking in this
    basis can reach, and is no denoiser for images that are not known already. The averages are
    shrunk like all others. With cycle spinning, the oracle chooses anew for every shift.

    Parameters
    ----------
    shrinkage
        The basis and the cycle of shifts; its rule and its threshold do not matter.
    clean
        Clean images, (B, C, H, W). Noisy image i is shrunk as is best for clean image i; a single
        clean image serves a batch of any size.

    Raises
    ------
    ShapeError, ValueRangeError
        If the images do not suit the transform.

    References
    ----------
    The paper, equations 11 and 29; Donoho and Johnstone, "Ideal spatial adaptation by wavelet
    shrinkage", 1994. The mean error is `gahr_lib.analysis.shrinkage.oracle_error`.
    """

    needs_sigma = True
    clean: Tensor

    def __init__(self, shrinkage: Shrinkage, clean: Tensor) -> None:
        super().__init__()
        check_images(clean, "x")
        shrinkage.check_input(clean, "x")
        self.shrinkage = shrinkage
        self.register_buffer("clean", clean.detach().clone())
        self.channels = clean.shape[1]
        self.image_shape = (clean.shape[1], clean.shape[2], clean.shape[3])

    def check_input(self, y: Tensor, name: str = "y") -> None:
        """Raise `ShapeError` or `ValueRangeError` unless `y` are its images with noise."""
        super().check_input(y, name)
        expected = self.clean.shape
        if y.shape[1:] != expected[1:] or expected[0] not in (1, len(y)):
            raise ShapeError(
                f"{name} has shape {tuple(y.shape)}; expected {tuple(expected)}, that of the clean "
                "images for which the oracle was asked. Ask it with `oracle(x)` for other ones."
            )

    def denoise(self, y: Tensor, sigma: float | Tensor | None) -> Tensor:
        """Return the images rebuilt from the coefficients times their factors."""
        assert sigma is not None  # needs_sigma: the call has checked it
        variance = sigma_per_image(sigma, y).square()

        def shrink(shifted: Tensor, clean: Tensor) -> Tensor:
            c, energy = self.shrinkage.analyze(shifted), self.shrinkage.analyze(clean).square()
            noise = variance.reshape(-1, *(1,) * (c.ndim - 1))
            # Without noise everything is kept, also what is zero in the clean image.
            factors = energy / torch.where(noise > 0, energy + noise, 1)
            return self.shrinkage.synthesize(torch.where(noise > 0, factors, 1) * c)

        return self.shrinkage.spin(shrink, y, self.clean)
