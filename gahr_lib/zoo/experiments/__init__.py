"""The experiments of the chapters that take minutes; their results are kept beside the networks.

A chapter shows and calls these functions, smaller, and reads what they gave at full size.
"""

from gahr_lib.zoo.experiments.bases import Bases, compare_bases
from gahr_lib.zoo.experiments.classes import LEVELS, ClassCurves, Spectra, class_curves, spectra
from gahr_lib.zoo.experiments.closed_forms import ClosedForms, compare_closed_forms
from gahr_lib.zoo.experiments.copies import DIM, SAMPLING, Samples, draw_samples
from gahr_lib.zoo.experiments.disputes import Likeness, agreement, compare_machines
from gahr_lib.zoo.experiments.footprints import (
    PIXELS,
    Footprints,
    compare_footprints,
    footprints_of_the_zoo,
    half_energy_radius,
    places_when_shuffled,
)
from gahr_lib.zoo.experiments.geometry import (
    ErrorParts,
    contour_images,
    contour_shares,
    disc_tangents,
    split_error,
)
from gahr_lib.zoo.experiments.harmonics import (
    Harmonics,
    Shuffled,
    compare_shuffled,
    measure_harmonics,
    optimum_basis,
)
from gahr_lib.zoo.experiments.ladder import SIGMAS, Ladder, Seeds, climb, compare_seeds
from gahr_lib.zoo.experiments.mosaics import SIDES_BY_SIGMA, Mosaics, draw_mosaics
from gahr_lib.zoo.experiments.onsets import Onsets, crossing, watch_onsets
from gahr_lib.zoo.experiments.relatives import Relatives, find_relatives, relatives_of_samples
from gahr_lib.zoo.experiments.training_time import Grid, training_grid
from gahr_lib.zoo.experiments.trajectories import (
    CLOTHES,
    FORK_LEVELS,
    SAMPLERS,
    Forks,
    Partings,
    SamplerTable,
    compare_settings,
    energy_distance,
    fork,
    part,
    state_at,
    walk_on,
)
from gahr_lib.zoo.experiments.transformers import TrainedTransformer, train_transformer

__all__ = [
    "CLOTHES",
    "DIM",
    "FORK_LEVELS",
    "LEVELS",
    "PIXELS",
    "SAMPLERS",
    "SAMPLING",
    "SIDES_BY_SIGMA",
    "SIGMAS",
    "Bases",
    "ClassCurves",
    "ClosedForms",
    "ErrorParts",
    "Footprints",
    "Forks",
    "Grid",
    "Harmonics",
    "Ladder",
    "Likeness",
    "Mosaics",
    "Onsets",
    "Partings",
    "Relatives",
    "SamplerTable",
    "Samples",
    "Seeds",
    "Shuffled",
    "Spectra",
    "TrainedTransformer",
    "agreement",
    "class_curves",
    "climb",
    "compare_bases",
    "compare_closed_forms",
    "compare_footprints",
    "compare_machines",
    "compare_seeds",
    "compare_settings",
    "compare_shuffled",
    "contour_images",
    "contour_shares",
    "crossing",
    "disc_tangents",
    "draw_mosaics",
    "draw_samples",
    "energy_distance",
    "find_relatives",
    "footprints_of_the_zoo",
    "fork",
    "half_energy_radius",
    "measure_harmonics",
    "optimum_basis",
    "part",
    "places_when_shuffled",
    "relatives_of_samples",
    "spectra",
    "split_error",
    "state_at",
    "train_transformer",
    "training_grid",
    "walk_on",
    "watch_onsets",
]
