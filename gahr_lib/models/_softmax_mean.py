"""The posterior mean over a set of points, streamed over blocks of them, with its derivatives.

A point k with the value v, seen in Gaussian noise of variance s^2 as q, has the weight
w = softmax(-|q - k|^2 / (2 s^2)). |q|^2 is the same for all points, so that the exponent may be
<a, k> - t |k|^2 / 2 with a = q / s^2 and t = 1 / s^2: linear in (a, t). Derivatives of the mean
m = sum w v are then covariances under the weights: dm = Cov(v, (k, -|k|^2 / 2)) d(a, t).
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from gahr_lib._checks import one_value

__all__ = ["Blocks", "posterior_mean", "with_norms"]

# Given a dtype, yields blocks of points as `with_norms` returns them, (n, p + 1), and their values,
# (n, c). Every call yields the same blocks.
Blocks = Callable[[torch.dtype], Iterator[tuple[Tensor, Tensor]]]

# Logits so far below the largest do not matter: exp(-32) = 1e-14 and exp(-60) = 1e-26 of a weight,
# even millions of them, are lost in the rounding of the sum. What is below counts as this, for
# products of smaller numbers would leave the range in which float32 is fast.
_NEGLIGIBLE = {torch.float32: -32.0, torch.float64: -60.0}
_WIDE = 32  # numbers of a value from which looking for negligible weights costs less than it saves


def with_norms(points: Tensor) -> Tensor:
    """Return points (n, p) with the column -|k|^2 / 2 appended, (n, p + 1)."""
    return torch.cat((points, points.square().sum(1, keepdim=True) / -2), dim=1)


def posterior_mean(
    queries: Tensor, precision: Tensor, blocks: Blocks, *, rows: int, screen: bool = False
) -> Tensor:
    """Return sum_i w_i v_i for each query, w = softmax(-precision |q - k_i|^2 / 2).

    Differentiable any number of times in reverse mode, and in forward mode. Derivatives are
    computed by streaming again, in double precision: they are small differences of large terms.

    Parameters
    ----------
    queries
        (M, p).
    precision
        1 / sigma^2 of each, (M, 1).
    blocks
        The points and their values.
    rows
        How many queries are compared with a block at a time.
    screen
        Compare in single precision first, and in the precision of the queries only with points
        whose weights may matter. Values are then accurate to single precision.

    Returns
    -------
    Tensor
        (M, c).
    """
    exponents = torch.cat((precision * queries, precision), dim=1)
    means = [_SoftmaxMean.apply(part, blocks, screen)[0] for part in exponents.split(rows)]
    return torch.cat(means)


class _SoftmaxMean(torch.autograd.Function):
    """(a, t), (M, p + 1) -> the mean, (M, c), and the logarithm of the sum of exponentials."""

    @staticmethod
    def forward(exponents: Tensor, blocks: Blocks, screen: bool) -> tuple[Tensor, Tensor]:
        coarse = exponents.float() if screen else exponents
        negligible = _NEGLIGIBLE[coarse.dtype]
        top = exponents.new_full((len(exponents), 1), -torch.inf)  # the largest logit so far
        mass, total = torch.zeros_like(top), torch.zeros_like(top)
        for points, values in blocks(coarse.dtype):
            logits = coarse @ points.T
            if values.shape[1] >= _WIDE:
                least = torch.maximum(top, logits.amax(1, keepdim=True)) + negligible
                heard = _few_heard(logits > least - _rounding(coarse, points))
                if heard is not None:
                    logits, points, values = logits[:, heard], points[heard], values[heard]
                    if len(points) == 0:
                        continue
            if screen:
                points = with_norms(points[:, :-1].to(exponents.dtype))
                logits = exponents @ points.T
            higher = torch.maximum(top, logits.amax(1, keepdim=True))
            weights = logits.sub_(higher).clamp_(min=negligible).exp_()
            fade = (top - higher).exp()
            mass = mass * fade + weights.sum(1, keepdim=True)
            total = total * fade + weights.to(values.dtype) @ values
            top = higher
        return total / mass, top + mass.log()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        exponents, ctx.blocks, _ = inputs
        ctx.save_for_backward(exponents, output[1])
        ctx.save_for_forward(exponents, output[1])
        ctx.mark_non_differentiable(output[1])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, _: Tensor) -> tuple[Tensor, None, None]:
        exponents, log_mass = ctx.saved_tensors
        return _covariance(exponents, log_mass, ctx.blocks, gradient, forward=False), None, None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, *_: None) -> tuple[Tensor, None]:
        exponents, log_mass = ctx.saved_tensors
        return _covariance(exponents, log_mass, ctx.blocks, tangent, forward=True), None

    @staticmethod
    def vmap(
        _info: Any, in_dims: tuple[int, None, None], exponents: Tensor, *settings: Any
    ) -> tuple[tuple[Tensor, Tensor], tuple[int, int]]:
        exponents = exponents.movedim(in_dims[0], 0)
        outputs = _SoftmaxMean.apply(exponents.flatten(0, 1), *settings)
        mean, log_mass = (output.unflatten(0, exponents.shape[:2]) for output in outputs)
        return (mean, log_mass), (0, 0)


def _few_heard(matters: Tensor) -> Tensor | None:
    """Return which points (n,) matter to any query, given (M, n); None if they are not few."""
    heard = matters.any(0)
    count = one_value(heard.sum())
    return heard if count is not None and 2 * count < len(heard) else None


def _rounding(exponents: Tensor, points: Tensor) -> Tensor:
    """Return how far products of exponents and points may be from exact ones, (M, 1)."""
    eps = 4 * torch.finfo(points.dtype).eps
    return eps * exponents.norm(dim=1, keepdim=True) * points.norm(dim=1).max()


def _covariance(
    exponents: Tensor, log_mass: Tensor, blocks: Blocks, direction: Tensor, *, forward: bool
) -> Tensor:
    """Return Cov(v, k) d, (M, c), if forward, and Cov(k, v) d, (M, p + 1), otherwise."""
    dtype, negligible = exponents.dtype, _NEGLIGIBLE[torch.float64]
    exponents, log_mass, direction = (x.double() for x in (exponents, log_mass, direction))
    mass = torch.zeros_like(log_mass)
    slope, mean, joint = mass, mass, mass
    for points, values in blocks(torch.float64):
        inputs, outputs = (points, values) if forward else (values, points)
        logits = exponents @ points.T - log_mass
        heard = _few_heard(logits > negligible)
        if heard is not None:
            logits, inputs, outputs = logits[:, heard], inputs[heard], outputs[heard]
        weights = logits.clamp(min=negligible).exp()
        weighted = weights * (direction @ inputs.T)
        mass = mass + weights.sum(1, keepdim=True)
        slope = slope + weighted.sum(1, keepdim=True)
        mean = mean + weights @ outputs
        joint = joint + weighted @ outputs
    return ((joint - mean * (slope / mass)) / mass).to(dtype)
