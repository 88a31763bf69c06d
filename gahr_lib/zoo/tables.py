"""The networks and results of a zoo as rows of text."""

from collections.abc import Sequence
from functools import lru_cache

import torch

from gahr_lib.jobs import Run
from gahr_lib.models import NetworkConfig, build_network
from gahr_lib.weights import read_card
from gahr_lib.zoo.build import state_of
from gahr_lib.zoo.workflow import Zoo

__all__ = ["network_rows", "result_rows", "set_table"]

_SIGMA = 0.1


def network_rows(zoo: Zoo) -> list[list[str]]:
    """Return the table of the networks, its head first."""
    head = ["network", "data", "N", "half", "steps", "parameters", "PSNR", "seconds", "state"]
    return [head, *(_network_row(zoo, name, run) for name, run in zoo.recipes.items())]


def result_rows(zoo: Zoo) -> list[list[str]]:
    """Return the table of the cached results, its head first."""
    rows = [["result", "networks", "state"]]
    for name, networks in zoo.results.items():
        current = zoo.is_current_result(name)
        rows.append([name, str(len(networks)), "current" if current else "to be computed"])
    return rows


def set_table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as lines with aligned columns; those of numbers are aligned on the right."""
    columns = list(zip(*rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    numeric = [any(c[:1].isdigit() for c in column) for column in columns]
    numeric[0] = False
    lines = (
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        )
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def _network_row(zoo: Zoo, name: str, run: Run) -> list[str]:
    state = state_of(name, run, zoo.networks)
    psnr = seconds = "-"
    if state in ("current", "without samples"):
        facts = read_card(zoo.networks / f"{name}.json")
        measured = facts["measured"]
        psnr = f"{measured['psnr']['test'][measured['sigmas'].index(_SIGMA)]:.2f}"
        seconds = str(facts["training_seconds"])
    images = run.images
    n = "fresh" if images.fresh else str(images.n_train or "all")
    parameters = f"{_parameters(run.network):,}"
    steps = f"{run.training.steps:,}"
    return [name, images.label, n, images.half, steps, parameters, psnr, seconds, state]


@lru_cache
def _parameters(config: NetworkConfig) -> int:
    network = build_network(config, generator=torch.Generator())
    return sum(p.numel() for p in network.parameters())
