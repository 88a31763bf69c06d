"""Denoisers, all behind one contract: ``denoiser(y, sigma=None)`` returns the denoised images."""

from gahr_lib.models._posterior import BayesOptimum, Posterior
from gahr_lib.models._shrinkage import OracleShrinkage
from gahr_lib.models.base import Denoiser, ResidualNetwork, check_evaluating
from gahr_lib.models.bayes_discs import BayesDiscs, DiscPosterior
from gahr_lib.models.bayes_ray import BayesRay
from gahr_lib.models.bayes_sinusoids import BayesSinusoids
from gahr_lib.models.bf_cnn import BFCNN
from gahr_lib.models.bias_free import BiasFreeBatchNorm
from gahr_lib.models.config import NetworkConfig, build_network
from gahr_lib.models.dct_shrinkage import DCTShrinkage
from gahr_lib.models.empirical_optimum import EmpiricalOptimum
from gahr_lib.models.local_scores import EquivariantLocalScore, LocalScore
from gahr_lib.models.on_device import OnDevice
from gahr_lib.models.patch_posterior import PatchPosterior
from gahr_lib.models.thresholding import BasisThresholding
from gahr_lib.models.transformer import PatchTransformer
from gahr_lib.models.unet import UNet
from gahr_lib.models.wavelet_shrinkage import WaveletShrinkage
from gahr_lib.models.wiener import StationaryWiener, Wiener

__all__ = [
    "BFCNN",
    "BasisThresholding",
    "BayesDiscs",
    "BayesOptimum",
    "BayesRay",
    "BayesSinusoids",
    "BiasFreeBatchNorm",
    "DCTShrinkage",
    "Denoiser",
    "DiscPosterior",
    "EmpiricalOptimum",
    "EquivariantLocalScore",
    "LocalScore",
    "NetworkConfig",
    "OnDevice",
    "OracleShrinkage",
    "PatchPosterior",
    "PatchTransformer",
    "Posterior",
    "ResidualNetwork",
    "StationaryWiener",
    "UNet",
    "WaveletShrinkage",
    "Wiener",
    "build_network",
    "check_evaluating",
]
