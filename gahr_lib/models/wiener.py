"""Linear denoisers that are optimal for Gaussian images: Wiener filters."""

import torch
from torch import Tensor

from gahr_lib import bases
from gahr_lib._checks import check_images, sigma_per_image
from gahr_lib.errors import ShapeError, ValueRangeError
from gahr_lib.models._training_set import (
    check_image_shape,
    check_training_images,
    intensity_blocks,
    mean_image,
)
from gahr_lib.models.base import Denoiser

__all__ = ["StationaryWiener", "Wiener"]


class Wiener(Denoiser):
    """The best denoiser that is linear up to a constant, for images of known mean and covariance.

    f(y) = mu + C (C + sigma^2 I)^-1 (y - mu), which shrinks the principal components e_k of the
    images by lambda_k / (lambda_k + sigma^2). For Gaussian images no denoiser is better. Its
    Jacobian C (C + sigma^2 I)^-1 is the same everywhere. At sigma = 0 it projects on the components
    of variance above zero. `Wiener.from_images` estimates mean and covariance.

    Parameters
    ----------
    mean
        The mean image mu, (C, H, W), in intensity units.
    covariance
        C, (d, d) with d = C H W, symmetric and not negative. It is decomposed in double precision,
        which takes memory for a few matrices of this size, and time that grows with d^3.

    Attributes
    ----------
    values
        The variances lambda_k, (d,), falling.
    vectors
        The principal components e_k, (d, C, H, W), orthonormal images.

    Raises
    ------
    ShapeError
        If the covariance has not as many rows and columns as the mean has numbers.
    ValueRangeError
        If the covariance is not symmetric, or has negative eigenvalues beyond rounding.

    References
    ----------
    Wiener, "Extrapolation, interpolation, and smoothing of stationary time series", 1949; Mallat,
    "A wavelet tour of signal processing", 3rd edition, theorem 11.3.
    """

    needs_sigma = True
    image_shape: tuple[int, int, int]
    mean: Tensor
    values: Tensor
    vectors: Tensor

    def __init__(self, mean: Tensor, covariance: Tensor) -> None:
        super().__init__()
        _check_mean(mean)
        d = mean.numel()
        if not isinstance(covariance, Tensor) or covariance.shape != (d, d):
            raise ShapeError(
                f"The covariance has shape {tuple(getattr(covariance, 'shape', ()))}; expected "
                f"({d}, {d}), a row and a column for each number of the mean image."
            )
        covariance = covariance.double()
        _check_hermitian(covariance, "covariance")
        values, vectors = torch.linalg.eigh(covariance)  # rising
        self.channels = mean.shape[0]
        self.image_shape = (mean.shape[0], mean.shape[1], mean.shape[2])
        self.register_buffer("mean", mean.detach())
        self.register_buffer("values", _variances(values, "covariance").flip(0).to(mean.dtype))
        components = vectors.flip(1).T.reshape(d, *mean.shape)
        self.register_buffer("vectors", components.to(mean.dtype).contiguous())

    @classmethod
    def from_images(cls, images: Tensor) -> "Wiener":
        """Return the filter for the mean and the covariance of training images.

        It is the linear regression of clean on noisy training images.

        Parameters
        ----------
        images
            (N, C, H, W), floating intensities in [0, 1] or bytes in 0..255. They are read in blocks
            and not kept. The sum over images is divided by N.

        Raises
        ------
        ShapeError, ValueRangeError
            If `images` is not a batch of images.
        """
        check_training_images(images)
        mean = mean_image(images)
        total = mean.new_zeros(mean.numel(), mean.numel())
        for block in intensity_blocks(images):
            deviations = (block - mean).flatten(1)
            total.addmm_(deviations.T, deviations)
        return cls(mean.to(_floating(images)), total / len(images))

    def check_input(self, y: Tensor, name: str = "y") -> None:
        """Raise `ShapeError` or `ValueRangeError` unless `y` are images of the mean's shape."""
        super().check_input(y, name)
        check_image_shape(y, self.image_shape, name, self)

    def denoise(self, y: Tensor, sigma: float | Tensor | None) -> Tensor:
        """Return the images with their principal components shrunk."""
        assert sigma is not None  # needs_sigma: the call has checked it
        c = bases.coefficients(self.vectors, y - self.mean)
        shrunk = _shrinkage(self.values, sigma_per_image(sigma, y).flatten(1)) * c
        return self.mean + bases.synthesize(self.vectors, shrunk)


