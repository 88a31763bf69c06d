"""The errors of the library.

Every message says three things: what was wrong, what was expected, and what to do about it.
All types derive from `GahrError`; each also derives from the built-in error that a caller
who does not know this library would catch.
"""

__all__ = [
    "CacheError",
    "ConfigError",
    "ConvergenceError",
    "DataFileError",
    "DownloadError",
    "GahrError",
    "NotDifferentiableError",
    "SamplingError",
    "ShapeError",
    "SigmaError",
    "TrainingError",
    "ValueRangeError",
    "WeightsError",
]


class GahrError(Exception):
    """Base of every error that this library raises on purpose."""


class ShapeError(GahrError, ValueError):
    """A tensor has the wrong number of dimensions, channels or pixels, or is empty."""


class ValueRangeError(GahrError, ValueError):
    """Intensities are not finite floats on the [0, 1] scale, or a number is out of its range."""


class SigmaError(GahrError, ValueError):
    """A noise level is missing, negative, not finite or of the wrong shape."""


class ConfigError(GahrError, ValueError):
    """A configuration asks for something impossible or unknown."""


class DataFileError(GahrError, OSError):
    """A data file is missing, truncated, corrupt or not the file that was expected."""


class DownloadError(GahrError, OSError):
    """A file could not be downloaded."""


class CacheError(GahrError, OSError):
    """The cache folder cannot be written."""


class WeightsError(GahrError, OSError):
    """A weights file is missing, truncated, corrupt or does not fit the network."""


class NotDifferentiableError(GahrError, TypeError):
    """A Jacobian was asked of a denoiser through which no derivative flows."""


class ConvergenceError(GahrError, RuntimeError):
    """An iteration did not reach the accuracy that was asked for."""


class TrainingError(GahrError, RuntimeError):
    """Training cannot go on: the loss is not finite, or a checkpoint does not fit."""


class SamplingError(GahrError, RuntimeError):
    """Sampling does not come to an end, or leaves the finite numbers."""
