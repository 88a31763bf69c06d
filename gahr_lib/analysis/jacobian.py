"""The Jacobian of a denoiser at an image: all that one can ask about it, in one place.

For a denoiser f and an image y, J is the matrix of partial derivatives of f at y, d x d for images
of d = C H W numbers. Everything here takes one image (1, C, H, W) and works on blocks of vectors,
so memory grows with the block and not with d^2, unless the whole matrix is asked for.
"""

from gahr_lib.analysis.derivatives import jacobian_product, jvp, transpose_product, vjp
from gahr_lib.analysis.eigenbases import Eigenbasis, effective_rank, eigenbasis
from gahr_lib.analysis.matrix import Filters, filters, jacobian
from gahr_lib.analysis.probes import Estimate
from gahr_lib.analysis.symmetry import asymmetry, estimate_asymmetry, homogeneity_error
from gahr_lib.analysis.traces import estimate_trace, sure, trace

__all__ = [
    "Eigenbasis",
    "Estimate",
    "Filters",
    "asymmetry",
    "effective_rank",
    "eigenbasis",
    "estimate_asymmetry",
    "estimate_trace",
    "filters",
    "homogeneity_error",
    "jacobian",
    "jacobian_product",
    "jvp",
    "sure",
    "trace",
    "transpose_product",
    "vjp",
]