class StationaryWiener(Denoiser):
    """The best denoiser that is a circular convolution up to a constant.

    With Y the Fourier transform of y - mu, f(y) has the transform S (S + sigma^2 I)^-1 Y at each
    frequency, S the power spectrum: a number for grey images, a C x C matrix for C channels. Images
    are taken as periodic: their left border continues at the right one, their top at the bottom,
    and the jump between them counts as part of the image. It is the `Wiener` filter of a process
    whose statistics are the same at all places. `StationaryWiener.from_images` estimates them.

    Parameters
    ----------
    mean
        The mean intensity of each channel, (C,).
    spectrum
        Power spectrum, (C, C, H, W), complex or real, frequencies as `torch.fft.fft2` orders them:
        E[X X^*] with X the transform of x - mu divided by sqrt(H W), so that white noise of
        variance sigma^2 has the spectrum sigma^2 I.

    Raises
    ------
    ShapeError
        If mean and spectrum do not have as many channels.
    ValueRangeError
        If the spectrum is not that of real images, or has negative eigenvalues beyond rounding.

    References
    ----------
    Wiener, "Extrapolation, interpolation, and smoothing of stationary time series", 1949; Mallat,
    "A wavelet tour of signal processing", 3rd edition, section 11.1.2.
    """

    needs_sigma = True
    image_shape: tuple[int, int, int]
    mean: Tensor
    values: Tensor
    vectors: Tensor

    def __init__(self, mean: Tensor, spectrum: Tensor) -> None:
        super().__init__()
        if not isinstance(mean, Tensor) or mean.ndim != 1:
            raise ShapeError(
                f"The mean has shape {tuple(getattr(mean, 'shape', ()))}; expected (C,), an "
                "intensity for each channel."
            )
        _check_mean(mean[:, None, None])
        c = len(mean)
        if not isinstance(spectrum, Tensor) or spectrum.ndim != 4 or spectrum.shape[:2] != (c, c):
            raise ShapeError(
                f"The spectrum has shape {tuple(getattr(spectrum, 'shape', ()))}; expected "
                f"({c}, {c}, H, W), a matrix for each frequency."
            )
        matrices = spectrum.to(torch.complex128).permute(2, 3, 0, 1)
        _check_hermitian(matrices, "spectrum")
        opposite = matrices.flip((0, 1)).roll((1, 1), dims=(0, 1))  # at minus the frequency
        if not torch.allclose(opposite, matrices.conj(), atol=1e-6 * float(matrices.abs().max())):
            raise ValueRangeError(
                "The spectrum at a frequency and at its negative are not conjugate; expected those "
                "of real images. Order the frequencies as torch.fft.fft2 does."
            )
        values, vectors = torch.linalg.eigh(matrices)
        self.channels = c
        self.image_shape = (c, spectrum.shape[2], spectrum.shape[3])
        self.register_buffer("mean", mean.detach()[:, None, None])
        self.register_buffer("values", _variances(values, "spectrum").to(mean.dtype))
        # Real and imaginary part: converting a module's dtype would drop the latter.
        self.register_buffer("vectors", torch.view_as_real(vectors).to(mean.dtype).contiguous())

    @classmethod
    def from_images(cls, images: Tensor) -> "StationaryWiener":
        """Return the filter for the mean intensities and the average periodogram of images.

        Of all circular convolutions, with a constant added, it has the least error on them.

        Parameters
        ----------
        images
            (N, C, H, W), floating intensities in [0, 1] or bytes in 0..255. They are read in blocks
            and not kept.

        Raises
        ------
        ShapeError, ValueRangeError
            If `images` is not a batch of images.
        """
        check_training_images(images)
        mean = mean_image(images).mean((1, 2), keepdim=True)
        channels, height, width = images.shape[1:]
        total = torch.zeros(
            (channels, channels, height, width), dtype=torch.complex128, device=images.device
        )
        for block in intensity_blocks(images):
            X = torch.fft.fft2(block - mean, norm="ortho")
            total = total + torch.einsum("nchw,nehw->cehw", X, X.conj())
        return cls(mean.flatten().to(_floating(images)), total / len(images))

    def check_input(self, y: Tensor, name: str = "y") -> None:
        """Raise `ShapeError` or `ValueRangeError` unless `y` have the size of the spectrum."""
        super().check_input(y, name)
        check_image_shape(y, self.image_shape, name, self)

    def denoise(self, y: Tensor, sigma: float | Tensor | None) -> Tensor:
        """Return the images with their frequencies shrunk."""
        assert sigma is not None  # needs_sigma: the call has checked it
        U = torch.view_as_complex(self.vectors)  # (H, W, C, C)
        Y = torch.fft.fft2(y - self.mean, norm="ortho")
        components = torch.einsum("hwck,bchw->bhwk", U.conj(), Y)
        shrunk = _shrinkage(self.values, sigma_per_image(sigma, y)) * components
        X = torch.einsum("hwck,bhwk->bchw", U, shrunk)
        return self.mean + torch.fft.ifft2(X, norm="ortho").real


def _floating(images: Tensor) -> torch.dtype:
    return torch.float32 if images.dtype == torch.uint8 else images.dtype


def _shrinkage(values: Tensor, sigma: Tensor) -> Tensor:
    """Return lambda / (lambda + sigma^2), and 0 for 0 / 0."""
    return values / (values + sigma.square()).clamp(min=torch.finfo(values.dtype).tiny)


def _variances(values: Tensor, name: str) -> Tensor:
    """Return eigenvalues with those that rounding made of zeros put back to zero."""
    rounding = values.shape[-1] * torch.finfo(values.dtype).eps * float(values.abs().max())
    # A matrix that was made in single precision has eigenvalues below zero of its own rounding.
    if float(values.min()) < -max(rounding, 1e-5 * float(values.abs().max())):
        raise ValueRangeError(
            f"The {name} has an eigenvalue of {float(values.min()):.4g}; expected none below zero. "
            "Estimate it as a mean of products x x', for instance."
        )
    return torch.where(values > rounding, values, torch.zeros_like(values))


def _check_mean(mean: Tensor) -> None:
    if not isinstance(mean, Tensor) or mean.ndim != 3:
        raise ShapeError(
            f"The mean has shape {tuple(getattr(mean, 'shape', ()))}; expected (C, H, W), an image."
        )
    check_images(mean[None], "mean")


def _check_hermitian(matrices: Tensor, name: str) -> None:
    if not bool(torch.isfinite(matrices).all()):
        raise ValueRangeError(f"The {name} is not finite; look for NaN where it was made.")
    largest = float(matrices.abs().max())
    if float((matrices - matrices.mH).abs().max()) > 1e-5 * largest:
        raise ValueRangeError(
            f"The {name} is not symmetric; expected C = C'. Symmetrise it as (C + C') / 2 if the "
            "difference is that of rounding."
        )
