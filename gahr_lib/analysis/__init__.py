"""What denoisers do: their error, their Jacobian, their shrinkage."""

from gahr_lib.analysis import derivatives, eigenbases, evaluation, jacobian, lanczos, shrinkage
from gahr_lib.analysis.eigenbases import Eigenbasis, effective_rank, eigenbasis
from gahr_lib.analysis.evaluation import psnr_curve

__all__ = [
    "Eigenbasis",
    "derivatives",
    "effective_rank",
    "eigenbases",
    "eigenbasis",
    "evaluation",
    "jacobian",
    "lanczos",
    "psnr_curve",
    "shrinkage",
]
