"""The expansions of a network's answer, computed in steps between which one may stop."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from gahr_lib import metrics
from gahr_lib.analysis.eigenbases import DENSE, eigenbasis_steps
from gahr_lib.analysis.matrix import columns
from gahr_lib.analysis.symmetry import asymmetry
from gahr_lib.errors import NotDifferentiableError
from gahr_lib.widgets._expansions import Answer, Expansion

__all__ = ["Progress", "expand", "expand_steps"]

_BLOCK = 56  # columns at a time: one step for each takes a fraction of a tenth of a second
_COLUMNS = 0.7  # of the time goes into the columns of J, the rest into their decomposition


@dataclass(frozen=True)
class Progress:
    """How far an answer is.

    Attributes
    ----------
    text
        What has been done.
    share
        Of the work, 0 to 1; None where nobody knows how much is left.
    answer
        The answer; None before the last step.
    """

    text: str
    share: float | None
    answer: Answer | None = None


def expand(
    denoiser: Callable[..., Tensor], clean: Tensor, noisy: Tensor, sigma: float, kept: int
) -> Answer:
    """Return a network's answer at one noisy image and both of its expansions."""
    steps = _dense_steps(denoiser, clean, noisy, sigma, kept)
    return next(step.answer for step in steps if step.answer is not None)


def expand_steps(
    denoiser: Callable[..., Tensor], clean: Tensor, noisy: Tensor, sigma: float, kept: int
) -> Iterator[Progress]:
    """Compute a network's answer at one noisy image, and its expansions, a little at a time.

    Parameters
    ----------
    denoiser
        As `gahr_lib.eigenbasis` takes it.
    clean, noisy
        The image without and with noise of level `sigma`, (1, 1, H, W).
    kept
        How many vectors are kept. Of an image of more than 1,024 pixels only so many eigenvectors
        are computed, by iteration, and no singular vectors.

    Yields
    ------
    Progress
        After each step; the last one has the answer.

    Raises
    ------
    NotDifferentiableError
        If the Jacobian does not exist or is not finite.
    """
    steps = _dense_steps if noisy.numel() <= DENSE else _leading_steps
    return steps(denoiser, clean, noisy, sigma, kept)


@torch.no_grad()
def _dense_steps(
    denoiser: Callable[..., Tensor], clean: Tensor, noisy: Tensor, sigma: float, kept: int
) -> Iterator[Progress]:
    """Decompose the whole Jacobian: singular vectors and eigenvectors."""
    output = denoiser(noisy, sigma)
    blocks, d = [], noisy.numel()
    for first, block in columns(denoiser, noisy, sigma, _BLOCK):
        blocks.append(block.flatten(1))
        done = first + len(block)
        yield Progress(f"{done:,} of {d:,} columns of J", _COLUMNS * done / d)
    matrix = torch.cat(blocks).T.double()
    if not bool(torch.isfinite(matrix).all()):
        raise NotDifferentiableError(
            f"The derivative of {type(denoiser).__name__} is infinite or NaN at an image with "
            f"sigma = {sigma:g}; expected a finite one. Leave this image or noise level out."
        )
    u, s, vt = torch.linalg.svd(matrix)
    yield Progress("singular vectors", (1 + _COLUMNS) / 2)
    values, vectors = torch.linalg.eigh((matrix + matrix.T) / 2)  # rising
    e = vectors.flip(1).T
    singular = _expansion(s, vt, u.T, clean, noisy, kept, output)
    eigen = _expansion(values.flip(0), e, e, clean, noisy, kept, output)
    answer = _answer(clean, noisy, output, asymmetry(matrix), singular, eigen)
    yield Progress("eigenvectors", 1.0, answer)


@torch.no_grad()
def _leading_steps(
    denoiser: Callable[..., Tensor], clean: Tensor, noisy: Tensor, sigma: float, kept: int
) -> Iterator[Progress]:
    """Find the leading eigenvectors alone, without the matrix."""
    output = denoiser(noisy, sigma)
    for step in eigenbasis_steps(denoiser, noisy, kept, sigma=sigma):
        text = f"{step.products:,} products with J"
        if (basis := step.basis) is None:
            yield Progress(text, None)
            continue
        e = basis.vectors.double().flatten(1)
        eigen = _expansion(basis.values.double(), e, e, clean, noisy, kept)
        answer = _answer(clean, noisy, output, basis.asymmetry, None, eigen)
        yield Progress(text, 1.0, answer)


def _expansion(
    values: Tensor,
    read: Tensor,
    written: Tensor,
    clean: Tensor,
    noisy: Tensor,
    kept: int,
    whole: Tensor | None = None,
) -> Expansion:
    """Return the sum over rows of `read` and `written`, whose terms make up `whole` if given."""
    found = read @ noisy.double().flatten()
    signs = torch.where(found < 0, -1.0, 1.0).to(found)
    read, written = signs[:, None] * read, signs[:, None] * written
    sums = ((values * found.abs())[:, None] * written).cumsum(0)
    shape = (kept, *clean.shape[1:])
    gap = None
    if whole is not None:
        gap = float((sums[-1] - whole.double().flatten()).square().mean().sqrt())
    return Expansion(
        values=values.float().cpu(),
        coefficients=found.abs().float().cpu(),
        # Clones, so that the vectors that are not kept can be forgotten.
        read=read[:kept].reshape(shape).float().cpu().clone(),
        written=written[:kept].reshape(shape).float().cpu().clone(),
        errors=(sums - clean.double().flatten()).square().mean(1).float().cpu(),
        gap=gap,
    )


def _answer(
    clean: Tensor,
    noisy: Tensor,
    output: Tensor,
    skew: float,
    singular: Expansion | None,
    eigen: Expansion,
) -> Answer:
    return Answer(
        noisy=noisy.float().cpu(),
        output=output.float().cpu(),
        asymmetry=skew,
        error=float(metrics.mse(output, clean)),
        singular=singular,
        eigen=eigen,
    )
