"""Devices, precision and processes, by way of Lightning Fabric."""

import os
import warnings
from typing import TYPE_CHECKING, Literal

import torch

from gahr_lib.errors import ConfigError

if TYPE_CHECKING:  # imported where it is needed: a notebook trains without it
    from lightning_fabric import Fabric

__all__ = ["Device", "Precision", "connect"]

Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["auto", "32", "tf32", "bf16"]


def connect(device: Device = "auto", precision: Precision = "auto") -> "Fabric":
    """Return a launched Fabric for the processes that torchrun or SLURM started, or for this one.

    Parameters
    ----------
    device
        "cpu"; "cuda", one GPU for each process; or "auto", the GPUs if there are any.
    precision
        "32" bits; "tf32", products of 10 bits that a GPU sums in 32; "bf16", activations of 7 bits
        and weights of 32; or "auto", TF32 where the GPU has it, else 32. For CUDA, TF32 is switched
        on or off for the whole process, since PyTorch has no other switch.

    Returns
    -------
    Fabric
        For `train`.

    Raises
    ------
    ConfigError
        If lightning-fabric is not installed, there is no such device or not one for each process,
        it does not have the precision, or the processes do not find one another.
    """
    for value, name, known in (
        (device, "device", ("auto", "cpu", "cuda")),
        (precision, "precision", ("auto", "32", "tf32", "bf16")),
    ):
        if value not in known:
            raise ConfigError(f"{name} is {value!r}; expected one of {', '.join(known)}.")
    try:
        from lightning_fabric import Fabric
    except ImportError as error:
        raise ConfigError(
            f"Lightning Fabric cannot be imported ({error}); expected it for devices and "
            "processes. Install it with: pip install lightning-fabric"
        ) from error
    processes, nodes = _layout()
    accelerator = _check_device(device, processes)
    digits = _check_precision(precision, accelerator)
    if accelerator == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = digits == "tf32"
        torch.backends.cudnn.allow_tf32 = digits == "tf32"
    try:
        with warnings.catch_warnings():
            # Said wherever SLURM is installed; where srun is missed, `_layout` has refused.
            warnings.filterwarnings("ignore", "The `srun` command is available")
            fabric = Fabric(
                accelerator=accelerator,
                strategy="ddp" if processes * nodes > 1 else "auto",
                devices=processes,
                num_nodes=nodes,
                precision="bf16-mixed" if digits == "bf16" else "32-true",
            )
        fabric.launch()
    except (RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ConfigError(
            f"The processes could not be connected ({reason}). Start them with torchrun, or with "
            "srun and --ntasks-per-node in SLURM; all with the same command."
        ) from error
    return fabric


def _layout() -> tuple[int, int]:
    """Return how many processes a node has, and how many nodes there are."""
    environment = os.environ
    if "TORCHELASTIC_RUN_ID" in environment:  # torchrun, which may run inside SLURM
        local = int(environment["LOCAL_WORLD_SIZE"])
        return local, int(environment["WORLD_SIZE"]) // local
    tasks = int(environment.get("SLURM_NTASKS", 1))
    interactive = environment.get("SLURM_JOB_NAME") in ("bash", "interactive")
    if tasks == 1 or interactive:
        return 1, 1
    if "SLURM_STEP_ID" not in environment:  # the batch script itself is one process
        raise ConfigError(
            f"SLURM gave the job {tasks} tasks, and this process was not started by srun; expected "
            "one process for each. Put srun before the command."
        )
    if "SLURM_NTASKS_PER_NODE" not in environment:
        raise ConfigError(
            f"SLURM gave the job {tasks} tasks, without saying how many a node has. Ask for them "
            "with --nodes and --ntasks-per-node."
        )
    return int(environment["SLURM_NTASKS_PER_NODE"]), int(environment["SLURM_NNODES"])


def _check_device(device: str, processes: int) -> str:
    found = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device == "cpu" or (device == "auto" and not found):
        return "cpu"
    if found < processes:
        raise ConfigError(
            f"There are {found} CUDA GPUs here for {processes} process"
            f"{'es' if processes > 1 else ''}, and PyTorch is {torch.__version__}; expected one "
            "for each. Use the device cpu, start fewer processes, or install PyTorch for CUDA."
        )
    return "cuda"


def _check_precision(precision: str, accelerator: str) -> str:
    if accelerator == "cpu":
        if precision == "tf32":
            raise ConfigError("A CPU has no TF32; expected '32', 'bf16' or 'auto' there.")
        return "32" if precision == "auto" else precision
    modern = torch.cuda.get_device_capability() >= (8, 0)
    if precision in ("tf32", "bf16") and not modern:
        raise ConfigError(
            f"The GPU {torch.cuda.get_device_name()} does not have {precision}; expected one of "
            "compute capability 8.0 or more. Take the precision 32."
        )
    if precision == "auto":
        return "tf32" if modern else "32"
    return precision
