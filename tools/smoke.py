"""Use the installed package as a newcomer does, with nothing but what it asks for: tools/smoke.py.

It reads nothing of the project but the package that Python finds, so it runs anywhere.
"""

import importlib
import importlib.metadata
import pkgutil
import sys
from pathlib import Path

import torch

import gahr_lib as gahr

# Modules for what the extras install; nothing else imports them.
OF_EXTRAS = ("gahr_lib.cli", "gahr_lib.figures", "gahr_lib.widgets", "gahr_lib.zoo.commands")


def import_everything() -> None:
    # The walk imports packages too, after this loop has; so it may pass over those of extras.
    for module in pkgutil.walk_packages(gahr.__path__, "gahr_lib.", onerror=str):
        if not module.name.startswith(OF_EXTRAS) and not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def denoise_and_sample() -> None:
    generator = torch.Generator().manual_seed(0)
    denoiser = gahr.load_denoiser("fashion", n_train=30_000, half="A")
    x = gahr.data.c_alpha(n=1, size=28, alpha=2.0, generator=generator)
    y = gahr.add_noise(x, sigma=0.3, generator=generator)
    gain = float(gahr.psnr(denoiser(y), x) - gahr.psnr(y, x))
    basis = gahr.eigenbasis(denoiser, y, k=8)
    sample = gahr.sample(denoiser, n=1, generator=generator)
    print(f"Denoising gained {gain:.1f} dB; the largest eigenvalue is {basis.values[0]:.2f}.")
    if gain < 1 or not 0.5 < basis.values[0] < 2 or not -0.5 < sample.min() < sample.max() < 2:
        sys.exit("The shipped network does not denoise.")


def main() -> None:
    print(f"gahr_lib {gahr.__version__} in {Path(gahr.__file__).parent}")
    if gahr.__version__ != importlib.metadata.version("gahr-lib"):
        sys.exit("The package and its metadata have different versions.")
    if not Path(gahr.__file__).with_name("py.typed").is_file():
        sys.exit("The package does not say that it is typed.")
    import_everything()
    denoise_and_sample()


if __name__ == "__main__":
    main()
