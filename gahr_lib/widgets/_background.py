"""One computation at a time, in steps between which Jupyter's kernel hears what the page says."""

import asyncio
from collections.abc import Callable, Iterator
from threading import RLock
from typing import Generic, TypeVar

__all__ = ["Background"]

Step = TypeVar("Step")

_PAUSE = 0.005  # seconds in which a kernel takes in a message that has come


class Background(Generic[Step]):
    """Runs iterators, each until the next one is given to it.

    In a kernel the steps run on its event loop, with a pause after each. No thread computes beside
    the cells that a reader runs meanwhile: those wait for the step, and the next step for them.
    Where no loop is running, in a script for instance, `start` returns when all is done.

    Parameters
    ----------
    heard
        Is given each step, unless another computation has begun or this one was stopped.
    failed
        Is given the exception that ended a computation. In a script it is raised as well.
    lock
        Held while `heard` and `failed` run, in the thread of the loop. Front ends may speak to a
        widget in another thread: whoever holds the lock then cannot be overtaken.
    """

    def __init__(
        self, heard: Callable[[Step], None], failed: Callable[[Exception], None], lock: RLock
    ) -> None:
        self._heard, self._failed, self._lock = heard, failed, lock
        self._steps: Iterator[Step] | None = None
        self._task: asyncio.Task[None] | None = None
        try:
            self._loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None

    def start(self, steps: Iterator[Step]) -> None:
        """Begin to run an iterator in place of the one under way."""
        if self._loop is None or not self._loop.is_running():
            self.finish(steps)
            return
        self._steps = steps
        self._loop.call_soon_threadsafe(self._wake)

    def finish(self, steps: Iterator[Step]) -> None:
        """Run an iterator to its end, here and now, and raise what it raises."""
        self._steps = steps
        while self._steps is steps:
            error = self._advance(steps)
            if error is not None:
                raise error

    def stop(self) -> None:
        """Forget the computation under way, after the step that it is in."""
        self._steps = None

    def _wake(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.ensure_future(self._work())  # kept, or it might be collected

    async def _work(self) -> None:
        while (steps := self._steps) is not None:
            self._advance(steps)
            await asyncio.sleep(_PAUSE)

    def _advance(self, steps: Iterator[Step]) -> Exception | None:
        """Take a step; return the exception that ended the computation, if one did."""
        step: Step | None = None
        error: Exception | None = None
        try:
            step = next(steps, None)
        except Exception as exception:  # whatever a reader's own function raises
            error = exception
        with self._lock:
            if steps is not self._steps:  # another one has begun, or this one was stopped
                return None
            if step is not None:
                self._heard(step)
                return None
            self._steps = None
            if error is not None:
                self._failed(error)
        return error
