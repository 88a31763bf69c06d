"""An explorer of a network's Jacobian: what it reads, by how much it multiplies, what it writes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from gahr_lib.noise import standard_noise
from gahr_lib.widgets import _front_end
from gahr_lib.widgets._expanding import expand
from gahr_lib.widgets._expansion_explorer import VECTORS, ExpansionExplorer
from gahr_lib.widgets._expansions import Answer, packed_answers
from gahr_lib.widgets._explorer import checked_sigmas

__all__ = ["VECTORS", "EigenbasisExplorer"]


class EigenbasisExplorer(ExpansionExplorer):
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

    _esm = _front_end.module(
        "eigenbasis_numbers.js",
        "eigenbasis_plot.js",
        "eigenbasis_view.js",
        "eigenbasis_explorer.js",
    )

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
        self._take(denoisers, images, k, names)
        self._sigmas = checked_sigmas(sigmas)
        clean = images.detach()
        noise = standard_noise(clean, generator=generator)
        first = {"network": self._networks[0], "sigma": self._sigmas[0], "vectors": VECTORS[0]}
        choices = {**first, **choices}
        self._check_choices(choices)
        self._answers = [
            expand(denoiser, x[None], x[None] + sigma * z[None], sigma, self._kept)
            for denoiser in denoisers.values()
            for x, z in zip(clean, noise, strict=True)
            for sigma in self._sigmas
        ]
        data = {
            **packed_answers(self._answers, self._images, noise),
            "networks": list(self._networks),
            "names": list(self._names),
            "sigmas": list(self._sigmas),
        }
        super().__init__(_data=data, **choices)

    def answer(self) -> Answer:
        """Return the noisy image, f(y), and both expansions of what is shown."""
        place = self._networks.index(self.network) * len(self._images) + self.image
        return self._answers[place * len(self._sigmas) + self._sigmas.index(self.sigma)]

    def _shown(self) -> tuple[str, int, float]:
        return self.network, self.image, self.sigma

    def _allowed(self) -> dict[str, Sequence[Any]]:
        return {
            "network": self._networks,
            "image": range(len(self._images)),
            "sigma": self._sigmas,
            "vectors": VECTORS,
            "index": range(1, self._kept + 1),
        }

    def __repr__(self) -> str:
        return (
            f"EigenbasisExplorer(network={self.network!r}, image={self._names[self.image]!r}, "
            f"sigma={self.sigma:g}, vectors={self.vectors!r}, index={self.index})"
        )
