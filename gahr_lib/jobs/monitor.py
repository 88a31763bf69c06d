"""Curves and pictures of a run for TensorBoard."""

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from gahr_lib._checks import check_count
from gahr_lib.analysis.evaluation import psnr_curve
from gahr_lib.errors import ConfigError, SamplingError, TrainingError
from gahr_lib.jobs.images import ImageSets
from gahr_lib.jobs.measurements import SIGMAS
from gahr_lib.sampling import SampleConfig, sample
from gahr_lib.training import TrainState

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

__all__ = ["Monitor"]

_LOSS_EVERY = 20
_IMAGES = 128
_SAMPLES = 16
# A network that has learned little may never finish; its picture is not worth the wait.
_SAMPLING = SampleConfig(sigma_inf=0.02, max_steps=400)


class Monitor:
    """Writes the course of a run as events of TensorBoard.

    It looks at the moving average, with noise of its own, so that a run gives the same weights
    with and without it. After a restart it takes back what the lost steps wrote.

    Parameters
    ----------
    folder
        Where the events go.
    every
        Steps from one measurement of the PSNR to the next. The loss is written every 20 steps, its
        mean over them; samples at every fifth measurement, and both at the end.

    Raises
    ------
    ConfigError
        If TensorBoard is not installed, or `every` is not positive.
    """

    def __init__(self, folder: Path, *, every: int = 500) -> None:
        self.every = check_count(every, "every")
        self.folder = folder
        self._make_writer = _writer_class()
        self._writer: SummaryWriter | None = None
        self._losses, self._steps = 0.0, 0  # since the last were written

    def follow(self, state: TrainState) -> bool:
        """Take note of a step, and return whether there is something to write after it."""
        self._losses, self._steps = self._losses + state.loss, self._steps + 1
        return self._measures(state) or state.step % _LOSS_EVERY == 0

    def write(self, state: TrainState, sets: ImageSets) -> None:
        """Write what is due after a step; the images are on the device of the network.

        Raises
        ------
        TrainingError
            If the events cannot be written.
        """
        try:
            self._write(state, sets)
        except OSError as error:
            raise TrainingError(
                f"The events in {self.folder} could not be written ({error}). Free some space, and "
                "start again: training resumes. Or go on without TensorBoard."
            ) from error

    def _write(self, state: TrainState, sets: ImageSets) -> None:
        if self._writer is None:
            self._writer = self._make_writer(str(self.folder), purge_step=state.step)
        writer, step = self._writer, state.step
        writer.add_scalar("loss", self._losses / self._steps, step)
        writer.add_scalar("learning_rate", state.learning_rate, step)
        seen = state.step * state.config.batch_size
        writer.add_scalar("images_per_second", seen / state.seconds, step)
        self._losses, self._steps = 0.0, 0
        if not self._measures(state):
            return
        network = state.averaged
        for name, images in (("train", sets.seen), ("test", sets.test)):
            if images is not None:
                noise = torch.Generator().manual_seed(0)
                curve = psnr_curve(network, images[:_IMAGES], SIGMAS, generator=noise)
                self._write_curve(name, curve.mean(dim=1).tolist(), step)
        if step % (5 * self.every) == 0 or step == state.config.steps:
            _, *shape = sets.test.shape
            with contextlib.suppress(SamplingError):
                grid = sample(
                    network,
                    _SAMPLES,
                    shape=(shape[0], shape[1], shape[2]),
                    config=_SAMPLING,
                    generator=torch.Generator().manual_seed(0),
                )
                writer.add_images("samples", grid.clamp(0, 1).cpu(), step)
        writer.flush()

    def _write_curve(self, name: str, decibels: Sequence[float], step: int) -> None:
        assert self._writer is not None
        for sigma, value in zip(SIGMAS, decibels, strict=True):
            self._writer.add_scalar(f"psnr_{name}/sigma_{sigma:g}", value, step)

    def _measures(self, state: TrainState) -> bool:
        return state.step % self.every == 0 or state.step == state.config.steps

    def close(self) -> None:
        """Finish the file of events; what comes after goes to a new one."""
        if self._writer is not None:
            with contextlib.suppress(OSError):  # what a measurement has written is there already
                self._writer.close()
            self._writer = None


def _writer_class() -> "type[SummaryWriter]":
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ConfigError(
            f"TensorBoard cannot be imported ({error}); expected it for the curves. Install it "
            "with pip install tensorboard, or train without (--no-tensorboard)."
        ) from error
    return SummaryWriter
