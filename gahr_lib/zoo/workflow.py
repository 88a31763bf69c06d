"""What is to be made, in which order: the plan that the Snakefile carries out."""

import importlib
import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from types import FrameType, ModuleType
from typing import Literal

from gahr_lib.errors import ConfigError
from gahr_lib.jobs import Run
from gahr_lib.zoo.build import State, files_of, state_of
from gahr_lib.zoo.networks import FOLDER
from gahr_lib.zoo.recipes import recipes

__all__ = ["Plan", "Zoo", "carry_out", "make_plan"]

_SNAKEFILE = Path(__file__).parent / "Snakefile"
_THREADS = {"book": 1, "paper": 4}
# What a cluster reserves; a profile can say otherwise. Memory in MB, time in minutes.
_RESOURCES = {
    "book": {"mem_mb": 4_000, "runtime": 240},
    "paper": {"mem_mb": 32_000, "runtime": 2_880, "gpu": 1},
}


@dataclass(frozen=True)
class Zoo:
    """A set of networks and the cached results that are computed with them.

    Attributes
    ----------
    scale
        "book" or "paper".
    faces
        The folder of faces, for the scale of the paper.
    runs
        Where runs have their folders; "runs" if None, and "runs/paper" at the scale of the paper.
    folder
        Where weights and cards are; the package's if None, and that of the runs' networks at the
        scale of the paper. Results are read from the package's alone.
    module
        The name of a module that has ``RECIPES``, and ``RESULTS``, ``is_current_result`` and
        ``build_result`` if there are results, in the place of the package's.
    bedrooms
        The folder of bedrooms, for the scale of the paper.
    """

    scale: Literal["book", "paper"] = "book"
    faces: Path | None = None
    runs: Path | None = None
    folder: Path | None = None
    module: str | None = None
    bedrooms: Path | None = None

    @cached_property
    def recipes(self) -> Mapping[str, Run]:
        """The networks by name.

        Raises
        ------
        ConfigError
            If the scale is unknown, or the paper's has no folder of images.
        """
        if self.module is not None:
            return self._custom.RECIPES
        faces, bedrooms = (
            None if folder is None else str(folder.resolve())
            for folder in (self.faces, self.bedrooms)
        )
        return recipes(self.scale, faces=faces, bedrooms=bedrooms)

    @property
    def run_folders(self) -> Path:
        """Where runs have their folders."""
        return self.runs or Path("runs" if self.scale == "book" else "runs/paper")

    @property
    def networks(self) -> Path:
        """Where weights and cards are."""
        if self.folder is not None:
            return self.folder
        return FOLDER if self.scale == "book" else self.run_folders / "networks"

    @cached_property
    def results(self) -> Mapping[str, tuple[str, ...]]:
        """Of each cached result, the recipes of the networks that it reads."""
        if not self._has_results:
            return {}
        owner = {
            path.stem: name for name, run in self.recipes.items() for path in files_of(name, run)
        }
        return {
            result: tuple(dict.fromkeys(owner[name] for name in made.networks))
            for result, made in self._results.RESULTS.items()
        }

    def is_current_result(self, name: str) -> bool:
        """Return whether a cached result is there, and what its networks give."""
        return self._results.is_current_result(name)

    @property
    def build_result(self) -> Callable[[str], None]:
        """The function that computes a result and writes it."""
        return self._results.build_result

    @property
    def _custom(self) -> ModuleType:
        assert self.module is not None
        return importlib.import_module(self.module)

    @property
    def _results(self) -> ModuleType:
        # Imported late: the experiments of the results load networks.
        return importlib.import_module(self.module or "gahr_lib.zoo.results")

    @property
    def _has_results(self) -> bool:
        if self.module is not None:
            return hasattr(self._custom, "RESULTS")
        return self.scale == "book" and self.networks.resolve() == FOLDER.resolve()

    def arguments(self) -> list[str]:
        """Return the options of a job of this zoo, wherever it runs."""
        options: dict[str, object] = {
            "--scale": self.scale,
            "--faces": self.faces and self.faces.resolve(),
            "--runs": self.run_folders.resolve(),
            "--out": self.networks.resolve(),
            "--module": self.module,
            "--bedrooms": self.bedrooms and self.bedrooms.resolve(),
        }
        given = ((name, str(value)) for name, value in options.items() if value is not None)
        return [part for option in given for part in option]

    def check_names(self, names: Iterable[str]) -> None:
        """Refuse names of neither networks nor results.

        Raises
        ------
        ConfigError
            If there is one; the message lists those there are.
        """
        known = [*self.recipes, *self.results]
        unknown = [name for name in names if name not in known]
        if unknown:
            raise ConfigError(
                f"There is no network or result {', '.join(unknown)}. There are: "
                f"{', '.join(known)}."
            )


