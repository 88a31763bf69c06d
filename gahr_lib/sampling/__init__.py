"""Sampling from the density that a denoiser knows: Algorithm 1, one loop.

The residual f(x) - x points up the gradient of the log density of noisy images (Tweedie's formula,
eq. 3), and its size tells how much noise is left. So the loop needs no schedule of noise levels.
`gahr_lib.schedules` has schedules, for denoisers that must be told, and `gahr_lib.inverse_problems`
measurements that the samples shall have.
"""

from gahr_lib.sampling.algorithm import SampleState, sample, sample_steps
from gahr_lib.sampling.settings import SETTINGS, Pace, SampleConfig

__all__ = ["SETTINGS", "Pace", "SampleConfig", "SampleState", "sample", "sample_steps"]
