"""What the README, the chapters and other people's code rely on."""

import doctest
import importlib.metadata
import json
import subprocess
import sys
import types

import pytest
import torch

import gahr_lib as gahr
from gahr_lib import (
    analysis,
    bases,
    data,
    export,
    inverse_problems,
    metrics,
    models,
    noise,
    sampling,
    schedules,
    training,
    zoo,
)
from helpers import seeded

pytestmark = pytest.mark.usefixtures("untouched_random_state")

MODULES = [
    gahr,
    analysis,
    *(value for value in vars(analysis).values() if isinstance(value, types.ModuleType)),
    bases,
    data,
    export,
    gahr.errors,
    inverse_problems,
    metrics,
    models,
    noise,
    sampling,
    schedules,
    training,
    zoo,
    zoo.authors,
]

# Heavy, or not there without an extra: whoever needs one imports it where it is needed.
LAZY = (
    "PIL",
    "matplotlib",
    "onnx",
    "scipy",
    "torchmetrics",
    "pywt",
    "pooch",
    "requests",
    "ipywidgets",
    "anywidget",
    "IPython",
)


def test_the_ten_lines_of_the_readme_run() -> None:
    g = seeded()
    denoiser = gahr.load_denoiser("fashion", n_train=30_000, half="A")
    x = gahr.data.fashion(split="test", n=1)
    y = gahr.add_noise(x, sigma=0.1, generator=g)
    x_hat = denoiser(y)
    assert x.shape == x_hat.shape == (1, 1, 28, 28)
    assert gahr.psnr(x_hat, x) > gahr.psnr(y, x) + 3
    basis = gahr.eigenbasis(denoiser, y, k=64)
    assert basis.values.shape == (64,)
    assert basis.vectors.shape == (64, 1, 28, 28)
    assert gahr.data.c_alpha(n=2, size=80, alpha=2.0, generator=g).shape == (2, 1, 80, 80)
    assert gahr.data.discs(n=2, size=80, generator=g).shape == (2, 1, 80, 80)


def test_samples_of_the_shipped_network_are_images() -> None:
    denoiser = gahr.load_denoiser("fashion", n_train=30_000, half="A")
    samples = gahr.sample(denoiser, n=2, generator=seeded())
    assert samples.shape == (2, 1, 28, 28)
    assert samples.min() > -0.5
    assert samples.max() < 2


def test_the_example_of_the_package_runs() -> None:
    result = doctest.testmod(gahr)
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_every_public_name_exists_and_is_explained(module: types.ModuleType) -> None:
    assert module.__doc__
    assert len(set(module.__all__)) == len(module.__all__)
    for name in module.__all__:
        assert hasattr(module, name), name
        if callable(getattr(module, name)) and module is not gahr:
            assert getattr(module, name).__doc__ or name in (
                "ImageSource",
                "Activation",
                "Product",
            ), name


def test_the_version_is_that_of_the_installed_package() -> None:
    assert gahr.__version__ == importlib.metadata.version("gahr-lib")


def in_a_new_python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    return done.stdout


def test_importing_the_package_imports_nothing_heavy() -> None:
    found = json.loads(
        in_a_new_python(
            "import torch, sys, json; before = set(sys.modules); import gahr_lib;"
            "print(json.dumps(sorted({m.split('.')[0] for m in set(sys.modules) - before})))"
        )
    )
    assert "gahr_lib" in found
    assert not set(found) & set(LAZY)


def test_importing_the_package_leaves_torch_as_it_was() -> None:
    state = in_a_new_python(
        "import torch; r = torch.get_rng_state(); n = torch.get_num_threads();"
        "d = torch.get_default_dtype(); g = torch.is_grad_enabled(); import gahr_lib;"
        "print(torch.equal(r, torch.get_rng_state()), n == torch.get_num_threads(),"
        "d == torch.get_default_dtype(), g == torch.is_grad_enabled())"
    )
    assert state.split() == ["True"] * 4


def test_torch_is_left_as_it_was_by_use() -> None:
    denoiser = gahr.load_denoiser("fashion", n_train=30_000, half="A")
    y = gahr.data.fashion("test", n=1)
    gahr.eigenbasis(denoiser, y, k=1)
    gahr.psnr_curve(denoiser, y, [0.1], generator=seeded())
    assert torch.is_grad_enabled()
    assert torch.get_default_dtype() == torch.float32
