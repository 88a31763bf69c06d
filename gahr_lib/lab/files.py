"""The files of the laboratory, which the book copies and ``gahr lab`` serves.

Scripts and styles keep their names. Data, which are large and kept by browsers, have their hash in
the name; `manifest.json` says what there is under which name, and what the scripts have to know.
"""

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from gahr_lib.data import fashion
from gahr_lib.errors import WeightsError
from gahr_lib.sampling import SETTINGS, SampleConfig
from gahr_lib.zoo.networks import FOLDER
from gahr_lib.zoo.recipes import LADDER, network_name

__all__ = [
    "GRAPHS",
    "NETWORKS",
    "WEIGHTS_FILE",
    "laboratory_files",
    "laboratory_page",
    "tensor_places",
]

_HERE = Path(__file__).parent
GRAPHS = _HERE / "graphs"
"""Where the graphs are that `tools/laboratory_graphs.py` wrote."""

WEIGHTS_FILE = "network.safetensors"
"""What the graphs call the file of their weights, whichever network it is of."""

_PAGE = _HERE / "page"
_VENDOR = _HERE / "vendor"
_ORT = "onnxruntime-web"
_TESTED = 12  # test images to pick from
_RUNTIMES = {
    "wasm": ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"),
    "webgpu": ("ort.jspi.bundle.min.mjs", "ort-wasm-simd-threaded.jspi.wasm"),
}


@dataclass(frozen=True)
class Network:
    """A network that the laboratory offers: trained on the first n images of a half."""

    n: int
    half: str

    @property
    def name(self) -> str:
        return network_name("fashion", n_train=self.n, half=self.half)


NETWORKS = tuple(Network(n, half) for n in LADDER for half in ("A", "B"))
"""The networks that the laboratory offers. They are of one architecture."""


def laboratory_files() -> dict[str, Path | bytes]:
    """Return what makes the laboratory: the content of each file, or where it is, by address.

    Addresses are relative to the folder of the laboratory, ``_static/lab`` in the book. Nothing
    else has to be there for it to work.

    Raises
    ------
    WeightsError, DataFileError
        If a network or the images of the package are missing or damaged.
    """
    files: dict[str, Path | bytes] = {}
    for path in sorted(_PAGE.iterdir()):
        if path.suffix != ".html":
            files[path.name] = path
    files |= _shared_with_explorers()
    for path in sorted(_VENDOR.rglob("*")):
        if path.is_file() and path.suffix != ".wasm":  # those are data
            files[path.relative_to(_HERE).as_posix()] = path
    manifest: dict[str, Any] = {
        "side": 28,
        "weights": WEIGHTS_FILE,
        "runtimes": {
            kind: {
                "script": f"vendor/{_ORT}/{script}",
                **_add(files, _VENDOR / _ORT / binary),
            }
            for kind, (script, binary) in _RUNTIMES.items()
        },
        "graphs": {path.stem: _add(files, path) for path in sorted(GRAPHS.glob("*.onnx"))},
        "networks": [
            {**asdict(network), **_add(files, FOLDER / f"{network.name}.safetensors")}
            for network in NETWORKS
        ],
        "images": _images(files),
        "samplers": {"book": asdict(SampleConfig()), **{k: asdict(v) for k, v in SETTINGS.items()}},
    }
    files["manifest.json"] = json.dumps(manifest, indent=1).encode()
    return files


def laboratory_page() -> bytes:
    """Return the page that ``gahr lab`` shows; the book has the laboratory in a page of its own."""
    frame, laboratory = (
        (_PAGE / name).read_text(encoding="utf-8") for name in ("index.html", "lab.html")
    )
    return frame.replace("LABORATORY", laboratory).encode()


def tensor_places(weights: Path) -> dict[str, tuple[list[int], int, int]]:
    """Return the shape, the first byte and the length in bytes of each tensor of a file.

    Parameters
    ----------
    weights
        A file of weights in single precision, .safetensors.

    Raises
    ------
    WeightsError
        If it is none.
    """
    try:
        content = weights.read_bytes()
        size = int.from_bytes(content[:8], "little")
        header = json.loads(content[8 : 8 + size])
        header.pop("__metadata__", None)
        dtypes = {tensor["dtype"] for tensor in header.values()}
    except (OSError, ValueError, AttributeError, KeyError, TypeError) as error:
        raise WeightsError(
            f"{weights} is no file of weights ({error}); expected one of safetensors. "
            "Name one that gahr_lib.weights.save_network wrote."
        ) from error
    if dtypes != {"F32"}:
        raise WeightsError(
            f"{weights} has tensors of type {', '.join(sorted(map(str, dtypes)))}; expected F32. "
            "Convert the network with network.float() and save it again."
        )
    places = {}
    for name, tensor in header.items():
        first, end = tensor["data_offsets"]
        places[name] = (tensor["shape"], 8 + size + first, end - first)
    return places


def _shared_with_explorers() -> dict[str, bytes]:
    """Return what the laboratory draws with: files of the explorers, as modules can import them."""
    widgets = _HERE.parent / "widgets"
    drawing = (widgets / "draw.js").read_text(encoding="utf-8")
    names = re.findall(r"^(?:function|class) (\w+)", drawing, re.MULTILINE)
    return {
        "draw.js": f"{drawing}export {{ {', '.join(names)} }};\n".encode(),
        "explorer.css": (widgets / "explorer.css").read_bytes(),
    }


def _images(files: dict[str, Path | bytes]) -> dict[str, Any]:
    """Add the images to pick from: of the test set, and the first that each half trains on."""
    chosen = {f"test image {i + 1}": image for i, image in enumerate(fashion("test", n=_TESTED))}
    for half in ("A", "B"):
        (chosen[f"training image 1 of {half}"],) = fashion(half=half, n=1)
    content = (torch.stack(list(chosen.values())) * 255).round().to(torch.uint8).numpy().tobytes()
    return {"names": list(chosen), **_add_content(files, "images.u8", content)}


def _add(files: dict[str, Path | bytes], path: Path) -> dict[str, Any]:
    """Add a file under a name with its hash; return what the manifest says of it."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise WeightsError(
            f"The laboratory lacks {path} ({error}). Install the package again."
        ) from error
    entry = _add_content(files, path.name, content)
    files[entry["file"]] = path
    return entry


def _add_content(files: dict[str, Path | bytes], name: str, content: bytes) -> dict[str, Any]:
    digest = hashlib.sha256(content).hexdigest()
    stem, _, suffix = name.rpartition(".")
    file = f"data/{stem}.{digest[:12]}.{suffix}"
    files[file] = content
    return {"file": file, "bytes": len(content), "sha256": digest}
