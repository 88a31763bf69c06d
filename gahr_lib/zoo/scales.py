"""The two scales at which the chapters run: the book's, and the paper's with its own networks.

A chapter asks its scale for networks, images and sizes, and so runs at both without a change.
"""

import logging
import os
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from gahr_lib._checks import check_count
from gahr_lib.data import celeba, fashion
from gahr_lib.errors import ConfigError
from gahr_lib.models import OnDevice, ResidualNetwork
from gahr_lib.sampling import SampleConfig
from gahr_lib.zoo.authors import load_authors
from gahr_lib.zoo.networks import load_denoiser
from gahr_lib.zoo.recipes import LADDER

__all__ = ["BOOK", "Scale", "scale"]

_LOG = logging.getLogger(__name__)
_TESTS = 500  # faces on which networks are measured; all others come after them
_NO_FACES = (
    "The paper's networks are measured on faces of CelebA, which their owners give out for "
    "research; expected the folder of the aligned ones, img_align_celeba. Name it with the "
    "variable GAHR_FACES, or pass faces=."
)


@dataclass(frozen=True)
class Scale:
    """Where a chapter takes its networks and images from, and how large they are.

    Attributes
    ----------
    name
        "book", Fashion-MNIST and the networks of the package; or "paper", faces of CelebA and the
        networks that the paper's authors published.
    sizes
        Of how many training images there is a network of each half, rising.
    side
        Pixels on each side of clothes or faces.
    scene_side
        Pixels on each side of C^alpha images.
    sampler
        Settings of Algorithm 1 that start around the mean intensity of these images.
    slow_sampler
        Settings that explore longer, and end at what a network knows by heart; those for clothes
        start dark.
    device
        Where networks compute, "cpu" or "cuda"; what they take and return stays on the CPU.
    faces
        The folder of CelebA's aligned faces; None if there is none.
    authors
        A clone of the authors' repository; None to download single files.
    """

    name: Literal["book", "paper"]
    sizes: tuple[int, ...]
    side: int
    scene_side: int
    sampler: SampleConfig
    slow_sampler: SampleConfig
    device: str = "cpu"
    faces: Path | None = None
    authors: Path | None = None

    @property
    def knows_training_sets(self) -> bool:
        """Whether it is known which images the networks were trained on.

        Nobody recorded the order in which the authors' computer listed the faces, and so which of
        them are the first N.
        """
        return self.name == "book"

    def network(
        self,
        data: str = "",
        *,
        n_train: int | None = None,
        half: Literal["A", "B"] = "A",
        alpha: float | None = None,
        variant: str = "",
        step: int | None = None,
    ) -> ResidualNetwork:
        """Return a trained network, which computes on the device of the scale.

        Parameters
        ----------
        data
            What it is trained on: the clothes or faces of the scale if empty. See `load_denoiser`
            and `load_authors` for what there is, and for the other arguments.

        Raises
        ------
        ConfigError
            If there is no such network at this scale.
        WeightsError, DownloadError, CacheError
            If its file is missing or damaged, or cannot be fetched.
        """
        if self.name == "book":
            network = load_denoiser(
                data or "fashion",
                n_train=n_train,
                half=half,
                alpha=alpha,
                variant=variant,
                step=step,
            )
        else:
            network = self._of_authors(data, n_train, half, alpha, variant, step)
        return network if self.device == "cpu" else OnDevice(network, self.device)

    def images(self, n: int) -> Tensor:
        """Return n images to test on: clothes of the test set; or the first faces of the folder.

        The authors used all faces: a network of theirs may have been trained on some of these.

        Returns
        -------
        Tensor
            (n, 1, side, side), intensities in [0, 1], on the CPU.

        Raises
        ------
        ConfigError
            If there are not so many, or no folder of faces is named.
        DataFileError, ShapeError, DownloadError, CacheError
            If images cannot be read.
        """
        if self.name == "book":
            return fashion("test", n=n)
        return self._faces(check_count(n, "n", most=_TESTS))

    def training(self, n: int, half: Literal["A", "B"] = "A") -> Tensor:
        """Return n images of one of two sets that share none with each other or with `images`.

        They are the training images of the networks only where `knows_training_sets`. Other faces
        serve to fit a covariance, for instance, and say nothing about what a network has seen.

        Returns and errors are those of `images`.
        """
        if self.name == "book":
            return fashion("train", half=half, n=n)
        if half not in ("A", "B"):
            raise ConfigError(f"The half is {half!r}; expected 'A' or 'B'.")
        n = check_count(n, "n")
        first = _TESTS + (n if half == "B" else 0)
        return self._faces(first + n)[first:]

    @cached_property
    def other_faces(self) -> Tensor:
        """All faces of the folder but the test images, as bytes; those of CelebA take 1.3 GB."""
        return celeba(self._folder(), size=self.side, as_bytes=True)[_TESTS:]

    def book(self, what: str) -> "Scale":
        """Return the book's scale, for what has no counterpart at the paper's.

        Parameters
        ----------
        what
            What it is, to complete one line of the log; at the book's scale nothing is said.
        """
        if self.name == "book":
            return self
        _LOG.warning("The paper's scale has no counterpart of %s; this is the book's.", what)
        return replace(BOOK, device=self.device)

    def expect(self, statement: bool | Tensor) -> None:
        """Hold a chapter's results to what its text says of them.

        The text describes the book's scale. Where the paper's differs, the log says so.

        Raises
        ------
        AssertionError
            If the statement is false at the book's scale.
        """
        if bool(statement):
            return
        if self.name == "book":
            raise AssertionError("The text says otherwise; expected what it says. Correct one.")
        _LOG.warning("Not as the text says: it describes the book's scale.")

    def _of_authors(
        self,
        data: str,
        n_train: int | None,
        half: Literal["A", "B"],
        alpha: float | None,
        variant: str,
        step: int | None,
    ) -> ResidualNetwork:
        if data not in ("", "c_alpha") or variant or step is not None:
            raise ConfigError(
                f"The authors published no network for data={data!r}, variant={variant!r}, "
                f"step={step!r}; expected faces or c_alpha. Take scale.book('such networks')."
            )
        if data:
            whole = int(alpha) if alpha is not None and alpha == int(alpha) else alpha
            network = load_authors("c_alpha", alpha=whole, folder=self.authors)  # type: ignore[arg-type]  # it checks
            side = self.scene_side
        else:
            n = self.sizes[-1] if n_train is None else n_train
            network = load_authors("celeba", n=n, half=half, folder=self.authors)
            side = self.side
        network.image_shape = (1, side, side)
        return network

    def _faces(self, n: int) -> Tensor:
        return celeba(self._folder(), n, size=self.side)

    def _folder(self) -> Path:
        if self.faces is None:
            raise ConfigError(_NO_FACES)
        return self.faces


