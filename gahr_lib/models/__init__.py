"""Denoisers, all behind one contract: ``denoiser(y, sigma=None)`` returns the denoised images."""

from gahr_lib.models.base import Denoiser, ResidualNetwork, check_evaluating
from gahr_lib.models.bf_cnn import BFCNN
from gahr_lib.models.bias_free import BiasFreeBatchNorm
from gahr_lib.models.config import NetworkConfig, build_network
from gahr_lib.models.thresholding import BasisThresholding
from gahr_lib.models.unet import UNet

__all__ = [
    "BFCNN",
    "BasisThresholding",
    "BiasFreeBatchNorm",
    "Denoiser",
    "NetworkConfig",
    "ResidualNetwork",
    "UNet",
    "build_network",
    "check_evaluating",
]