@dataclass(frozen=True)
class Plan:
    """What is to be made.

    Attributes
    ----------
    networks
        Those to be trained, and why.
    results
        Those to be computed, and for each the networks among these that it reads.
    """

    networks: Mapping[str, State]
    results: Mapping[str, tuple[str, ...]]

    @property
    def names(self) -> list[str]:
        """Everything that is to be made."""
        return [*self.networks, *self.results]


def make_plan(zoo: Zoo, names: Sequence[str] = ()) -> Plan:
    """Return what is to be made of a zoo, and what it needs; of all of it if nothing is named.

    What is there counts if it is whole and has been made by the recipe as it is now. Times of files
    do not count.

    Raises
    ------
    ConfigError
        If a name is unknown.
    """
    zoo.check_names(names)
    results = [name for name in zoo.results if name in names or not names]
    read = {network for name in results for network in zoo.results[name]}
    looked_at = [name for name in zoo.recipes if name in names or name in read or not names]
    states = {name: state_of(name, zoo.recipes[name], zoo.networks) for name in looked_at}
    lacking = {name: state for name, state in states.items() if state != "current"}
    after = {name: tuple(n for n in zoo.results[name] if n in lacking) for name in results}
    return Plan(
        lacking,
        {name: after[name] for name in results if after[name] or not zoo.is_current_result(name)},
    )


def carry_out(zoo: Zoo, plan: Plan, *, cores: int | None = None, profile: str | None = None) -> int:
    """Have Snakemake make what is planned, and return its exit code.

    Whatever is stopped or fails goes on from its checkpoint when it is planned again.

    Parameters
    ----------
    zoo
        Whose plan it is.
    plan
        From `make_plan`.
    cores
        How many of this machine's cores may be busy; all if None and there is no profile.
    profile
        A profile of Snakemake, by name or path, which says where and how jobs run.

    Raises
    ------
    ConfigError
        If Snakemake is not installed.
    """
    if find_spec("snakemake") is None:
        raise ConfigError(
            "Snakemake is not installed; expected it for building more than one network at a time. "
            'Install it with pip install "gahr-lib[zoo]", or build one network after the other '
            "with python -m gahr_lib.zoo NAME."
        )
    runs = zoo.run_folders.resolve()
    runs.mkdir(parents=True, exist_ok=True)
    configuration = {
        "networks": list(plan.networks),
        "results": plan.results,
        "command": shlex.join([sys.executable, "-m", "gahr_lib.zoo", *zoo.arguments()]),
        "logs": str(runs / "logs"),
        "threads": _THREADS[zoo.scale],
        "resources": _RESOURCES[zoo.scale],
    }
    # A new folder each time: whatever Snakemake remembers of another time says nothing of this one.
    folder = Path(mkdtemp(prefix="build-", dir=runs))
    settings = folder / "config.json"
    settings.write_text(json.dumps(configuration), encoding="utf-8")
    code = _run(_command(settings, cores, profile))
    if code == 0:  # otherwise Snakemake has named the log that it wrote there
        rmtree(folder, ignore_errors=True)
    return code


def _command(settings: Path, cores: int | None, profile: str | None) -> list[str]:
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(_SNAKEFILE)]
    command += ["--configfile", str(settings), "--directory", str(settings.parent)]
    command += ["--keep-going", "--scheduler", "greedy", "--quiet", "host", "reason"]
    if profile is not None:
        command += [
            "--profile",
            str(Path(profile).resolve()) if Path(profile).exists() else profile,
        ]
    else:
        # Nothing shares out the GPUs of one machine, so one job at a time has one.
        command += ["--resources", "gpu=1"]
    if cores is not None or profile is None:
        command += ["--cores", "all" if cores is None else str(cores)]
    return command


def _run(command: list[str]) -> int:
    """Run a command; a request to stop is handed on to it and to all that it has started."""
    received: list[int] = []
    started: list[int] = []

    def hand_on(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        received.append(number)
        for group in started:
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGINT)

    # Before the start: a background job of a shell ignores SIGINT, and so would all it starts.
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, hand_on) for number in numbers}
    try:
        # In a session of its own: Snakemake alone would wait for its jobs, for hours.
        with subprocess.Popen(command, start_new_session=True) as process:
            started.append(process.pid)
            code = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 128 + received[0] if received else code
