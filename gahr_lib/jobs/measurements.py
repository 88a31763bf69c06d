"""What the card of a network says of it."""

import hashlib
from typing import Any

import torch
from torch import Tensor

from gahr_lib.analysis.evaluation import psnr_curve
from gahr_lib.analysis.jacobian import asymmetry, estimate_asymmetry, homogeneity_error, jacobian
from gahr_lib.jobs.images import TEST_SIZE, ImageSets
from gahr_lib.models import ResidualNetwork
from gahr_lib.noise import add_noise

__all__ = ["SIGMAS", "card_noise", "data_sha256", "measure", "repeated"]

SIGMAS = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
_DENSE = 2_500  # pixels up to which the whole Jacobian is quick


def measure(denoiser: ResidualNetwork, sets: ImageSets) -> dict[str, Any]:
    """Return what a card says of a network: PSNR on several sets, homogeneity and asymmetry.

    Parameters
    ----------
    denoiser
        The network, in evaluation mode, on the device of the images.
    sets
        The images it was trained on and others.

    Returns
    -------
    dict
        ``sigmas``; ``psnr`` in dB, averaged over up to 500 images that it was trained on (fewer are
        seen several times, under other noise), 500 of the other half, and 500 test images; and, at
        one noisy test image, what eq. 6 assumes. The rows are of different images, some of which
        are harder than others, so their differences alone do not measure how well the network
        generalizes: compare two networks on the same images.
    """
    rows = {"train": sets.seen, "other_half": sets.other, "test": sets.test}
    table = {}
    for name, images in rows.items():
        if images is not None:
            curve = psnr_curve(
                denoiser, repeated(images, TEST_SIZE), SIGMAS, generator=card_noise()
            )
            table[name] = [round(value, 3) for value in curve.mean(dim=1).tolist()]
    y = add_noise(sets.test[:1], 0.1, generator=card_noise())
    skew = (
        asymmetry(jacobian(denoiser, y))
        if y.numel() <= _DENSE
        else estimate_asymmetry(denoiser, y).value
    )
    return {
        "sigmas": list(SIGMAS),
        "psnr": table,
        "homogeneity_error": homogeneity_error(denoiser, y, 0.3),
        "asymmetry": round(skew, 4),
    }


def repeated(images: Tensor, n: int) -> Tensor:
    """Return n images, the same again and again if there are fewer, (n, C, H, W)."""
    return images.repeat(-(-n // len(images)), 1, 1, 1)[:n]


def card_noise() -> torch.Generator:
    """Return the generator of a card's noise: the same for every network, so that cards compare."""
    return torch.Generator().manual_seed(0)


def data_sha256(images: Tensor) -> str:
    """Return the SHA-256 of images as bytes 0 to 255, the form in which data sets are published."""
    values = (images * 255).round().to("cpu", torch.uint8)
    return hashlib.sha256(values.numpy().tobytes()).hexdigest()