BOOK = Scale(
    name="book",
    sizes=LADDER,
    side=28,
    scene_side=40,
    sampler=SampleConfig(beta=0.1, mean=0.3),
    slow_sampler=SampleConfig(h0=0.1, beta=0.05, mean=0.0),
)
"""The book's scale on the CPU, where the results of the package come from."""

_PAPER = Scale(
    name="paper",
    sizes=(1, 10, 100, 1_000, 10_000, 100_000),
    side=80,
    scene_side=80,
    sampler=SampleConfig(beta=0.1),
    slow_sampler=SampleConfig(h0=0.1, beta=0.05),
)


def scale(
    name: str | None = None,
    *,
    device: str | None = None,
    faces: str | Path | None = None,
    authors: str | Path | None = None,
) -> Scale:
    """Return the scale at which a chapter runs.

    Parameters
    ----------
    name
        "book", which needs a CPU and minutes; or "paper", which wants a GPU. If None, what the
        environment variable GAHR_SCALE says, or else "book".
    device
        Where networks compute, "cpu" or "cuda"; the GPU if None and there is one.
    faces
        Of the paper's scale: the folder of CelebA's aligned faces. If None, the one that the
        environment variable GAHR_FACES names.
    authors
        Of the paper's scale: a clone of the authors' repository. If None, the one that GAHR_AUTHORS
        names, or else single files are downloaded.

    Raises
    ------
    ConfigError
        If there is no such scale or device.
    """
    name = name or os.environ.get("GAHR_SCALE") or "book"
    if name not in ("book", "paper"):
        raise ConfigError(
            f"The scale is {name!r}; expected 'book' or 'paper'. Correct it in the first cells of "
            "the chapter, or in the variable GAHR_SCALE."
        )
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    if device not in ("cpu", "cuda"):
        raise ConfigError(
            f"The device is {device!r}; expected 'cpu' or 'cuda', or None for either."
        )
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError(
            "The device is 'cuda'; expected 'cpu', since PyTorch finds no GPU. Leave the device "
            "out, or install PyTorch for your GPU."
        )
    if name == "book":
        return replace(BOOK, device=device)
    faces = faces or os.environ.get("GAHR_FACES")
    authors = authors or os.environ.get("GAHR_AUTHORS")
    return replace(
        _PAPER,
        device=device,
        faces=Path(faces) if faces else None,
        authors=Path(authors) if authors else None,
    )
