"""Stand-ins for what the paper's scale needs and this repository does not have.

Networks of the package are written in the form of the authors' files, and clothes as aligned faces
of CelebA: so a chapter runs at the paper's scale, on a CPU, with small images.
"""

import hashlib
import io
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from gahr_lib.data import fashion
from gahr_lib.sampling import SampleConfig
from gahr_lib.zoo import authors, load_denoiser, scales
from gahr_lib.zoo.scales import Scale

SIDE = 20  # pixels: the networks halve twice, and chapter 5 masks a hole of twelve
FACES = 1_500  # test images, and two sets of 500 beside them
_WIDTH, _HEIGHT, _ROWS, _COLUMNS = 178, 218, 29, 9  # of aligned faces, and what is cut off


def paper_scale(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Scale:
    """Make `gahr.zoo.scale("paper")` find stand-ins in a folder, and return it."""
    registry = _write_networks(folder / "authors")
    _write_faces(folder / "faces")
    monkeypatch.setattr(authors, "_registry", lambda: registry)
    # Clothes are darker than faces, and in 400 pixels some noise is weaker than it should be.
    clothes = SampleConfig(beta=0.1, mean=0.3, sigma_0=1.3)
    small = replace(
        scales._PAPER,
        side=SIDE,
        scene_side=SIDE,
        sampler=clothes,
        slow_sampler=replace(clothes, beta=0.3),
    )
    monkeypatch.setattr(scales, "_PAPER", small)
    monkeypatch.setenv("GAHR_AUTHORS", str(folder / "authors"))
    monkeypatch.setenv("GAHR_FACES", str(folder / "faces"))
    return scales.scale("paper", device="cpu")


def _write_networks(folder: Path) -> Mapping[str, str]:
    """Write the seventeen networks, and return the git blob id of each."""
    registry = {}
    for path, name in _networks():
        network = load_denoiser(**name)
        buffer = io.BytesIO()
        torch.save({f"module.{k}": v for k, v in network.state_dict().items()}, buffer)
        content = buffer.getvalue()
        (folder / path).parent.mkdir(parents=True)
        (folder / path).write_bytes(content)
        registry[path] = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    return registry


def _networks() -> list[tuple[str, dict[str, object]]]:
    named: list[tuple[str, dict[str, object]]] = []
    for n in scales._PAPER.sizes:
        ours = min(n, scales.BOOK.sizes[-1])
        named += [
            (authors._path("celeba", n, half, None), {"n_train": ours, "half": half})
            for half in ("A", "B")
        ]
    named = [(path, {"data": "fashion", **which}) for path, which in named]
    alphas = range(1, 6)
    return named + [
        (authors._path("c_alpha", 100_000, "A", a), {"data": "c_alpha", "alpha": a}) for a in alphas
    ]


def _write_faces(folder: Path) -> None:
    folder.mkdir()
    clothes = torch.cat([fashion("test", n=FACES - 500), fashion("train", half="B", n=500)])
    for i, image in enumerate(clothes):
        _as_face(image[0]).save(folder / f"{i:06}.png", compress_level=1)


def _as_face(image: Tensor) -> Image.Image:
    """Return a picture of the size of a face, whose middle square is the image."""
    grey = Image.fromarray((image * 255).byte().numpy())
    square = grey.resize((_WIDTH - 2 * _COLUMNS, _HEIGHT - 2 * _ROWS), Image.Resampling.BICUBIC)
    face = Image.new("L", (_WIDTH, _HEIGHT))
    face.paste(square, (_COLUMNS, _ROWS))
    return face
