"""Networks as ONNX files: another program computes the same from them."""

import logging
import re
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor

from gahr_lib.analysis.jacobian import jacobian
from gahr_lib.errors import ConfigError, ShapeError, WeightsError
from gahr_lib.export import export_denoiser, export_jacobian_product
from gahr_lib.models import Denoiser, ResidualNetwork
from helpers import DENOISERS, intensities, seeded, small_bf_cnn, small_unet

NETWORKS = {
    "unet, stride 4": lambda: small_unet(2),
    "colour bf-cnn, stride 1": lambda: small_bf_cnn(channels=3),
}
# Rows and columns in strides, and images or vectors at a time. The graphs are traced at 4x6 strides
# with two of each; the others must work as well.
SIZES = [(4, 6, 2), (4, 6, 1), (6, 4, 3), (1, 1, 1), (2, 9, 5), (7, 7, 2)]


class Exported:
    """A network and the two graphs that were made of it."""

    def __init__(self, network: ResidualNetwork, folder: Path) -> None:
        self.network = network
        self.denoiser = export_denoiser(network, folder / "denoiser.onnx")
        self.product = export_jacobian_product(network, folder / "product.onnx")


def run(path: Path, **inputs: Tensor) -> Tensor:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (output,) = session.run(None, {name: value.numpy() for name, value in inputs.items()})
    return torch.from_numpy(output)


@pytest.fixture(scope="module", params=NETWORKS)
def exported(request, tmp_path_factory):
    return Exported(NETWORKS[request.param](), tmp_path_factory.mktemp("exported"))


@pytest.mark.parametrize(("rows", "columns", "n"), SIZES)
def test_graph_of_a_network_denoises_alike_at_every_size(exported, rows, columns, n):
    stride, channels = exported.network.stride, exported.network.channels
    y = intensities(n, channels, rows * stride, columns * stride)
    torch.testing.assert_close(
        run(exported.denoiser, y=y), exported.network(y), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize(("rows", "columns", "n"), SIZES)
def test_graph_of_the_product_is_the_derivative_at_every_size(exported, rows, columns, n):
    stride, channels = exported.network.stride, exported.network.channels
    y = intensities(1, channels, rows * stride, columns * stride)
    v = torch.randn(n, *y.shape[1:], generator=seeded(1))
    products = run(exported.product, y=y, v=v)
    for vector, product in zip(v.split(1), products.split(1), strict=True):
        _, expected = torch.autograd.functional.jvp(exported.network, y, vector)
        torch.testing.assert_close(product, expected, rtol=1e-5, atol=1e-5)


def test_product_with_the_image_is_the_denoised_image(exported):
    stride, channels = exported.network.stride, exported.network.channels
    y = intensities(1, channels, 3 * stride, 5 * stride)
    both = run(exported.product, y=y, v=y), run(exported.denoiser, y=y)
    torch.testing.assert_close(*both, rtol=1e-5, atol=1e-5)  # eq. 6


def test_files_are_plain_and_whole(exported):
    for path in (exported.denoiser, exported.product):
        model = onnx.load(path, load_external_data=False)
        onnx.checker.check_model(model, full_check=True)
        assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 18)]
        assert model.ir_version <= 10  # the newest that ONNX Runtime 1.20 reads
        assert not model.functions
        for node in model.graph.node:
            assert node.domain == ""
            assert not node.metadata_props
        for tensor in model.graph.initializer:
            assert tensor.data_location == onnx.TensorProto.DEFAULT
        # One file, little larger than its weights, that tells nothing of the machine it is from.
        assert len(list(path.parent.iterdir())) == 2
        assert path.stat().st_size < 4 * model_size(exported.network) + 32_000
        assert str(Path(__file__).parents[1]).encode() not in path.read_bytes()
        assert b"site-packages" not in path.read_bytes()


def model_size(network: ResidualNetwork) -> int:
    return sum(tensor.numel() for tensor in network.state_dict().values())


def test_image_passes_once_whatever_the_block(exported):
    convolutions = [
        sum(node.op_type == "Conv" for node in onnx.load(path).graph.node)
        for path in (exported.denoiser, exported.product)
    ]
    # Once for the masks, which the last convolution does not set, and once for the vectors.
    assert convolutions[1] == 2 * convolutions[0] - 1


def test_graphs_of_a_network_with_biases(tmp_path):
    network = small_unet(1, bias=True)
    denoiser = export_denoiser(network, tmp_path / "denoiser.onnx")
    product = export_jacobian_product(network, tmp_path / "product.onnx")
    for rows, columns, n in [(8, 12, 2), (4, 6, 3)]:
        y = intensities(1, 1, rows, columns)
        torch.testing.assert_close(run(denoiser, y=y), network(y), rtol=1e-5, atol=1e-5)
        v = torch.randn(n, *y.shape[1:], generator=seeded(1))
        for vector, of_graph in zip(v.split(1), run(product, y=y, v=v).split(1), strict=True):
            _, expected = torch.autograd.functional.jvp(network, y, vector)
            torch.testing.assert_close(of_graph, expected, rtol=1e-5, atol=1e-5)
    assert network.encoder["0"][0].bias is not None  # it is as it was


def test_networks_of_double_precision_are_exported_in_single(tmp_path):
    network = small_bf_cnn().double().requires_grad_(True)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    path = export_denoiser(network, tmp_path / "f.onnx")
    y = intensities(2, 1, 6, 5)
    expected = network(y.double()).detach().float()
    torch.testing.assert_close(run(path, y=y), expected, rtol=1e-5, atol=1e-5)
    # The caller's network is as it was.
    assert not network.training
    for parameter in network.parameters():
        assert parameter.requires_grad
        assert parameter.grad is None
    for name, tensor in network.state_dict().items():
        assert tensor.dtype == torch.float64
        assert torch.equal(tensor, before[name])


