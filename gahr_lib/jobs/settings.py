"""What a run is: its images, its network, how it is trained; and two scales to start from."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from gahr_lib._checks import check_count, check_whole
from gahr_lib.errors import ConfigError
from gahr_lib.models import NetworkConfig
from gahr_lib.training import TrainConfig

__all__ = ["DRAWN", "SCALES", "Images", "Run", "Scale", "make_run"]

DRAWN = ("c_alpha", "discs", "ray", "sinusoids", "photographs")
_FASHION_SIZE = 28


@dataclass(frozen=True)
class Images:
    """Which images a network is trained on.

    Attributes
    ----------
    data
        "fashion"; "c_alpha", "discs", "ray" or "sinusoids", which are drawn; "photographs", crops
        of ten; or the path of a folder of images.
    half
        "A" or "B", two sets that share no image; fresh images have no halves, but for photographs.
    n_train
        How many images; if None, the whole half, or fresh images for every step if they are drawn.
    size
        Side in pixels.
    alpha, beta
        Decay of the spectra of contours and backgrounds, for "c_alpha" alone; beta is alpha if
        None.
    crop
        Pixels cut off (above and below, left and right), for a folder alone; the largest square in
        the middle is kept if None.
    shuffled
        The seed of the permutation under which all images are seen, see
        `gahr_lib.data.shuffle_pixels`; in their order if None.
    """

    data: str = "fashion"
    half: Literal["A", "B"] = "A"
    n_train: int | None = None
    size: int = _FASHION_SIZE
    alpha: float | None = None
    beta: float | None = None
    crop: tuple[int, int] | None = None
    shuffled: int | None = None

    def __post_init__(self) -> None:
        """Refuse what does not exist before any image is read."""
        known = ("fashion", *DRAWN)
        if self.data not in known and not Path(self.data).is_dir():
            raise ConfigError(
                f"The data set is {self.data!r}; expected {', '.join(known)}, or a folder of "
                "images. Check the spelling, or the path from the current folder."
            )
        if self.half not in ("A", "B"):
            raise ConfigError(f"half is {self.half!r}; expected 'A' or 'B'.")
        if self.n_train is not None:
            object.__setattr__(self, "n_train", check_count(self.n_train, "n_train"))
        object.__setattr__(self, "size", check_count(self.size, "size", 8))
        if self.data == "fashion" and self.size != _FASHION_SIZE:
            raise ConfigError(
                f"size is {self.size}; the images of fashion have {_FASHION_SIZE} pixels on a side."
            )
        if (self.data == "c_alpha") != (self.alpha is not None):
            raise ConfigError(
                f"alpha is {self.alpha!r} for the data set {self.data}; expected a number for "
                "c_alpha, such as 2, and none for others."
            )
        if self.beta is not None and self.alpha is None:
            raise ConfigError(f"beta is {self.beta!r}; expected it for c_alpha alone.")
        if self.crop is not None and not self.is_folder:
            raise ConfigError(f"crop is {self.crop}; expected it for a folder of images alone.")
        if self.crop is not None:
            object.__setattr__(self, "crop", tuple(self.crop))  # JSON makes lists
        if self.shuffled is not None:
            object.__setattr__(self, "shuffled", _check_seed(self.shuffled, "shuffled"))

    @property
    def is_folder(self) -> bool:
        """Whether they are read from a folder of the reader's."""
        return self.data not in ("fashion", *DRAWN)

    @property
    def fresh(self) -> bool:
        """Whether every step has images that no other has."""
        return self.data in DRAWN and self.n_train is None

    @property
    def label(self) -> str:
        """The data set in a word."""
        if self.is_folder:
            return Path(self.data).resolve().name
        return self.data if self.alpha is None else f"c_alpha{self.alpha:g}"


