"""What test_jacobian.py does not ask of eigenbases: the iterative method, accuracy, memory."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from gahr_lib import data
from gahr_lib.analysis.eigenbases import eigenbasis_steps
from gahr_lib.analysis.jacobian import (
    Eigenbasis,
    asymmetry,
    effective_rank,
    eigenbasis,
    estimate_asymmetry,
    estimate_trace,
    jacobian,
)
from gahr_lib.bases import dct_basis
from gahr_lib.errors import (
    ConfigError,
    ConvergenceError,
    NotDifferentiableError,
    ShapeError,
    ValueRangeError,
)
from gahr_lib.models import BasisThresholding, ResidualNetwork
from gahr_lib.noise import add_noise
from helpers import LinearDenoiser, intensities, seeded, small_bf_cnn, small_unet, symmetric

pytestmark = pytest.mark.usefixtures("untouched_random_state")

F64 = torch.float64


def network_image(size: int, sigma: float = 0.1) -> Tensor:
    """A noisy image: of the data at 28 pixels, of C^alpha contours at other sizes."""
    g = seeded()
    x = data.fashion("test", n=1) if size == 28 else data.c_alpha(1, size, generator=g)
    return add_noise(x, sigma, generator=g)


@pytest.mark.parametrize(("size", "sigma"), [(28, 0.05), (28, 0.3), (40, 0.1)])
def test_iteration_on_a_trained_network_is_within_a_thousandth_of_the_dense_answer(
    trained_a: ResidualNetwork, size: int, sigma: float
) -> None:
    y = network_image(size, sigma)
    matrix = jacobian(trained_a, y).double().numpy()
    symmetric_part = (matrix + matrix.T) / 2
    values = np.linalg.eigvalsh(symmetric_part)[::-1][:50]
    found = eigenbasis(trained_a, y, 50, method="iterative")
    np.testing.assert_allclose(found.values, values, atol=1e-3)
    vectors = found.vectors.flatten(1).double().numpy()
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(50), atol=1e-4)
    residuals = np.linalg.norm(
        vectors @ symmetric_part - found.values.numpy()[:, None] * vectors, axis=1
    )
    np.testing.assert_allclose(found.residuals, residuals, atol=1e-5)
    assert residuals.max() <= 1e-3 * values[0] + 1e-5
    # The small asymmetries of a thousand dimensions are seen well by eight probes.
    exact = np.linalg.norm(matrix - matrix.T) / np.linalg.norm(matrix + matrix.T)
    assert abs(found.asymmetry - exact) < 5 * found.asymmetry_error
    assert 0 < found.asymmetry_error < 0.2 * exact


@pytest.mark.parametrize("make", [small_unet, small_bf_cnn])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_both_methods_agree(make: Any, channels: int, dtype: torch.dtype) -> None:
    network = make(channels=channels).to(dtype)
    y = intensities(1, channels, 12, 8, dtype=dtype)
    dense = eigenbasis(network, y, 6, method="dense")
    found = eigenbasis(network, y, 6, method="iterative", tolerance=1e-4)
    assert found.vectors.dtype == found.values.dtype == dtype
    torch.testing.assert_close(found.values, dense.values, atol=1e-5, rtol=0)
    assert dense.asymmetry_error == 0
    assert dense.residuals.max() < 1e-4


def test_no_copy_of_a_multiple_eigenvalue_is_missed() -> None:
    # Hard thresholding projects: 1 is an eigenvalue as often as a coefficient is kept.
    denoiser, y = BasisThresholding(dct_basis(20, 20)), intensities(1, 1, 20, 20)
    kept = int((denoiser.basis.flatten(1) @ y.flatten()).abs().gt(3 * 0.15).sum())
    found = eigenbasis(denoiser, y, 50, sigma=0.15, method="iterative")
    assert 30 < kept < 50
    torch.testing.assert_close(found.values, (torch.arange(50) < kept).float(), atol=1e-4, rtol=0)


def test_the_same_vectors_every_time_unless_a_generator_says_otherwise() -> None:
    network, y = small_unet(), intensities(1, 1, 16, 16)
    a, b = (eigenbasis(network, y, 4, method="iterative") for _ in range(2))
    c = eigenbasis(network, y, 4, method="iterative", generator=seeded(9))
    assert torch.equal(a.vectors, b.vectors)
    assert a.asymmetry == b.asymmetry
    assert not torch.equal(a.vectors, c.vectors)


def test_steps_end_with_the_basis_and_can_be_given_up() -> None:
    network, y = small_unet(), intensities(1, 1, 16, 16)
    *before, last = eigenbasis_steps(network, y, 4)
    expected = eigenbasis(network, y, 4, method="iterative")
    assert last.basis is not None
    assert torch.equal(last.basis.vectors, expected.vectors)
    assert last.basis.asymmetry == expected.asymmetry
    assert last.residual <= 1e-3
    assert len(before) > 3
    products = [step.products for step in (*before, last)]
    assert products == sorted({*products})
    assert torch.is_grad_enabled()  # a search that waits for its next step leaves no trace
    steps = eigenbasis_steps(network, y, 4)
    next(steps)
    assert torch.is_grad_enabled()


@pytest.mark.parametrize(
    ("size", "k", "expected"), [(32, 5, "dense"), (36, 5, "iterative"), (36, 140, "dense")]
)
def test_the_method_follows_the_size(
    monkeypatch: pytest.MonkeyPatch, size: int, k: int, expected: str
) -> None:
    from gahr_lib.analysis import eigenbases

    taken = []
    for method in ("dense", "iterative"):
        monkeypatch.setattr(eigenbases, f"_{method}", lambda *_, m=method: taken.append(m))
    eigenbasis(small_unet(), intensities(1, 1, size, size), k)
    assert taken == [expected]


class Largest(TorchDispatchMode):
    """Watches how large tensors get."""

    def __init__(self) -> None:
        super().__init__()
        self.numel = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        sizes = [t.untyped_storage().nbytes() for t in tree_leaves(result) if isinstance(t, Tensor)]
        self.numel = max(self.numel, *sizes, 0)
        return result


def test_memory_grows_with_what_is_asked_for_and_not_with_the_matrix() -> None:
    sizes = {}
    for side in (48, 96):
        network, y = small_bf_cnn(width=2), intensities(1, 1, side, side)
        with Largest() as largest:
            eigenbasis(network, y, 2, method="iterative", tolerance=0.1)
            estimate_trace(network, y, probes=8, block=4)
            estimate_asymmetry(network, y, probes=8, block=4)
        sizes[side] = largest.numel
    assert sizes[96] <= 4.1 * sizes[48]  # as d, where the matrix grows 16 times
    assert sizes[96] < 0.05 * 4 * 96**4


@pytest.mark.parametrize("kept", [0, 2, None])
def test_projection_is_a_sum_over_the_first_vectors(kept: int | None) -> None:
    values = torch.linspace(1, 0, 16, dtype=F64)
    matrix, vectors = symmetric(values)
    images = intensities(3, 1, 4, 4, dtype=F64)
    basis = eigenbasis(LinearDenoiser(matrix), images[:1], k=5)
    E = vectors[:, : 5 if kept is None else kept]
    expected = (images.flatten(1) @ E @ E.T).reshape(images.shape)
    torch.testing.assert_close(basis.project(images, kept=kept), expected)
    twice = basis.project(basis.project(images, kept=kept), kept=kept)
    torch.testing.assert_close(twice, expected)


def test_impossible_projections_are_refused() -> None:
    basis = eigenbasis(small_unet(), intensities(1, 1, 8, 8), k=5)
    with pytest.raises(ConfigError, match="from 0 to 5"):
        basis.project(intensities(1, 1, 8, 8), kept=6)
    with pytest.raises(ShapeError, match="size of the images"):
        basis.project(intensities(1, 1, 8, 4))


@pytest.mark.parametrize("method", ["dense", "iterative"])
def test_a_basis_can_be_kept(tmp_path: Any, method: Any) -> None:
    basis = eigenbasis(small_unet(), intensities(1, 1, 8, 8), k=5, method=method)
    basis.save(tmp_path / "basis.safetensors")
    loaded = Eigenbasis.load(str(tmp_path / "basis.safetensors"))
    for name in ("values", "vectors", "residuals"):
        assert torch.equal(getattr(loaded, name), getattr(basis, name))
    assert loaded.asymmetry == basis.asymmetry
    assert loaded.asymmetry_error == basis.asymmetry_error
    assert [p.name for p in tmp_path.iterdir()] == ["basis.safetensors"]


def test_effective_rank_counts_equal_eigenvalues() -> None:
    assert effective_rank(torch.tensor([0.7] * 5 + [0.0] * 20)) == pytest.approx(5)
    assert effective_rank(torch.zeros(4)) == 0
    # Two values a and b: (a + b)^2 / (a^2 + b^2).
    assert effective_rank(torch.tensor([3.0, 1.0])) == pytest.approx(1.6)
    with pytest.raises(ShapeError, match=r"expected \(k,\)"):
        effective_rank(torch.zeros(2, 2))


def test_unknown_methods_and_impossible_tolerances_are_refused() -> None:
    network, y = small_unet(), intensities(1, 1, 8, 8)
    with pytest.raises(ConfigError, match="'auto', 'dense' or 'iterative'"):
        eigenbasis(network, y, 2, method="qr")  # type: ignore[arg-type]
    for tolerance in (0, -1, 1, 1e-7, math.nan):
        with pytest.raises(ValueRangeError, match="tolerance is"):
            eigenbasis(network, y, 2, tolerance=tolerance)


def test_what_does_not_converge_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    # A matrix that is not symmetric cannot come from (J + J') / 2, but rounding can be as bad.
    from gahr_lib.analysis import eigenbases

    generator = seeded()

    def noisy_products(*_: object, **__: object) -> Any:
        def both(v: Tensor) -> tuple[Tensor, Tensor]:
            w = v + torch.randn(v.shape, generator=generator, dtype=v.dtype)
            return w, w

        return both

    monkeypatch.setattr(eigenbases, "symmetric_products", noisy_products)
    with pytest.raises(ConvergenceError, match="use method='dense'"):
        eigenbasis(small_unet(), intensities(1, 1, 8, 8), 3, method="iterative")


@pytest.mark.parametrize("method", ["dense", "iterative"])
def test_an_infinite_derivative_is_said(method: Any) -> None:
    with pytest.raises(NotDifferentiableError, match="infinite or NaN"):
        eigenbasis(lambda y, sigma: y.sqrt(), torch.zeros(1, 1, 4, 4), 2, method=method)


def test_asymmetry_of_a_basis_is_that_of_the_matrix() -> None:
    network, y = small_unet(), intensities(1, 1, 8, 8)
    assert eigenbasis(network, y, 3).asymmetry == asymmetry(jacobian(network, y))
