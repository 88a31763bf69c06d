"""Checkpoints: written so that there is always a whole one, read without running what they hold."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from gahr_lib._files import whole_or_none
from gahr_lib.errors import TrainingError
from gahr_lib.training.config import TrainConfig

__all__ = ["read_checkpoint", "write_checkpoint"]


def write_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Write a checkpoint; an older file of that name lives until the new one is whole.

    Raises
    ------
    TrainingError
        If it cannot be written; nothing half-written is left.
    """
    try:
        with whole_or_none(path) as partial:
            torch.save(content, partial)
            with partial.open("rb+") as file:
                os.fsync(file.fileno())  # or a power cut could leave the name without its content
    except (OSError, RuntimeError) as error:  # torch reports a full disk as a RuntimeError
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise TrainingError(
            f"The checkpoint {path} could not be written ({reason}). An older one is untouched. "
            "Free some space or name another folder, and start again: training resumes."
        ) from error


def read_checkpoint(path: str | Path, config: TrainConfig) -> dict[str, Any]:
    """Return the content of a checkpoint of a configuration.

    Raises
    ------
    TrainingError
        If it is missing or damaged, or belongs to another configuration.
    """
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        theirs = dict(checkpoint["config"])
    except Exception as error:  # torch has no one error for a damaged file, and bad advice
        reason = error if isinstance(error, OSError) else type(error).__name__
        raise TrainingError(
            f"The checkpoint {path} is missing or damaged ({reason}). Remove it to start again."
        ) from error
    ours = asdict(config)
    if theirs != ours:
        changed = sorted(n for n in theirs | ours if theirs.get(n) != ours.get(n))
        raise TrainingError(
            f"The checkpoint {path} belongs to a run with another configuration: "
            f"{', '.join(changed)} differ. Remove it, or go on with its configuration."
        )
    return checkpoint
