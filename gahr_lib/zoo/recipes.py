"""The networks that the package ships, each with everything that made it."""

from dataclasses import dataclass
from typing import Literal

from gahr_lib._checks import check_count
from gahr_lib.errors import ConfigError
from gahr_lib.models import NetworkConfig
from gahr_lib.training import TrainConfig

__all__ = ["RECIPES", "Recipe", "find_recipe"]


@dataclass(frozen=True)
class Recipe:
    """What makes one trained network.

    Attributes
    ----------
    data
        The name of the data set: "fashion".
    n_train
        How many images of the half it is trained on.
    half
        "A" or "B".
    seed
        Of the generator from which its initial weights, batches and noise are drawn.
    network
        The architecture.
    training
        The training configuration.
    snapshots
        Steps after which the network is kept as it is then, besides the last.
    """

    data: str
    n_train: int
    half: Literal["A", "B"]
    seed: int
    network: NetworkConfig
    training: TrainConfig
    snapshots: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Refuse snapshots that training does not pass; read back the list that JSON makes."""
        object.__setattr__(self, "snapshots", tuple(self.snapshots))
        for step in self.snapshots:
            check_count(step, "A snapshot", 1, self.training.steps - 1)

    @property
    def name(self) -> str:
        """The name of its files."""
        return f"{self.data}-{self.n_train}-{self.half}"

    def snapshot_name(self, step: int) -> str:
        """Return the name of the files of the network as it was after a step."""
        return self.name if step == self.training.steps else f"{self.name}-step{step}"


_FASHION = TrainConfig(steps=10_000, sigma_power=1.5, sigma_min=0.005)
_WIDTH_16 = NetworkConfig("unet", width=16, depth=2)
_EARLY = (1_250, 2_500, 5_000)

# Half A is trained with seed 0 and half B with seed 1, so that all that two networks of one size
# share is the kind of image. Nothing but the number of images differs from size to size.
RECIPES = (
    Recipe("fashion", 10, "A", 0, _WIDTH_16, _FASHION, _EARLY),
    Recipe("fashion", 100, "A", 0, _WIDTH_16, _FASHION, _EARLY),
    Recipe("fashion", 100, "B", 1, _WIDTH_16, _FASHION),
    Recipe("fashion", 300, "A", 0, _WIDTH_16, _FASHION, _EARLY),
    Recipe("fashion", 1_000, "A", 0, _WIDTH_16, _FASHION, _EARLY),
    Recipe("fashion", 1_000, "B", 1, _WIDTH_16, _FASHION),
    Recipe("fashion", 30_000, "A", 0, _WIDTH_16, _FASHION),
    Recipe("fashion", 30_000, "B", 1, _WIDTH_16, _FASHION),
)


def find_recipe(data: str, n_train: int, half: Literal["A", "B"]) -> Recipe:
    """Return the recipe of a network.

    Raises
    ------
    ConfigError
        If the package has no such network; the message lists those it has.
    """
    for recipe in RECIPES:
        if (recipe.data, recipe.n_train, recipe.half) == (data, n_train, half):
            return recipe
    known = ", ".join(f"{r.data} n_train={r.n_train} half={r.half}" for r in RECIPES)
    raise ConfigError(
        f"There is no network for data={data!r}, n_train={n_train!r}, half={half!r}. "
        f"The package has: {known}."
    )
