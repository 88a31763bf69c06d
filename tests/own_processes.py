"""Processes of their own for tests that kill them or let them train together.

On Linux they are forked from one that has imported already what takes seconds to import.
"""

import multiprocessing
import os
import socket
import sys
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from typing import Any

import torch

from gahr_lib import cli
from gahr_lib.jobs import job

CONTEXT = multiprocessing.get_context("forkserver" if sys.platform == "linux" else "spawn")
if sys.platform == "linux":
    CONTEXT.set_forkserver_preload([__name__, "lightning_fabric", "torch.utils.tensorboard"])


def start(work: Callable[..., object], *arguments: Any, **environment: str) -> BaseProcess:
    """Start a process that calls `work` on one thread."""
    process = CONTEXT.Process(target=_work, args=(work, arguments, environment))
    process.start()
    return process


def start_two(work: Callable[..., object], *arguments: Any) -> list[BaseProcess]:
    """Start two processes that find one another as those of torchrun do."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {
        "TORCHELASTIC_RUN_ID": "test",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": "2",
        "LOCAL_WORLD_SIZE": "2",
        "GROUP_RANK": "0",
    }
    return [start(work, *arguments, RANK=rank, LOCAL_RANK=rank, **common) for rank in ("0", "1")]


def _work(
    work: Callable[..., object], arguments: tuple[Any, ...], environment: dict[str, str]
) -> None:
    os.environ.update(environment)
    torch.set_num_threads(1)
    work(*arguments)


def command_with_many_checkpoints(*arguments: str) -> None:
    """Run `gahr`, but with a checkpoint after every step, so that a kill often meets one."""
    job.CHECKPOINT_SECONDS = -1.0
    cli.main(arguments)
