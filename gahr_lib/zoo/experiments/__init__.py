"""The experiments of the chapters that take minutes; their results are kept beside the networks.

A chapter shows and calls these functions, smaller, and reads what they gave at full size.
"""

from gahr_lib.zoo.experiments.bases import Bases, compare_bases
from gahr_lib.zoo.experiments.classes import ClassCurves, Spectra, class_curves, spectra
from gahr_lib.zoo.experiments.copies import DIM, SAMPLING, Samples, draw_samples
from gahr_lib.zoo.experiments.ladder import Ladder, Seeds, climb, compare_seeds
from gahr_lib.zoo.experiments.training_time import Grid, training_grid

__all__ = [
    "DIM",
    "SAMPLING",
    "Bases",
    "ClassCurves",
    "Grid",
    "Ladder",
    "Samples",
    "Seeds",
    "Spectra",
    "class_curves",
    "climb",
    "compare_bases",
    "compare_seeds",
    "draw_samples",
    "spectra",
    "training_grid",
]
