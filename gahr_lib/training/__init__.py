"""Training of a blind denoiser: one loop, a generator of states.

The recipe differs from the paper's where that saves time on a small machine: the loss of each image
is divided by its noise level, so that small noise counts; the learning rate warms up and falls
along a cosine; and the network that is kept is an exponential moving average of the one that is
trained.

The loop needs PyTorch alone. Handed a Fabric of `connect`, it runs on a GPU, in lower precision, or
in several processes that share each batch. `gahr_lib.jobs` makes a whole run of it, from data to
weights, and the command ``gahr train`` starts one.
"""

from gahr_lib.training.config import TrainConfig, draw_sigmas
from gahr_lib.training.devices import connect
from gahr_lib.training.loop import ImageSource, TrainState, train

__all__ = ["ImageSource", "TrainConfig", "TrainState", "connect", "draw_sigmas", "train"]
