"""An explorer of denoising as shrinkage: one image in three bases, coefficient by coefficient."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
import traitlets
from matplotlib.figure import Figure
from torch import Tensor

from gahr_lib import bases, metrics
from gahr_lib._checks import check_images
from gahr_lib.analysis import eigenbasis
from gahr_lib.analysis.shrinkage import oracle_factors
from gahr_lib.errors import ConfigError, ShapeError
from gahr_lib.noise import standard_noise
from gahr_lib.widgets import _front_end
from gahr_lib.widgets._explorer import Explorer, checked_names, checked_sigmas, png, refuse_others

__all__ = ["BASES", "FACTORS", "Shrinkage", "ShrinkageExplorer"]

BASES = ("cosine", "wavelet", "network")
FACTORS = ("projection", "shrinkage")


@dataclass(frozen=True)
class Shrinkage:
    """One noisy image in one basis, in the order in which coefficients are kept.

    Attributes
    ----------
    vectors
        Basis vectors, (K, 1, H, W); of the network's basis only the leading ones.
    clean, noisy
        Coefficients <x, e_k> and <y, e_k>, (d,).
    factors
        Shrinkage factors lambda_k, (d,).
    """

    vectors: Tensor
    clean: Tensor
    noisy: Tensor
    factors: Tensor


class ShrinkageExplorer(Explorer):
    """Keep M coefficients of a noisy image in a basis, shrink them or not, see what comes of it.

    The reader chooses the image, the noise, the basis, M and the factors; the explorer shows the
    images, the coefficients, the factors, and the error for every M. Everything is computed here,
    once; the page that is built from a notebook needs no kernel.

    Coefficients in the fixed bases are kept in the order of the clean image's, largest first, and
    their factors are those of equation 11: an oracle, for both need the clean image. The network's
    basis are the eigenvectors of the symmetric part of its Jacobian at the noisy image; order and
    factors are those of the eigenvalues (equation 6). Its own answer f(y) is drawn for comparison:
    the sum of all shrunk coefficients falls short of it by what is not symmetric in the Jacobian.

    Parameters
    ----------
    denoiser
        A denoiser, as `gahr_lib.eigenbasis` takes it. It is neither changed nor kept.
    images
        Clean grey images, (B, 1, H, W), floating intensities in [0, 1]. Their sides must be even.
    sigmas
        Noise levels, above 0. They all share one draw of the noise for each image.
    generator
        Source of the noise; torch's default generator if None.
    names
        What the images show, in a word or two each; numbers if None.
    vectors_bytes
        How much room the network's eigenvectors may take in the page, one byte a pixel. Those with
        the largest eigenvalues are stored, over all images and noise levels; M goes no further.
    **choices
        First values of the traits below.

    Attributes
    ----------
    image : int
        Index of the image.
    sigma : float
        One of the noise levels.
    basis : str
        "cosine", "wavelet" or "network".
    kept : int
        M, from 0 to the number of pixels.
    factors : str
        What kept coefficients are multiplied by: 1 ("projection") or lambda_k ("shrinkage").

    Raises
    ------
    ShapeError, ValueRangeError, SigmaError, ConfigError
        If the images, noise levels or choices are not of this kind.
    """

    _esm = _front_end.module("shrinkage_numbers.js", "shrinkage_plot.js", "shrinkage_explorer.js")

    image = traitlets.Int(0).tag(sync=True)
    sigma = traitlets.Float().tag(sync=True)
    basis = traitlets.Unicode("cosine").tag(sync=True)
    kept = traitlets.Int(30).tag(sync=True)
    factors = traitlets.Unicode("projection").tag(sync=True)
    _data = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        denoiser: Callable[..., Tensor],
        images: Tensor,
        sigmas: Sequence[float] = (0.05, 0.1, 0.2, 0.4),
        *,
        generator: torch.Generator | None = None,
        names: Sequence[str] | None = None,
        vectors_bytes: int = 1_600_000,
        **choices: Any,
    ) -> None:
        check_images(images, "images")
        if images.shape[1] != 1:
            raise ShapeError(
                f"images have {images.shape[1]} channels; expected 1, since the fixed bases are "
                "those of grey images. Average the channels: images.mean(1, keepdim=True)."
            )
        self._sigmas = checked_sigmas(sigmas)
        self._names = checked_names(names, len(images))
        pixels = images[0].numel()
        pairs = len(images) * len(self._sigmas)
        if not isinstance(vectors_bytes, int) or vectors_bytes < pairs * pixels:
            raise ConfigError(
                f"vectors_bytes is {vectors_bytes!r}; expected at least {pairs * pixels}, one "
                f"vector of {pixels} pixels for each image at each noise level."
            )
        clean = images.detach()
        noise = standard_noise(clean, generator=generator)
        self._images = clean.float().cpu().clone()
        self._noise = noise.float().cpu()
        height, width = images.shape[-2:]
        self._fixed = {
            "cosine": bases.dct_basis(height, width),
            "wavelet": bases.wavelet_basis(height, width),
        }
        self._network, self._answers = _network_bases(
            denoiser, clean, noise, self._sigmas, vectors_bytes // pixels
        )
        choices = {"sigma": self._sigmas[(len(self._sigmas) - 1) // 2], **choices}
        choices.setdefault("kept", min(30, pixels))
        self._check_choices(choices)
        super().__init__(_data=self._packed(), **choices)

    def denoised(self) -> Tensor:
        """Return the image that the explorer shows as denoised, (1, 1, H, W)."""
        shown = self.shrinkage()
        m = min(self.kept, len(shown.vectors))
        factors = shown.factors if self.factors == "shrinkage" else torch.ones_like(shown.factors)
        return bases.synthesize(shown.vectors[:m], (factors * shown.noisy)[None, :m])

    def psnr(self) -> float:
        """Return the PSNR of `denoised` in dB, the number that the explorer shows."""
        return float(metrics.psnr(self.denoised(), self._images[self.image, None]))

    def noisy(self) -> Tensor:
        """Return the image that the explorer shows as noisy, (1, 1, H, W)."""
        return self._images[self.image, None] + self.sigma * self._noise[self.image, None]

    def describe(self) -> str:
        """Return in a sentence what the explorer shows."""
        shown = self.shrinkage()
        how = "shrunk" if self.factors == "shrinkage" else "kept as they are"
        return (
            f"{self._names[self.image]} with noise of sigma = {self.sigma:g}; "
            f"M = {min(self.kept, len(shown.vectors))} of {len(shown.clean)} coefficients in the "
            f"{self.basis} basis, {how}, give PSNR {self.psnr():.1f} dB."
        )

    def still(self) -> bytes:
        """Return the three images and the coefficients as a PNG."""
        shown = self.shrinkage()
        kept = min(self.kept, len(shown.vectors))
        figure = Figure(figsize=(7.4, 2.3), dpi=120, layout="constrained")
        axes = figure.subplots(1, 4, width_ratios=[1, 1, 1, 1.5])
        images = {
            "clean": self._images[self.image, None],
            f"noisy, $\\sigma = {self.sigma:g}$": self.noisy(),
            f"denoised, {self.psnr():.1f} dB": self.denoised(),
        }
        for axis, (title, image) in zip(axes, images.items(), strict=False):
            axis.imshow(image[0, 0].numpy(), cmap="gray", vmin=0, vmax=1)
            axis.set_title(title, fontsize=9)
            axis.set_axis_off()
        k = torch.arange(1, len(shown.clean) + 1).numpy()
        axes[3].loglog(k, shown.noisy.abs().numpy(), ".", ms=2, color="#d55e00", label="noisy")
        clean = shown.clean.abs().clamp_min(1e-4).numpy()
        axes[3].loglog(k, clean, color="#0072b2", label="clean")
        axes[3].axvline(kept + 0.5, color="black", lw=1)
        axes[3].set_ylim(self.sigma / 50)
        axes[3].set_title(f"coefficients, M = {kept}", fontsize=9)
        axes[3].tick_params(labelsize=7)
        axes[3].legend(fontsize=7)
        return png(figure)

    def shrinkage(self) -> Shrinkage:
        """Return the coefficients and factors that the explorer shows."""
        if self.basis == "network":
            return self._network[self.image][self._sigmas.index(self.sigma)]
        return self._in_fixed_basis(self._fixed[self.basis], self.image, self.sigma)

    def _in_fixed_basis(self, basis: Tensor, image: int, sigma: float) -> Shrinkage:
        clean = bases.coefficients(basis, self._images[image, None])[0]
        order = clean.abs().argsort(descending=True, stable=True)
        noise = bases.coefficients(basis, self._noise[image, None])[0]
        clean, noisy = clean[order], (clean + sigma * noise)[order]
        return Shrinkage(basis[order], clean, noisy, oracle_factors(clean, sigma))

    def _packed(self) -> dict[str, Any]:
        """Return what the browser needs: images, and coefficients and vectors in every basis."""
        network = [shown for row in self._network for shown in row]
        codes, scales = _front_end.quantize(torch.cat([shown.vectors for shown in network]))
        return {
            "height": self._images.shape[-2],
            "width": self._images.shape[-1],
            "names": list(self._names),
            "sigmas": list(self._sigmas),
            "images": _front_end.floats(self._images),
            "noise": _front_end.floats(self._noise),
            "fixed": {name: self._packed_fixed(basis) for name, basis in self._fixed.items()},
            "network": {
                "counts": [len(shown.vectors) for shown in network],
                "mse": self._answers,
                "codes": codes,
                "scales": scales,
                "clean": _front_end.floats(torch.stack([shown.clean for shown in network])),
                "noisy": _front_end.floats(torch.stack([shown.noisy for shown in network])),
                "factors": _front_end.floats(torch.stack([shown.factors for shown in network])),
            },
        }

    def _packed_fixed(self, basis: Tensor) -> dict[str, Any]:
        # The browser gets the order too: sorting rounded coefficients anew, ties would differ.
        clean = bases.coefficients(basis, self._images)
        order = clean.abs().argsort(dim=1, descending=True, stable=True)
        noise = bases.coefficients(basis, self._noise)
        columns, rows, pairs, signs = _front_end.separate(basis)
        return {
            "columns": _front_end.floats(columns),
            "rows": _front_end.floats(rows),
            "pairs": _front_end.integers(pairs),
            "signs": _front_end.floats(signs),
            "order": _front_end.integers(order),
            "clean": _front_end.floats(clean.gather(1, order)),
            "noise": _front_end.floats(noise.gather(1, order)),
        }

    @traitlets.validate("image", "sigma", "basis", "kept", "factors")
    def _validate_choice(self, proposal: Any) -> Any:
        self._check_choices({proposal["trait"].name: proposal["value"]})
        return proposal["value"]

    def _check_choices(self, choices: dict[str, Any]) -> None:
        allowed: dict[str, Sequence[Any]] = {
            "image": range(len(self._images)),
            "sigma": self._sigmas,
            "basis": BASES,
            "kept": range(self._images[0].numel() + 1),
            "factors": FACTORS,
        }
        refuse_others(choices, allowed)

    def __repr__(self) -> str:
        return (
            f"ShrinkageExplorer(image={self._names[self.image]!r}, sigma={self.sigma:g}, "
            f"basis={self.basis!r}, kept={self.kept}, factors={self.factors!r})"
        )


def _network_bases(
    denoiser: Callable[..., Tensor],
    images: Tensor,
    noise: Tensor,
    sigmas: tuple[float, ...],
    most: int,
) -> tuple[list[list[Shrinkage]], list[float]]:
    """Return a network's eigenbasis for each image and noise level, and its own answers' errors.

    Of the eigenvectors, `most` in all are returned: those with the largest eigenvalues, wherever
    they are, since a smooth image in much noise needs few and a textured one in little noise many.
    """
    shown, errors = [], []
    for x, z in zip(images[:, None], noise[:, None], strict=True):
        for sigma in sigmas:
            y = x + sigma * z
            basis = eigenbasis(denoiser, y, None, sigma=sigma)
            with torch.no_grad():
                errors.append(float(metrics.mse(denoiser(y, sigma), x)))
            shown.append(
                Shrinkage(
                    vectors=basis.vectors.float().cpu(),
                    clean=basis.coefficients(x)[0].float().cpu(),
                    noisy=basis.coefficients(y)[0].float().cpu(),
                    factors=basis.values.float().cpu(),
                )
            )
    values = torch.cat([item.factors for item in shown])
    largest = values.topk(min(most, len(values))).indices
    counts = torch.bincount(largest // images[0].numel(), minlength=len(shown)).clamp_min(1)
    # Clones, so that the vectors that are not shown can be forgotten.
    shown = [
        replace(item, vectors=item.vectors[:count].clone())
        for item, count in zip(shown, counts.tolist(), strict=True)
    ]
    n = len(sigmas)
    return [shown[i : i + n] for i in range(0, len(shown), n)], errors
