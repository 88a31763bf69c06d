"""The nearest training images of samples, by pixels and by structure."""

from dataclasses import dataclass

import torch
from torch import Tensor

from gahr_lib.analysis.neighbours import nearest_by_cosine, nearest_by_distance
from gahr_lib.analysis.perceptual import nearest_by_ssim
from gahr_lib.analysis.results import Result
from gahr_lib.data import fashion
from gahr_lib.zoo.experiments.copies import Samples

__all__ = ["Relatives", "find_relatives", "relatives_of_samples"]


@dataclass(frozen=True)
class Relatives(Result):
    """For I images the training image that two measures call the nearest, of each half.

    Attributes
    ----------
    images
        At the brightness of their nearest training image, as bytes, (I, 1, 28, 28).
    by_cosine, by_ssim
        The training images of half A, as bytes, (I, 1, 28, 28).
    same
        Whether the two are one image, (I,).
    ssim_of_both
        SSIM of the image with each of the two, (I, 2).
    cosine_to, ssim_to
        The highest cosine and the highest SSIM with images of half A and of half B, (I, 2).
    """

    images: Tensor
    by_cosine: Tensor
    by_ssim: Tensor
    same: Tensor
    ssim_of_both: Tensor
    cosine_to: Tensor
    ssim_to: Tensor


@torch.no_grad()
def find_relatives(images: Tensor, n_train: int = 30_000) -> Relatives:
    """Search the nearest training images by cosine and by structural similarity.

    Parameters
    ----------
    images
        (I, 1, 28, 28): intensities, or bytes from 0 to 255. Each is brought to the brightness of
        the training image that is nearest up to a factor, since SSIM minds brightness.
    n_train
        How many images of each half.

    References
    ----------
    Wang, Bovik, Sheikh and Simoncelli, IEEE Transactions on Image Processing, 2004, for SSIM.
    """
    x = images.float() / 255 if images.dtype == torch.uint8 else images
    own, other = (fashion("train", half=half, n=n_train) for half in ("A", "B"))
    found = nearest_by_distance(x, own, 1, fit_scale=True).indices[:, 0]
    target = own[found].flatten(1)
    scale = (x.flatten(1) * target).sum(1) / target.square().sum(1)
    x = (x / scale.clamp_min(1e-3)[:, None, None, None]).clamp(0, 1)
    cosine, ssim = nearest_by_cosine(x, own, 1), nearest_by_ssim(x, own, 1)
    by_cosine, by_ssim = own[cosine.indices[:, 0]], own[ssim.indices[:, 0]]
    with_cosines = torch.cat(
        [
            nearest_by_ssim(x[i : i + 1], by_cosine[i : i + 1], 1, shortlist=None).values
            for i in range(len(x))
        ]
    )
    return Relatives(
        _bytes(x),
        _bytes(by_cosine),
        _bytes(by_ssim),
        cosine.indices[:, 0] == ssim.indices[:, 0],
        torch.cat([with_cosines, ssim.values], dim=1),
        torch.cat([cosine.values, nearest_by_cosine(x, other, 1).values], dim=1),
        torch.cat([ssim.values, nearest_by_ssim(x, other, 1).values], dim=1),
    )


def relatives_of_samples(n: int, n_train: int = 30_000) -> Relatives:
    """Find the relatives of samples and of as many unseen real images.

    Parameters
    ----------
    n
        How many of each; the samples are the first of those that the network of 30,000 images drew
        with `DIM`, and they come before the others.
    n_train
        How many images of each half are searched.
    """
    from gahr_lib.zoo.results import load_result  # which imports this module

    samples = load_result("dim-samples-30000", Samples).a[:n]
    unseen = (fashion("test", n=n) * 255).round().byte()
    return find_relatives(torch.cat([samples, unseen]), n_train)


def _bytes(images: Tensor) -> Tensor:
    return (images.clamp(0, 1) * 255).round().byte()
