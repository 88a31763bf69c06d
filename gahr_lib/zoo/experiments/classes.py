"""Classes of images whose best slope or whose optimal denoiser is known, and their networks."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gahr_lib.analysis.eigenbases import eigenbasis
from gahr_lib.analysis.evaluation import psnr_curve
from gahr_lib.analysis.results import Result
from gahr_lib.jobs import load_images
from gahr_lib.jobs.measurements import card_noise
from gahr_lib.models import BayesDiscs, Denoiser, WaveletShrinkage, Wiener
from gahr_lib.noise import add_noise
from gahr_lib.zoo.networks import load_denoiser
from gahr_lib.zoo.recipes import find_recipe, network_name
from gahr_lib.zoo.references import optimum
from gahr_lib.zoo.scales import BOOK, Scale

__all__ = ["LEVELS", "ClassCurves", "Spectra", "class_curves", "spectra"]

LEVELS = tuple(float(decibels) for decibels in range(2, 42, 2))
"""Input PSNR in dB, at which curves are measured."""

_FIT = (
    10_000  # images of 40x40 from which the Wiener filter has its covariance; more of larger ones
)


@dataclass(frozen=True)
class ClassCurves(Result):
    """PSNR of a network and of closed-form denoisers on fresh images of its class.

    Attributes
    ----------
    input_psnr
        In dB, (S,).
    network, wavelet, wiener
        Output PSNR of every image in dB, (S, B): of the trained network; of wavelet shrinkage; of
        the best affine denoiser, which knows mean and covariance of the class.
    bayes
        Of the optimal denoiser, for the first images, (S, B'); empty if it is not known.
    """

    input_psnr: Tensor
    network: Tensor
    wavelet: Tensor
    wiener: Tensor
    bayes: Tensor


@dataclass(frozen=True)
class Spectra(Result):
    """Leading eigenvalues of the Jacobian of a network and of the optimum at the same images.

    Attributes
    ----------
    sigma
        Noise level.
    noisy
        The images, (B, 1, H, W).
    network, bayes
        Eigenvalues, falling, (B, K).
    vectors
        Eigenvectors of the network, half precision, (B, K, H, W).
    bayes_vectors
        Those of the optimum, (B, K, H, W).
    """

    sigma: float
    noisy: Tensor
    network: Tensor
    bayes: Tensor
    vectors: Tensor
    bayes_vectors: Tensor


def class_curves(
    data: str,
    input_psnr: Sequence[float],
    *,
    alpha: float | None = None,
    images: int = 200,
    bayes_images: int = 10,
    scale: Scale = BOOK,
) -> ClassCurves:
    """Measure the network of a class and its closed-form controls on fresh images.

    Parameters
    ----------
    data, alpha
        The class, as for `gahr_lib.zoo.load_denoiser`.
    input_psnr
        Noise levels as PSNR of the noisy image, in dB.
    images
        How many test images.
    bayes_images
        Of how many of them the optimum of discs is computed, which takes a second for each level;
        that of other classes is a formula.
    scale
        Whose network, and the size of whose scenes.

    References
    ----------
    The paper, figures 4, 5 and 16 to 20. The wavelet and Wiener controls are ours.
    """
    run = find_recipe(network_name(data, alpha=alpha))
    side = scale.scene_side
    sets = load_images(replace(run.images, size=side))
    assert callable(sets.train)
    fit = _FIT * side**2 // BOOK.scene_side**2
    test = sets.test[:images]
    levels = torch.tensor([float(value) for value in input_psnr])
    sigmas = (10 ** (-levels / 20)).tolist()

    def curve(denoiser: Denoiser, x: Tensor) -> Tensor:
        return psnr_curve(denoiser, x, sigmas, generator=card_noise())

    best = optimum(data, side)
    few = test[:bayes_images] if isinstance(best, BayesDiscs) else test
    return ClassCurves(
        levels,
        network=curve(scale.network(data, alpha=alpha), test),
        wavelet=curve(WaveletShrinkage(), test),
        wiener=curve(Wiener.from_images(sets.train(fit, card_noise())), test),
        bayes=torch.empty(len(sigmas), 0) if best is None else curve(best, few),
    )


def spectra(data: str, sigma: float, *, images: int = 4, k: int = 20) -> Spectra:
    """Compare the leading eigenvectors of a network with those of the optimum of its class.

    Parameters
    ----------
    data
        "discs", "ray" or "sinusoids".
    sigma
        Noise level.
    images
        At how many noisy test images.
    k
        How many eigenvectors.

    References
    ----------
    The paper, figures 5, 19 and 20. The optimum's Jacobian is Cov[x|y] / sigma^2 (eq. 9).
    """
    run = find_recipe(network_name(data))
    best = optimum(data, run.images.size)
    assert best is not None
    x = load_images(run.images).test[:images]
    noisy = add_noise(x, sigma, generator=card_noise())
    bases = []
    for denoiser in (load_denoiser(data), best):
        found = [eigenbasis(denoiser, y, k=k, sigma=sigma) for y in noisy[:, None]]
        bases.append(
            (
                torch.stack([basis.values for basis in found]),
                torch.stack([basis.vectors[:, 0] for basis in found]).half(),
            )
        )
    (network, vectors), (bayes, bayes_vectors) = bases
    return Spectra(sigma, noisy, network, bayes, vectors, bayes_vectors)
