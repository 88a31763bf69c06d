"""An explorer of adaptive filters: rows and columns of a denoiser's Jacobian, pixel by pixel."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import traitlets
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from gahr_lib._checks import check_images
from gahr_lib.errors import ShapeError
from gahr_lib.figures import SIGNED
from gahr_lib.noise import standard_noise
from gahr_lib.widgets import _front_end
from gahr_lib.widgets._explorer import Explorer, checked_names, checked_sigmas, png, refuse_others
from gahr_lib.widgets.filter_windows import answers, distinct, largest_reach, measure, pack

__all__ = ["Filter", "FilterExplorer"]


@dataclass(frozen=True)
class Filter:
    """The weights that belong to one pixel, and what is said of them.

    Attributes
    ----------
    weights
        (H, W), all of them: the page shows those in a window around the pixel.
    total, radius, outside
        Sum of the weights, distance that holds half of their energy, and share of their energy
        outside the window; see `gahr_lib.widgets.filter_windows.Filters`.
    own
        The weight of the pixel itself.
    """

    weights: Tensor
    total: float
    own: float
    radius: float
    outside: float


class FilterExplorer(Explorer):
    """Pick a pixel of a noisy image, see the filter that denoises it.

    Row i of the Jacobian J of a denoiser f are the weights of the noisy pixels in the denoised
    pixel i: of a denoiser without biases, f(y) = J y, they are all of it. Column i says where in
    the denoised image the noisy pixel i goes. The explorer shows both for the pixel that the reader
    picks, and beside them the row of another denoiser at the same noisy image, for instance of a
    linear one, whose filters do not depend on the image. Everything is computed here, once; the
    page that is built from a notebook needs no kernel.

    What is said of the filters in numbers is computed from all of their weights; what is drawn are
    the weights within a window around the pixel, as large as there is room for.

    Parameters
    ----------
    denoiser
        A denoiser, as `gahr_lib.eigenbasis` takes it. It is neither changed nor kept.
    images
        Clean grey images, (B, 1, H, W), floating intensities in [0, 1].
    sigmas
        Noise levels, above 0. They all share one draw of the noise for each image.
    generator
        Source of the noise; torch's default generator if None.
    names
        What the images show, in a word or two each; numbers if None.
    reference
        Another denoiser to compare with, such as `gahr_lib.models.Wiener`. A Jacobian of it that
        is the same at all images is stored once.
    reference_name
        What the reference is called.
    filters_bytes
        How much room the weights may take in the page, one byte each, over all Jacobians.
    **choices
        First values of the traits below.

    Attributes
    ----------
    image : int
        Index of the image.
    sigma : float
        One of the noise levels.
    row, column : int
        The pixel, counted from 0 at the top left; that in the middle at first.

    Raises
    ------
    ShapeError, ValueRangeError, SigmaError, ConfigError
        If the images, noise levels or choices are not of this kind.

    References
    ----------
    Mohan, Kadkhodaie, Simoncelli and Fernandez-Granda, "Robust and interpretable blind image
    denoising via bias-free convolutional neural networks", ICLR 2020, section 5.
    """

    _esm = _front_end.module("filter_numbers.js", "filter_explorer.js")

    image = traitlets.Int(0).tag(sync=True)
    sigma = traitlets.Float().tag(sync=True)
    row = traitlets.Int().tag(sync=True)
    column = traitlets.Int().tag(sync=True)
    _data = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        denoiser: Callable[..., Tensor],
        images: Tensor,
        sigmas: Sequence[float] = (0.1, 0.4),
        *,
        generator: torch.Generator | None = None,
        names: Sequence[str] | None = None,
        reference: Callable[..., Tensor] | None = None,
        reference_name: str = "fixed filter",
        filters_bytes: int = 920_000,
        **choices: Any,
    ) -> None:
        check_images(images, "images")
        if images.shape[1] != 1:
            raise ShapeError(
                f"images have {images.shape[1]} channels; expected 1, since a filter is drawn as "
                "one picture. Average the channels: images.mean(1, keepdim=True)."
            )
        self._sigmas = checked_sigmas(sigmas)
        self._names = checked_names(names, len(images))
        self._reference_name = reference_name
        clean = images.detach()
        noise = standard_noise(clean, generator=generator)
        self._images = clean.float().cpu().clone()
        self._noise = noise.float().cpu()
        height, width = images.shape[-2:]
        choices = {
            "sigma": self._sigmas[0], "row": height // 2, "column": width // 2, **choices
        }  # fmt: skip
        self._check_choices(choices)
        # Before the work: what there is no room for need not be computed.
        levels = len(self._sigmas)
        largest_reach(height, width, levels * (len(images) + bool(reference)), filters_bytes)
        self._answers = answers(denoiser, clean, noise, self._sigmas)
        self._references = answers(reference, clean, noise, self._sigmas) if reference else []
        self._matrices, self._reference_places = distinct(self._answers, self._references, levels)
        self._reach = largest_reach(height, width, len(self._matrices), filters_bytes)
        self._rows = [measure(J, height, width, self._reach) for J in self._matrices]
        self._columns = [measure(a.jacobian.T, height, width, self._reach) for a in self._answers]
        super().__init__(_data=self._packed(), **choices)

    def filters(self) -> dict[str, Filter]:
        """Return what the explorer shows: "row", "column" and, if there is one, "reference"."""
        place = self._place()
        shown = {
            "row": (self._matrices[place], self._rows[place]),
            "column": (self._matrices[place].T, self._columns[place]),
        }
        if self._references:
            other = self._reference_places[place]
            shown["reference"] = self._matrices[other], self._rows[other]
        i, sides = self._pixel(), self._images.shape[-2:]
        return {
            name: Filter(
                weights=matrix[i].reshape(sides),
                total=float(facts.total[i]),
                own=float(matrix[i, i]),
                radius=float(facts.radius[i]),
                outside=float(facts.outside[i]),
            )
            for name, (matrix, facts) in shown.items()
        }

    def values(self) -> dict[str, float]:
        """Return the pixel's values: "clean", "noisy", "denoised", "weighted sum", "reference".

        The weighted sum is row i of J times y; the last is the reference's answer, if there is one.
        """
        i, place = self._pixel(), self._place()
        noisy = self.noisy().flatten()
        shown = {
            "clean": self._images[self.image].flatten()[i],
            "noisy": noisy[i],
            "denoised": self._answers[place].values[i],
            "weighted sum": self._answers[place].jacobian[i] @ noisy,
        }
        if self._references:
            shown["reference"] = self._references[place].values[i]
        return {name: float(value) for name, value in shown.items()}

    def noisy(self) -> Tensor:
        """Return the image that the explorer shows as noisy, (1, 1, H, W)."""
        return self._noisy(self.image, self.sigma)

    def describe(self) -> str:
        """Return in a sentence what the explorer shows."""
        values, row = self.values(), self.filters()["row"]
        energy = (
            "" if math.isnan(row.radius) else f", half of its energy within {row.radius:.1f} px"
        )
        return (
            f"Pixel in row {self.row}, column {self.column} of {self._names[self.image]} with "
            f"noise of sigma = {self.sigma:g}: clean {values['clean']:.2f}, noisy "
            f"{values['noisy']:.2f}, denoised {values['denoised']:.2f} by a filter "
            f"of sum {row.total:.2f}, own weight {row.own:.2f}{energy}."
        )

    def still(self) -> bytes:
        """Return the images and the filters as a PNG."""
        denoised = self._answers[self._place()].values.reshape(self._images.shape[-2:])
        photographs = {
            f"noisy, $\\sigma = {self.sigma:g}$": self.noisy()[0, 0],
            "clean": self._images[self.image, 0],
            "denoised": denoised,
        }
        titles = {
            "row": "row of J",
            "column": "column of J",
            "reference": f"{self._reference_name}, row",
        }
        figure = Figure(figsize=(7.4, 5.2), dpi=120, layout="constrained")
        axes = figure.subplots(2, 3).flatten()
        for axis in axes:
            axis.set_axis_off()
        for axis, (title, picture) in zip(axes, photographs.items(), strict=False):
            axis.imshow(picture.numpy(), cmap="gray", vmin=0, vmax=1)
            axis.set_title(title, fontsize=9)
        for axis, (name, shown) in zip(axes[3:], self.filters().items(), strict=False):
            # Square roots, as in the page: small weights are too pale to see beside a large one.
            roots = shown.weights.sign() * shown.weights.abs().sqrt()
            largest = max(float(roots.abs().max()), 1e-12)
            axis.imshow(roots.numpy(), cmap=SIGNED, vmin=-largest, vmax=largest)
            axis.set_title(f"{titles[name]}: sum {shown.total:.2f}", fontsize=9)
        for axis in axes[: 3 + len(self.filters())]:
            corner = self.column - 0.5, self.row - 0.5
            axis.add_patch(Rectangle(corner, 1, 1, fill=False, ec="white", lw=2.5))
            axis.add_patch(Rectangle(corner, 1, 1, fill=False, ec="black", lw=1))
        return png(figure)

    def _place(self) -> int:
        """Return which pair of image and noise level is shown, in the order of `_answers`."""
        return self.image * len(self._sigmas) + self._sigmas.index(self.sigma)

    def _pixel(self) -> int:
        return self.row * int(self._images.shape[-1]) + self.column

    def _noisy(self, image: int, sigma: float) -> Tensor:
        return self._images[image, None] + sigma * self._noise[image, None]

    def _packed(self) -> dict[str, Any]:
        """Return what the browser needs: images, answers, weights, and what is said of them."""
        height, width = self._images.shape[-2:]
        codes, scales = pack(self._matrices, height, width, self._reach)
        noisy = [
            self._noisy(i, sigma).flatten()
            for i in range(len(self._images))
            for sigma in self._sigmas
        ]
        sums = [a.jacobian @ y for a, y in zip(self._answers, noisy, strict=True)]
        data = {
            "height": height,
            "width": width,
            "reach": self._reach,
            "names": list(self._names),
            "sigmas": list(self._sigmas),
            "images": _front_end.floats(self._images),
            "noise": _front_end.floats(self._noise),
            "answers": _front_end.floats(torch.stack([a.values for a in self._answers])),
            "sums": _front_end.floats(torch.stack(sums)),
            "codes": codes,
            "scales": scales,
            "rows": b"".join(facts.packed() for facts in self._rows),
            "columns": b"".join(facts.packed() for facts in self._columns),
            "own": _front_end.floats(torch.stack([J.diagonal() for J in self._matrices])),
        }
        if self._references:
            values = torch.stack([a.values for a in self._references])
            data["reference"] = {
                "name": self._reference_name,
                "places": self._reference_places,
                "answers": _front_end.floats(values),
            }
        return data

    @traitlets.validate("image", "sigma", "row", "column")
    def _validate_choice(self, proposal: Any) -> Any:
        self._check_choices({proposal["trait"].name: proposal["value"]})
        return proposal["value"]

    def _check_choices(self, choices: dict[str, Any]) -> None:
        allowed: dict[str, Sequence[Any]] = {
            "image": range(len(self._images)),
            "sigma": self._sigmas,
            "row": range(self._images.shape[-2]),
            "column": range(self._images.shape[-1]),
        }
        refuse_others(choices, allowed)

    def __repr__(self) -> str:
        return (
            f"FilterExplorer(image={self._names[self.image]!r}, sigma={self.sigma:g}, "
            f"row={self.row}, column={self.column})"
        )
