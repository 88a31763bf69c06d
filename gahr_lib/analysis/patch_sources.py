"""Which training image each patch of an image looks like: collages show as patchwork."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import unfold

from gahr_lib._checks import check_count
from gahr_lib.analysis.neighbours import block_size, check_sets, float_blocks, unit_rows
from gahr_lib.analysis.results import Result
from gahr_lib.errors import ShapeError

__all__ = ["PatchSources", "patch_sources"]

_AT_ONCE = 2**23  # numbers in the patches of a block: 32 MB of floats, some six times over


@dataclass(frozen=True)
class PatchSources(Result):
    """The best source of each patch; the patch at (i, j) has its upper left corner there.

    Attributes
    ----------
    indices
        The number of the training image, (B, H', W'); -1 for a patch without contrast, which looks
        like any.
    similarities
        The cosine similarity of the two patches, their means removed, (B, H', W').
    offsets
        Where in the training image the source lies, less where the patch lies, (B, H', W', 2) in
        pixels; zeros unless places were compared.
    """

    indices: Tensor
    similarities: Tensor
    offsets: Tensor


@torch.no_grad()
def patch_sources(
    images: Tensor,
    training: Tensor,
    size: int,
    *,
    anywhere: bool = False,
    block: int | None = None,
) -> PatchSources:
    """Return, for each patch of each image, the training image with the most similar patch.

    Parameters
    ----------
    images
        (B, C, H, W).
    training
        (N, C, H, W): intensities, or bytes from 0 to 255.
    size
        Side of the patches in pixels.
    anywhere
        Compare with the patches at all places of the training images; else only with those at the
        same place. The cost grows with the number of places.
    block
        Training images looked at together; memory grows with it, and with the numbers in all the
        patches of an image. By default so many that their patches are some 32 MB, or one.

    Returns
    -------
    PatchSources
        Maps of H' = H - size + 1 by W' = W - size + 1 patches.

    Raises
    ------
    ShapeError, ValueRangeError
        If the images and the training images are not of one size, or a patch does not fit.
    ConfigError
        If a number is not positive.
    """
    check_sets(images, training, 1)
    size = check_count(size, "size")
    height, width = (side - size + 1 for side in images.shape[-2:])
    if min(height, width) < 1:
        raise ShapeError(
            f"A patch of {size}x{size} does not fit into images of {tuple(images.shape[-2:])}."
        )
    places = height * width
    here = torch.arange(places, device=images.device)
    best = images.new_full((len(images), places), -2.0)
    source = torch.zeros(len(images), places, dtype=torch.long, device=images.device)
    place = here.expand(len(images), -1).clone()
    together = block_size(block, places * images.shape[1] * size**2, _AT_ONCE)
    for start, part in float_blocks(training, images, together):
        theirs = _unit_patches(part, size)  # (n, L, D)
        for b in range(len(images)):
            # Again for each block, because those of all images may be too many to keep.
            ours = _unit_patches(images[b : b + 1], size)[0]
            if anywhere:
                similarity, which = _nearest_rows(ours, theirs.flatten(0, 1))
                number, where = which // places, which % places
            else:
                similarity, number = torch.einsum("ld,nld->nl", ours, theirs).max(dim=0)
                where = here
            better = similarity > best[b]
            best[b] = torch.where(better, similarity, best[b])
            source[b] = torch.where(better, start + number, source[b])
            place[b] = torch.where(better, where, place[b])
    for b in range(len(images)):
        flat = ~_unit_patches(images[b : b + 1], size)[0].any(dim=1)
        source[b, flat] = -1
        place[b, flat] = here[flat]
    offsets = torch.stack([place // width - here // width, place % width - here % width], dim=-1)
    shape = (len(images), height, width)
    return PatchSources(source.reshape(shape), best.reshape(shape), offsets.reshape(*shape, 2))


def _nearest_rows(ours: Tensor, theirs: Tensor) -> tuple[Tensor, Tensor]:
    """Return for each of our rows the highest product with one of theirs, and which it is."""
    found = [(rows @ theirs.T).max(dim=1) for rows in ours.split(block_size(None, len(theirs)))]
    return torch.cat([f.values for f in found]), torch.cat([f.indices for f in found])


def _unit_patches(images: Tensor, size: int) -> Tensor:
    """Return all patches as rows of mean 0 and norm 1, (B, L, C size^2)."""
    patches = unfold(images, size).transpose(1, 2)
    return unit_rows(patches.flatten(0, 1)).reshape(patches.shape)
