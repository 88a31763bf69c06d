"""What makes the laboratory: its files, and graphs that share the weights of the networks."""

import hashlib
import json
import re
import shutil
from dataclasses import asdict
from pathlib import Path

import onnx
import onnxruntime
import pytest
import torch
from safetensors.torch import load_file, save_file

import laboratory_graphs
from gahr_lib.data import fashion
from gahr_lib.errors import WeightsError
from gahr_lib.lab import GRAPHS, NETWORKS, WEIGHTS_FILE, laboratory_files, tensor_places
from gahr_lib.sampling import SETTINGS, SampleConfig
from gahr_lib.weights import load_network
from gahr_lib.zoo.networks import FOLDER
from helpers import seeded

FILES = laboratory_files()
MANIFEST = json.loads(FILES["manifest.json"])
ENTRIES = [
    *MANIFEST["runtimes"].values(),
    *MANIFEST["graphs"].values(),
    *MANIFEST["networks"],
    MANIFEST["images"],
]


def content(name: str) -> bytes:
    file = FILES[name]
    return file if isinstance(file, bytes) else file.read_bytes()


def weights(network) -> Path:
    return FOLDER / f"{network.name}.safetensors"


def test_manifest_names_every_file_of_data_by_its_hash():
    for entry in ENTRIES:
        held = content(entry["file"])
        assert len(held) == entry["bytes"]
        assert hashlib.sha256(held).hexdigest() == entry["sha256"]
        assert f".{entry['sha256'][:12]}." in entry["file"]
    data = {name for name in FILES if name.startswith("data/")}
    assert data == {entry["file"] for entry in ENTRIES}


def test_manifest_has_the_networks_and_the_settings_of_the_package():
    assert [(entry["n"], entry["half"]) for entry in MANIFEST["networks"]] == [
        (network.n, network.half) for network in NETWORKS
    ]
    for entry, network in zip(MANIFEST["networks"], NETWORKS, strict=True):
        assert content(entry["file"]) == weights(network).read_bytes()
    assert MANIFEST["samplers"]["book"] == asdict(SampleConfig())
    for name, config in SETTINGS.items():
        assert SampleConfig(**MANIFEST["samplers"][name]) == config


def test_images_are_those_of_the_package():
    pixels = torch.frombuffer(bytearray(content(MANIFEST["images"]["file"])), dtype=torch.uint8)
    images = pixels.reshape(-1, 1, 28, 28) / 255
    names = MANIFEST["images"]["names"]
    assert len(images) == len(names) == 14
    torch.testing.assert_close(images[:12], fashion("test", n=12))
    torch.testing.assert_close(images[12:], torch.cat([fashion(half=h, n=1) for h in "AB"]))
    assert names[12:] == ["training image 1 of A", "training image 1 of B"]


def test_scripts_import_files_and_names_that_there_are():
    texts = scripts()
    exported = {name: set(exports(text)) for name, text in texts.items()}
    seen = 0
    for name, text in texts.items():
        rest = re.sub(r"(?m)^import .*$", "", text)
        for names, target in re.findall(r'(?m)^import (?:\{([^}]*)\} from )?"\./([^"]+)";', text):
            assert target in FILES, f"{name} imports {target}"
            wanted = re.findall(r"\w+", names)
            assert set(wanted) <= exported.get(target, set()), f"{name} imports from {target}"
            unused = [word for word in wanted if not re.search(rf"\b{word}\b", rest)]
            assert unused == [], name
            seen += 1
    assert seen > 20


def exports(text: str) -> list[str]:
    lists = re.findall(r"(?m)^export \{(.*)\}", text)
    single = re.findall(r"(?m)^export (?:async )?(?:function\*?|class) (\w+)", text)
    return [*single, *(name for group in lists for name in re.findall(r"\w+", group))]


def scripts() -> dict[str, str]:
    return {name: content(name).decode() for name in FILES if re.fullmatch(r"\w+\.js", name)}


