"""Denoisers of this library run in deepinv's algorithms, and those of deepinv in our tools."""

import importlib
import re
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from gahr_lib import add_noise, data, eigenbasis, psnr, psnr_curve, sample
from gahr_lib.analysis.jacobian import jacobian, trace
from gahr_lib.sampling import SampleConfig
from helpers import LinearDenoiser, intensities, seeded, symmetric

FOLDER = Path(sys.prefix) / "interop"  # where the Makefile installs deepinv
PAGE = Path(__file__).parents[1] / "book" / "appendix" / "interoperability.md"


def mend_torchvision() -> torch.library.Library | None:
    """Let torchvision be imported where its compiled half cannot be loaded.

    The usual build for Linux needs CUDA. Beside PyTorch's CPU build the import fails where it says
    what shapes the missing operators return. deepinv imports torchvision but calls none of them
    here, so it is enough to declare them. Matching builds are left alone.
    """
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::nms does not exist" not in str(error):
            raise
    else:
        return None
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return library


@pytest.fixture(scope="module")
def dinv():
    """The real deepinv; its warnings at import are its own affair."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [*sys.path, str(FOLDER)])
        if importlib.util.find_spec("deepinv") is None:
            pytest.skip("deepinv is not installed; `make test` installs it")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            library = mend_torchvision()
            deepinv = importlib.import_module("deepinv")
        yield deepinv
        del library  # which forgets its operators with the last reference


@pytest.fixture
def kept_random_state():
    """Seed the global random states, from which deepinv draws, and put them back."""
    before = torch.get_rng_state(), np.random.get_state()  # noqa: NPY002
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002
    yield
    torch.set_rng_state(before[0])
    np.random.set_state(before[1])  # noqa: NPY002


# ------------------------------------------------------------------------------ ours in theirs


def test_plug_and_play_reaches_the_fixed_point_of_a_linear_denoiser(dinv):
    d, step = 36, 0.9
    W, _ = symmetric(torch.linspace(0.05, 0.95, d, dtype=torch.float64))
    mask = (intensities(1, 6, 6, seed=1) < 0.6).double()
    physics = dinv.physics.Inpainting(img_size=(1, 6, 6), mask=mask)
    y = physics(intensities(2, 1, 6, 6, dtype=torch.float64))
    restored = dinv.optim.PGD(
        prior=dinv.optim.PnP(LinearDenoiser(W)),
        data_fidelity=dinv.optim.L2(),
        stepsize=step,
        sigma_denoiser=0.1,
        max_iter=400,
        early_stop=False,
    )(y, physics)
    # x = W (x - step M (M x - y)) is a linear equation, with M the mask on the diagonal.
    M, identity = torch.diag(mask.flatten()), torch.eye(d, dtype=torch.float64)
    expected = torch.linalg.solve(
        identity - W @ (identity - step * M), step * W @ M @ y.flatten(1).T
    )
    torch.testing.assert_close(restored.flatten(1), expected.T, rtol=1e-6, atol=1e-6)


@pytest.mark.filterwarnings("ignore:Deprecated ULA.forward:DeprecationWarning")
def test_langevin_chain_has_the_posterior_mean_of_a_gaussian(dinv, kept_random_state):
    # Images N(mean, C): the optimal denoiser at sigma is linear, and so is the posterior mean.
    sigma, noise, mean = 0.3, 0.4, 0.5
    C, _ = symmetric(torch.linspace(0.1, 0.6, 9))
    identity = torch.eye(9)
    W = C @ torch.linalg.inv(C + sigma**2 * identity)
    denoiser = LinearDenoiser(W)
    shift = (mean * (identity - W).sum(1)).reshape(1, 3, 3)
    physics = dinv.physics.Denoising(dinv.physics.GaussianNoise(noise))
    y = intensities(1, 1, 3, 3)
    chains = dinv.sampling.ULA(
        prior=dinv.optim.ScorePrior(lambda x, s: denoiser(x, s) + shift),
        data_fidelity=dinv.optim.L2(sigma=noise),
        step_size=0.01,
        sigma=sigma,
        max_iter=300,
        thinning=1,
        burnin_ratio=0.3,
        clip=None,
    )
    means, _ = chains(y.expand(500, -1, -1, -1), physics)
    smooth = C + sigma**2 * identity  # the covariance of the density whose score it follows
    gain = smooth @ torch.linalg.inv(smooth + noise**2 * identity)
    expected = mean + gain @ (y.flatten() - mean)
    error = means.flatten(1).std(dim=0) / len(means) ** 0.5
    assert error.max() < 0.02
    assert ((means.flatten(1).mean(dim=0) - expected).abs() < 4 * error).all()


@pytest.mark.parametrize("algorithm", ["DDRM", "DiffPIR"])
def test_diffusion_samplers_restore_images_with_a_trained_network(
    dinv, trained_a, algorithm, kept_random_state
):
    x = data.fashion("test", n=4)
    noise = dinv.physics.GaussianNoise(0.05)
    physics = dinv.physics.Inpainting(img_size=(1, 28, 28), mask=0.5, noise_model=noise)
    y = physics(x)
    if algorithm == "DDRM":
        sampler = dinv.sampling.DDRM(trained_a, sigmas=np.linspace(1, 0.02, 40))
        gain = 8
    else:
        # It starts at 157 times the intensity of white, beyond what a checked call believes.
        sampler = dinv.sampling.DiffPIR(trained_a.denoise, dinv.optim.L2(), sigma=0.05, max_iter=40)
        gain = 4
    restored = sampler(y, physics)
    assert restored.shape == x.shape
    assert (psnr(restored, x) > psnr(y, x) + gain).all()


# ------------------------------------------------------------------------------ theirs in ours


def theirs(dinv, name):
    torch.manual_seed(0)  # of their initial weights
    make = {
        "median": lambda: dinv.models.MedianFilter(3),
        "bilateral": lambda: dinv.models.BilateralFilter(),
        # A new one for each call, for it starts where its last call ended.
        "total variation": lambda: lambda y, sigma: dinv.models.TVDenoiser(n_it_max=10)(y, sigma),
        "DnCNN": lambda: dinv.models.DnCNN(1, 1, depth=4, nf=6, pretrained=None),
        "DRUNet": lambda: dinv.models.DRUNet(1, 1, nc=[4, 4, 4, 4], nb=1, pretrained=None),
    }
    return make[name]()


EVERY = ["median", "bilateral", "total variation", "DnCNN", "DRUNet"]


@pytest.mark.parametrize("name", EVERY)
def test_their_jacobians_are_those_of_reverse_mode(dinv, name, kept_random_state):
    denoiser, y = theirs(dinv, name), intensities(1, 1, 8, 8)
    expected = torch.autograd.functional.jacobian(lambda x: denoiser(x, 0.1), y).reshape(64, 64)
    found = jacobian(denoiser, y, sigma=0.1)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert expected.abs().max() > 1e-3
    assert trace(denoiser, y, sigma=0.1) == pytest.approx(float(expected.trace()), rel=1e-4)
    basis = eigenbasis(denoiser, y, k=5, sigma=0.1)
    values = torch.linalg.eigvalsh((expected + expected.T) / 2).flip(0)
    torch.testing.assert_close(basis.values, values[:5], rtol=1e-4, atol=1e-5)


def test_median_filter_moves_pixels(dinv):
    denoiser, y = theirs(dinv, "median"), intensities(1, 1, 8, 8)
    matrix = jacobian(denoiser, y)
    assert torch.equal(matrix.sum(1), torch.ones(64))
    assert set(matrix.unique().tolist()) == {0, 1}
    torch.testing.assert_close((matrix @ y.flatten()).reshape(y.shape), denoiser(y))  # eq. 6


@pytest.mark.parametrize("name", EVERY)
def test_their_psnr_curves(dinv, name, kept_random_state):
    denoiser, x, sigmas = theirs(dinv, name), intensities(3, 1, 8, 8), [0.05, 0.2]
    with torch.no_grad():
        curve = psnr_curve(denoiser, x, sigmas, generator=seeded())
        for row, sigma in zip(curve, sigmas, strict=True):
            mse = (denoiser(add_noise(x, sigma, generator=seeded()), sigma) - x).square()
            expected = -10 * mse.mean(dim=(1, 2, 3)).log10()
            torch.testing.assert_close(row, expected)


def test_their_total_variation_beats_noise_on_real_images(dinv):
    x = data.fashion("test", n=4)
    (curve,) = psnr_curve(theirs(dinv, "total variation"), x, [0.1], generator=seeded())
    assert (curve > 20 + 1).all()


def test_their_closed_form_optimum_is_evaluated_and_differentiated(dinv):
    images, sigma = intensities(6, 1, 8, 8), 0.8
    denoiser = dinv.models.MMSE(images, device=torch.device("cpu"))
    (curve,) = psnr_curve(denoiser, images, [sigma], generator=seeded(2))
    y = add_noise(images, sigma, generator=seeded(2))
    distances = (y[:, None] - images[None]).square().sum(dim=(2, 3, 4))
    weights = torch.softmax(-distances / (2 * sigma**2), dim=1)
    optimum = torch.einsum("bn,nchw->bchw", weights, images)
    torch.testing.assert_close(curve, psnr(optimum, images), rtol=0, atol=1e-2)
    # Its backward pass is written by hand and has no forward mode: the product is found in reverse.
    rows = images.flatten(1)
    w = weights[0]
    covariance = rows.T @ (w[:, None] * rows) - torch.outer(w @ rows, w @ rows)
    matrix = jacobian(denoiser, y[:1], sigma=sigma)
    torch.testing.assert_close(matrix, covariance / sigma**2, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("beta", [1.0, 0.3])
def test_our_sampler_ends_on_what_their_median_filter_leaves_alone(dinv, beta):
    denoiser = theirs(dinv, "median")
    config = SampleConfig(beta=beta, sigma_inf=0.01)
    samples = sample(denoiser, 3, shape=(1, 16, 16), config=config, generator=seeded())
    left = (denoiser(samples) - samples).flatten(1).norm(dim=1) / 16
    assert (left < 0.02).all()
    assert (samples.flatten(1).std(dim=1) > 0.05).all()


# ------------------------------------------------------------------------------------- the page


def test_example_of_the_page_restores_the_image_as_it_says(dinv, capsys, kept_random_state):
    examples = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (example,) = [code for code in examples if "deepinv" in code]
    exec(compile(example, PAGE.name, "exec"), {})
    measured, restored = (float(value) for value in capsys.readouterr().out.split())
    assert restored > measured + 8
