"""Small things that many tests need; fixtures are in conftest.py."""

import asyncio
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from gahr_lib import errors
from gahr_lib.bases import dct_basis, wavelet_basis
from gahr_lib.data.ray_images import lit_ball
from gahr_lib.models import (
    BFCNN,
    BasisThresholding,
    BayesDiscs,
    BayesRay,
    BayesSinusoids,
    BiasFreeBatchNorm,
    DCTShrinkage,
    Denoiser,
    EmpiricalOptimum,
    EquivariantLocalScore,
    LocalScore,
    OnDevice,
    PatchPosterior,
    PatchTransformer,
    ResidualNetwork,
    StationaryWiener,
    UNet,
    WaveletShrinkage,
    Wiener,
)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def intensities(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    """Random images, uniform on [0, 1]."""
    return torch.rand(shape, generator=seeded(seed), dtype=dtype)


def settled(network: ResidualNetwork, seed: int = 0) -> ResidualNetwork:
    """The network in evaluation mode, with norms and biases as if it had been trained."""
    generator = seeded(seed)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, BiasFreeBatchNorm):
                module.running_sd.uniform_(0.5, 2, generator=generator)
                module.gammas.normal_(1, 0.3, generator=generator)
            elif isinstance(getattr(module, "bias", None), Tensor):
                module.bias.normal_(0, 0.1, generator=generator)
    return network.eval().requires_grad_(False)


def small_unet(
    blocks: int = 2, *, channels: int = 1, width: int = 4, bias: bool = False, seed: int = 0
) -> UNet:
    network = UNet(channels=channels, width=width, blocks=blocks, bias=bias, generator=seeded(seed))
    settled(network, seed)
    return network


def small_bf_cnn(
    layers: int = 4, *, channels: int = 1, width: int = 5, bias: bool = False, seed: int = 0
) -> BFCNN:
    network = BFCNN(
        channels=channels, width=width, layers=layers, bias=bias, generator=seeded(seed)
    )
    settled(network, seed)
    return network


class LinearDenoiser(Denoiser):
    """f(y) = matrix y + offset, the denoiser whose Jacobian everyone knows."""

    def __init__(self, matrix: Tensor, offset: float = 0.0) -> None:
        super().__init__()
        self.register_buffer("matrix", matrix)
        self.offset = offset

    def denoise(self, y: Tensor, sigma: float | Tensor | None) -> Tensor:
        return (y.flatten(1) @ self.matrix.T).reshape(y.shape) + self.offset


def symmetric(eigenvalues: Tensor, seed: int = 0) -> tuple[Tensor, Tensor]:
    """A symmetric matrix with these eigenvalues and random eigenvectors, its columns."""
    d = len(eigenvalues)
    noise = torch.randn(d, d, generator=seeded(seed), dtype=eigenvalues.dtype)
    vectors = torch.linalg.qr(noise).Q
    return (vectors * eigenvalues) @ vectors.T, vectors


def _training_images() -> Tensor:
    return intensities(12, 1, 8, 8, seed=7)


# One of each kind, all for grey images of 8x8 pixels.
DENOISERS: dict[str, Callable[[], Denoiser]] = {
    "unet-1": lambda: small_unet(1),
    "unet-2": lambda: small_unet(2),
    "bf-cnn": small_bf_cnn,
    "on-device": lambda: OnDevice(small_unet(2), "cpu"),
    "unet-with-biases": lambda: small_unet(2, bias=True),
    "bf-cnn-with-biases": lambda: small_bf_cnn(bias=True),
    "transformer": lambda: PatchTransformer(
        (1, 8, 8), width=8, layers=2, heads=2, generator=seeded()
    ).eval(),
    "hard-dct": lambda: BasisThresholding(dct_basis(8, 8)),
    "soft-wavelet": lambda: BasisThresholding(wavelet_basis(8, 8), rule="soft", threshold=1.5),
    "wavelet-shrinkage": lambda: WaveletShrinkage(cycle_spins=2),
    "dct-shrinkage": lambda: DCTShrinkage(rule="hard", block=4),
    "empirical-optimum": lambda: EmpiricalOptimum(_training_images()),
    "wiener": lambda: Wiener.from_images(_training_images()),
    "stationary-wiener": lambda: StationaryWiener.from_images(_training_images()),
    "local-score": lambda: LocalScore(_training_images(), 3),
    "equivariant-local-score": lambda: EquivariantLocalScore(_training_images()[:3], 3),
    "patch-posterior": lambda: PatchPosterior(_training_images(), 3),
    "bayes-ray": lambda: BayesRay(lit_ball(8).float()),
    "bayes-sinusoids": lambda: BayesSinusoids(8),
    "bayes-discs": lambda: BayesDiscs(8, n_samples=300, generator=seeded()),
}

# What no function that takes images may accept: the images, the error, words of its message.
BAD_IMAGES: dict[str, tuple[object, type[errors.GahrError], str]] = {
    "three dimensions": (torch.rand(1, 8, 8, generator=seeded()), errors.ShapeError, "B, C, H, W"),
    "two dimensions": (torch.rand(8, 8, generator=seeded()), errors.ShapeError, "reshape"),
    "a list": ([[0.5]], errors.ShapeError, "torch.as_tensor"),
    "an empty batch": (torch.zeros(0, 1, 8, 8), errors.ShapeError, "at least one image"),
    "no pixels": (torch.zeros(1, 1, 0, 8), errors.ShapeError, "empty"),
    "NaN": (torch.full((1, 1, 8, 8), torch.nan), errors.ValueRangeError, "NaN"),
    "infinity": (torch.full((1, 1, 8, 8), torch.inf), errors.ValueRangeError, "infinite"),
    "bytes": (torch.full((1, 1, 8, 8), 200, dtype=torch.uint8), errors.ValueRangeError, "255"),
    "floats to 255": (torch.full((1, 1, 8, 8), 255.0), errors.ValueRangeError, "divide by 255"),
    "complex": (
        torch.zeros(1, 1, 8, 8, dtype=torch.complex64),
        errors.ValueRangeError,
        "floating",
    ),
}

BAD_SIGMAS: dict[str, tuple[object, str]] = {
    "missing": (None, "missing"),
    "negative": (-0.1, "not negative"),
    "NaN": (float("nan"), "finite"),
    "infinite": (float("inf"), "finite"),
    "a word": ("0.1", "number"),
    "complex": (0.1j, "real"),
    "true": (True, "real"),
    "a matrix": (torch.full((1, 1), 0.1), "shape"),
    "too many": (torch.full((7,), 0.1), "shape"),
    "none at all": (torch.zeros(0), "shape"),
}


def size_in_bytes(data: object) -> int:
    """How many bytes there are in what an explorer sends to the browser."""
    if isinstance(data, dict):
        return sum(map(size_in_bytes, data.values()))
    return len(data) if isinstance(data, bytes) else 0


async def until(condition: Callable[[], object]) -> None:
    """Let the loop run until something is true."""
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("waited in vain")


def assert_refused(
    explorer: object,
    make: Callable[..., object],
    name: str,
    value: object,
    error: type[errors.GahrError] = errors.ConfigError,
) -> None:
    """A wrong choice is refused by an explorer, which stays as it was, and by a new one."""
    before = getattr(explorer, name)
    with pytest.raises(error, match="expected"):
        setattr(explorer, name, value)
    assert getattr(explorer, name) == before
    with pytest.raises(error, match="expected"):
        make(**{name: value})
