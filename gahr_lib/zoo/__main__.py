"""``python -m gahr_lib.zoo [NAME ...]``: make what is missing, one after the other.

This is the job that ``gahr zoo build`` starts many of. It needs no Snakemake.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from filelock import FileLock
from tqdm import tqdm

from gahr_lib.errors import GahrError
from gahr_lib.zoo.build import build, is_current, run_folder
from gahr_lib.zoo.workflow import Zoo


def main(arguments: Sequence[str] | None = None) -> int:
    """Make what is missing of the named networks and results, or of all; return the exit code."""
    options = _parser().parse_args(arguments)
    torch.set_num_threads(options.threads)
    zoo = zoo_of(options)
    try:
        zoo.check_names(options.names)
        for name in options.names or [*zoo.recipes, *zoo.results]:
            if name in zoo.recipes:
                _train(zoo, name)
            elif zoo.is_current_result(name):
                print(f"{name} is there.")
            else:
                zoo.build_result(name)
    except GahrError as error:
        print("gahr: " + " ".join(str(error).split()), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _train(zoo: Zoo, name: str) -> None:
    run, runs = zoo.recipes[name], zoo.run_folders
    lock = run_folder(name, run, runs).path.with_suffix(".lock")
    lock.parent.mkdir(parents=True, exist_ok=True)
    # A job may have outlived the build that started it.
    with FileLock(lock):
        if is_current(name, run, zoo.networks):
            print(f"{name} is there.")
            return
        with tqdm(
            total=run.training.steps,
            desc=name,
            # A log is no terminal, where a line can be written again.
            mininterval=0.2 if sys.stderr.isatty() else 30,
        ) as bar:
            for state in build(name, run, runs=runs, folder=zoo.networks):
                bar.update(state.step - bar.n)  # a resumed run does not start at 0
                bar.set_postfix(loss=f"{state.loss:.4f}", refresh=False)


def zoo_of(options: argparse.Namespace) -> Zoo:
    """Return the zoo of the options of a job."""
    return Zoo(
        options.scale,
        options.faces,
        options.runs,
        options.out,
        options.module,
        options.bedrooms,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m gahr_lib.zoo", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="networks and results; all if none"
    )
    parser.add_argument("--scale", choices=("book", "paper"), default="book")
    parser.add_argument("--faces", type=Path, help="folder of the faces of the scale paper")
    parser.add_argument("--bedrooms", type=Path, help="folder of the bedrooms of the scale paper")
    parser.add_argument("--runs", type=Path, help="where runs have their folders")
    parser.add_argument("--out", type=Path, help="where weights and cards go")
    parser.add_argument("--threads", type=int, default=1, help="of PyTorch on the CPU")
    parser.add_argument("--module", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
