"""An explorer of optimality: networks on images of known smoothness, beside fixed bases."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import traitlets
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from gahr_lib import metrics
from gahr_lib._checks import check_count
from gahr_lib.analysis import rates
from gahr_lib.figures import COLOURS, SIGNED, identity_line, line
from gahr_lib.models import WaveletShrinkage
from gahr_lib.noise import standard_noise
from gahr_lib.widgets import _front_end
from gahr_lib.widgets._explorer import Explorer, checked_names, checked_sigmas, png, refuse_others
from gahr_lib.widgets.optimality_scenes import (
    FIT,
    KINDS,
    NoisyScene,
    PlaneLines,
    check_alphas,
    check_scenes,
    noisy_scene,
    plane_lines,
    shared_levels,
)
from gahr_lib.zoo.experiments import ClassCurves

__all__ = ["OptimalityExplorer"]

_Denoiser = Callable[..., Tensor]
_NAMES = {"network": "network", "wavelet": "wavelets", "wiener": "Wiener"}


class OptimalityExplorer(Explorer):
    """Compare networks with wavelets and the Wiener filter, by smoothness of the images and noise.

    The reader chooses the smoothness alpha, the noise and one of the leading eigenvectors of the
    network's Jacobian. The explorer shows the image, what network, wavelets and Wiener filter make
    of it, the eigenvectors, and the plane of output against input PSNR: the mean curves of the
    class, a line of slope alpha / (alpha + 1), and where this one image is. Everything is computed
    here, once; the page that is built from a notebook needs no kernel.

    Parameters
    ----------
    networks
        A network for each alpha, as `gahr_lib.eigenbasis` takes it. They are neither changed nor
        kept, here and below.
    images
        Clean grey images of each alpha, (B, 1, H, W), floating intensities in [0, 1]. For all
        alpha they have the same shape.
    curves
        Mean PSNR of the same denoisers for each alpha, at equal noise levels.
    wieners
        For each alpha the best affine denoiser of its images, such as `gahr_lib.models.Wiener`.
    sigmas
        Noise levels, above 0 and within those of the curves. They all share one draw of the noise
        for each image, and so do all alpha.
    k
        How many leading eigenvectors are shown; they take k H W bytes for each image and level.
    wavelets
        The wavelet denoiser, and through `WaveletShrinkage.oracle` its oracle; that of the curves,
        ``WaveletShrinkage()``, if None.
    generator
        Source of the noise; torch's default generator if None.
    names
        What the images show, in a word or two each; numbers if None.
    **choices
        First values of the traits below.

    Attributes
    ----------
    alpha : float
        The smoothness, one of those of the networks.
    image : int
        Index of the image.
    sigma : float
        One of the noise levels.
    index : int
        Which eigenvector is shown large, counted from 1 to k.

    Raises
    ------
    ShapeError, ValueRangeError, SigmaError, ConfigError
        If networks, images, curves, noise levels or choices are not of this kind.

    References
    ----------
    The paper, section 3.2, equation 13 and figure 4. The wavelet and Wiener controls are ours.
    """

    _esm = _front_end.module("optimality_plane.js", "optimality_explorer.js")

    alpha = traitlets.Float().tag(sync=True)
    image = traitlets.Int(0).tag(sync=True)
    sigma = traitlets.Float().tag(sync=True)
    index = traitlets.Int(1).tag(sync=True)
    _data = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        networks: Mapping[float, _Denoiser],
        images: Mapping[float, Tensor],
        curves: Mapping[float, ClassCurves],
        wieners: Mapping[float, _Denoiser],
        *,
        sigmas: Sequence[float] = (0.5, 0.2, 0.1, 0.03),
        k: int = 12,
        wavelets: WaveletShrinkage | None = None,
        generator: torch.Generator | None = None,
        names: Sequence[str] | None = None,
        **choices: Any,
    ) -> None:
        self._alphas = check_alphas(networks, images=images, curves=curves, wieners=wieners)
        first = check_scenes(images)
        self._sigmas = checked_sigmas(sigmas)
        self._levels = shared_levels(curves, self._sigmas)
        self._kept = check_count(k, "k", most=first[0].numel())
        self._names = checked_names(names, len(first))
        choices = {"alpha": self._alphas[0], "sigma": self._sigmas[0], **choices}
        self._check_choices(choices)
        self._lines = {alpha: plane_lines(curves[alpha], alpha) for alpha in self._alphas}
        wavelets = wavelets or WaveletShrinkage()
        noise = standard_noise(first.detach(), generator=generator)
        self._scenes = [
            noisy_scene(
                networks[alpha], wavelets, wieners[alpha], x[None], z[None], sigma, self._kept
            )
            for alpha in self._alphas
            for x, z in zip(images[alpha].detach(), noise, strict=True)
            for sigma in self._sigmas
        ]
        super().__init__(_data=self._packed(), **choices)

    def scene(self) -> NoisyScene:
        """Return the pictures, PSNRs and eigenvectors that the explorer shows."""
        place = self._alphas.index(self.alpha) * len(self._names) + self.image
        return self._scenes[place * len(self._sigmas) + self._sigmas.index(self.sigma)]

    def lines(self) -> PlaneLines:
        """Return the curves in the plane of PSNRs, and the slopes that are said of them."""
        return self._lines[self.alpha]

    def describe(self) -> str:
        """Return in a sentence what the explorer shows."""
        psnr, lines = self.scene().psnr, self.lines()
        return (
            f"{self._names[self.image]} of smoothness {self.alpha:g} with noise of "
            f"sigma = {self.sigma:g}: PSNR {psnr['network']:.1f} dB by the network, "
            f"{psnr['wavelet']:.1f} dB by wavelets, {psnr['wiener']:.1f} dB by the Wiener filter. "
            f"Over the noise, from {FIT[0]:g} to {FIT[1]:g} dB, the mean PSNR has slope "
            f"{lines.slopes['network']:.2f}, {lines.slopes['wavelet']:.2f} and "
            f"{lines.slopes['wiener']:.2f}; alpha / (alpha + 1) is {lines.theory:.2f}."
        )

    def still(self) -> bytes:
        """Return the pictures, an eigenvector and the plane as a PNG."""
        shown, k = self.scene(), self.index
        figure = Figure(figsize=(7.4, 3.2), dpi=120, layout="constrained")
        seen, plane = figure.subfigures(1, 2, squeeze=False, width_ratios=[1.25, 1])[0]
        vector = shown.vectors[k - 1, None]
        most = float(vector.abs().quantile(0.995)) or 1.0  # a few pixels are far larger
        pictures: list[tuple[str, Tensor, dict[str, Any]]] = [
            (name, picture, {"cmap": "gray", "vmin": 0, "vmax": 1})
            for name, picture in (
                ("clean", shown.clean),
                (f"noisy, $\\sigma = {self.sigma:g}$", shown.noisy),
                (f"network, {shown.psnr['network']:.1f} dB", shown.network),
                (f"wavelets, {shown.psnr['wavelet']:.1f} dB", shown.wavelet),
                (f"Wiener, {shown.psnr['wiener']:.1f} dB", shown.wiener),
            )
        ]
        title = f"$e_{{{k}}}$, $\\lambda$ = {float(shown.values[k - 1]):.2f}"
        pictures.insert(2, (title, vector, {"cmap": SIGNED, "vmin": -most, "vmax": most}))
        for axis, (name, picture, look) in zip(seen.subplots(2, 3).flat, pictures, strict=True):
            axis.imshow(picture[0, 0].numpy(), **look)
            axis.set_title(name, fontsize=8)
            axis.set_axis_off()
        self._draw_plane(plane.subplots())
        return png(figure)

    def _draw_plane(self, axis: Axes) -> None:
        psnr, lines = self.scene().psnr, self.lines()
        at = metrics.input_psnr(self.sigma)
        for name, colour in zip(KINDS, ("blue", "orange", "green"), strict=True):
            label = f"{_NAMES[name]}, slope {lines.slopes[name]:.2f}"
            axis.plot(self._levels.numpy(), lines.means[name].numpy(), **line(colour), label=label)
            axis.plot(at, psnr[name], "o", color=COLOURS[colour], mec="black", ms=5)
        theory = rates.line(self._levels, lines.theory, through=(0, lines.constant))
        label = f"slope $\\alpha/(\\alpha+1)$ = {lines.theory:.2f}"
        axis.plot(self._levels.numpy(), theory.numpy(), color="black", lw=0.8, label=label)
        identity_line(axis)
        axis.axvline(at, color="black", lw=0.8)
        axis.set_title(f"$\\alpha$ = {self.alpha:g}; dots: this image", fontsize=8)
        axis.set_xlabel("input PSNR, dB", fontsize=8)
        axis.set_ylabel("output PSNR, dB", fontsize=8)
        axis.tick_params(labelsize=7)
        axis.legend(fontsize=6)

    def _packed(self) -> dict[str, Any]:
        """Return what the browser needs, in the order alpha, image, noise level."""
        scenes, per_image = self._scenes, len(self._sigmas)
        lines = [self._lines[alpha] for alpha in self._alphas]
        codes, scales = _front_end.quantize(torch.cat([shown.vectors for shown in scenes]))
        pictures = ("noisy", *KINDS)
        scores = (*pictures, "oracle")
        height, width = scenes[0].clean.shape[-2:]
        return {
            "height": height,
            "width": width,
            "alphas": list(self._alphas),
            "names": list(self._names),
            "sigmas": list(self._sigmas),
            "kept": self._kept,
            "fit": list(FIT),
            "counts": [own.images for own in lines],
            "clean": _bytes([shown.clean for shown in scenes[::per_image]]),
            "pictures": _bytes([getattr(shown, kind) for shown in scenes for kind in pictures]),
            "psnr": _front_end.floats(
                torch.tensor([[shown.psnr[score] for score in scores] for shown in scenes])
            ),
            "values": _front_end.floats(torch.stack([shown.values for shown in scenes])),
            "vectors": {"codes": codes, "scales": scales},
            "levels": _front_end.floats(self._levels),
            "means": _front_end.floats(
                torch.stack([own.means[name] for own in lines for name in KINDS])
            ),
            "slopes": [[own.slopes[name] for name in KINDS] for own in lines],
            "theory": [own.theory for own in lines],
            "constants": [own.constant for own in lines],
        }

    @traitlets.validate("alpha", "image", "sigma", "index")
    def _validate_choice(self, proposal: Any) -> Any:
        self._check_choices({proposal["trait"].name: proposal["value"]})
        return proposal["value"]

    def _check_choices(self, choices: dict[str, Any]) -> None:
        allowed: dict[str, Sequence[Any]] = {
            "alpha": self._alphas,
            "image": range(len(self._names)),
            "sigma": self._sigmas,
            "index": range(1, self._kept + 1),
        }
        refuse_others(choices, allowed)

    def __repr__(self) -> str:
        return (
            f"OptimalityExplorer(alpha={self.alpha:g}, image={self._names[self.image]!r}, "
            f"sigma={self.sigma:g}, index={self.index})"
        )


def _bytes(pictures: Sequence[Tensor]) -> bytes:
    """Return intensities as they are drawn, a byte a pixel, cut off at black and white."""
    cut = torch.cat(list(pictures)).clamp(0, 1)
    return (255 * cut).round().byte().numpy().tobytes()
