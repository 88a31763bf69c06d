"""The folder of a run: what it holds, and whose it is."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gahr_lib._files import write_whole
from gahr_lib.errors import ConfigError, TrainingError
from gahr_lib.jobs.settings import Run

__all__ = ["RunFolder"]


class RunFolder:
    """The folder in which a run leaves its files.

    Attributes
    ----------
    path
        The folder: run.json, the settings; checkpoint.pt while it is trained; at the end
        weights.safetensors and their card, weights.json, and so for each snapshot, step100 and the
        like; events of TensorBoard.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @property
    def settings(self) -> Path:
        """The file of the run's settings."""
        return self.path / "run.json"

    @property
    def checkpoint(self) -> Path:
        """The checkpoint of an unfinished run."""
        return self.path / "checkpoint.pt"

    @property
    def weights(self) -> Path:
        """The weights of a finished run, for `gahr_lib.weights.load_network`."""
        return self.path / "weights.safetensors"

    def snapshot(self, step: int) -> Path:
        """Return the file of the weights after a step."""
        return self.path / f"step{step}.safetensors"

    def claim(self, run: Run) -> bool:
        """Take the folder for a run, and return whether the run has finished in it.

        Raises
        ------
        ConfigError
            If the folder holds work of another run, or is not empty and no run's.
        TrainingError
            If it cannot be written.
        """
        ours = json.loads(json.dumps(asdict(run)))
        finished = self.weights.with_suffix(".json").exists()
        snapshots = self.path.glob("step*.safetensors")
        if finished or self.checkpoint.exists() or any(snapshots):
            changed = _differences(self._read_settings(), ours)
            if changed:
                raise ConfigError(
                    f"{self.path} is the folder of another run: {', '.join(changed)} differ. Name "
                    "another folder, or remove this one to start again."
                )
            return finished
        # Settings alone are those of a run that failed before it had anything to keep.
        strange = self.path.is_dir() and any(self.path.iterdir()) and not self.settings.exists()
        if strange or (self.path.exists() and not self.path.is_dir()):
            raise ConfigError(
                f"{self.path} is neither an empty folder nor that of a run. Name another."
            )
        write_whole(self.settings, (json.dumps(ours, indent=2) + "\n").encode(), TrainingError)
        return False

    def _read_settings(self) -> Any:
        try:
            return json.loads(self.settings.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"{self.settings} cannot be read ({error}); expected the settings of a run. Name "
                "another folder, or remove this one."
            ) from error


def _differences(theirs: Any, ours: Any, name: str = "") -> list[str]:
    """Return the names of the settings that differ."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        return [
            found
            for key in sorted(theirs.keys() | ours.keys())
            for found in _differences(theirs.get(key), ours.get(key), f"{name}.{key}".strip("."))
        ]
    return [] if theirs == ours else [name or "everything"]
