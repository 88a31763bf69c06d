"""Closed-form denoisers for the images of a run: what its card compares the network with."""

from collections.abc import Callable

from torch import Tensor

from gahr_lib.analysis.evaluation import psnr_curve
from gahr_lib.data import lit_ball
from gahr_lib.jobs import Run, load_images
from gahr_lib.jobs.measurements import SIGMAS, card_noise
from gahr_lib.models import (
    BayesDiscs,
    BayesRay,
    BayesSinusoids,
    Denoiser,
    EmpiricalOptimum,
    Wiener,
)

__all__ = ["optimum", "reference_psnr"]

_FIT = 10_000  # fresh images for the covariance of a class that is drawn
_DISCS = 20  # whose posterior takes a second for each noise level
_LARGEST = 2_500  # pixels up to which a covariance matrix is quick to decompose


def reference_psnr(run: Run) -> dict[str, list[float]]:
    """Return the PSNR of the noisy image and of closed-form denoisers, in dB, per noise level.

    Parameters
    ----------
    run
        Whose images.

    Returns
    -------
    dict
        For each of `SIGMAS`: ``input``, the noisy image; ``wiener``, the best affine denoiser for
        the mean and covariance of the training images, on test images, where an image is small
        enough for it; ``empirical_optimum``, which knows the training set by heart, on images of
        the training set, if there is one; ``bayes``, the optimum, on test images, for classes whose
        optimum is known. None of them is a network.
    """
    sets = load_images(run.images, channels=run.network.channels)
    table = {"input": _curve(lambda y, _: y, sets.test)}
    training, d = sets.train, sets.test[0].numel()
    if d <= _LARGEST:
        known = training(_FIT, card_noise()) if callable(training) else training
        table["wiener"] = _curve(Wiener.from_images(known), sets.test)
    if sets.seen is not None and not callable(training):
        table["empirical_optimum"] = _curve(EmpiricalOptimum(training), sets.seen)
    best = optimum(run.images.data, run.images.size)
    if best is not None:
        few = sets.test[:_DISCS] if isinstance(best, BayesDiscs) else sets.test
        table["bayes"] = _curve(best, few)
    return {
        name: [round(v, 3) for v in curve.mean(dim=1).tolist()] for name, curve in table.items()
    }


def optimum(data: str, size: int) -> Denoiser | None:
    """Return the optimal denoiser of a class of images, or None where it is not known."""
    makers: dict[str, Callable[[], Denoiser]] = {
        "discs": lambda: BayesDiscs(size, generator=card_noise()),
        "ray": lambda: BayesRay(lit_ball(size).float()),
        "sinusoids": lambda: BayesSinusoids(size),
    }
    return makers[data]() if data in makers else None


def _curve(denoiser: Callable[..., Tensor], images: Tensor) -> Tensor:
    return psnr_curve(denoiser, images, SIGMAS, generator=card_noise())
