"""What tests/training/test_processes.py does in one process and in two that train together."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch

from gahr_lib.analysis import psnr_curve
from gahr_lib.data import sinusoids
from gahr_lib.models import UNet
from gahr_lib.training import TrainConfig, connect, train

if TYPE_CHECKING:
    from lightning_fabric import Fabric

OPTIMIZERS: Sequence[Literal["muon", "adam"]] = ("muon", "adam")


def results(fabric: "Fabric | None" = None) -> dict[str, Any]:
    """Return the losses of each step and, in the end, the PSNR on other images."""
    seen, unseen = (sinusoids(n, 8, generator=torch.Generator().manual_seed(n)) for n in (10, 100))
    found = {}
    for optimizer in OPTIMIZERS:
        config = TrainConfig(
            steps=150, batch_size=8, optimizer=optimizer, warmup=2, learning_rate=0.01
        )
        network = UNet(width=4, blocks=1, generator=torch.Generator().manual_seed(0))
        generator = torch.Generator().manual_seed(1)
        states = list(train(network, seen, config, generator=generator, fabric=fabric))
        noise = torch.Generator().manual_seed(2)
        curve = psnr_curve(states[-1].denoiser(), unseen, [0.1, 0.4], generator=noise)
        found[optimizer] = {
            "losses": [state.loss for state in states],
            "psnr": curve.mean(dim=1).tolist(),
        }
    return found


def write_results(folder: str) -> None:
    """Train together with the other process, and write what this one finds."""
    fabric = connect("cpu")
    path = Path(folder, f"{fabric.global_rank}.json")
    path.write_text(json.dumps(results(fabric)), encoding="utf-8")
    torch.distributed.destroy_process_group()
