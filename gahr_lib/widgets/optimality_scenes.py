"""What the explorer of optimality shows: scenes that were denoised, and curves of their PSNR."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real

import torch
from torch import Tensor

from gahr_lib import metrics
from gahr_lib._checks import check_images
from gahr_lib.analysis import eigenbasis, rates
from gahr_lib.errors import ConfigError, ShapeError, SigmaError
from gahr_lib.models import WaveletShrinkage
from gahr_lib.zoo.experiments import ClassCurves

__all__ = [
    "FIT",
    "KINDS",
    "NoisyScene",
    "PlaneLines",
    "check_alphas",
    "check_scenes",
    "noisy_scene",
    "plane_lines",
    "shared_levels",
]

FIT = (6.0, 30.0)
"""The range of input PSNR, in dB, over which slopes are fitted and the line of theory is laid."""

KINDS = ("network", "wavelet", "wiener")
"""The denoisers, by the names that `ClassCurves` has for their curves."""


@dataclass(frozen=True)
class NoisyScene:
    """What three denoisers make of one noisy image, and where its network shrinks it.

    Attributes
    ----------
    clean, noisy, network, wavelet, wiener
        x, y, and what the denoisers make of y, (1, 1, H, W).
    psnr
        In dB, of "noisy", "network", "wavelet", "wiener", and of "oracle": the best linear
        shrinkage of the same wavelet coefficients, by one who knows x.
    values, vectors
        Leading eigenvalues, (K,), and eigenvectors, (K, 1, H, W), of the symmetric part of the
        network's Jacobian at y, each with the sign that makes <y, e_k> positive.
    """

    clean: Tensor
    noisy: Tensor
    network: Tensor
    wavelet: Tensor
    wiener: Tensor
    psnr: dict[str, float]
    values: Tensor
    vectors: Tensor


@dataclass(frozen=True)
class PlaneLines:
    """The lines in the plane of PSNRs for one smoothness, in dB.

    Attributes
    ----------
    images
        Of how many test images the means are.
    means
        Output PSNR, (S,), of "network", "wavelet" and "wiener" in the mean of the test images.
    slopes
        Of each, fitted by least squares over `FIT`.
    theory
        The slope alpha / (alpha + 1).
    constant
        Where the line of that slope has an input PSNR of 0 dB, if it fits the network's mean over
        `FIT` as well as it can.
    """

    images: int
    means: dict[str, Tensor]
    slopes: dict[str, float]
    theory: float
    constant: float


@torch.no_grad()
def noisy_scene(
    network: Callable[..., Tensor],
    wavelets: WaveletShrinkage,
    wiener: Callable[..., Tensor],
    clean: Tensor,
    noise: Tensor,
    sigma: float,
    kept: int,
) -> NoisyScene:
    """Denoise one image, clean and noise (1, 1, H, W), and find `kept` leading eigenvectors."""
    noisy = clean + sigma * noise
    answers = {
        "noisy": noisy,
        "network": network(noisy, sigma),
        "wavelet": wavelets(noisy, sigma),
        "wiener": wiener(noisy, sigma),
        "oracle": wavelets.oracle(clean)(noisy, sigma),
    }
    psnr = {name: float(metrics.psnr(answer, clean)) for name, answer in answers.items()}
    basis = eigenbasis(network, noisy, kept, sigma=sigma)
    signs = torch.where(basis.coefficients(noisy)[0] < 0, -1.0, 1.0)[:, None, None, None]
    pictures = {name: answer.float().cpu() for name, answer in answers.items() if name != "oracle"}
    return NoisyScene(
        clean=clean.float().cpu().clone(),
        **pictures,
        psnr=psnr,
        values=basis.values.float().cpu(),
        vectors=(signs * basis.vectors).float().cpu(),
    )


def plane_lines(curves: ClassCurves, alpha: float) -> PlaneLines:
    """Return mean curves, their slopes, and the line of theory for one smoothness."""
    levels, theory = curves.input_psnr, rates.optimal_slope(alpha)
    means = {name: getattr(curves, name).mean(1).float() for name in KINDS}
    slopes = {
        name: rates.fit_slope(levels, mean, lowest=FIT[0], highest=FIT[1]).slope
        for name, mean in means.items()
    }
    constant = rates.fit_constant(levels, means["network"], theory, lowest=FIT[0], highest=FIT[1])
    return PlaneLines(int(curves.network.shape[1]), means, slopes, theory, constant)


def check_alphas(networks: object, **others: object) -> tuple[float, ...]:
    """Return the smoothnesses that all mappings are keyed by, rising, or raise `ConfigError`."""
    for name, of_alpha in {"networks": networks, **others}.items():
        fine = isinstance(of_alpha, Mapping) and all(
            isinstance(alpha, Real) and not isinstance(alpha, bool) for alpha in of_alpha
        )
        if not fine or not of_alpha:
            raise ConfigError(
                f"{name} is {of_alpha!r:.80}; expected one for each alpha: {{1: ..., 2: ...}}."
            )
    assert isinstance(networks, Mapping)
    for name, of_alpha in others.items():
        assert isinstance(of_alpha, Mapping)
        if set(of_alpha) != set(networks):
            raise ConfigError(
                f"{name} has alpha {sorted(of_alpha)} and networks has {sorted(networks)}; "
                "expected the same for both."
            )
    return tuple(sorted(float(alpha) for alpha in networks))


def check_scenes(images: Mapping[float, Tensor]) -> Tensor:
    """Return the images of one alpha, or raise unless those of all are grey and of one shape."""
    first = next(iter(images.values()))
    for alpha, scenes in images.items():
        name = f"images for alpha = {alpha:g}"
        check_images(scenes, name)
        if scenes.shape[1] != 1:
            raise ShapeError(
                f"{name} have {scenes.shape[1]} channels; expected 1, since vectors are drawn in "
                "two colours, one for each sign. Average them: images.mean(1, keepdim=True)."
            )
        if scenes.shape != first.shape:
            raise ShapeError(
                f"{name} have shape {tuple(scenes.shape)}, others {tuple(first.shape)}; expected "
                "as many images of one size for each alpha."
            )
    return first


def shared_levels(curves: Mapping[float, ClassCurves], sigmas: Sequence[float]) -> Tensor:
    """Return the input PSNRs of all curves, or raise unless they are the same and hold sigmas."""
    for alpha, own in curves.items():
        if not isinstance(own, ClassCurves):
            raise ConfigError(
                f"The curves for alpha = {alpha:g} are {type(own).__name__}; expected ClassCurves: "
                "load_result(f'curves-c_alpha-{alpha:g}', ClassCurves)."
            )
    all_levels = [own.input_psnr for own in curves.values()]
    levels = all_levels[0]
    if any(not torch.equal(levels, other) for other in all_levels):
        raise ConfigError("The curves have different levels; expected the same for each alpha.")
    low, high = float(levels.min()), float(levels.max())
    for sigma in sigmas:
        if not low <= metrics.input_psnr(sigma) <= high:
            raise SigmaError(
                f"sigma = {sigma:g} is {metrics.input_psnr(sigma):.1f} dB of input; expected one "
                f"within the curves, {low:g} to {high:g} dB."
            )
    return levels.float().cpu()
