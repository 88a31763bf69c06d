"""What denoisers do: their error, their Jacobian, their shrinkage."""

from gahr_lib.analysis import evaluation, jacobian, shrinkage
from gahr_lib.analysis.evaluation import psnr_curve
from gahr_lib.analysis.jacobian import Eigenbasis, eigenbasis

__all__ = ["Eigenbasis", "eigenbasis", "evaluation", "jacobian", "psnr_curve", "shrinkage"]
