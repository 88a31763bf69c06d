"""Linear inverse problems: images from part of what determines them, by the sampler's own loop.

A measurement is m = M^T x, where the columns of M are orthonormal. Sampling under the condition
that the image has this measurement replaces the residual r = f(x) - x of Algorithm 1 by
(I - M M^T) r + M (m - M^T x): the denoiser moves what was not measured, and the measurement the
rest. That is the residual of a denoiser whose output was moved to the nearest image that agrees
with the measurement, so the loop stays what it is and gets a constraint.
"""

from gahr_lib.inverse_problems.measurements import (
    block_super_resolution,
    inpainting,
    known_pixels,
    random_measurements,
    random_pixels,
    spectral_super_resolution,
)
from gahr_lib.inverse_problems.problem import InverseProblem
from gahr_lib.inverse_problems.solver import solve, solve_steps

__all__ = [
    "InverseProblem",
    "block_super_resolution",
    "inpainting",
    "known_pixels",
    "random_measurements",
    "random_pixels",
    "solve",
    "solve_steps",
    "spectral_super_resolution",
]
