"""An explorer of memorization: what twins draw from equal noise, and what they were shown."""

import math
from collections.abc import Mapping
from typing import Any

import torch
import traitlets
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from gahr_lib._checks import check_count, check_images
from gahr_lib.analysis.neighbours import nearest_by_cosine
from gahr_lib.data import fashion
from gahr_lib.errors import ConfigError, ShapeError
from gahr_lib.figures import bright
from gahr_lib.metrics import cosine_similarity
from gahr_lib.widgets import _front_end
from gahr_lib.widgets._explorer import Explorer, png, refuse_others
from gahr_lib.zoo.experiments import Samples

__all__ = ["MemorizationExplorer"]

WITH_PACKAGE = 500
"""Of each half so many training images come with the package, the first ones."""

_NOWHERE = 65_535  # the place of a picture that is missing
_FAR = 0.05  # samples are cut off to bytes, which moves few cosines, and the median by less
_TITLES = ("nearest of A", "sample of A", "sample of B", "nearest of B")


class MemorizationExplorer(Explorer):
    """Choose N and a noise; see what two networks of N images each draw from it, and their nearest.

    The networks A and B share no training image. Beside the sample of each is the training image
    that is nearest to it by cosine similarity, the means removed, and histograms of the similarity
    of twins and of that of A's samples and their nearest training images say where this pair is
    among all. Pictures are drawn each up to its own white: bias-free networks know none.

    Training images that do not come with the package are not shown unless they are passed: a
    sentence takes their place. Which of A's is the nearest, and how near, was found when the
    samples were drawn; B's is searched here, in up to 500 training images.

    Parameters
    ----------
    samples
        Samples of a pair of networks for each size of training set N, from the same noises.
    nearest
        The nearest training images of A's and of B's samples for some of the N, (n, 1, H, W)
        intensities each, in the order of the samples. For the others, None for all of them, they
        are the images of Fashion-MNIST as far as these come with the package.
    pairs
        How many pairs of each N can be looked at, the first ones. The histograms are of all.
    **choices
        First values of the traits below.

    Attributes
    ----------
    n_train : int
        N, one of the sizes.
    pair : int
        Index of the noise, and so of the pair of samples. The page counts from 1.

    Raises
    ------
    ConfigError, ShapeError, ValueRangeError
        If the samples are not of one kind, the nearest images not theirs, or the choices unknown.

    References
    ----------
    The paper, figure 2.
    """

    _esm = _front_end.module("memorization_plot.js", "memorization_explorer.js")

    n_train = traitlets.Int().tag(sync=True)
    pair = traitlets.Int(0).tag(sync=True)
    _data = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        samples: Mapping[int, Samples],
        nearest: Mapping[int, tuple[Tensor, Tensor]] | None = None,
        *,
        pairs: int = 64,
        **choices: Any,
    ) -> None:
        self._samples = _checked(samples)
        nearest = nearest or {}
        if unknown := sorted(set(nearest) - set(self._samples)):
            raise ConfigError(
                f"nearest has images for N = {unknown[0]!r}, of which there are no samples; "
                f"expected some of {list(self._samples)}."
            )
        fewest = min(len(drawn.similarity) for drawn in self._samples.values())
        self._pairs = check_count(pairs, "pairs", 1, fewest)
        # For each N, the nearest of A's and B's samples: None where they cannot be shown.
        self._nearest = {
            n: (
                _passed(drawn, nearest[n], self._pairs)
                if n in nearest
                else _from_package(drawn, self._pairs)
            )
            for n, drawn in self._samples.items()
        }
        self._check_own()
        choices = {"n_train": next(iter(self._samples)), **choices}
        self._check_choices(choices)
        super().__init__(_data=self._packed(), **choices)

    def pictures(self) -> tuple[Tensor | None, Tensor, Tensor, Tensor | None]:
        """Return the nearest of A, the samples of A and B, the nearest of B, (1, 1, H, W) each.

        Each has its own white at 1. Training images that cannot be shown are None.
        """
        drawn, k = self._samples[self.n_train], self.pair
        own, other = (images[k] for images in self._nearest[self.n_train])
        return (
            None if own is None else _white(own),
            _white(drawn.a[k]),
            _white(drawn.b[k]),
            None if other is None else _white(other),
        )

    def cosines(self) -> tuple[float, float, float | None]:
        """Return the cosine similarities of neighbours among `pictures`, from left to right.

        The last is None where B's nearest training image is not known.
        """
        drawn, k = self._samples[self.n_train], self.pair
        nearest = self._nearest[self.n_train][1][k]
        other = None if nearest is None else float(_cosine(drawn.b[k], nearest))
        return float(drawn.to_own[k]), float(drawn.similarity[k]), other

    def describe(self) -> str:
        """Return in a sentence what the explorer shows."""
        own, twins, other = self.cosines()
        of_b = "" if other is None else f"; that of B has {other:.2f} with the nearest of B"
        return (
            f"Two networks, N = {self.n_train:,} training images each and none of them shared; "
            f"pair {self.pair + 1} of {self._pairs} from equal noise: the sample of A has cosine "
            f"{own:.2f} with its nearest training image and {twins:.2f} with the sample of B{of_b}."
        )

    def still(self) -> bytes:
        """Return the four pictures and the two histograms as a PNG."""
        figure = Figure(figsize=(7.4, 3.9), dpi=120, layout="constrained")
        above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=[1.15, 1])[:, 0]
        own, twins, other = self.cosines()
        of_b = "" if other is None else f"cos {other:.2f}"
        values = [f"cos {own:.2f}", "", f"cos {twins:.2f}", of_b]
        for axis, image, title, value in zip(
            above.subplots(1, 4), self.pictures(), _TITLES, values, strict=True
        ):
            axis.set_axis_off()
            axis.set_title(f"{title}, {value}" if value else title, fontsize=9)
            if image is None:
                axis.text(0.5, 0.5, "not in the\npackage", ha="center", va="center", fontsize=9)
            else:
                axis.imshow(image[0, 0].numpy(), cmap="gray", vmin=0, vmax=1)
        drawn = self._samples[self.n_train]
        left, right = below.subplots(1, 2)
        _histogram(left, drawn.similarity, twins, "#0072b2", "twins")
        _histogram(right, drawn.to_own, own, "#d55e00", "A and its nearest training image")
        return png(figure)

    def _check_own(self) -> None:
        """Raise if the nearest images are not those whose similarity the samples tell."""
        for n, (own, _) in self._nearest.items():
            drawn = self._samples[n]
            known = {k: image for k, image in enumerate(own) if image is not None}
            if not known:
                continue
            found = _cosine(drawn.a[list(known)], torch.cat(list(known.values())))
            difference = float((found - drawn.to_own[list(known)]).abs().median())
            if difference > _FAR:
                raise ConfigError(
                    f"The nearest images for N = {n:,} are not those of the samples of A: their "
                    f"cosine differs by {difference:.2f} from to_own, in the median; expected "
                    f"{_FAR} at most. Pass them as nearest, in the order of the samples."
                )

    def _packed(self) -> dict[str, Any]:
        """Return what the browser needs: pictures, once each, where they are shown, and cosines."""
        pictures: list[Tensor] = []
        places: list[int] = []
        other: list[Tensor] = []
        for n, drawn in self._samples.items():
            own, others = self._nearest[n]
            for k in range(self._pairs):
                for image in (own[k], drawn.a[k], drawn.b[k], others[k]):
                    places.append(_NOWHERE if image is None else len(pictures))
                    if image is not None:
                        pictures.append(_white(image))
            other += [
                torch.tensor(torch.nan) if image is None else _cosine(b, image)[0]
                for b, image in zip(drawn.b, others, strict=False)
            ]
        unique, inverse = _six_bits(torch.cat(pictures)).unique(dim=0, return_inverse=True)
        where = torch.tensor([p if p == _NOWHERE else int(inverse[p]) for p in places])
        all_samples = list(self._samples.values())
        least = min(float(x.min()) for s in all_samples for x in (s.similarity, s.to_own))
        return {
            "height": all_samples[0].a.shape[-2],
            "width": all_samples[0].a.shape[-1],
            "sizes": list(self._samples),
            "pairs": self._pairs,
            "counts": [len(drawn.similarity) for drawn in all_samples],
            "stored": WITH_PACKAGE,
            "low": min(0.0, math.floor(10 * least) / 10),
            "images": unique.numpy().tobytes(),
            "places": _front_end.integers(where),
            "numbers": _front_end.integers(
                torch.cat([drawn.nearest[: self._pairs] for drawn in all_samples])
            ),
            "twins": _front_end.floats(torch.cat([drawn.similarity for drawn in all_samples])),
            "own": _front_end.floats(torch.cat([drawn.to_own for drawn in all_samples])),
            "real": _front_end.floats(torch.cat([drawn.real_to_own for drawn in all_samples])),
            "other": _front_end.floats(torch.stack(other)),
        }

    @traitlets.validate("n_train", "pair")
    def _validate_choice(self, proposal: Any) -> Any:
        self._check_choices({proposal["trait"].name: proposal["value"]})
        return proposal["value"]

    def _check_choices(self, choices: dict[str, Any]) -> None:
        allowed = {"n_train": tuple(self._samples), "pair": range(self._pairs)}
        refuse_others(choices, allowed)

    def __repr__(self) -> str:
        return f"MemorizationExplorer(n_train={self.n_train}, pair={self.pair})"


