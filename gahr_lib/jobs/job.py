"""Carrying out a run, in any number of parts: train, write checkpoints, leave weights and card."""

import contextlib
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING

import torch

from gahr_lib.jobs.folder import RunFolder
from gahr_lib.jobs.images import ImageSets
from gahr_lib.jobs.measurements import data_sha256, measure
from gahr_lib.jobs.monitor import Monitor
from gahr_lib.jobs.settings import Run
from gahr_lib.models import build_network
from gahr_lib.training import TrainState, train
from gahr_lib.training.processes import first_to_all
from gahr_lib.weights import save_network

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = ["Job"]

# Half of the minute that may be lost: a step, or a look at the network, takes time as well.
CHECKPOINT_SECONDS = 30.0


@dataclass(frozen=True)
class Job:
    """A run, ready to be carried out.

    Attributes
    ----------
    run
        What to do.
    folder
        Its folder, claimed.
    sets
        Its images.
    fabric
        The processes, of `gahr_lib.training.connect`.
    monitor
        Writes curves, if they are wanted; only that of the first process is used.
    """

    run: Run
    folder: RunFolder
    sets: ImageSets
    fabric: "Fabric"
    monitor: Monitor | None = None

    def states(self, stop: Callable[[], bool] = lambda: False) -> Iterator[TrainState]:
        """Train to the end, or until `stop()`, from the checkpoint if there is one.

        Checkpoints are written twice a minute, and before stopping. At the end come weights and
        card, and the checkpoint goes.

        Parameters
        ----------
        stop
            Asked after every step whether to stop there.

        Yields
        ------
        TrainState
            After each step.

        Raises
        ------
        TrainingError
            If the checkpoint is damaged or cannot be written, or the loss is not finite.
        WeightsError
            If the weights cannot be written.
        """
        try:
            yield from self._states(stop)
        finally:
            if self.monitor is not None:
                self.monitor.close()

    def _states(self, stop: Callable[[], bool]) -> Iterator[TrainState]:
        run, device = self.run, self.fabric.device
        generator = torch.Generator().manual_seed(run.seed)
        network = build_network(run.network, generator=generator)
        if device.type != "cpu":  # where noise is drawn much faster
            generator = torch.Generator(device).manual_seed(run.seed)
        sets = self.sets.to(device)
        path = self.folder.checkpoint
        resume = path if first_to_all(self.fabric, path.exists) else None
        saved = time.monotonic()
        for state in train(
            network,
            sets.train,
            run.training,
            generator=generator,
            resume=resume,
            fabric=self.fabric,
        ):
            if self.monitor is not None and self.monitor.follow(state):
                self._first(partial(self.monitor.write, state, sets))
            if state.step in (*run.snapshots, run.training.steps):
                self._first(partial(self._keep, state, sets))
            if state.step == run.training.steps:
                self._first(self._tidy_up)
                yield state
                return
            due = time.monotonic() - saved > CHECKPOINT_SECONDS
            stopping, saving = self._agree(stop(), due)
            if stopping or saving:
                self._first(partial(state.save, path))
                saved = time.monotonic()
            yield state
            if stopping:
                return

    def _first(self, work: Callable[[], None]) -> None:
        first_to_all(self.fabric, work)

    def _agree(self, *wishes: bool) -> list[bool]:
        """Return what any of the processes wishes, so that all do the same after the same step."""
        if self.fabric.world_size == 1:
            return list(wishes)
        flags = torch.tensor(wishes, dtype=torch.float32, device=self.fabric.device)
        sums = self.fabric.all_reduce(flags, reduce_op="sum")
        assert isinstance(sums, torch.Tensor)  # as is what went in
        return [bool(flag) for flag in sums]

    def _keep(self, state: TrainState, sets: ImageSets) -> None:
        """Write the network as it is, with its card."""
        run, network = self.run, state.denoiser()
        last = state.step == run.training.steps
        facts = {
            "name": run.name if last else f"{run.name}-step{state.step}",
            "run": asdict(run),
            "step": state.step,
            "image_shape": list(sets.test.shape[1:]),
            "data_sha256": None if callable(sets.train) else data_sha256(sets.train),
            "training_seconds": round(state.seconds),
            "processes": self.fabric.world_size,
            "device": str(self.fabric.device.type),
            "software": {"torch": torch.__version__, "python": platform.python_version()},
            "measured": measure(network, sets),
        }
        path = self.folder.weights if last else self.folder.snapshot(state.step)
        save_network(network.cpu(), path, facts)

    def _tidy_up(self) -> None:
        with contextlib.suppress(OSError):  # the run is finished all the same
            self.folder.checkpoint.unlink(missing_ok=True)
