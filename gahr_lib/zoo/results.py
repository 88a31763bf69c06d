"""Cached results: experiments of the chapters that take minutes, kept with hashes.

Each is made by a function of `gahr_lib.zoo.experiments` that a chapter shows, from networks of the
package. It is current as long as its file and the weights of these networks are what they were.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from gahr_lib._files import write_whole
from gahr_lib.analysis.results import Result
from gahr_lib.data import fashion
from gahr_lib.errors import ConfigError, DataFileError, WeightsError
from gahr_lib.weights import read_card
from gahr_lib.zoo import experiments
from gahr_lib.zoo.build import files_of
from gahr_lib.zoo.counterparts import counterpart
from gahr_lib.zoo.recipes import LADDER, RECIPES, find_recipe, network_name
from gahr_lib.zoo.scales import BOOK, Scale

__all__ = ["RESULTS", "CachedResult", "build_result", "is_current_result", "load_result"]

FOLDER = Path(__file__).parent / "results"
_REMEDY = "Install the package again, or make it again with gahr zoo build."

_GRID_SIGMAS = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
_BASES = (10, 100, 1_000, 30_000)

_Kind = TypeVar("_Kind", bound=Result)


@dataclass(frozen=True)
class CachedResult:
    """What makes a cached result.

    Attributes
    ----------
    kind
        Its class.
    networks
        The names of the networks it is made of.
    make
        Makes it.
    """

    kind: type[Result]
    networks: tuple[str, ...]
    make: Callable[[], Result]


def _pairs(*sizes: int) -> tuple[str, ...]:
    return tuple(network_name("fashion", n_train=n, half=half) for n in sizes for half in "AB")


def _of_a(*sizes: int, variant: str = "") -> tuple[str, ...]:
    return tuple(network_name("fashion", n_train=n, variant=variant) for n in sizes)


def _measure_harmonics(sigma: float) -> Result:
    return experiments.measure_harmonics(fashion("test", n=24), sigma)


def _results() -> Iterator[tuple[str, CachedResult]]:
    seeds = (100, 1_000, 30_000)
    yield (
        "ladder",
        CachedResult(
            experiments.Ladder,
            _pairs(*LADDER),
            partial(experiments.climb, LADDER, experiments.SIGMAS),
        ),
    )
    yield (
        "seeds",
        CachedResult(
            experiments.Seeds,
            _pairs(*seeds) + _of_a(*seeds, variant="seed2"),
            partial(experiments.compare_seeds, seeds, experiments.SIGMAS),
        ),
    )
    yield (
        "training-time",
        CachedResult(
            experiments.Grid,
            _of_a(*LADDER),
            partial(experiments.training_grid, LADDER, _GRID_SIGMAS),
        ),
    )
    for n in LADDER:
        yield (
            f"samples-{n}",
            CachedResult(experiments.Samples, _pairs(n), partial(experiments.draw_samples, n)),
        )
    for n in (10, 30_000):
        yield (
            f"dim-samples-{n}",
            CachedResult(
                experiments.Samples,
                _pairs(n),
                partial(experiments.draw_samples, n, config=experiments.DIM),
            ),
        )
    yield (
        "bases",
        CachedResult(
            experiments.Bases,
            _of_a(*_BASES),
            lambda: experiments.compare_bases(
                _BASES, fashion("test", n=3), (0.05, 0.15, 0.4), k=32
            ),
        ),
    )
    shuffled = _of_a(30_000, variant="shuffled")
    for name, sigma in (("harmonics", 0.15), ("harmonics-weak", 0.05), ("harmonics-strong", 0.4)):
        yield (
            name,
            CachedResult(
                experiments.Harmonics,
                (*_pairs(30_000), *_of_a(100), *shuffled),
                partial(_measure_harmonics, sigma),
            ),
        )
    yield (
        "shuffled",
        CachedResult(
            experiments.Shuffled,
            _of_a(30_000) + shuffled,
            partial(experiments.compare_shuffled, tuple(range(4, 40, 4))),
        ),
    )
    yield (
        "closed-forms",
        CachedResult(
            experiments.ClosedForms,
            _of_a(30_000),
            partial(experiments.compare_closed_forms, tuple(range(4, 40, 4))),
        ),
    )
    yield (
        "samplers",
        CachedResult(
            experiments.SamplerTable,
            _pairs(30_000),
            partial(experiments.compare_settings, experiments.SAMPLERS),
        ),
    )
    for n in (10, 30_000):
        yield (
            f"forks-{n}",
            CachedResult(
                experiments.Forks, _of_a(n), partial(experiments.fork, n, experiments.FORK_LEVELS)
            ),
        )
    yield (
        "partings",
        CachedResult(
            experiments.Partings,
            _pairs(30_000),
            partial(experiments.part, experiments.FORK_LEVELS),
        ),
    )
    yield (
        "transformer",
        CachedResult(experiments.TrainedTransformer, (), experiments.train_transformer),
    )
    yield (
        "transformer-shuffled",
        CachedResult(
            experiments.TrainedTransformer,
            (),
            partial(experiments.train_transformer, shuffled=True),
        ),
    )
    disputed, levels = (100, 1_000, 30_000), (0.05, 0.1, 0.2, 0.4, 0.8)
    yield (
        "likeness",
        CachedResult(
            experiments.Likeness,
            _pairs(*disputed),
            partial(experiments.compare_machines, disputed, levels),
        ),
    )
    yield (
        "footprints",
        CachedResult(
            experiments.Footprints,
            _of_a(100, 30_000) + shuffled + _of_a(30_000, variant="bf_cnn"),
            partial(experiments.footprints_of_the_zoo, levels),
        ),
    )
    yield (
        "mosaics",
        CachedResult(experiments.Mosaics, _pairs(1_000), experiments.draw_mosaics),
    )
    yield (
        "onsets",
        CachedResult(
            experiments.Onsets,
            (network_name("fashion", n_train=30_000, half="B"),),
            partial(experiments.watch_onsets, (4, 8, 16, 32, 64)),
        ),
    )
    yield (
        "relatives",
        CachedResult(
            experiments.Relatives, _pairs(30_000), partial(experiments.relatives_of_samples, 48)
        ),
    )
    for name, run in RECIPES.items():
        data, _, alpha = name.partition("-")
        if run.images.fresh and data != "photographs":  # which are no class with a known rate
            known = float(alpha) if alpha else None
            yield (
                f"curves-{name}",
                CachedResult(
                    experiments.ClassCurves,
                    (name,),
                    partial(experiments.class_curves, data, experiments.LEVELS, alpha=known),
                ),
            )
    for data, sigma in (("discs", 0.04), ("ray", 0.04), ("sinusoids", 0.08)):  # as in the paper
        yield (
            f"spectra-{data}",
            CachedResult(experiments.Spectra, (data,), partial(experiments.spectra, data, sigma)),
        )


RESULTS: Mapping[str, CachedResult] = MappingProxyType(dict(_results()))


def load_result(
    name: str, kind: type[_Kind], *, scale: Scale = BOOK, folder: str | Path = FOLDER
) -> _Kind:
    """Return a cached result, or its counterpart at the paper's scale.

    Parameters
    ----------
    name
        One of `RESULTS`.
    kind
        Its class, of `gahr_lib.zoo.experiments`.
    scale
        If the paper's: the experiment is made again with the authors' networks, which takes
        minutes on a GPU, each time. One that cannot be is that of the book, and the log says so.
    folder
        Where it is; with the package if not given.

    Raises
    ------
    ConfigError
        If there is no such result, or it is of another kind.
    DataFileError
        If its file is missing, damaged or changed.
    """
    if scale.name == "paper":
        result = counterpart(name, scale)
        if isinstance(result, kind):
            return result
        scale.book(f"the result {name}")
    found = _find(name)
    if found.kind is not kind:
        raise ConfigError(f"The result {name} is a {found.kind.__name__}, not a {kind.__name__}.")
    path, facts = _paths(name, Path(folder))
    _check(path, facts)
    return kind.load(path)


def build_result(name: str, *, folder: str | Path = FOLDER) -> None:
    """Make a cached result from the networks of the package, and write it with its hashes.

    Raises
    ------
    ConfigError
        If there is no such result.
    WeightsError
        If a network is missing or damaged.
    DataFileError
        If the result cannot be written.
    """
    result = _find(name)
    made_of = _hashes(result)
    path, facts = _paths(name, Path(folder))
    path.parent.mkdir(parents=True, exist_ok=True)
    result.make().save(path)
    content = {"sha256": _sha256(path), "networks": made_of}
    write_whole(facts, (json.dumps(content, indent=2) + "\n").encode(), DataFileError)


def is_current_result(name: str, *, folder: str | Path = FOLDER) -> bool:
    """Return whether a cached result is whole and made of the networks that are there now."""
    path, facts = _paths(name, Path(folder))
    try:
        return bool(_check(path, facts)["networks"] == _hashes(_find(name)))
    except (DataFileError, WeightsError):
        return False


def _find(name: str) -> CachedResult:
    if name not in RESULTS:
        raise ConfigError(f"There is no result {name!r}. There are: {', '.join(RESULTS)}.")
    return RESULTS[name]


def _paths(name: str, folder: Path) -> tuple[Path, Path]:
    return folder / f"{name}.safetensors", folder / f"{name}.json"


def _check(path: Path, facts: Path) -> dict[str, Any]:
    """Return what is known of a result's file, or raise `DataFileError` if it is not that file."""
    try:
        known = json.loads(facts.read_text(encoding="utf-8"))
        whole = known["sha256"] == _sha256(path)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataFileError(
            f"The result {path} is missing or damaged ({error}). {_REMEDY}"
        ) from error
    if not whole:
        raise DataFileError(
            f"The result {path} is damaged: its SHA-256 is not the one in {facts.name}. {_REMEDY}"
        )
    return known


def _hashes(result: CachedResult) -> dict[str, str]:
    files = [path for name in result.networks for path in files_of(name, find_recipe(name))]
    return {path.stem: read_card(path.with_suffix(".json"))["weights_sha256"] for path in files}


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