def _checked(samples: Mapping[int, Samples]) -> dict[int, Samples]:
    if not isinstance(samples, Mapping) or not samples:
        raise ConfigError(
            f"samples is {samples!r:.80}; expected Samples by size of training set: "
            "{n: load_result(f'samples-{n}', Samples) for n in (10, 30_000)}."
        )
    for n, drawn in samples.items():
        if not isinstance(drawn, Samples) or drawn.n_train != n:
            raise ConfigError(
                f"The samples for N = {n!r} are {type(drawn).__name__} of "
                f"N = {getattr(drawn, 'n_train', None)!r}; expected Samples of that size."
            )
    shapes = {drawn.a.shape[1:] for drawn in samples.values()}
    if len(shapes) > 1 or next(iter(shapes))[0] != 1:
        raise ShapeError(
            f"The samples have shapes {sorted(map(tuple, shapes))}; expected grey images of one "
            "size, (1, H, W)."
        )
    return dict(sorted(samples.items()))


_Pictures = tuple[list[Tensor | None], list[Tensor | None]]


def _from_package(drawn: Samples, pairs: int) -> _Pictures:
    """Return the nearest training images of the first samples that come with the package."""
    n = min(drawn.n_train, WITH_PACKAGE)
    training = fashion("train", half="A", n=n)
    indices = drawn.nearest[:pairs].tolist()
    own = [training[i, None] if i < n else None for i in indices]
    other: list[Tensor | None] = [None] * pairs
    # Among the first of more images the nearest of all need not be.
    if drawn.n_train <= WITH_PACKAGE:
        training = fashion("train", half="B", n=n)
        found = nearest_by_cosine(drawn.b[:pairs].float() / 255, training, 1).indices[:, 0]
        other = list(training[found].split(1))
    return own, other


