"""What denoisers do: their error, their Jacobian, their shrinkage, their memory, their rates."""

from gahr_lib.analysis import (
    bootstrap,
    derivatives,
    eigenbases,
    evaluation,
    jacobian,
    lanczos,
    matrix,
    memorization,
    neighbours,
    patch_sources,
    perceptual,
    probes,
    rates,
    results,
    shrinkage,
    symmetry,
    traces,
    variance,
)
from gahr_lib.analysis.eigenbases import Eigenbasis, effective_rank, eigenbasis
from gahr_lib.analysis.evaluation import psnr_curve

__all__ = [
    "Eigenbasis",
    "bootstrap",
    "derivatives",
    "effective_rank",
    "eigenbases",
    "eigenbasis",
    "evaluation",
    "jacobian",
    "lanczos",
    "matrix",
    "memorization",
    "neighbours",
    "patch_sources",
    "perceptual",
    "probes",
    "psnr_curve",
    "rates",
    "results",
    "shrinkage",
    "symmetry",
    "traces",
    "variance",
]
