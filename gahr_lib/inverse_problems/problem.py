"""A linear measurement of images, checked to be orthonormal."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from gahr_lib._checks import check_images
from gahr_lib.errors import ConfigError, ShapeError, ValueRangeError
from gahr_lib.sampling._noise_streams import Shape, check_shape
from gahr_lib.sampling.algorithm import Constraint

__all__ = ["InverseProblem"]

_PROBES = 4
_TOLERANCE = 1e-4  # of the probes' size: far above rounding in single precision


class InverseProblem:
    """A linear measurement m = M^T x of images, the columns of M orthonormal.

    Both functions are tried on random probes: M^T M has to be the identity, and <M^T x, m> to equal
    <x, M m>, which also tells whether they are linear.

    Parameters
    ----------
    measure
        M^T: maps images (B, C, H, W) to measurements (B, ...), of any shape per image.
    adjoint
        M: maps measurements to images.
    image_shape
        (C, H, W).
    like
        The probes get the dtype and the device of this tensor: single precision on the CPU if None.

    Attributes
    ----------
    image_shape
        (C, H, W).
    measurement_shape
        The shape of one image's measurement.

    Raises
    ------
    ShapeError
        If the functions do not map batches of images to batches of measurements and back.
    ConfigError
        If the columns of M are not orthonormal, or `adjoint` is not the transpose of `measure`.

    References
    ----------
    Kadkhodaie and Simoncelli, "Stochastic solutions for linear inverse problems using the prior
    implicit in a denoiser", NeurIPS 2021, section 3.
    """

    def __init__(
        self,
        measure: Callable[[Tensor], Tensor],
        adjoint: Callable[[Tensor], Tensor],
        image_shape: Shape,
        *,
        like: Tensor | None = None,
    ) -> None:
        self._measure, self._adjoint = measure, adjoint
        self.image_shape = check_shape(image_shape)
        generator = torch.Generator().manual_seed(0)
        like = torch.empty(0) if like is None else like

        def probes(*shape: int) -> Tensor:
            return torch.randn(_PROBES, *shape, generator=generator).to(like)

        x = probes(*self.image_shape)
        measured = measure(x)
        batch, *shape = getattr(measured, "shape", ()) or (0,)
        if batch != _PROBES or not shape or not 0 < measured.numel() <= x.numel():
            raise ShapeError(
                f"measure maps images {tuple(x.shape)} to {(batch, *shape)}; expected "
                f"({_PROBES}, ...), for each image a measurement of not more numbers than it has. "
                "Keep the batch as first dimension."
            )
        self.measurement_shape = tuple(shape)
        m = probes(*shape)
        images = adjoint(m)
        if getattr(images, "shape", ()) != x.shape:
            raise ShapeError(
                f"adjoint maps measurements {tuple(m.shape)} to "
                f"{tuple(getattr(images, 'shape', ()))}; expected "
                f"images, {tuple(x.shape)}. Return what measure takes."
            )
        # All pairs of probes: what is not linear, or mixes the images of a batch, fails in some.
        left, right = measured.flatten(1) @ m.flatten(1).T, x.flatten(1) @ images.flatten(1).T
        scale = math.sqrt(m[0].numel())
        if not float((left - right).abs().max()) < _TOLERANCE * scale:
            raise ConfigError(
                "adjoint is not the transpose of measure: <measure(x), m> and <x, adjoint(m)> "
                f"differ by {float((left - right).abs().max()):.2g} for random x and m; expected "
                "equal numbers. Both have to be linear, and the image of m the sum of m_k e_k if "
                "m_k = <x, e_k>."
            )
        back = (measure(images) - m).flatten(1).norm(dim=1).max() / scale
        if not float(back) < _TOLERANCE:
            raise ConfigError(
                f"measure(adjoint(m)) is not m but differs by {float(back):.0%} for random m; "
                "expected M^T M = I. Divide each measurement by the norm of its vector, and make "
                "the vectors orthogonal, for instance by torch.linalg.qr."
            )

    def measure(self, x: Tensor) -> Tensor:
        """Return M^T x, (B, ...), of images (B, C, H, W).

        Raises
        ------
        ShapeError, ValueRangeError
            If `x` is not a batch of images of `image_shape`.
        """
        check_images(x, "x")
        if x.shape[1:] != self.image_shape:
            raise ShapeError(
                f"x has images of shape {tuple(x.shape[1:])}; expected {self.image_shape}, for "
                "which the problem was made. Make it for the shape of the images."
            )
        return self._measure(x)

    def adjoint(self, measurement: Tensor) -> Tensor:
        """Return M m, (B, C, H, W), of measurements (B, ...).

        It is the image of least energy with this measurement.

        Raises
        ------
        ShapeError, ValueRangeError
            If `measurement` is not a batch of finite floating measurements.
        """
        self._check_measurement(measurement)
        return self._adjoint(measurement)

    def project(self, x: Tensor, measurement: Tensor) -> Tensor:
        """Return x + M (m - M^T x), the nearest images to `x` that have this measurement.

        Parameters
        ----------
        x
            Images, (B, C, H, W).
        measurement
            One for each image, (B, ...), or one for all, (1, ...).

        Raises
        ------
        ShapeError, ValueRangeError
            If `x` or `measurement` is not such a batch.
        """
        self._check_measurement(measurement)
        if len(measurement) not in (1, len(x)):
            raise ShapeError(
                f"There are {len(measurement)} measurements for {len(x)} images; expected one for "
                "each, or one for all."
            )
        return x + self._adjoint(measurement - self.measure(x))

    def constraint(self, measurement: Tensor) -> Constraint:
        """Return what makes samples have a measurement: see `sample_steps`.

        Parameters
        ----------
        measurement
            One for each sample, (n, ...), or one for all, (1, ...).

        Raises
        ------
        ShapeError, ValueRangeError
            If `measurement` is not such a batch.
        """
        self._check_measurement(measurement)

        def constrain(images: Tensor, samples: Tensor) -> Tensor:
            if len(measurement) == 1:
                return self.project(images, measurement.to(images))
            if int(samples.max()) >= len(measurement):
                raise ShapeError(
                    f"There are {len(measurement)} measurements, and sample number "
                    f"{int(samples.max())}; expected one for each, or one for all."
                )
            return self.project(images, measurement.to(images)[samples])

        return constrain

    def _check_measurement(self, measurement: Tensor) -> None:
        shape = tuple(getattr(measurement, "shape", ()))
        if not isinstance(measurement, Tensor) or shape[1:] != self.measurement_shape or not shape:
            raise ShapeError(
                f"The measurement has shape {shape}; expected (B, "
                f"{', '.join(map(str, self.measurement_shape))}). Make it with problem.measure(x)."
            )
        if not measurement.is_floating_point() or not bool(torch.isfinite(measurement).all()):
            raise ValueRangeError(
                f"The measurement, of dtype {measurement.dtype}, is not made of finite floating "
                "numbers. Make it with problem.measure(x)."
            )
