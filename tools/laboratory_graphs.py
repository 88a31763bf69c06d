"""Write the graphs of the laboratory: the operations of a network, without its weights.

    python tools/laboratory_graphs.py [FOLDER]

Networks of one architecture differ in their weights alone, and a browser has them already as
safetensors files. So each weight of a graph is external data of ONNX: a place in such a file. One
graph then serves every network whose file has the same header.
"""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import onnx
import torch
from onnx import numpy_helper
from onnx.helper import make_node

from gahr_lib.export import export_denoiser, export_jacobian_product
from gahr_lib.lab import GRAPHS, NETWORKS, WEIGHTS_FILE, tensor_places
from gahr_lib.weights import load_network
from gahr_lib.zoo.networks import FOLDER

EXPORTS = {"denoise": export_denoiser, "product": export_jacobian_product}


def without_weights(model: onnx.ModelProto, weights: Path) -> bytes:
    """Return a model whose weights are places in the file that they came from."""
    places, state = tensor_places(weights), load_network(weights).state_dict()
    unused, divisions, initializers = set(places), [], []
    for initializer in model.graph.initializer:
        name = initializer.name.removeprefix("denoiser.")
        if name in places:
            parts = [name]
            initializer.name = f"denoiser.{name}"
        elif (layer := _norm(initializer, state)) is not None:
            # The exporter divided beforehand, as ONNX Runtime will when it reads the graph.
            parts = [f"{layer}.gammas", f"{layer}.running_sd"]
            names = [f"denoiser.{part}" for part in parts]
            divisions.append(make_node("Div", names, [initializer.name]))
        else:
            initializers.append(initializer)  # a constant of the graph
            continue
        initializers += [_place(f"denoiser.{part}", *places[part]) for part in parts]
        unused -= set(parts)
    if unused:
        sys.exit(f"The graph does not use {', '.join(sorted(unused))}.")
    nodes = list(model.graph.node)
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(initializers)
    model.graph.node.extend(divisions + nodes)
    return model.SerializeToString(deterministic=True)


def _norm(initializer: onnx.TensorProto, state: dict[str, torch.Tensor]) -> str | None:
    """Return the norm whose gammas / running_sd this is."""
    value = torch.from_numpy(numpy_helper.to_array(initializer).copy())
    for layer, quotient in _quotients(state):
        if quotient.shape == value.shape and torch.allclose(quotient, value, rtol=1e-6, atol=0):
            return layer
    return None


def _quotients(state: dict[str, torch.Tensor]) -> Iterator[tuple[str, torch.Tensor]]:
    for name, gammas in state.items():
        if name.endswith(".gammas"):
            layer = name.removesuffix(".gammas")
            yield layer, gammas / state[f"{layer}.running_sd"]


def _place(name: str, shape: list[int], offset: int, length: int) -> onnx.TensorProto:
    tensor = onnx.TensorProto(name=name, dims=shape, data_type=onnx.TensorProto.FLOAT)
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", WEIGHTS_FILE), ("offset", offset), ("length", length)):
        tensor.external_data.add(key=key, value=str(value))
    return tensor


def main(folder: Path) -> None:
    weights = FOLDER / f"{NETWORKS[0].name}.safetensors"
    network = load_network(weights)
    folder.mkdir(parents=True, exist_ok=True)
    for name, export in EXPORTS.items():
        with tempfile.TemporaryDirectory() as scratch:
            model = onnx.load(export(network, Path(scratch) / "whole.onnx"))
        (folder / f"{name}.onnx").write_bytes(without_weights(model, weights))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else GRAPHS)
