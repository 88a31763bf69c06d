"""How like the networks are to machines in closed form."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gahr_lib.analysis.results import Result
from gahr_lib.data import fashion
from gahr_lib.jobs.measurements import card_noise
from gahr_lib.models import (
    Denoiser,
    EmpiricalOptimum,
    EquivariantLocalScore,
    LocalScore,
    PatchPosterior,
    Wiener,
)
from gahr_lib.noise import standard_noise
from gahr_lib.zoo.networks import load_denoiser

__all__ = ["SIDES", "Likeness", "agreement", "compare_machines"]

SIDES = (3, 5, 7, 9, 13, 17)
"""Sides of the patches that the machines compare."""

_EQUIVARIANT_LARGEST = 7  # wider patches at all places of an image are few, and slow to compare


@dataclass(frozen=True)
class Likeness(Result):
    """Networks and closed-form denoisers at the same noisy images.

    For L networks of half A, M machines, S noise levels and I test images. The machines see the
    images that the network was trained on, or the first of them.

    Attributes
    ----------
    n_train
        How many images the networks were trained on, (L,).
    sigmas
        Noise levels, (S,).
    machines
        Their names: "clean" is the clean image itself, "twin" the network of half B; "local-5"
        compares patches of 5x5 pixels.
    seen
        How many training images the machines see, (L, M); 0 for those that see none.
    r2
        Coefficient of determination of the network's denoised image by the machine's, (L, M, S, I).
    distance
        Mean squared difference of the two, (L, M, S, I).
    network_error, machine_error
        Mean squared errors, (L, S, I) and (L, M, S, I).
    """

    n_train: Tensor
    sigmas: Tensor
    machines: list[str]
    seen: Tensor
    r2: Tensor
    distance: Tensor
    network_error: Tensor
    machine_error: Tensor


def agreement(estimate: Tensor, other: Tensor) -> Tensor:
    """Return r^2 of images by other images: 1 - ``|a - b|^2 / |a - mean(a)|^2``, each by itself.

    Parameters
    ----------
    estimate
        The images that are to be explained, (B, C, H, W).
    other
        Those that explain them, (B, C, H, W).

    Returns
    -------
    Tensor
        (B,); 1 if they are equal, 0 if the other is no better than a constant image, or less.
    """
    left = (estimate - other).flatten(1).square().sum(1)
    return 1 - left / (estimate - estimate.mean((1, 2, 3), keepdim=True)).flatten(1).square().sum(1)


@torch.no_grad()
def compare_machines(
    n_train: Sequence[int],
    sigmas: Sequence[float],
    *,
    images: int = 12,
    sides: Sequence[int] = SIDES,
    local: int = 1_000,
    equivariant: int = 60,
) -> Likeness:
    """Compare the networks of half A with machines made of their training images.

    Parameters
    ----------
    n_train
        Sizes of training sets.
    sigmas
        Noise levels.
    images
        How many test images.
    sides
        Sides of patches, in pixels.
    local, equivariant
        The most training images whose patches are compared at equal places, and at all places.

    References
    ----------
    Kamb and Ganguli, arXiv 2412.20292; Niedoba et al., arXiv 2411.19339; Li, Dai and Qu, arXiv
    2410.24060.
    """
    x = fashion("test", n=images).repeat(len(sigmas), 1, 1, 1)
    levels = torch.tensor(list(sigmas)).repeat_interleave(images)
    noise = standard_noise(x[:images], generator=card_noise()).repeat(len(sigmas), 1, 1, 1)
    y = x + levels[:, None, None, None] * noise
    rows: dict[str, list[Tensor]] = {name: [] for name in ("seen", "r2", "distance", "error")}
    errors = []
    for n in n_train:
        network = load_denoiser("fashion", n_train=n)(y)
        machines = _machines(n, sides, local, equivariant)
        made = {name: machine(y, levels) for name, (_, machine) in machines.items()}
        made["clean"] = x
        made["twin"] = load_denoiser("fashion", n_train=n, half="B")(y)
        made["noisy"] = y
        rows["seen"].append(
            torch.tensor([machines[name][0] if name in machines else 0 for name in made])
        )
        for name, measure in (("r2", agreement), ("distance", _mse)):
            rows[name].append(torch.stack([measure(network, other) for other in made.values()]))
        rows["error"].append(torch.stack([_mse(other, x) for other in made.values()]))
        errors.append(_mse(network, x))
        names = list(made)
    shape = (len(n_train), len(names), len(sigmas), images)
    return Likeness(
        torch.tensor(list(n_train)),
        torch.tensor(list(sigmas)),
        names,
        torch.stack(rows["seen"]),
        torch.stack(rows["r2"]).reshape(shape),
        torch.stack(rows["distance"]).reshape(shape),
        torch.stack(errors).reshape(len(n_train), len(sigmas), images),
        torch.stack(rows["error"]).reshape(shape),
    )


def _machines(
    n: int, sides: Sequence[int], local: int, equivariant: int
) -> dict[str, tuple[int, Denoiser]]:
    """Return closed-form denoisers of the training images of a network, and of how many each."""
    training = fashion("train", half="A", n=n)
    fewer, few = training[:local], training[:equivariant]
    made: dict[str, tuple[int, Denoiser]] = {
        "optimum": (n, EmpiricalOptimum(training)),
        "wiener": (n, Wiener.from_images(training)),
    }
    for side in sides:
        made[f"patches-{side}"] = (len(fewer), PatchPosterior(fewer, side))
        made[f"local-{side}"] = (len(fewer), LocalScore(fewer, side))
        if side <= _EQUIVARIANT_LARGEST:
            made[f"equivariant-{side}"] = (len(few), EquivariantLocalScore(few, side))
    return made


def _mse(a: Tensor, b: Tensor) -> Tensor:
    return (a - b).square().mean(dim=(1, 2, 3))
