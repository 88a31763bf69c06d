"""The leading eigenpairs of a symmetric matrix that is only known by its products with vectors."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from gahr_lib.errors import ConvergenceError

__all__ = ["Eigenpairs", "LanczosStep", "lanczos_steps", "leading_eigenpairs"]

_WIDTH = 2  # vectors in a block: wider ones need more products for the same accuracy
_CHECK = 5  # blocks of a fresh start that looks for what the first one missed


@dataclass(frozen=True)
class Eigenpairs:
    """Leading eigenpairs, and how good they are.

    Attributes
    ----------
    values
        (k,), falling.
    vectors
        (k, d), orthonormal rows.
    residuals
        ``||A v - lambda v||`` of each pair, (k,): A has an eigenvalue at most that far away.
    products
        How many products A v it took.
    """

    values: Tensor
    vectors: Tensor
    residuals: Tensor
    products: int


@dataclass(frozen=True)
class LanczosStep:
    """How far the search for eigenpairs is after a block of products.

    Attributes
    ----------
    products
        How many products A v it took so far.
    residual
        The largest residual, as a fraction of the largest eigenvalue in absolute value; infinite
        as long as the space is smaller than k, or not looked at.
    pairs
        What was found; None before the last step.
    """

    products: int
    residual: float
    pairs: Eigenpairs | None = None


def leading_eigenpairs(
    product: Callable[[Tensor], Tensor],
    like: Tensor,
    k: int,
    *,
    tolerance: float,
    generator: torch.Generator,
    room: int | None = None,
) -> Eigenpairs:
    """Return what `lanczos_steps` ends with: the k largest eigenvalues and their eigenvectors.

    Parameters and errors are those of `lanczos_steps`.
    """
    steps = lanczos_steps(product, like, k, tolerance=tolerance, generator=generator, room=room)
    return next(step.pairs for step in steps if step.pairs is not None)


def lanczos_steps(
    product: Callable[[Tensor], Tensor],
    like: Tensor,
    k: int,
    *,
    tolerance: float,
    generator: torch.Generator,
    room: int | None = None,
) -> Iterator[LanczosStep]:
    """Find the k largest eigenvalues and their eigenvectors by the block Lanczos method.

    The products of a random block with the powers of A span a Krylov space. In an orthonormal basis
    of it, grown by a block at a time, A is a small matrix whose leading eigenpairs approach those
    of A long before the space is everything. A space that has no more room is cut down to the best
    vectors found (a thick restart), so memory grows with k and not with the products.

    A Krylov space sees no more vectors of one eigenvalue than its first block is wide. So once the
    pairs are accurate, a fresh random block, orthogonal to the space, is grown for a few steps:
    the pairs are returned when that changes nothing, and refined further otherwise.

    Parameters
    ----------
    product
        Maps vectors (b, d) to A v, (b, d); A symmetric.
    like
        A vector (d,) that gives the length, dtype and device of the others.
    k
        How many pairs, at most d.
    tolerance
        The largest residual, as a fraction of the largest eigenvalue in absolute value.
    generator
        Source of the random blocks.
    room
        How many vectors of length d, and as many products, are kept; 8 k + 64 if None.

    Yields
    ------
    LanczosStep
        After each block of products; the last has the pairs.

    Raises
    ------
    ConvergenceError
        If the residuals are still too large after as many products as A has columns.

    References
    ----------
    Golub and Underwood, "The block Lanczos method for computing eigenvalues", 1977; Wu and Simon,
    "Thick-restart Lanczos method for large symmetric eigenvalue problems", 2000.
    """
    d = len(like)
    space = _Space(like, min(d, room or 8 * k + 64))
    following = aside = none = like.new_empty(0, d)
    products, wait = 0, 0
    earlier: Tensor | None = None
    while products < d and space.size < d:
        if space.size + _WIDTH > space.room < d:
            space.keep_leading(min(2 * k, (k + space.room) // 2))
        block = _orthonormal(following, space.vectors)
        if len(block) < _WIDTH:  # at a start, and where the space has closed on itself
            shape = (_WIDTH - len(block), d)
            fresh = torch.randn(shape, generator=generator, device=generator.device).to(like)
            block = torch.cat([block, _orthonormal(fresh, torch.cat([space.vectors, block]))])
        block = block[: d - space.size]
        image = product(block)
        following = space.add(block, image)
        products, wait = products + len(block), wait - 1
        if space.size < k or wait > 0:
            yield LanczosStep(products, math.inf)
            continue
        values, vectors, residuals, scale = space.leading(k)
        accurate = bool(residuals.max() <= tolerance * scale)
        residual = float(residuals.max()) / scale if scale else 0.0
        if accurate and earlier is not None and (values - earlier).max() <= tolerance * scale / 4:
            yield LanczosStep(products, residual, Eigenpairs(values, vectors, residuals, products))
            return
        yield LanczosStep(products, residual)
        # What points out of the space is that of the last block and of the one before the check.
        following, aside = torch.cat([aside, following]), none
        earlier = None
        if accurate:
            earlier, wait = values, _CHECK
            following, aside = none, following
    values, vectors, residuals, scale = space.leading(k)
    if space.size == d and residuals.max() <= tolerance * scale:  # nothing is left to be missed
        residual = float(residuals.max()) / scale if scale else 0.0
        yield LanczosStep(products, residual, Eigenpairs(values, vectors, residuals, products))
        return
    raise ConvergenceError(
        f"After {products} products the residuals of the {k} leading eigenpairs are up to "
        f"{float(residuals.max() / scale):.1e} of the largest eigenvalue; expected "
        f"{tolerance:.1e}. Raise the tolerance, ask for fewer pairs, or use method='dense'."
    )


class _Space:
    """Orthonormal vectors, their products with A, and the matrix that A is among them."""

    def __init__(self, like: Tensor, room: int) -> None:
        self.room = room
        self.size = 0
        self._vectors, self._images = like.new_empty(2, room, len(like))
        self._matrix = torch.zeros(room, room, dtype=torch.float64, device=like.device)

    @property
    def vectors(self) -> Tensor:
        """The vectors so far, (size, d)."""
        return self._vectors[: self.size]

    def add(self, block: Tensor, images: Tensor) -> Tensor:
        """Take in a block and its products; return what of these points out of the space."""
        new = slice(self.size, self.size + len(block))
        self._vectors[new], self._images[new] = block, images
        self.size = new.stop
        couplings = images @ self.vectors.T
        self._matrix[new, : self.size] = couplings.double()
        self._matrix[: self.size, new] = couplings.double().T
        return images - couplings @ self.vectors

    def leading(self, k: int) -> tuple[Tensor, Tensor, Tensor, float]:
        """Return values, vectors and residuals of the k leading pairs, and the largest value."""
        values, combinations, scale = self._eigh(k)
        vectors = combinations @ self.vectors
        images = combinations @ self._images[: self.size]
        return values, vectors, (images - values[:, None] * vectors).norm(dim=1), scale

    def keep_leading(self, k: int) -> None:
        """Forget all but the k leading pairs."""
        values, combinations, _ = self._eigh(k)
        for rows in (self._vectors, self._images):
            rows[:k] = combinations @ rows[: self.size]
        self._matrix[:k, :k] = torch.diag(values.double())
        self.size = k

    def _eigh(self, k: int) -> tuple[Tensor, Tensor, float]:
        values, combinations = torch.linalg.eigh(self._matrix[: self.size, : self.size])  # rising
        leading = combinations[:, -k:].flip(1).T.to(self._vectors.dtype)
        scale = float(values.abs().max())
        return values[-k:].flip(0).to(leading.dtype), leading, scale


def _orthonormal(block: Tensor, basis: Tensor) -> Tensor:
    """Return orthonormal rows for what `block` adds to the rows of `basis`."""
    if not len(block):
        return block
    floor = 1e-5 * block.norm(dim=1).max()
    # Twice is enough: the first time leaves rounding errors, relative to what was taken away.
    for _ in range(2):
        block = block - (block @ basis.T) @ basis
        rows, triangle = torch.linalg.qr(block.T)
        block = rows.T[triangle.diagonal().abs() > floor]
        floor = torch.full_like(floor, 0.5)  # the second time only rounding may be taken away
    return block
