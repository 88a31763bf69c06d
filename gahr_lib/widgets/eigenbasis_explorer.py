"""An explorer of a network's Jacobian: what it reads, by how much it multiplies, what it writes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import traitlets
from matplotlib.figure import Figure
from torch import Tensor

from gahr_lib import metrics
from gahr_lib._checks import check_count, check_images
from gahr_lib.errors import ConfigError, ShapeError
from gahr_lib.noise import standard_noise
from gahr_lib.widgets import _front_end
from gahr_lib.widgets._expansions import Answer, Expansion, expand, packed_sums, packed_vectors
from gahr_lib.widgets._explorer import Explorer, checked_sigmas, png, refuse_others

__all__ = ["VECTORS", "EigenbasisExplorer"]

VECTORS = ("singular", "eigen")


class EigenbasisExplorer(Explorer):
    """Walk through the vectors that networks read and write, and add them up to their answers.

    The reader chooses the network, the image, the noise and k; the explorer shows the vector v_k
    that is read and the vector u_k that is written, the sum of the first k terms of
    ``f(y) = sum_k s_k <y, v_k> u_k``, and the spectrum. The sum is exact for every network without
    additive constants, however asymmetric its Jacobian J. The eigenvectors of (J + J') / 2, the
    paper's basis, can be shown in place of both; their sum is not f(y).

    Everything is computed here, once; the page that is built from a notebook needs no kernel.

    Parameters
    ----------
    denoisers
        Networks by the names under which they are shown, as `gahr_lib.eigenbasis` takes them. They
        are neither changed nor kept. Of each, the whole d x d Jacobian is decomposed for every
        image at every noise level.
    images
        Clean grey images, (B, 1, H, W), floating intensities in [0, 1].
    sigmas
        Noise levels, above 0. They all share one draw of the noise for each image.
    k
        How many leading vectors are kept; they take 3 k d bytes for each network, image and level.
    generator
        Source of the noise; torch's default generator if None.
    names
        What the images show, in a word or two each; numbers if None.
    **choices
        First values of the traits below.

    Attributes
    ----------
    network : str
        Name of the network.
    image : int
        Index of the image.
    sigma : float
        One of the noise levels.
    vectors : str
        "singular" (read and written) or "eigen".
    index : int
        Which vector is shown, counted from 1 to the number kept: the k of the formulas.

    Raises
    ------
    ShapeError, ValueRangeError, SigmaError, ConfigError, NotDifferentiableError
        If the networks, images, noise levels or choices are not of this kind.

    References
    ----------
    The paper, section 3.1, equation 6 and figure 3; Mohan, Kadkhodaie, Simoncelli and
    Fernandez-Granda, ICLR 2020, section 5, for the singular vectors.
    """

    _esm = _front_end.source(
        "draw.js", "eigenbasis_numbers.js", "eigenbasis_plot.js", "eigenbasis_explorer.js"
    )

    network = traitlets.Unicode().tag(sync=True)
    image = traitlets.Int(0).tag(sync=True)
    sigma = traitlets.Float().tag(sync=True)
    vectors = traitlets.Unicode("singular").tag(sync=True)
    index = traitlets.Int(1).tag(sync=True)
    _data = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        denoisers: Mapping[str, Callable[..., Tensor]],
        images: Tensor,
        sigmas: Sequence[float] = (0.1, 0.4),
        *,
        k: int = 48,
        generator: torch.Generator | None = None,
        names: Sequence[str] | None = None,
        **choices: Any,
    ) -> None:
        if not isinstance(denoisers, Mapping) or not denoisers:
            raise ConfigError(
                f"denoisers is {denoisers!r}; expected networks by name, such as "
                '{"A, N = 100": network}.'
            )
        if not all(isinstance(name, str) and name for name in denoisers):
            raise ConfigError(f"The names of denoisers are {list(denoisers)!r}; expected words.")
        check_images(images, "images")
        if images.shape[1] != 1:
            raise ShapeError(
                f"images have {images.shape[1]} channels; expected 1, since vectors are drawn in "
                "two colours, one for each sign. Average them: images.mean(1, keepdim=True)."
            )
        self._sigmas = checked_sigmas(sigmas)
        self._kept = check_count(k, "k", most=images[0].numel())
        self._networks = tuple(denoisers)
        self._names = tuple(names or (f"image {i}" for i in range(len(images))))
        if len(self._names) != len(images):
            raise ConfigError(
                f"There are {len(self._names)} names for {len(images)} images; expected one each."
            )
        clean = images.detach()
        noise = standard_noise(clean, generator=generator)
        self._images = clean.float().cpu().clone()
        choices = {"network": self._networks[0], "sigma": self._sigmas[0], **choices}
        self._check_choices(choices)
        self._answers = [
            expand(denoiser, x[None], x[None] + sigma * z[None], sigma, self._kept)
            for denoiser in denoisers.values()
            for x, z in zip(clean, noise, strict=True)
            for sigma in self._sigmas
        ]
        super().__init__(_data=self._packed(noise), **choices)

    def answer(self) -> Answer:
        """Return the noisy image, f(y), and both expansions of what is shown."""
        place = self._networks.index(self.network) * len(self._images) + self.image
        return self._answers[place * len(self._sigmas) + self._sigmas.index(self.sigma)]

    def expansion(self) -> Expansion:
        """Return the vectors, values and coefficients that the explorer shows."""
        answer = self.answer()
        return answer.singular if self.vectors == "singular" else answer.eigen

    def partial(self) -> Tensor:
        """Return the sum of the first `index` terms, (1, 1, H, W)."""
        return self.expansion().partial(self.index)

    def psnr(self) -> float:
        """Return the PSNR of `partial` in dB, the number that the explorer shows."""
        return float(metrics.psnr(self.partial(), self._images[self.image, None]))

    def describe(self) -> str:
        """Return in a sentence what the explorer shows."""
        shown, answer = self.expansion(), self.answer()
        output = float(metrics.psnr(answer.output, self._images[self.image, None]))
        kind = "singular value" if self.vectors == "singular" else "eigenvalue"
        return (
            f"Network {self.network} at {self._names[self.image]} with noise of "
            f"sigma = {self.sigma:g}: {kind} {self.index} of its Jacobian is "
            f"{float(shown.values[self.index - 1]):.3f}; the first {self.index} terms add up to an "
            f"image of PSNR {self.psnr():.1f} dB, the network's answer has {output:.1f} dB."
        )

    def still(self) -> bytes:
        """Return noisy image, vectors, sum and spectrum as a PNG."""
        shown, k = self.expansion(), self.index
        figure = Figure(figsize=(7.4, 2), dpi=120, layout="constrained")
        axes = figure.subplots(1, 5, width_ratios=[1, 1, 1, 1, 1.6])
        pictures = [
            (f"noisy, $\\sigma = {self.sigma:g}$", self.answer().noisy, "gray"),
            (f"read, k = {k}", shown.read[k - 1, None], "RdBu_r"),
            (f"written, k = {k}", shown.written[k - 1, None], "RdBu_r"),
            (f"sum to k, {self.psnr():.1f} dB", self.partial(), "gray"),
        ]
        for axis, (title, picture, colours) in zip(axes, pictures, strict=False):
            most = float(picture.abs().max())
            low, high = (0.0, 1.0) if colours == "gray" else (-most, most)
            axis.imshow(picture[0, 0].numpy(), cmap=colours, vmin=low, vmax=high)
            axis.set_title(title, fontsize=9)
            axis.set_axis_off()
        places = torch.arange(1, len(shown.values) + 1).numpy()
        answer = self.answer()
        axes[4].semilogx(places, answer.singular.values.numpy(), color="#00795a", label="singular")
        axes[4].semilogx(
            places, answer.eigen.values.numpy(), ".", ms=2, color="#0072b2", label="eigen"
        )
        axes[4].axvline(k, color="black", lw=1)
        axes[4].set_title("spectrum", fontsize=9)
        axes[4].tick_params(labelsize=7)
        axes[4].legend(fontsize=7)
        return png(figure)

    def _packed(self, noise: Tensor) -> dict[str, Any]:
        """Return what the browser needs."""
        answers = self._answers
        return {
            "height": self._images.shape[-2],
            "width": self._images.shape[-1],
            "networks": list(self._networks),
            "names": list(self._names),
            "sigmas": list(self._sigmas),
            "kept": self._kept,
            "clean": _front_end.floats(self._images),
            "noise": _front_end.floats(noise),
            "outputs": _front_end.floats(torch.cat([answer.output for answer in answers])),
            "output_errors": [answer.error for answer in answers],
            "asymmetry": [answer.asymmetry for answer in answers],
            "singular": {
                **packed_sums([answer.singular for answer in answers]),
                "read": packed_vectors(torch.cat([answer.singular.read for answer in answers])),
            },
            "eigen": packed_sums([answer.eigen for answer in answers]),
        }

    @traitlets.validate("network", "image", "sigma", "vectors", "index")
    def _validate_choice(self, proposal: Any) -> Any:
        self._check_choices({proposal["trait"].name: proposal["value"]})
        return proposal["value"]

    def _check_choices(self, choices: dict[str, Any]) -> None:
        allowed: dict[str, Sequence[Any]] = {
            "network": self._networks,
            "image": range(len(self._images)),
            "sigma": self._sigmas,
            "vectors": VECTORS,
            "index": range(1, self._kept + 1),
        }
        refuse_others(choices, allowed)

    def __repr__(self) -> str:
        return (
            f"EigenbasisExplorer(network={self.network!r}, image={self._names[self.image]!r}, "
            f"sigma={self.sigma:g}, vectors={self.vectors!r}, index={self.index})"
        )
