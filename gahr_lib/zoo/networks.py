"""The trained networks that the package ships, by name."""

from pathlib import Path
from typing import Any, Literal

from gahr_lib.errors import ConfigError
from gahr_lib.models import ResidualNetwork
from gahr_lib.weights import load_network, read_card
from gahr_lib.zoo.recipes import find_recipe, network_name

__all__ = ["FOLDER", "card", "load_denoiser"]

FOLDER = Path(__file__).parent / "networks"


def load_denoiser(
    data: str,
    *,
    n_train: int | None = None,
    half: Literal["A", "B"] = "A",
    alpha: float | None = None,
    variant: str = "",
    step: int | None = None,
    folder: str | Path | None = None,
) -> ResidualNetwork:
    """Return a trained network, in evaluation mode, on the CPU.

    Parameters
    ----------
    data, n_train, half, alpha, variant
        What it was trained on, and what is special about it; see `network_name`.
    step
        After which step of its training, one of the recipe's snapshots; after the last if None.
    folder
        Where the weights are; those of the package if None.

    Returns
    -------
    ResidualNetwork
        The denoiser; its `image_shape` is that of the images it was trained on.

    Raises
    ------
    ConfigError
        If there is no such network; the message lists those there are.
    WeightsError
        If its files are missing, damaged or do not fit together.
    """
    name = network_name(data, n_train=n_train, half=half, alpha=alpha, variant=variant)
    return load_network(_card_path(name, step, folder).with_suffix(".safetensors"))


def card(
    data: str,
    *,
    n_train: int | None = None,
    half: Literal["A", "B"] = "A",
    alpha: float | None = None,
    variant: str = "",
    step: int | None = None,
    folder: str | Path | None = None,
) -> dict[str, Any]:
    """Return the card of a network: how it was made and what was measured of it.

    Its arguments and errors are those of `load_denoiser`.
    """
    name = network_name(data, n_train=n_train, half=half, alpha=alpha, variant=variant)
    return read_card(_card_path(name, step, folder))


def _card_path(name: str, step: int | None, folder: str | Path | None) -> Path:
    run = find_recipe(name)
    last = run.training.steps
    if step not in (None, last, *run.snapshots):
        raise ConfigError(
            f"There is no snapshot of {name} at step {step!r}; expected one of "
            f"{(*run.snapshots, last)}."
        )
    file = name if step in (None, last) else f"{name}-step{step}"
    return Path(folder or FOLDER) / f"{file}.json"
