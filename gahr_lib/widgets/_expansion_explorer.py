"""What the explorers of expansions share: the traits, the numbers and the still picture."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import traitlets
from matplotlib.figure import Figure
from torch import Tensor

from gahr_lib import metrics
from gahr_lib._checks import check_count, check_images
from gahr_lib.errors import ConfigError, ShapeError
from gahr_lib.figures import SIGNED
from gahr_lib.widgets._expansions import Answer, Expansion
from gahr_lib.widgets._explorer import Explorer, checked_names, png, refuse_others

__all__ = ["VECTORS", "ExpansionExplorer"]

VECTORS = ("singular", "eigen")


class ExpansionExplorer(Explorer):
    """An explorer of the sums over vectors that make up networks' answers at noisy images."""

    network = traitlets.Unicode().tag(sync=True)
    image = traitlets.Int(0).tag(sync=True)
    sigma = traitlets.Float().tag(sync=True)
    vectors = traitlets.Unicode().tag(sync=True)
    index = traitlets.Int(1).tag(sync=True)
    _data = traitlets.Dict().tag(sync=True)

    def _take(
        self,
        denoisers: Mapping[str, Callable[..., Tensor]],
        images: Tensor,
        k: int,
        names: Sequence[str] | None,
    ) -> None:
        """Check what the choices are among, and keep all of it but the networks."""
        if not isinstance(denoisers, Mapping) or not denoisers:
            raise ConfigError(
                f"denoisers is {denoisers!r:.80}; expected networks by name, such as "
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
        self._kept = check_count(k, "k", most=images[0].numel())
        self._networks = tuple(denoisers)
        self._names = checked_names(names, len(images))
        self._images = images.detach().float().cpu().clone()

    @abstractmethod
    def answer(self) -> Answer:
        """Return the noisy image, f(y), and both expansions of what is shown."""

    @abstractmethod
    def _shown(self) -> tuple[str, int, float]:
        """Return the network, image and sigma that are shown."""

    def expansion(self) -> Expansion:
        """Return the vectors, values and coefficients that the explorer shows."""
        answer = self.answer()
        if self.vectors == "singular" and answer.singular is not None:
            return answer.singular
        return answer.eigen

    def partial(self) -> Tensor:
        """Return the sum of the first `index` terms, (1, 1, H, W)."""
        return self.expansion().partial(self.index)

    def psnr(self) -> float:
        """Return the PSNR of `partial` in dB, the number that the explorer shows."""
        return float(metrics.psnr(self.partial(), self._clean()))

    def describe(self) -> str:
        """Return in a sentence what the explorer shows."""
        network, image, sigma = self._shown()
        value = float(self.expansion().values[self.index - 1])
        output = float(metrics.psnr(self.answer().output, self._clean()))
        kind = "singular value" if self.vectors == "singular" else "eigenvalue"
        return (
            f"Network {network} at {self._names[image]} with noise of sigma = {sigma:g}: {kind} "
            f"{self.index} of its Jacobian is {value:.3f}; the first {self.index} terms add up to "
            f"an image of PSNR {self.psnr():.1f} dB, the network's answer has {output:.1f} dB."
        )

    def still(self) -> bytes:
        """Return noisy image, vectors, sum and spectrum as a PNG."""
        shown, answer, k = self.expansion(), self.answer(), self.index
        figure = Figure(figsize=(7.4, 2), dpi=120, layout="constrained")
        axes = figure.subplots(1, 5, width_ratios=[1, 1, 1, 1, 1.6])
        pictures = [
            (f"noisy, $\\sigma = {self._shown()[2]:g}$", answer.noisy, "gray"),
            (f"read, k = {k}", shown.read[k - 1, None], SIGNED),
            (f"written, k = {k}", shown.written[k - 1, None], SIGNED),
            (f"sum to k, {self.psnr():.1f} dB", self.partial(), "gray"),
        ]
        for axis, (title, picture, colours) in zip(axes, pictures, strict=False):
            most = float(picture.abs().max())
            low, high = (0.0, 1.0) if colours == "gray" else (-most, most)
            axis.imshow(picture[0, 0].numpy(), cmap=colours, vmin=low, vmax=high)
            axis.set_title(title, fontsize=9)
            axis.set_axis_off()
        places = torch.arange(1, len(shown.values) + 1).numpy()
        if answer.singular is not None:
            values = answer.singular.values.numpy()
            axes[4].semilogx(places, values, color="#00795a", label="singular")
        axes[4].semilogx(
            places, answer.eigen.values.numpy(), ".", ms=2, color="#0072b2", label="eigen"
        )
        axes[4].axvline(k, color="black", lw=1)
        axes[4].set_title("spectrum", fontsize=9)
        axes[4].tick_params(labelsize=7)
        axes[4].legend(fontsize=7)
        return png(figure)

    def _clean(self) -> Tensor:
        image: int = self._shown()[1]
        return self._images[image, None]

    @abstractmethod
    def _allowed(self) -> dict[str, Sequence[Any]]:
        """Return the values that each trait may take."""

    @traitlets.validate("network", "image", "sigma", "vectors", "index")
    def _validate_choice(self, proposal: Any) -> Any:
        self._check_choices({proposal["trait"].name: proposal["value"]})
        return proposal["value"]

    def _check_choices(self, choices: dict[str, Any]) -> None:
        refuse_others(choices, self._allowed())
