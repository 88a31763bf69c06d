"""The experiments of cached results, made again with the networks that the authors published."""

import re
from collections.abc import Sequence
from dataclasses import replace

from gahr_lib.analysis.results import Result
from gahr_lib.sampling import SampleConfig
from gahr_lib.zoo import experiments
from gahr_lib.zoo.scales import Scale

__all__ = ["counterpart"]


def counterpart(name: str, scale: Scale) -> Result | None:
    """Make a result at the paper's scale, or return None if its networks are not there.

    Parameters
    ----------
    name
        Of a cached result; a number of training images in it may be one of `scale.sizes`.
    scale
        The paper's.

    Raises
    ------
    GahrError
        If networks or images of the scale are missing or damaged.
    """
    of, _, last = name.rpartition("-")
    number = int(last) if re.fullmatch(r"\d+", last) else None
    if name == "ladder":
        return experiments.climb(scale.sizes, experiments.SIGMAS, scale=scale)
    if name == "samplers":
        return experiments.compare_settings(_around(scale, experiments.SAMPLERS), scale=scale)
    if name == "partings":
        return experiments.part(experiments.FORK_LEVELS, scale=scale)
    if of == "curves-c_alpha" and number is not None:
        return experiments.class_curves(
            "c_alpha", experiments.LEVELS, alpha=float(number), scale=scale
        )
    if number not in scale.sizes:
        return None
    if of == "samples":
        return experiments.draw_samples(number, scale=scale)
    if of == "dim-samples":
        return experiments.draw_samples(number, config=scale.slow_sampler, scale=scale)
    if of == "forks":
        return experiments.fork(number, experiments.FORK_LEVELS, scale=scale)
    return None


def _around(scale: Scale, settings: Sequence[SampleConfig]) -> list[SampleConfig]:
    """Return settings that start around the mean intensity of the scale's images."""
    return [replace(config, mean=scale.sampler.mean) for config in settings]
