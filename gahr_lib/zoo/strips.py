"""The samples beside a card: a strip of images that show at a glance what a network knows."""

import hashlib
import io
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gahr_lib._files import write_whole
from gahr_lib.errors import SamplingError, WeightsError
from gahr_lib.sampling import SampleConfig, sample
from gahr_lib.weights import load_network

__all__ = ["SAMPLES", "SAMPLING", "draw_strip", "strip_png"]

SAMPLES = 8
_SEED = 0
SAMPLING = SampleConfig(beta=0.3)
"""A sampler that injects less noise than the default, and comes to an end with every network."""
_GAP = 2  # white pixels between two images
_ZOOM = 2


def draw_strip(weights: Path) -> dict[str, Any]:
    """Draw samples of a network, and write them as a PNG file beside its weights.

    Parameters
    ----------
    weights
        The file of the weights.

    Returns
    -------
    dict
        What the card says of them: ``n``, ``seed`` and ``beta`` of the sampler, and the ``sha256``
        of the file; or, of a network from which the sampler does not come to an end, the
        ``failure``.

    Raises
    ------
    WeightsError
        If the network cannot be read, or the file cannot be written.
    """
    network = load_network(weights)
    facts: dict[str, Any] = {"n": SAMPLES, "seed": _SEED, "beta": SAMPLING.beta}
    strip = weights.with_suffix(".png")
    try:
        generator = torch.Generator().manual_seed(_SEED)
        images = sample(network, SAMPLES, config=SAMPLING, generator=generator)
    except SamplingError as error:
        strip.unlink(missing_ok=True)
        return facts | {"failure": str(error)}
    content = strip_png(images)
    write_whole(strip, content, WeightsError)
    return facts | {"sha256": hashlib.sha256(content).hexdigest()}


def strip_png(images: Tensor) -> bytes:
    """Return images side by side as a PNG file, each pixel twice as large.

    Parameters
    ----------
    images
        Intensities, (B, 1 or 3, H, W); those outside of [0, 1] are cut off.
    """
    from PIL import Image

    zoomed = images.repeat_interleave(_ZOOM, -1).repeat_interleave(_ZOOM, -2)
    padded = torch.nn.functional.pad(zoomed, (0, _GAP), value=1.0)
    row = torch.cat(list(padded), dim=-1)[..., :-_GAP]
    values = (row.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0)
    picture = Image.fromarray(values.squeeze(-1).numpy())
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