def _passed(drawn: Samples, images: tuple[Tensor, Tensor], pairs: int) -> _Pictures:
    if not isinstance(images, tuple | list) or len(images) != 2:
        raise ConfigError(
            f"nearest has a {type(images).__name__} for N = {drawn.n_train:,}; expected two "
            "tensors, the nearest training images of the samples of A and of B."
        )
    own, other = images
    for name, of_half in (("A", own), ("B", other)):
        label = f"nearest of {name}, N = {drawn.n_train:,},"
        check_images(of_half, label)
        if len(of_half) < pairs or of_half.shape[1:] != drawn.a.shape[1:]:
            raise ShapeError(
                f"{label} has shape {tuple(of_half.shape)}; expected at least {pairs} images of "
                f"{tuple(drawn.a.shape[1:])}, one for each pair."
            )
    return list(own[:pairs].float().split(1)), list(other[:pairs].float().split(1))


def _white(image: Tensor) -> Tensor:
    """Return an image, (1, H, W) or (1, 1, H, W), as (1, 1, H, W) up to its own white."""
    return bright(image.reshape(1, 1, *image.shape[-2:]))


def _cosine(samples: Tensor, nearest: Tensor) -> Tensor:
    return cosine_similarity(samples.reshape(-1, 1, *samples.shape[-2:]).float() / 255, nearest)


def _six_bits(images: Tensor) -> Tensor:
    """Return intensities in [0, 1] as rows of bytes, four pixels of 64 greys in three bytes."""
    codes = (63 * images.flatten(1)).round().to(torch.int32)
    codes = torch.nn.functional.pad(codes, (0, -codes.shape[1] % 4)).reshape(len(codes), -1, 4)
    words = (codes * torch.tensor([1 << 18, 1 << 12, 1 << 6, 1], dtype=torch.int32)).sum(dim=2)
    return torch.stack([words >> 16, words >> 8 & 255, words & 255], dim=2).byte().flatten(1)


def _histogram(axis: Axes, values: Tensor, current: float, colour: str, title: str) -> None:
    axis.hist(values.numpy(), bins=40, range=(min(0.0, float(values.min())), 1), color=colour)
    axis.axvline(current, color="black", lw=1.5)
    axis.set_title(f"{title}: {current:.2f}", fontsize=9)
    axis.set_xlabel("cosine similarity", fontsize=8)
    axis.tick_params(labelsize=7)
