"""How harmonic and how adapted the bases of a network are, and what shuffled pixels cost it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gahr_lib import bases
from gahr_lib.analysis.eigenbases import eigenbasis
from gahr_lib.analysis.evaluation import psnr_curve
from gahr_lib.analysis.harmonicity import (
    contour_preference,
    frequencies,
    half_waves,
    missed,
)
from gahr_lib.analysis.matrix import jacobian
from gahr_lib.analysis.results import Result
from gahr_lib.data import fashion, shuffle_pixels, unshuffle_pixels
from gahr_lib.jobs.measurements import card_noise
from gahr_lib.models import Denoiser, EmpiricalOptimum, Wiener
from gahr_lib.noise import add_noise
from gahr_lib.zoo.networks import load_denoiser

__all__ = ["Harmonics", "Shuffled", "compare_shuffled", "measure_harmonics", "optimum_basis"]

_N_TRAIN = 30_000
_SEED_OF_OTHER_NOISE = 1

Denoise = Callable[..., Tensor]


@dataclass(frozen=True)
class Harmonics(Result):
    """Measures of the K leading vectors of F bases at I noisy images.

    Attributes
    ----------
    names
        Of the bases, F of them.
    sigma
        The noise level.
    told
        The noise level that the empirical optimum was told.
    half_waves
        (F, I, K); see `gahr_lib.analysis.harmonicity.half_waves`.
    frequencies
        In radians per pixel, (F, I, K).
    missed
        The share of clean image j that the basis at image i misses, (F, I, I), entry (i, j).
    contours
        `gahr_lib.analysis.harmonicity.contour_preference`, (F, I).
    """

    names: list[str]
    sigma: float
    told: float
    half_waves: Tensor
    frequencies: Tensor
    missed: Tensor
    contours: Tensor


@dataclass(frozen=True)
class Shuffled(Result):
    """PSNR of D denoisers on B images, as they are and under one permutation of their pixels.

    Attributes
    ----------
    names
        Of the denoisers, D of them.
    input_psnr
        In dB, (S,).
    plain
        Of those made for images as they are, (D, S, B), in dB.
    shuffled
        Of those made for shuffled images, on shuffled images with equally shuffled noise,
        (D, S, B).
    """

    names: list[str]
    input_psnr: Tensor
    plain: Tensor
    shuffled: Tensor


def measure_harmonics(
    images: Tensor,
    sigma: float,
    *,
    k: int = 64,
    told: float = 1.0,
    n_train: int = _N_TRAIN,
) -> Harmonics:
    """Measure bases of networks at noisy images, and those they are to be compared with.

    Parameters
    ----------
    images
        Clean images, (I, 1, 28, 28), two or more.
    sigma
        The noise level.
    k
        How many vectors.
    told
        The noise level that the empirical optimum is told, in place of the true one. At a small one
        it returns a single training image, whose covariance is zero.
    n_train
        How many images of half A the optimum and the principal components know. The networks have
        seen 30,000 and 100.
    """
    noisy = add_noise(images, sigma, generator=card_noise())
    again = add_noise(images, sigma, generator=torch.Generator().manual_seed(_SEED_OF_OTHER_NOISE))
    train = fashion("train", half="A", n=n_train)
    network = load_denoiser("fashion", n_train=_N_TRAIN)
    of_shuffled = load_denoiser("fashion", n_train=_N_TRAIN, variant="shuffled")
    own = _own_bases(network, noisy, k)
    seen = _own_bases(of_shuffled, shuffle_pixels(noisy), k)
    pairs = [_singular_bases(network, y, k) for y in noisy.split(1)]
    generator = torch.Generator().manual_seed(0)
    count, side = len(images), images.shape[-1]
    found: dict[str, Sequence[Tensor]] = {
        "network": own,
        "network, other noise": _own_bases(network, again, k),
        "network, mixed": [_mixed(basis, generator) for basis in own],
        "network of 100": _own_bases(load_denoiser("fashion", n_train=100), noisy, k),
        "network of half B": _own_bases(
            load_denoiser("fashion", n_train=_N_TRAIN, half="B"), noisy, k
        ),
        "written": [written for written, _ in pairs],
        "read": [read for _, read in pairs],
        "optimum": [optimum_basis(train, y, told, k) for y in noisy.split(1)],
        "principal components": [Wiener.from_images(train).vectors[:k]] * count,
        "cosines": [bases.dct_basis(side, side)[:k]] * count,
        "Haar": [bases.wavelet_basis(side, side, wavelet="haar")[:k]] * count,
        "wavelets": [bases.wavelet_basis(side, side, wavelet="db2")[:k]] * count,
        "random": [_mixed(torch.eye(side**2), generator)[:k].reshape(k, 1, side, side)] * count,
        "shuffled network, as it sees": seen,
        "shuffled network": [unshuffle_pixels(basis) for basis in seen],
    }
    kinds = list(found.values())
    return Harmonics(
        list(found),
        sigma,
        told,
        torch.stack([torch.stack([half_waves(basis) for basis in kind]) for kind in kinds]).float(),
        torch.stack([torch.stack([frequencies(b) for b in kind]) for kind in kinds]).float(),
        torch.stack([torch.stack([missed(b, images) for b in kind]) for kind in kinds]).float(),
        torch.tensor(
            [
                [contour_preference(b, x) for b, x in zip(kind, images.split(1), strict=True)]
                for kind in kinds
            ]
        ),
    )


def optimum_basis(train: Tensor, y: Tensor, sigma: float, k: int) -> Tensor:
    """Return the leading eigenvectors of the empirical optimum's Jacobian, (k, C, H, W).

    They are the principal components of the training images under the optimum's weights.

    Parameters
    ----------
    train
        (N, C, H, W).
    y
        (1, C, H, W).
    sigma
        The noise level that the optimum is told.
    k
        How many.
    """
    weights = EmpiricalOptimum(train).weights(y, sigma)[0].double()
    near = weights > 1e-9 * weights.max()
    rows, w = train[near].double().flatten(1), weights[near] / weights[near].sum()
    deviations = (rows - w @ rows) * w.sqrt()[:, None]
    _, vectors = torch.linalg.eigh(deviations.T @ deviations)  # rising
    return vectors.flip(1)[:, :k].T.float().reshape(k, *y.shape[1:])


def compare_shuffled(
    input_psnr: Sequence[float], *, images: int = 100, n_train: int = _N_TRAIN
) -> Shuffled:
    """Measure what denoisers lose if all images have the same permutation of their pixels.

    Parameters
    ----------
    input_psnr
        Noise levels, in dB.
    images
        How many test images.
    n_train
        How many images of half A the Wiener filter and the empirical optimum know.

    References
    ----------
    The paper, figure 21, for the network.
    """
    train, x = fashion("train", half="A", n=n_train), fashion("test", n=images)
    sigmas = [10 ** (-decibels / 20) for decibels in input_psnr]
    orders: dict[str, tuple[Denoiser, Denoiser]] = {
        "network": (
            load_denoiser("fashion", n_train=_N_TRAIN),
            load_denoiser("fashion", n_train=_N_TRAIN, variant="shuffled"),
        ),
        "Wiener": (Wiener.from_images(train), Wiener.from_images(shuffle_pixels(train))),
        "optimum": (EmpiricalOptimum(train), EmpiricalOptimum(shuffle_pixels(train))),
    }

    def curve(denoise: Denoise) -> Tensor:
        return psnr_curve(denoise, x, sigmas, generator=card_noise(), batch_size=50).float()

    return Shuffled(
        list(orders),
        torch.tensor(list(input_psnr)),
        torch.stack([curve(plain) for plain, _ in orders.values()]),
        torch.stack([curve(_on_shuffled(denoiser)) for _, denoiser in orders.values()]),
    )


def _on_shuffled(denoiser: Denoiser) -> Denoise:
    """Return the denoiser between a permutation and its inverse, so that all see the same noise."""
    return lambda y, sigma=None: unshuffle_pixels(denoiser(shuffle_pixels(y), sigma))


def _own_bases(denoiser: Denoiser, noisy: Tensor, k: int) -> list[Tensor]:
    return [eigenbasis(denoiser, y, k=k).vectors for y in noisy.split(1)]


def _singular_bases(denoiser: Denoiser, y: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return the leading left and right singular vectors of the Jacobian."""
    left, _, right = torch.linalg.svd(jacobian(denoiser, y))
    return left[:, :k].T.reshape(k, *y.shape[1:]), right[:k].reshape(k, *y.shape[1:])


def _mixed(basis: Tensor, generator: torch.Generator) -> Tensor:
    """Return the vectors turned by a random rotation: another basis of the space they span."""
    turn = torch.linalg.qr(torch.randn(len(basis), len(basis), generator=generator))[0]
    return (turn @ basis.flatten(1)).reshape(basis.shape)
