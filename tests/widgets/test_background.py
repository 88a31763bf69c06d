"""Computations in steps: on a loop, as in Jupyter's kernel, and without one, as in a script."""

import asyncio
import threading
import time
from collections.abc import Iterator
from threading import RLock

import pytest

from gahr_lib.widgets._background import Background
from helpers import until


class Ears:
    """What a widget would hear."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.errors: list[Exception] = []
        self.lock = RLock()
        self.background = Background(self.heard.append, self.errors.append, self.lock)


def count(name: str, n: int, seconds: float = 0.0) -> Iterator[str]:
    for i in range(n):
        time.sleep(seconds)
        yield f"{name}{i}"


def broken() -> Iterator[str]:
    yield "broken0"
    raise ZeroDivisionError("of mine")


async def under_way() -> Ears:
    """Ears of a long computation, which has begun."""
    ears = Ears()
    ears.background.start(count("a", 50))
    await until(lambda: len(ears.heard) >= 2)
    return ears


def test_a_script_waits_for_all_steps():
    ears = Ears()
    ears.background.start(count("a", 3))
    assert ears.heard == ["a0", "a1", "a2"]


def test_a_script_gets_the_error():
    ears = Ears()
    with pytest.raises(ZeroDivisionError, match="of mine"):
        ears.background.start(broken())
    assert ears.heard == ["broken0"]
    assert [str(error) for error in ears.errors] == ["of mine"]


def test_on_a_loop_start_returns_and_the_loop_lives():
    async def main():
        ears = Ears()
        ears.background.start(count("a", 4, seconds=0.02))
        assert ears.heard == []
        beats = 0
        while len(ears.heard) < 4:
            await asyncio.sleep(0)
            beats += 1
        assert ears.heard == ["a0", "a1", "a2", "a3"]
        assert beats > 8  # the loop went round between the steps

    asyncio.run(main())


def test_a_new_computation_takes_the_place_of_the_old_one():
    async def main():
        ears = await under_way()
        before = list(ears.heard)
        ears.background.start(count("b", 2))
        await until(lambda: "b1" in ears.heard)
        await asyncio.sleep(0.05)
        assert ears.heard == [*before, "b0", "b1"]

    asyncio.run(main())


def test_a_stopped_computation_is_not_heard_of_again_and_makes_no_steps():
    made = []

    def steps() -> Iterator[str]:
        for name in count("a", 50):
            made.append(name)
            yield name

    async def main():
        ears = Ears()
        ears.background.start(steps())
        await until(lambda: len(ears.heard) >= 3)
        ears.background.stop()
        n = len(made)
        await asyncio.sleep(0.05)
        assert len(made) == n == len(ears.heard) < 50
        ears.background.start(count("b", 1))  # and another can begin
        await until(lambda: ears.heard[-1] == "b0")

    asyncio.run(main())


def test_an_error_on_a_loop_is_told_and_the_next_computation_runs():
    async def main():
        ears = Ears()
        ears.background.start(broken())
        await until(lambda: ears.errors)
        assert [str(error) for error in ears.errors] == ["of mine"]
        ears.background.start(count("b", 1))
        await until(lambda: ears.heard == ["broken0", "b0"])

    asyncio.run(main())


def test_finish_runs_here_and_now_in_place_of_what_is_under_way():
    async def main():
        ears = await under_way()
        before = list(ears.heard)
        ears.background.finish(count("b", 2))
        assert ears.heard == [*before, "b0", "b1"]
        await asyncio.sleep(0.05)
        assert ears.heard == [*before, "b0", "b1"]
        with pytest.raises(ZeroDivisionError):
            ears.background.finish(broken())

    asyncio.run(main())


def test_other_threads_may_start_and_steps_run_in_the_thread_of_the_loop():
    threads = set()

    def steps() -> Iterator[str]:
        threads.add(threading.current_thread())
        yield "a"

    async def main():
        ears = Ears()
        thread = threading.Thread(target=ears.background.start, args=(steps(),))
        thread.start()
        await until(lambda: ears.heard == ["a"])
        thread.join()

    asyncio.run(main())
    assert threads == {threading.main_thread()}


def test_who_holds_the_lock_is_not_overtaken():
    """A step that was under way when another thread took the lock, and stopped it, is not heard."""

    async def main():
        ears = Ears()
        inside, stopped = threading.Event(), threading.Event()

        def steps() -> Iterator[str]:
            inside.set()
            stopped.wait(60)
            yield "late"

        def stop() -> None:
            inside.wait(60)
            with ears.lock:
                stopped.set()
                time.sleep(0.05)  # the step has come to its end and waits for the lock
                ears.background.stop()

        thread = threading.Thread(target=stop)
        thread.start()
        ears.background.start(steps())
        await asyncio.sleep(0.2)
        thread.join()
        assert ears.heard == []

    asyncio.run(main())


def test_after_its_loop_has_ended_it_computes_at_once():
    async def main():
        return Ears()

    ears = asyncio.run(main())
    ears.background.start(count("a", 2))
    assert ears.heard == ["a0", "a1"]
