"""The eigenbases of networks of several training sets at the same noisy images."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gahr_lib.analysis.jacobian import asymmetry, jacobian
from gahr_lib.analysis.results import Result
from gahr_lib.jobs.measurements import card_noise
from gahr_lib.noise import add_noise
from gahr_lib.zoo.networks import load_denoiser

__all__ = ["Bases", "compare_bases"]


@dataclass(frozen=True)
class Bases(Result):
    """Eigenbases of the symmetric part of the Jacobian, for L networks, I images and S levels.

    Attributes
    ----------
    n_train
        Sizes of the training sets, (L,).
    sigmas
        Noise levels, (S,).
    clean
        The images, (I, 1, H, W).
    noisy
        The images at which the networks are differentiated, (I, S, 1, H, W).
    denoised
        What the networks make of them, (L, I, S, 1, H, W).
    values
        All eigenvalues, falling, (L, I, S, d).
    vectors
        The eigenvectors of the K largest, half precision, (L, I, S, K, H, W).
    asymmetry
        ``||J - J'|| / ||J + J'||``, (L, I, S).
    """

    n_train: Tensor
    sigmas: Tensor
    clean: Tensor
    noisy: Tensor
    denoised: Tensor
    values: Tensor
    vectors: Tensor
    asymmetry: Tensor


def compare_bases(
    n_train: Sequence[int], images: Tensor, sigmas: Sequence[float], *, k: int = 32
) -> Bases:
    """Find the eigenbases of the networks of half A at noisy images.

    Parameters
    ----------
    n_train
        Sizes of training sets of Fashion-MNIST.
    images
        Clean images, (I, 1, 28, 28).
    sigmas
        Noise levels, S of them.
    k
        How many eigenvectors to keep.

    References
    ----------
    The paper, figure 3.
    """
    count, size = len(images), images.shape[-1]
    shape = (len(n_train), count, len(sigmas))
    noisy = torch.stack([_noisy(images, sigma) for sigma in sigmas], dim=1)
    denoised, values, vectors, skew = [], [], [], []
    for n in n_train:
        network = load_denoiser("fashion", n_train=n)
        for y in noisy.flatten(0, 1)[:, None]:
            matrix = jacobian(network, y)
            found = torch.linalg.eigh((matrix + matrix.T).double() / 2)
            denoised.append(network(y)[0])
            values.append(found.eigenvalues.flip(0).float())
            vectors.append(found.eigenvectors.flip(1)[:, :k].T.reshape(k, size, size).half())
            skew.append(asymmetry(matrix))
    return Bases(
        torch.tensor(list(n_train)),
        torch.tensor(list(sigmas)),
        images,
        noisy,
        torch.stack(denoised).reshape(*shape, 1, size, size),
        torch.stack(values).reshape(*shape, -1),
        torch.stack(vectors).reshape(*shape, k, size, size),
        torch.tensor(skew).reshape(shape),
    )


def _noisy(images: Tensor, sigma: float) -> Tensor:
    """Return the images with noise that depends on nothing but the level's size."""
    return add_noise(images, sigma, generator=card_noise())
