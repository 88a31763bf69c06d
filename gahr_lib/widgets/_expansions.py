"""A network's answer at an image, written as a sum over the singular or eigenvectors of J."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gahr_lib.widgets import _front_end

__all__ = ["Answer", "Expansion", "packed_answers"]

_FINE = 8  # vectors of each sum that get a second byte a pixel


@dataclass(frozen=True)
class Expansion:
    """The sum over k of ``values[k] <y, read[k]> written[k]``, its leading terms in full.

    Attributes
    ----------
    values
        All D = d singular values or eigenvalues, (D,), falling; the leading D = K of a large image.
    coefficients
        <y, read[k]>, (D,), none negative: of a pair of vectors and its negative, this one is taken.
    read, written
        The leading vectors, (K, 1, H, W); the same ones if they are eigenvectors.
    errors
        Mean squared error to the clean image of the sum of the first k + 1 terms, (D,).
    gap
        Root mean square difference between the sum of all d terms and the network's answer; None
        if not all of them are known.
    """

    values: Tensor
    coefficients: Tensor
    read: Tensor
    written: Tensor
    errors: Tensor
    gap: float | None

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
        ``||J - J'|| / ||J + J'||`` of the Jacobian at y; of a large image, an estimate.
    error
        Mean squared error of f(y).
    singular, eigen
        f(y) over the singular vectors of J, and the like over the eigenvectors of (J + J') / 2;
        of a large image the latter alone.
    """

    noisy: Tensor
    output: Tensor
    asymmetry: float
    error: float
    singular: Expansion | None
    eigen: Expansion


def packed_answers(answers: Sequence[Answer], images: Tensor, noise: Tensor) -> dict[str, Any]:
    """Return what a browser needs of answers at images (B, 1, H, W) with some noise each."""
    singular = [answer.singular for answer in answers if answer.singular]
    packed = {
        "height": images.shape[-2],
        "width": images.shape[-1],
        "kept": len(answers[0].eigen.written),
        "clean": _front_end.floats(images),
        "noise": _front_end.floats(noise),
        "outputs": _front_end.floats(torch.cat([answer.output for answer in answers])),
        "output_errors": [answer.error for answer in answers],
        "asymmetry": [answer.asymmetry for answer in answers],
        "eigen": _packed_sums([answer.eigen for answer in answers]),
    }
    if singular:
        read = torch.cat([expansion.read for expansion in singular])
        packed["singular"] = {**_packed_sums(singular), "read": _packed_vectors(read)}
    return packed


def _packed_sums(expansions: list[Expansion]) -> dict[str, Any]:
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
            **_packed_vectors(vectors),
            "fine": {
                # Places among the k of one answer: 16 bits hold them, however many answers.
                "places": _front_end.integers(fine),
                **_packed_vectors((vectors - _rounded(vectors))[rows]),
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


def _packed_vectors(vectors: Tensor) -> dict[str, Any]:
    """Return vectors (K, C, H, W) in 8 bits a pixel."""
    codes, scales = _front_end.quantize(vectors)
    return {"codes": codes, "scales": scales}


def _rounded(vectors: Tensor) -> Tensor:
    """Return vectors (K, C, H, W) as a browser reads them, see `_front_end.quantize`."""
    codes, scales = map(bytearray, _front_end.quantize(vectors))
    c = torch.frombuffer(codes, dtype=torch.int8).float().view(vectors.shape)
    return torch.frombuffer(scales, dtype=torch.float32).view(-1, 1, 1, 1) * c * c.abs() / 127**2