def test_export_is_silent_and_draws_nothing(tmp_path, capfd, caplog, untouched_random_state):
    export_jacobian_product(small_bf_cnn(), tmp_path / "j.onnx")
    assert capfd.readouterr() == ("", "")
    assert all(record.levelno < logging.WARNING for record in caplog.records)


class Shrinkage(Denoiser):
    """Scale the images by 1 / (1 + sigma^2)."""

    needs_sigma = True

    def denoise(self, y: Tensor, sigma: float | Tensor | None) -> Tensor:
        return y / (1 + torch.as_tensor(sigma, dtype=y.dtype).reshape(-1, 1, 1, 1) ** 2)


def test_denoisers_that_are_not_blind_get_an_input_for_sigma(tmp_path):
    denoiser = Shrinkage()
    path = export_denoiser(denoiser, tmp_path / "f.onnx", image_shape=(2, 3, 5))
    assert denoiser.training  # the caller's mode, whatever it is
    for n in (1, 2, 4):
        y, sigma = intensities(n, 2, 3, 5), torch.linspace(0, 2, n)
        torch.testing.assert_close(run(path, y=y, sigma=sigma), denoiser(y, sigma))


def test_denoisers_without_a_size_have_to_be_told(tmp_path):
    with pytest.raises(ShapeError, match="image_shape"):
        export_denoiser(Shrinkage(), tmp_path / "f.onnx")
    sized = Shrinkage()
    sized.image_shape = (1, 2, 3)
    y, sigma = intensities(3, 1, 2, 3), torch.ones(3)
    path = export_denoiser(sized, tmp_path / "f.onnx")
    torch.testing.assert_close(run(path, y=y, sigma=sigma), y / 2)


def test_image_shape_that_the_denoiser_does_not_take_is_refused(tmp_path):
    with pytest.raises(ShapeError, match="channels"):
        export_denoiser(DENOISERS["hard-dct"](), tmp_path / "f.onnx", image_shape=(3, 8, 8))


class Peeking(Denoiser):
    """Decide by a value that no graph can know beforehand."""

    def denoise(self, y: Tensor, sigma: float | Tensor | None) -> Tensor:
        return y if float(y.sum()) > 1 else 2 * y


def test_denoisers_that_look_at_values_are_refused_by_name(tmp_path):
    path = tmp_path / "f.onnx"
    with pytest.raises(ConfigError, match="does not look at the values"):
        export_denoiser(Peeking(), path, image_shape=(1, 4, 4))
    assert not path.exists()


class ForPairs(Denoiser):
    """Swap the two images of a batch, whose number becomes part of the graph."""

    def denoise(self, y: Tensor, sigma: float | Tensor | None) -> Tensor:
        first, second = y
        return torch.stack([second, first])


def test_denoisers_that_fix_the_batch_are_refused(tmp_path):
    path = tmp_path / "f.onnx"
    with pytest.raises(ConfigError, match="fixes axis 0 of y"):
        export_denoiser(ForPairs(), path, image_shape=(1, 4, 4))
    assert not path.exists()


def test_functions_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="expected a Denoiser"):
        export_denoiser(lambda y: y, tmp_path / "f.onnx", image_shape=(1, 4, 4))


def test_product_of_another_denoiser_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="jacobian_product"):
        export_jacobian_product(DENOISERS["soft-wavelet"](), tmp_path / "j.onnx")


@pytest.mark.parametrize("export", [export_denoiser, export_jacobian_product])
class TestBothRefuse:
    def test_training_mode(self, export, tmp_path):
        with pytest.raises(ConfigError, match=r"eval\(\)"):
            export(small_unet(1).train(), tmp_path / "f.onnx")

    @pytest.mark.parametrize("package", ["onnx", "onnxscript"])
    def test_missing_packages_with_the_remedy(self, export, package, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(ConfigError, match=r"pip install \"gahr-lib\[export\]\""):
            export(small_unet(1), tmp_path / "f.onnx")


def test_folders_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(WeightsError, match="another folder"):
        export_denoiser(small_bf_cnn(), tmp_path / "file" / "f.onnx")


def test_older_file_lives_until_the_new_one_is_whole(tmp_path, monkeypatch):
    path = tmp_path / "f.onnx"
    path.write_bytes(b"an older one")

    def full_disk(self, content):
        with self.open("wb") as file:
            file.write(content[:10])
        raise OSError("No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(WeightsError, match="No space left"):
        export_denoiser(small_bf_cnn(), path)
    assert [file.name for file in tmp_path.iterdir()] == ["f.onnx"]
    assert path.read_bytes() == b"an older one"


@pytest.mark.slow
def test_example_of_the_page_runs_as_it_is_pasted(tmp_path, monkeypatch, capsys):
    page = Path(__file__).parents[1] / "book" / "appendix" / "interoperability.md"
    examples = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    (example,) = [code for code in examples if "onnxruntime" in code]
    monkeypatch.chdir(tmp_path)
    exec(compile(example, page.name, "exec"), {})
    assert float(capsys.readouterr().out) < 1e-5


@pytest.mark.slow
def test_whole_jacobian_of_a_trained_network(trained_a, tmp_path):
    y = intensities(1, 1, 28, 28)
    path = export_jacobian_product(trained_a, tmp_path / "j.onnx")
    columns = run(path, y=y, v=torch.eye(784).reshape(784, 1, 28, 28)).flatten(1)
    np.testing.assert_allclose(columns.T, jacobian(trained_a, y), rtol=1e-5, atol=1e-5)