def test_nothing_is_run_that_comes_from_a_text():
    for name, text in scripts().items():
        assert not re.search(
            r"\beval\b|new Function|innerHTML|outerHTML|insertAdjacentHTML", text
        ), name
        assert not re.search(r"https?://", text), name


def test_licences_go_with_the_files_of_others():
    for package in ("onnxruntime-web", "ml-matrix"):
        assert "MIT" in content(f"vendor/{package}/LICENSE").decode()
    assert len(content("vendor/onnxruntime-web/ThirdPartyNotices.txt")) > 100_000


def test_all_networks_have_their_tensors_in_the_same_places():
    first = tensor_places(weights(NETWORKS[0]))
    for network in NETWORKS:
        assert tensor_places(weights(network)) == first, network.name


def test_places_are_those_of_the_tensors():
    path = weights(NETWORKS[0])
    held, tensors = path.read_bytes(), load_file(path)
    places = tensor_places(path)
    assert set(places) == set(tensors)
    for name, (shape, offset, length) in places.items():
        part = torch.frombuffer(bytearray(held[offset : offset + length]), dtype=torch.float32)
        assert torch.equal(part.reshape(shape), tensors[name])


@pytest.mark.parametrize(
    "damage", [b"", b"short", b"\xff" * 100, b"\x02\0\0\0\0\0\0\0[]", b"\x04\0\0\0\0\0\0\0null"]
)
def test_what_is_no_file_of_weights_is_refused(damage, tmp_path):
    path = tmp_path / "w.safetensors"
    path.write_bytes(damage)
    with pytest.raises(WeightsError, match="is no file of weights"):
        tensor_places(path)
    with pytest.raises(WeightsError, match="is no file of weights"):
        tensor_places(tmp_path / "missing.safetensors")


def test_weights_in_double_precision_are_refused(tmp_path):
    save_file({"w": torch.zeros(2, dtype=torch.float64)}, tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match="expected F32"):
        tensor_places(tmp_path / "w.safetensors")


def run(folder: Path, operation: str, network, tmp_path: Path, **inputs: torch.Tensor):
    """Run a graph with the weights of a network beside it."""
    shutil.copy(folder / f"{operation}.onnx", tmp_path)
    shutil.copy(weights(network), tmp_path / WEIGHTS_FILE)
    session = onnxruntime.InferenceSession(tmp_path / f"{operation}.onnx")
    (output,) = session.run(None, {name: value.numpy() for name, value in inputs.items()})
    return torch.from_numpy(output)


@pytest.fixture(scope="module", params=["as they are", "written again"])
def graphs(request, tmp_path_factory):
    if request.param == "as they are":
        return GRAPHS
    folder = tmp_path_factory.mktemp("graphs")
    laboratory_graphs.main(folder)
    return folder


@pytest.mark.parametrize("network", [NETWORKS[0], NETWORKS[-1]], ids=lambda network: network.name)
def test_graphs_compute_what_the_networks_do(network, graphs, tmp_path):
    denoiser = load_network(weights(network))
    y = fashion("test", n=3) + 0.3 * torch.randn(3, 1, 28, 28, generator=seeded(0))
    v = torch.randn(5, 1, 28, 28, generator=seeded(1))
    denoised = run(graphs, "denoise", network, tmp_path, y=y)
    torch.testing.assert_close(denoised, denoiser(y), rtol=1e-4, atol=1e-4)
    product = run(graphs, "product", network, tmp_path, y=y[:1], v=v)
    torch.testing.assert_close(product, denoiser.linearize(y[:1])(v), rtol=1e-4, atol=1e-4)


def test_graphs_hold_no_weights_and_name_nothing_of_the_machine(graphs):
    for path in graphs.glob("*.onnx"):
        model = onnx.load(path, load_external_data=False)
        inside = [t for t in model.graph.initializer if not t.external_data]
        assert sum(max(1, len(t.raw_data) // 4) for t in inside) < 5
        assert path.stat().st_size < 32_000
        assert b"site-packages" not in path.read_bytes()
    assert len(list(graphs.glob("*.onnx"))) == 2
