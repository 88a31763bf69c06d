"""A network's answer at an image, written as a sum over the singular or eigenvectors of J."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gahr_lib import metrics
from gahr_lib.analysis.matrix import jacobian
from gahr_lib.analysis.symmetry import asymmetry
from gahr_lib.errors import NotDifferentiableError
from gahr_lib.widgets import _front_end

__all__ = ["Answer", "Expansion", "expand", "packed_sums", "packed_vectors"]

_FINE = 8  # vectors of each sum that get a second byte a pixel


@dataclass(frozen=True)
class Expansion:
    """The sum over k of ``values[k] <y, read[k]> written[k]``, its leading terms in full.

    Attributes
    ----------
    values
        All d singular values or eigenvalues, (d,), falling.
    coefficients
        <y, read[k]>, (d,), none negative: of a pair of vectors and its negative, this one is taken.
    read, written
        The leading vectors, (K, 1, H, W); the same ones if they are eigenvectors.
    errors
        Mean squared error to the clean image of the sum of the first k + 1 terms, (d,).
    gap
        Root mean square difference between the sum of all d terms and the network's answer.
    """

    values: Tensor
    coefficients: Tensor
    read: Tensor
    written: Tensor
    errors: Tensor
    gap: float

    def partial(self, k: int) -> Tensor:
        """Return the sum of the first k terms, (1, 1, H, W)."""
        weights = (self.values * self.coefficients)[:k]
        return torch.einsum("k,kchw->chw", weights, self.written[:k])[None]


@dataclass(frozen=True)
class Answer:
    """What a network makes of one noisy image.

    Attributes
    ----------
    noisy, output
        y and f(y), (1, 1, H, W).
    asymmetry
        ``||J - J'|| / ||J + J'||`` of the Jacobian at y.
    error
        Mean squared error of f(y).
    singular, eigen
        f(y) over the singular vectors of J, and the like over the eigenvectors of (J + J') / 2.
    """

    noisy: Tensor
    output: Tensor
    asymmetry: float
    error: float
    singular: Expansion
    eigen: Expansion


@torch.no_grad()
def expand(
    denoiser: Callable[..., Tensor], clean: Tensor, noisy: Tensor, sigma: float, kept: int
) -> Answer:
    """Return a network's answer at one noisy image and its two expansions, `kept` terms in full."""
    output = denoiser(noisy, sigma)
    matrix = jacobian(denoiser, noisy, sigma=sigma).double()
    if not bool(torch.isfinite(matrix).all()):
        raise NotDifferentiableError(
            f"The derivative of {type(denoiser).__name__} is infinite or NaN at an image with "
            f"sigma = {sigma:g}; expected a finite one. Leave this image or noise level out."
        )
    u, s, vt = torch.linalg.svd(matrix)
    values, vectors = torch.linalg.eigh((matrix + matrix.T) / 2)  # rising
    e = vectors.flip(1).T

    def expansion(values: Tensor, read: Tensor, written: Tensor) -> Expansion:
        found = read @ noisy.double().flatten()
        signs = torch.where(found < 0, -1.0, 1.0).to(found)
        read, written = signs[:, None] * read, signs[:, None] * written
        sums = ((values * found.abs())[:, None] * written).cumsum(0)
        shape = (kept, *clean.shape[1:])
        return Expansion(
            values=values.float().cpu(),
            coefficients=found.abs().float().cpu(),
            # Clones, so that the vectors that are not kept can be forgotten.
            read=read[:kept].reshape(shape).float().cpu().clone(),
            written=written[:kept].reshape(shape).float().cpu().clone(),
            errors=(sums - clean.double().flatten()).square().mean(1).float().cpu(),
            gap=float((sums[-1] - output.double().flatten()).square().mean().sqrt()),
        )

    return Answer(
        noisy=noisy.float().cpu(),
        output=output.float().cpu(),
        asymmetry=asymmetry(matrix),
        error=float(metrics.mse(output, clean)),
        singular=expansion(s, vt, u.T),
        eigen=expansion(values.flip(0), e, e),
    )


def packed_sums(expansions: list[Expansion]) -> dict[str, Any]:
    """Return values, coefficients, errors, and the written vectors in 8 or 16 bits a pixel.

    What is lost in rounding the vectors whose rounding hurts the sum most is rounded and sent too.
    """
    kept = len(expansions[0].written)
    written = torch.stack([shown.written for shown in expansions])
    weights = torch.stack([(shown.values * shown.coefficients)[:kept] for shown in expansions])
    lost = (written - _rounded(written.flatten(0, 1)).view_as(written)).flatten(2).abs().amax(2)
    fine = (weights.abs() * lost).topk(min(_FINE, kept), dim=1).indices
    vectors = _compensated(written, weights, fine).flatten(0, 1)
    rows = (fine + kept * torch.arange(len(expansions))[:, None]).flatten()
    return {
        "values": _front_end.floats(torch.stack([shown.values for shown in expansions])),
        "coefficients": _front_end.floats(
            torch.stack([shown.coefficients[:kept] for shown in expansions])
        ),
        "errors": _front_end.floats(torch.stack([shown.errors for shown in expansions])),
        "gaps": [shown.gap for shown in expansions],
        "written": {
            **packed_vectors(vectors),
            "fine": {
                # Places among the k of one answer: 16 bits hold them, however many answers.
                "places": _front_end.integers(fine),
                **packed_vectors((vectors - _rounded(vectors))[rows]),
            },
        },
    }


def _compensated(written: Tensor, weights: Tensor, fine: Tensor) -> Tensor:
    """Return vectors (P, K, C, H, W) changed so that the errors of their rounding do not add up.

    Each takes over what the sum of those before it is off by, up to 1% of its own largest number:
    that cannot be seen in the vector, and the sum is off by little more than its last term is.
    """
    changed, carried = torch.zeros_like(written), torch.zeros_like(written[:, 0])
    twice = torch.zeros_like(weights, dtype=torch.bool).scatter(1, fine, True)
    for k in range(written.shape[1]):
        vector, weight = written[:, k], weights[:, k, None, None, None]
        most = 0.01 * vector.abs().amax((1, 2, 3), keepdim=True)
        wanted = torch.where(weight.abs() > 1e-6, carried / weight, 0.0)
        changed[:, k] = vector + wanted.clamp(-most, most)
        sent = _rounded(changed[:, k])
        sent[twice[:, k]] += _rounded(changed[:, k] - sent)[twice[:, k]]
        carried = carried + weight * (vector - sent)
    return changed


def packed_vectors(vectors: Tensor) -> dict[str, Any]:
    """Return vectors (K, C, H, W) in 8 bits a pixel."""
    codes, scales = _front_end.quantize(vectors)
    return {"codes": codes, "scales": scales}


def _rounded(vectors: Tensor) -> Tensor:
    """Return vectors (K, C, H, W) as a browser reads them, see `_front_end.quantize`."""
    codes, scales = map(bytearray, _front_end.quantize(vectors))
    c = torch.frombuffer(codes, dtype=torch.int8).float().view(vectors.shape)
    return torch.frombuffer(scales, dtype=torch.float32).view(-1, 1, 1, 1) * c * c.abs() / 127**2
