"""Denoisers, their Jacobians and their samples: the companion of the book.

The front door is here; everything else lives in its module.

>>> import torch, gahr_lib as gahr
>>> g = torch.Generator().manual_seed(0)
>>> denoiser = gahr.load_denoiser("fashion", n_train=30_000, half="A")
>>> y = gahr.add_noise(gahr.data.fashion("test", n=1), sigma=0.1, generator=g)
>>> gahr.eigenbasis(denoiser, y, k=64).vectors.shape
torch.Size([64, 1, 28, 28])
"""

from gahr_lib import (
    analysis,
    bases,
    data,
    errors,
    inverse_problems,
    metrics,
    models,
    sampling,
    schedules,
    training,
    zoo,
)
from gahr_lib.analysis import Eigenbasis, eigenbasis, psnr_curve
from gahr_lib.errors import GahrError
from gahr_lib.metrics import cosine_similarity, mse, psnr
from gahr_lib.models import Denoiser
from gahr_lib.noise import add_noise
from gahr_lib.sampling import sample
from gahr_lib.zoo import load_denoiser

__version__ = "0.1.0"

__all__ = [
    "Denoiser",
    "Eigenbasis",
    "GahrError",
    "add_noise",
    "analysis",
    "bases",
    "cosine_similarity",
    "data",
    "eigenbasis",
    "errors",
    "inverse_problems",
    "load_denoiser",
    "metrics",
    "models",
    "mse",
    "psnr",
    "psnr_curve",
    "sample",
    "sampling",
    "schedules",
    "training",
    "zoo",
]
