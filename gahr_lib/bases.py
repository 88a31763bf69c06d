"""Fixed orthonormal bases of images: the discrete cosine basis and wavelet bases.

A basis is a tensor of images (K, C, H, W), one basis vector each: the same form as the eigenvectors
of a denoiser's Jacobian, so that the same functions take coefficients in either.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gahr_lib._checks import check_count, check_images, check_same_dtype
from gahr_lib.errors import ConfigError, ShapeError

__all__ = ["coefficients", "dct_basis", "synthesize", "wavelet_basis"]


def coefficients(basis: Tensor, images: Tensor) -> Tensor:
    """Return the inner products <image, e_k> of each image with each vector of a basis.

    Parameters
    ----------
    basis
        Basis vectors, (K, C, H, W).
    images
        Images, (B, C, H, W).

    Returns
    -------
    Tensor
        (B, K), in intensity units.

    Raises
    ------
    ShapeError, ValueRangeError
        If the images are not of the size and dtype of the basis.
    """
    check_images(images, "images")
    if images.shape[1:] != basis.shape[1:]:
        raise ShapeError(
            f"The images have shape {tuple(images.shape[1:])}; expected that of the basis vectors, "
            f"{tuple(basis.shape[1:])}. Make the basis for the size of the images."
        )
    check_same_dtype(images, basis.dtype, "images", "the basis")
    return images.flatten(1) @ basis.flatten(1).T


def synthesize(basis: Tensor, coefficients: Tensor) -> Tensor:
    """Return the images sum_k c_k e_k.

    Parameters
    ----------
    basis
        Basis vectors, (K, C, H, W).
    coefficients
        (B, K).

    Returns
    -------
    Tensor
        (B, C, H, W).

    Raises
    ------
    ShapeError
        If there are not as many coefficients as basis vectors.
    ValueRangeError
        If they have another dtype than the basis.
    """
    if coefficients.ndim != 2 or coefficients.shape[1] != len(basis):
        raise ShapeError(
            f"The coefficients have shape {tuple(coefficients.shape)}; expected (B, {len(basis)}), "
            "one for each basis vector."
        )
    check_same_dtype(coefficients, basis.dtype, "coefficients", "the basis")
    return (coefficients @ basis.flatten(1)).reshape(-1, *basis.shape[1:])


def dct_basis(height: int, width: int) -> Tensor:
    """Return the orthonormal cosine basis (DCT-II) of grey images, low frequencies first.

    Parameters
    ----------
    height, width
        Sides of the images, in pixels.

    Returns
    -------
    Tensor
        (height * width, 1, height, width), float32, ordered by the norm of the frequency.

    Raises
    ------
    ConfigError
        If a side is not a whole number of at least 2.
    """
    from scipy.fft import idctn

    height, width = _check_sides(height, width)
    units = np.eye(height * width).reshape(-1, height, width)
    vectors = idctn(units, axes=(1, 2), norm="ortho")
    # Frequencies count per pixel, so that those of a long and of a short side compare.
    rows, columns = np.mgrid[:height, :width]
    order = np.argsort(np.hypot(rows / height, columns / width).ravel(), kind="stable")
    return _as_basis(vectors[order], height, width)


def wavelet_basis(
    height: int, width: int, *, wavelet: str = "db2", levels: int | None = None
) -> Tensor:
    """Return the orthonormal wavelet basis of grey images, coarse scales first.

    Parameters
    ----------
    height, width
        Sides of the images, in pixels; multiples of 2 ** levels.
    wavelet
        The name of an orthogonal wavelet of PyWavelets: "haar", "db2", "sym4", ...
    levels
        How often the image is halved; as often as its sides allow if None.

    Returns
    -------
    Tensor
        (height * width, 1, height, width), float32. Images are continued periodically.

    Raises
    ------
    ConfigError
        If the wavelet is unknown or not orthogonal, or the sides cannot be halved `levels` times.

    References
    ----------
    Mallat, "A Wavelet Tour of Signal Processing", 3rd edition, section 7.7.
    """
    import warnings

    import pywt

    height, width = _check_sides(height, width)
    most = min((side & -side).bit_length() - 1 for side in (height, width))
    if most == 0:
        raise ConfigError(
            f"The images have {height}x{width} pixels; expected even sides, because the transform "
            "halves them. Crop or pad the images."
        )
    levels = check_count(
        most if levels is None else levels,
        "levels",
        most=most,
        remedy=f"The sides of {height}x{width} pixels cannot be halved more often; crop or pad the "
        "images to allow more.",
    )
    check_wavelet(wavelet)
    # Row i of the transforms of the unit images holds <unit_i, e_k> = e_k[i] for all k.
    units = np.eye(height * width).reshape(-1, height, width)
    with warnings.catch_warnings():
        # PyWavelets warns where a filter is longer than the image; a periodic one wraps, exactly.
        warnings.filterwarnings("ignore", message="Level value of")
        parts = pywt.wavedec2(units, wavelet, "periodization", levels, axes=(1, 2))
    array, _ = pywt.coeffs_to_array(parts, axes=(1, 2))
    vectors = array.reshape(height * width, -1).T
    # The coarse coefficients fill the corner of the array, the finer ones the frames around it.
    rows, columns = np.mgrid[:height, :width]
    frame = np.maximum(rows * 2**levels // height, columns * 2**levels // width)
    order = np.argsort(np.ceil(np.log2(frame.ravel() + 1)), kind="stable")
    return _as_basis(vectors[order], height, width)


def check_wavelet(name: str) -> str:
    """Return the name of a wavelet, or raise `ConfigError` unless PyWavelets has it orthogonal."""
    import pywt

    # PyWavelets calls dmey orthogonal, but its filters are cut short and miss that by a percent.
    known = set(pywt.wavelist(kind="discrete")) - {"dmey"}
    if name not in known or not pywt.Wavelet(name).orthogonal:
        raise ConfigError(
            f"The wavelet is {name!r}; expected an orthogonal one of PyWavelets, such as 'haar', "
            "'db2' or 'sym4'."
        )
    return name


def _as_basis(vectors: NDArray[np.float64], height: int, width: int) -> Tensor:
    images = vectors.reshape(-1, 1, height, width)
    return torch.from_numpy(np.ascontiguousarray(images, dtype=np.float32))


def _check_sides(height: int, width: int) -> tuple[int, int]:
    return check_count(height, "height", 2), check_count(width, "width", 2)
