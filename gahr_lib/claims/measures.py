"""What measures each claim again: one function for each, in the file of its chapter."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from gahr_lib.claims import (
    harmonic_bases,
    memorization,
    open_questions,
    rates,
    sampling,
    shrinkage,
)
from gahr_lib.claims.claim import Measured
from gahr_lib.errors import ConfigError

__all__ = ["MEASURES", "measure"]

MEASURES: Mapping[str, Callable[[], Measured]] = MappingProxyType(
    {
        **shrinkage.MEASURES,
        **memorization.MEASURES,
        **harmonic_bases.MEASURES,
        **rates.MEASURES,
        **sampling.MEASURES,
        **open_questions.MEASURES,
    }
)
"""The functions, by the ids of their claims.

:meta hide-value:
"""


def measure(name: str) -> Measured:
    """Measure the number of a claim again, from the networks and results of the package.

    Parameters
    ----------
    name
        The id of the claim.

    Raises
    ------
    ConfigError
        If no function measures it.
    DataFileError, WeightsError
        If a result or a network is missing or damaged.
    """
    if name not in MEASURES:
        raise ConfigError(f"Nothing measures the claim {name!r}. Known: {', '.join(MEASURES)}.")
    return MEASURES[name]()
