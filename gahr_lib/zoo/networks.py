"""Reading and writing trained networks: weights as safetensors, and a JSON card beside them."""

import hashlib
import json
import operator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import torch

from gahr_lib._files import write_whole
from gahr_lib.errors import ConfigError, WeightsError
from gahr_lib.models import NetworkConfig, ResidualNetwork, build_network
from gahr_lib.zoo.recipes import Recipe, find_recipe

__all__ = ["card", "load_denoiser", "load_network", "save_network"]

FOLDER = Path(__file__).parent / "networks"


def load_denoiser(
    data: str,
    *,
    n_train: int,
    half: Literal["A", "B"] = "A",
    step: int | None = None,
    folder: str | Path | None = None,
) -> ResidualNetwork:
    """Return a trained network, in evaluation mode, on the CPU.

    Parameters
    ----------
    data
        What it was trained on: "fashion".
    n_train
        On how many images.
    half
        Of which half, "A" or "B".
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
    return load_network(_path(data, n_train, half, step, folder).with_suffix(".safetensors"))


def card(
    data: str,
    *,
    n_train: int,
    half: Literal["A", "B"] = "A",
    step: int | None = None,
    folder: str | Path | None = None,
) -> dict[str, Any]:
    """Return the card of a network: how it was made and what was measured of it.

    Its arguments and errors are those of `load_denoiser`.
    """
    return _read_card(_path(data, n_train, half, step, folder))


def _path(
    data: str, n_train: int, half: Literal["A", "B"], step: int | None, folder: str | Path | None
) -> Path:
    """Return the path of a network's card."""
    recipe = find_recipe(data, n_train, half)
    steps = (*recipe.snapshots, recipe.training.steps)
    if step is not None and step not in steps:
        raise ConfigError(
            f"There is no snapshot of {recipe.name} at step {step!r}; expected one of {steps}."
        )
    return Path(folder or FOLDER) / f"{recipe.snapshot_name(step or steps[-1])}.json"


def load_network(path: str | Path) -> ResidualNetwork:
    """Return the network of a weights file and the card beside it (same name, .json).

    Raises
    ------
    WeightsError
        If one of the two is missing or damaged, or they do not belong together.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    path = Path(path)
    facts = _read_card(path.with_suffix(".json"))
    remedy = "Install the package again, or train the network again with python -m gahr_lib.zoo."
    try:
        content = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"The weights {path} cannot be read ({error}). {remedy}") from error
    if hashlib.sha256(content).hexdigest() != facts["weights_sha256"]:
        raise WeightsError(
            f"The weights {path} are damaged or cut short: their SHA-256 is not the one on their "
            f"card. {remedy}"
        )
    try:
        config = NetworkConfig(**facts["recipe"]["network"])
        # A generator of its own, for the initial weights that the file replaces.
        network = build_network(config, generator=torch.Generator())
        network.load_state_dict(load(content))
        network.image_shape = tuple(facts["image_shape"])
    except (SafetensorError, ConfigError, RuntimeError, TypeError, KeyError) as error:
        raise WeightsError(
            f"The weights {path} do not fit their card ({error}). {remedy}"
        ) from error
    return network.eval().requires_grad_(False)


def save_network(
    network: ResidualNetwork, recipe: Recipe, facts: dict[str, Any], folder: str | Path
) -> None:
    """Write a network's weights and its card to a folder; the card last, so that it never lies.

    Parameters
    ----------
    network
        The trained network.
    recipe
        What made it.
    facts
        What else its card says; ``image_shape`` is required, and ``step`` where it is a snapshot.
    folder
        Where to write.

    Raises
    ------
    WeightsError
        If the files cannot be written; none is left half-written.
    """
    from safetensors.torch import save

    folder = Path(folder)
    content = save({name: tensor.contiguous() for name, tensor in network.state_dict().items()})
    name = recipe.snapshot_name(facts.get("step", recipe.training.steps))
    facts = {
        "name": name,
        "recipe": asdict(recipe),
        "parameters": sum(p.numel() for p in network.parameters()),
        **facts,
        "weights_sha256": hashlib.sha256(content).hexdigest(),
    }
    text = json.dumps(facts, indent=2, default=operator.index) + "\n"  # or integers of NumPy fail
    write_whole(folder / f"{name}.safetensors", content, WeightsError)
    write_whole(folder / f"{name}.json", text.encode(), WeightsError)


def _read_card(path: Path) -> dict[str, Any]:
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(
            f"The card {path} is missing or damaged ({error}). Install the package again, or train "
            "the network again with python -m gahr_lib.zoo."
        ) from error
    expected = {"recipe", "image_shape", "weights_sha256"}
    missing = expected - set(facts) if isinstance(facts, dict) else expected
    if missing:
        raise WeightsError(
            f"The card {path} says nothing of {', '.join(sorted(missing))}; expected the card that "
            "was written with the weights. Train the network again with python -m gahr_lib.zoo."
        )
    return facts