@dataclass(frozen=True)
class Run:
    """Everything that decides which weights come out.

    Attributes
    ----------
    images
        The training set.
    network
        The architecture.
    training
        How it is trained.
    seed
        Of the generator from which initial weights, batches and noise are drawn.
    snapshots
        Steps after which the network is kept as it is then, besides the last.
    """

    images: Images = field(default_factory=Images)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    training: TrainConfig = field(default_factory=TrainConfig)
    seed: int = 0
    snapshots: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a network that does not take the images."""
        object.__setattr__(self, "seed", _check_seed(self.seed, "seed"))
        last = self.training.steps - 1
        steps = {
            check_count(step, "A snapshot", 1, last, remedy="The last step is kept by itself.")
            for step in self.snapshots
        }
        object.__setattr__(self, "snapshots", tuple(sorted(steps)))
        network, images = self.network, self.images
        if network.channels not in (1, 3):
            raise ConfigError(f"channels is {network.channels}; expected 1, grey, or 3, colour.")
        if network.channels == 3 and not images.is_folder:
            raise ConfigError(f"The images of {images.data} are grey; expected channels=1.")
        check_count(network.width, "width")
        check_count(network.depth, "depth", 3 if network.architecture == "bf_cnn" else 1)
        stride = 2**network.depth if network.architecture == "unet" else 1
        if images.size % stride:
            raise ConfigError(
                f"A UNet of depth {network.depth} halves images {network.depth} times, and "
                f"{images.size} pixels are no multiple of {stride}. Take a smaller depth or "
                f"{max(stride, images.size // stride * stride)} pixels."
            )

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> "Run":
        """Return the run whose `dataclasses.asdict` has been written as JSON.

        Raises
        ------
        ConfigError
            If a setting is unknown, missing or out of range.
        """
        try:
            return cls(
                Images(**facts["images"]),
                NetworkConfig(**facts["network"]),
                TrainConfig(**facts["training"]),
                facts["seed"],
                tuple(facts["snapshots"]),
            )
        except (KeyError, TypeError) as error:
            raise ConfigError(
                f"These are not the settings of a run ({error!r}); expected those of this version "
                "of the package. Train again, or install the version that wrote them."
            ) from error

    @property
    def name(self) -> str:
        """A name for its folder, after its images."""
        images = self.images
        size = "" if images.data == "fashion" else f"-{images.size}"
        which = "fresh" if images.fresh else f"{images.n_train or 'all'}-{images.half}"
        if images.fresh and images.data == "photographs":  # which have halves all the same
            which += f"-{images.half}"
        shuffled = "" if images.shuffled is None else f"-shuffled{images.shuffled}"
        seed = f"-seed{self.seed}" if self.seed else ""
        return f"{images.label}{size}-{which}{shuffled}{seed}"


def _check_seed(seed: int, name: str) -> int:
    seed = check_whole(seed, name)
    if not -(2**63) <= seed < 2**64:
        raise ConfigError(f"{name} is {seed}; expected a number of at most 64 bits.")
    return seed


@dataclass(frozen=True)
class Scale:
    """Settings that belong together because they cost as much as a machine can give.

    Attributes
    ----------
    size
        Side of images that can have any, in pixels.
    width
        Channels of the first layer.
    depths
        The depth of each architecture.
    training
        How a network is trained.
    """

    size: int
    width: int
    depths: Mapping[str, int]
    training: TrainConfig


SCALES: Mapping[str, Scale] = MappingProxyType(
    {
        "book": Scale(
            size=40,
            width=16,
            depths=MappingProxyType({"unet": 2, "bf_cnn": 10}),
            training=TrainConfig(steps=4_000, batch_size=32, sigma_power=1.5),
        ),
        # The paper's sets of up to 10,000 images get 490,000 steps: 1,000 epochs of 250,000.
        "paper": Scale(
            size=80,
            width=64,
            depths=MappingProxyType({"unet": 3, "bf_cnn": 21}),
            training=TrainConfig(
                steps=490_000, batch_size=512, optimizer="adam", learning_rate=1e-3
            ),
        ),
    }
)
"""What a run starts from; "book" takes minutes on a core of a laptop, "paper" hours on GPUs."""


def make_run(scale: str = "book", **settings: Any) -> Run:
    """Return the run of a scale with some of its settings changed.

    Parameters
    ----------
    scale
        "book" or "paper"; see `SCALES`.
    settings
        Attributes of `Images`, `gahr_lib.models.NetworkConfig`, `gahr_lib.training.TrainConfig`,
        the seed and the snapshots, by their names. None leaves one as the scale has it.

    Returns
    -------
    Run
        It has passed all checks that need no image.

    Raises
    ------
    ConfigError
        If a setting is unknown, out of range, or does not go with another.
    """
    if scale not in SCALES:
        raise ConfigError(f"scale is {scale!r}; expected one of {', '.join(SCALES)}.")
    chosen = SCALES[scale]
    given = {name: value for name, value in settings.items() if value is not None}

    def take(kind: type[Any]) -> dict[str, Any]:
        names = [name for name in kind.__dataclass_fields__ if name in given]
        return {name: given.pop(name) for name in names}

    images, network, training = take(Images), take(NetworkConfig), take(TrainConfig)
    others = {name: given.pop(name) for name in ("seed", "snapshots") if name in given}
    if given:
        raise ConfigError(f"There is no setting {', '.join(sorted(given))}.")
    data = images.get("data", "fashion")
    images.setdefault("size", _FASHION_SIZE if data == "fashion" else chosen.size)
    architecture = network.setdefault("architecture", "unet")
    if architecture not in chosen.depths:
        raise ConfigError(
            f"The architecture is {architecture!r}; expected one of {', '.join(chosen.depths)}."
        )
    network.setdefault("width", chosen.width)
    network.setdefault("depth", chosen.depths[architecture])
    return Run(
        Images(**images),
        NetworkConfig(**network),
        replace(chosen.training, **training),
        **others,
    )
