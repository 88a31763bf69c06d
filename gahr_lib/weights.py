"""Reading and writing trained networks: weights as safetensors, and a JSON card beside them."""

import hashlib
import json
import operator
from pathlib import Path
from typing import Any

import torch

from gahr_lib._files import write_whole
from gahr_lib.errors import GahrError, WeightsError
from gahr_lib.models import NetworkConfig, ResidualNetwork, build_network

__all__ = ["check_weights", "load_network", "read_card", "save_network", "write_card"]

_REMEDY = "Install the package again if the network is one of its own, or else train it again."


def load_network(path: str | Path) -> ResidualNetwork:
    """Return the network of a weights file and the card beside it (same name, .json).

    Parameters
    ----------
    path
        The file of the weights, .safetensors.

    Returns
    -------
    ResidualNetwork
        In evaluation mode, on the CPU, its weights constants; its `image_shape` is that of the
        images it was trained on.

    Raises
    ------
    WeightsError
        If one of the two is missing or damaged, or they do not belong together.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    path = Path(path)
    facts = read_card(path.with_suffix(".json"))
    content = _read_weights(path, facts)
    try:
        config = NetworkConfig(**facts["run"]["network"])
        # A generator of its own, for the initial weights that the file replaces.
        network = build_network(config, generator=torch.Generator())
        network.load_state_dict(load(content))
        network.check_input(torch.zeros(1, *facts["image_shape"]), "an image of the card's shape")
        network.image_shape = tuple(facts["image_shape"])
    except (SafetensorError, GahrError, RuntimeError, TypeError, KeyError) as error:
        raise WeightsError(
            f"The weights {path} do not fit their card ({error}). {_REMEDY}"
        ) from error
    return network.eval().requires_grad_(False)


def check_weights(path: str | Path) -> None:
    """Refuse weights that are missing or damaged, without building their network.

    Parameters
    ----------
    path
        The file of the weights, .safetensors.

    Raises
    ------
    WeightsError
        As `load_network`, but for weights and card that are whole and do not fit.
    """
    path = Path(path)
    _read_weights(path, read_card(path.with_suffix(".json")))


def save_network(network: ResidualNetwork, path: str | Path, facts: dict[str, Any]) -> None:
    """Write a network's weights and its card; the card last, so that it never lies.

    Parameters
    ----------
    network
        The trained network.
    path
        The file of the weights, .safetensors; the card lies beside it.
    facts
        What its card says: ``run``, the settings that made it, with its `NetworkConfig` under
        ``network``; ``image_shape``; and what else is known.

    Raises
    ------
    WeightsError
        If the files cannot be written; none is left half-written.
    """
    from safetensors.torch import save

    path = Path(path)
    content = save({name: tensor.contiguous() for name, tensor in network.state_dict().items()})
    facts = {
        **facts,
        "parameters": sum(p.numel() for p in network.parameters()),
        "weights_sha256": hashlib.sha256(content).hexdigest(),
    }
    card = _card_content(facts)  # before anything is written: facts may make no card
    write_whole(path, content, WeightsError)
    write_whole(path.with_suffix(".json"), card, WeightsError)


def write_card(path: str | Path, facts: dict[str, Any]) -> None:
    """Write the content of a card.

    Raises
    ------
    WeightsError
        If it cannot be written.
    """
    write_whole(Path(path), _card_content(facts), WeightsError)


def _card_content(facts: dict[str, Any]) -> bytes:
    text = json.dumps(facts, indent=2, default=operator.index) + "\n"  # or integers of NumPy fail
    return text.encode()


def read_card(path: str | Path) -> dict[str, Any]:
    """Return the content of a card.

    Parameters
    ----------
    path
        The file of the card, .json.

    Raises
    ------
    WeightsError
        If it is missing or damaged, or not a card.
    """
    try:
        facts = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(f"The card {path} is missing or damaged ({error}). {_REMEDY}") from error
    expected = {"run", "image_shape", "weights_sha256"}
    missing = expected - set(facts) if isinstance(facts, dict) else expected
    if missing:
        raise WeightsError(
            f"The card {path} says nothing of {', '.join(sorted(missing))}; expected the card that "
            f"was written with the weights. {_REMEDY}"
        )
    return facts


def _read_weights(path: Path, facts: dict[str, Any]) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"The weights {path} cannot be read ({error}). {_REMEDY}") from error
    if hashlib.sha256(content).hexdigest() != facts["weights_sha256"]:
        raise WeightsError(
            f"The weights {path} are damaged or cut short: their SHA-256 is not the one on their "
            f"card. {_REMEDY}"
        )
    return content
