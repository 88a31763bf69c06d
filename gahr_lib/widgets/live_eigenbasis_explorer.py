"""An explorer of a network's Jacobian that computes what the reader asks for, while Python runs."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from threading import RLock
from typing import Any, NamedTuple

import torch
import traitlets
from torch import Tensor

from gahr_lib._checks import check_sigma
from gahr_lib.analysis.eigenbases import DENSE
from gahr_lib.errors import GahrError, SigmaError
from gahr_lib.noise import standard_noise
from gahr_lib.widgets import _front_end
from gahr_lib.widgets._background import Background
from gahr_lib.widgets._expanding import Progress, expand_steps
from gahr_lib.widgets._expansion_explorer import VECTORS, ExpansionExplorer
from gahr_lib.widgets._expansions import Answer, packed_answers

__all__ = ["LiveEigenbasisExplorer"]

_MOST_SEED = 2**31 - 1


class _Question(NamedTuple):
    """What one has to know to compute an answer."""

    network: str
    image: int
    sigma: float
    seed: int


class LiveEigenbasisExplorer(ExpansionExplorer):
    """Walk through the vectors that any denoiser reads and writes, computed when asked for.

    It shows what `EigenbasisExplorer` shows, for every noise level and every draw of the noise:
    when the reader changes network, image, sigma or seed, Python decomposes the Jacobian there,
    while the explorer says how far it is and offers to cancel. A new choice takes the place of the
    one being computed. An error becomes a sentence in the explorer, and `error` here.

    Of images of more than 1,024 pixels the `k` leading eigenvectors are computed by iteration, and
    no singular vectors: that needs no d x d matrix.

    In a notebook a change starts the computation and returns; cells that run meanwhile alternate
    with its steps. `compute` waits for it. In a script a change computes at once. In a page without
    Python the explorer shows what was computed last, and k still moves.

    Parameters
    ----------
    denoisers
        Denoisers by the names under which they are shown, as `gahr_lib.eigenbasis` takes them. They
        are kept and not changed.
    images
        Clean grey images, (B, 1, H, W), floating intensities in [0, 1].
    sigmas
        The smallest and the largest noise level, above 0.
    k
        How many leading vectors are kept.
    names
        What the images show, in a word or two each; numbers if None.
    **choices
        First values of the traits below; what they ask for is computed at once.

    Attributes
    ----------
    network : str
        Name of the network.
    image : int
        Index of the image.
    sigma : float
        Noise level, from ``sigmas[0]`` to ``sigmas[1]``; their geometric mean at first.
    seed : int
        Seed of the noise: it is drawn by ``torch.Generator().manual_seed(seed)``.
    vectors : str
        "singular" (read and written) or "eigen"; "eigen" alone for large images.
    index : int
        Which vector is shown, counted from 1 to the number kept: the k of the formulas.
    error : Exception or None
        What kept Python from computing the last choice.

    Raises
    ------
    ShapeError, ValueRangeError, SigmaError, ConfigError, NotDifferentiableError, ConvergenceError
        If the denoisers, images, noise levels or choices are not of this kind.

    References
    ----------
    The paper, section 3.1, equation 6 and figure 3; Mohan, Kadkhodaie, Simoncelli and
    Fernandez-Granda, ICLR 2020, section 5, for the singular vectors.

    Examples
    --------
    >>> import gahr_lib as gahr
    >>> from gahr_lib.widgets import LiveEigenbasisExplorer
    >>> image = gahr.data.fashion("test", n=1)[..., 6:22, 6:22]
    >>> explorer = LiveEigenbasisExplorer(
    ...     {"mine": lambda y, sigma: y / (1 + sigma)}, image, sigma=0.25, k=16
    ... )
    >>> round(float(explorer.expansion().values[0]), 6)
    0.8
    """

    _esm = _front_end.module(
        "eigenbasis_numbers.js",
        "eigenbasis_plot.js",
        "eigenbasis_view.js",
        "live_work.js",
        "live_eigenbasis_explorer.js",
    )

    seed = traitlets.Int(0).tag(sync=True)
    _work = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        denoisers: Mapping[str, Callable[..., Tensor]],
        images: Tensor,
        sigmas: tuple[float, float] = (0.02, 1.0),
        *,
        k: int = 48,
        names: Sequence[str] | None = None,
        **choices: Any,
    ) -> None:
        self._take(denoisers, images, k, names)
        self._denoisers = dict(denoisers)
        self._originals = images.detach().clone()  # in their own precision, on their own device
        self._sigmas = _checked_range(sigmas)
        self._kinds = VECTORS if images[0].numel() <= DENSE else VECTORS[1:]
        first = {"network": self._networks[0], "image": 0, "seed": 0, "vectors": self._kinds[0]}
        choices = {**first, "sigma": _middle(*self._sigmas), **choices}
        self._check_choices(choices)
        self._asks = False
        self._lock = RLock()
        self._background = Background(self._heard, self._failed, self._lock)
        self.error: Exception | None = None
        self._question = _Question(*(choices[name] for name in _Question._fields))
        steps = self._steps(self._question)
        self._answer = next(step.answer for _, step in steps if step.answer is not None)
        super().__init__(_data=self._packed(), **choices)
        self._asks = True

    def answer(self) -> Answer:
        """Return the noisy image, f(y), and the expansions of what was computed last."""
        return self._answer

    def compute(self) -> Answer:
        """Compute what is chosen, unless it is shown already, and return it when it is there.

        Raises what the computation raises.
        """
        chosen = self._chosen()
        if chosen != self._question:
            self._background.finish(self._steps(chosen))
        return self._answer

    def cancel(self) -> None:
        """Go back to the choice that is shown, and stop computing another one."""
        with self.hold_trait_notifications():
            for name, value in self._question._asdict().items():
                setattr(self, name, value)

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take over what the page has set; `Background` says why this locks."""
        with self._lock:
            super().set_state(sync_data)

    def _steps(self, question: _Question) -> Iterator[tuple[_Question, Progress]]:
        clean = self._originals[question.image, None]
        noisy = clean + question.sigma * self._noise(question)
        denoiser = self._denoisers[question.network]
        for progress in expand_steps(denoiser, clean, noisy, question.sigma, self._kept):
            yield question, progress

    def _noise(self, question: _Question) -> Tensor:
        generator = torch.Generator().manual_seed(question.seed)
        return standard_noise(self._originals[question.image, None], generator=generator)

    def _chosen(self) -> _Question:
        return _Question(self.network, self.image, self.sigma, self.seed)

    @traitlets.observe(*_Question._fields)
    def _ask(self, _: Any) -> None:
        if not self._asks:
            return
        with self._lock:
            chosen = self._chosen()
            self.error = None
            if chosen == self._question:
                self._background.stop()
                self._work = {}
                return
            self._work = {"text": "starting", "share": 0.0}
        self._background.start(self._steps(chosen))

    def _heard(self, step: tuple[_Question, Progress]) -> None:
        question, progress = step
        if progress.answer is None:
            self._work = {"text": progress.text, "share": progress.share}
            return
        self._question, self._answer = question, progress.answer
        self._background.stop()
        self._data = self._packed()
        self._work = {}

    def _failed(self, error: Exception) -> None:
        self.error = error
        text = str(error) if isinstance(error, GahrError) else f"{type(error).__name__}: {error}"
        self._work = {"error": text}

    def _packed(self) -> dict[str, Any]:
        """Return what the browser needs."""
        clean = self._images[self._question.image, None]
        noise = self._noise(self._question)
        return {
            **packed_answers([self._answer], clean, noise),
            "networks": list(self._networks),
            "names": list(self._names),
            "sigmas": list(self._sigmas),
            "shown": self._question._asdict(),
        }

    def _shown(self) -> tuple[str, int, float]:
        return self._question[:3]

    def _allowed(self) -> dict[str, Sequence[Any]]:
        return {
            "network": self._networks,
            "image": range(len(self._images)),
            "seed": range(_MOST_SEED + 1),
            "vectors": self._kinds,
            "index": range(1, self._kept + 1),
        }

    @traitlets.validate("seed")
    def _validate_seed(self, proposal: Any) -> Any:
        return self._validate_choice(proposal)

    def _check_choices(self, choices: dict[str, Any]) -> None:
        super()._check_choices(choices)
        if "sigma" not in choices:
            return
        sigma, (low, high) = choices["sigma"], self._sigmas
        check_sigma(sigma)
        if not low <= sigma <= high:
            raise SigmaError(
                f"sigma is {sigma!r}; expected a noise level from {low:g} to {high:g}. "
                "Pass other sigmas, the smallest and the largest, to the explorer."
            )

    def __repr__(self) -> str:
        network, image, sigma = self._shown()
        return (
            f"LiveEigenbasisExplorer(network={network!r}, image={self._names[image]!r}, "
            f"sigma={sigma:g}, seed={self._question.seed}, vectors={self.vectors!r}, "
            f"index={self.index})"
        )


def _checked_range(sigmas: tuple[float, float]) -> tuple[float, float]:
    try:
        low, high = sigmas
    except (TypeError, ValueError) as error:
        raise SigmaError(
            f"sigmas is {sigmas!r}; expected the smallest and the largest noise level, such as "
            "(0.02, 1)."
        ) from error
    for sigma in (low, high):
        check_sigma(sigma, name="each of sigmas")
    if not 0 < low < high:
        raise SigmaError(f"sigmas is {sigmas!r}; expected two that rise, both above 0.")
    return float(low), float(high)


def _middle(low: float, high: float) -> float:
    """Return the geometric mean to three digits, as the slider does."""
    return min(max(float(f"{math.sqrt(low * high):.3g}"), low), high)
