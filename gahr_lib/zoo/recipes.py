"""The networks that the package ships, each with everything that made it."""

from dataclasses import dataclass
from typing import Literal

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
    """

    data: str
    n_train: int
    half: Literal["A", "B"]
    seed: int
    network: NetworkConfig
    training: TrainConfig

    @property
    def name(self) -> str:
        """The name of its files."""
        return f"{self.data}-{self.n_train}-{self.half}"


_FASHION = TrainConfig(steps=10_000, sigma_power=1.5, sigma_min=0.005)

# The halves get different seeds too, so that all the two networks share is the kind of image.
RECIPES = (
    Recipe("fashion", 30_000, "A", 0, NetworkConfig("unet", width=16, depth=2), _FASHION),
    Recipe("fashion", 30_000, "B", 1, NetworkConfig("unet", width=16, depth=2), _FASHION),
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
