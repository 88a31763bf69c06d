import hashlib
import io
import pickle
from collections import OrderedDict
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from gahr_lib.analysis.jacobian import jacobian
from gahr_lib.errors import CacheError, ConfigError, DownloadError, WeightsError
from gahr_lib.models import BFCNN, ResidualNetwork, UNet
from gahr_lib.zoo import authors
from gahr_lib.zoo.authors import load_authors, read_authors
from helpers import intensities, seeded, small_bf_cnn, small_unet

pytestmark = pytest.mark.usefixtures("untouched_random_state")

PATH = "denoisers/UNet/img_align_celeba_80x80/0to255_RF_90x90_set_size_99325_swapped/model.pt"


# A file of their form, and their networks written out from the description of the paper


def unet_state(width: int = 4, blocks: int = 3, channels: int = 1) -> "OrderedDict[str, Tensor]":
    """Random weights under the names that nn.Sequential, ModuleDict and DataParallel give."""
    generator = seeded(3)
    state: OrderedDict[str, Tensor] = OrderedDict()

    def conv(name: str, outputs: int, inputs: int, size: int = 3) -> None:
        weight = torch.randn(outputs, inputs, size, size, generator=generator)
        state[f"module.{name}.weight"] = weight / (3 * inputs**0.5)

    def norm(name: str, channels: int) -> None:
        shape = (1, channels, 1, 1)
        state[f"module.{name}.gammas"] = torch.randn(shape, generator=generator)
        state[f"module.{name}.running_sd"] = 0.5 + torch.rand(shape, generator=generator)

    conv("encoder.0.0", width, channels)
    conv("encoder.0.2", width, width)
    norm("encoder.0.3", width)
    for b in range(1, blocks + 1):
        name = f"encoder.{b}" if b < blocks else "mid_block"
        conv(f"{name}.0", width * 2**b, width * 2 ** (b - 1))
        norm(f"{name}.1", width * 2**b)
        conv(f"{name}.3", width * 2**b, width * 2**b)
        norm(f"{name}.4", width * 2**b)
    for b in reversed(range(blocks)):
        wide, narrow = width * 2 ** (b + 1), width * 2**b
        state[f"module.upsample.{b}.weight"] = 0.3 * torch.randn(
            wide, narrow, 2, 2, generator=generator
        )
        conv(f"decoder.{b}.0", narrow, wide)
        norm(f"decoder.{b}.1", narrow)
        if b:
            conv(f"decoder.{b}.3", narrow, narrow)
            norm(f"decoder.{b}.4", narrow)
        else:
            conv("decoder.0.3", channels, narrow)
    return state


def unet_by_hand(state: dict[str, Tensor], y: Tensor, blocks: int = 3) -> Tensor:
    w = {name.removeprefix("module."): value for name, value in state.items()}

    def conv(name: str, x: Tensor) -> Tensor:
        return F.conv2d(x, w[f"{name}.weight"], padding=1)

    def norm(name: str, x: Tensor) -> Tensor:
        return x / w[f"{name}.running_sd"] * w[f"{name}.gammas"]

    def block(name: str, x: Tensor) -> Tensor:
        x = F.relu(norm(f"{name}.1", conv(f"{name}.0", x)))
        return F.relu(norm(f"{name}.4", conv(f"{name}.3", x)))

    x = F.relu(conv("encoder.0.0", y))
    kept = [F.relu(norm("encoder.0.3", conv("encoder.0.2", x)))]
    for b in range(1, blocks):
        kept.append(block(f"encoder.{b}", F.avg_pool2d(kept[-1], 2)))
    x = block("mid_block", F.avg_pool2d(kept[-1], 2))
    for b in reversed(range(blocks)):
        x = F.conv_transpose2d(x, w[f"upsample.{b}.weight"], stride=2)
        x = torch.cat([x, kept[b]], dim=1)
        if b:
            x = block(f"decoder.{b}", x)
        else:
            x = conv("decoder.0.3", F.relu(norm("decoder.0.1", conv("decoder.0.0", x))))
    return y - x


def bf_cnn_state(layers: int = 6, width: int = 5) -> dict[str, Tensor]:
    generator = seeded(4)
    state = {}
    for i in range(layers):
        inputs, outputs = 1 if i == 0 else width, 1 if i == layers - 1 else width
        weight = torch.randn(outputs, inputs, 3, 3, generator=generator)
        state[f"conv_layers.{i}.weight"] = weight / 4
    for i in range(layers - 2):
        state[f"BN_layers.{i}.gammas"] = torch.randn(1, width, 1, 1, generator=generator)
        state[f"BN_layers.{i}.running_sd"] = 0.5 + torch.rand(1, width, 1, 1, generator=generator)
    return state


def saved(content: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def git_blob(content: bytes) -> str:
    return hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone of their repository in which one file is ours, registered as theirs."""
    content = saved(unet_state())
    (tmp_path / PATH).parent.mkdir(parents=True)
    (tmp_path / PATH).write_bytes(content)
    monkeypatch.setattr(authors, "_registry", lambda: {PATH: git_blob(content)})
    return tmp_path


# Reading


def test_a_unet_of_their_form_is_theirs(clone: Path) -> None:
    network = load_authors("celeba", n=100_000, half="B", folder=clone)
    assert isinstance(network, UNet)
    assert not network.training
    assert not any(p.requires_grad for p in network.parameters())
    assert network.image_shape == (1, 80, 80)
    y = intensities(2, 1, 80, 80)
    torch.testing.assert_close(network(y), unet_by_hand(unet_state(), y), atol=1e-5, rtol=1e-4)


def test_a_variable_names_the_clone(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAHR_AUTHORS", str(clone))
    assert isinstance(load_authors("celeba", half="B"), UNet)


@pytest.mark.parametrize(("blocks", "channels", "width"), [(1, 1, 3), (2, 3, 4)])
def test_width_blocks_and_channels_are_read_off(
    tmp_path: Path, blocks: int, channels: int, width: int
) -> None:
    state = unet_state(width, blocks, channels)
    (tmp_path / "model.pt").write_bytes(saved(state))
    network = read_authors(tmp_path / "model.pt")
    assert (network.width, network.blocks, network.channels) == (width, blocks, channels)
    y = intensities(1, channels, 8, 8)
    torch.testing.assert_close(network(y), unet_by_hand(state, y, blocks), atol=1e-5, rtol=1e-4)


def test_older_files_and_other_precisions_can_be_read(tmp_path: Path) -> None:
    state = {name: value.double() for name, value in unet_state(blocks=1).items()}
    torch.save(state, tmp_path / "model.pt", _use_new_zipfile_serialization=False)
    network = read_authors(str(tmp_path / "model.pt"))
    assert {value.dtype for value in network.state_dict().values()} == {torch.float32}
    y = intensities(1, 1, 8, 8)
    expected = unet_by_hand(unet_state(blocks=1), y, 1)
    torch.testing.assert_close(network(y), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("linear", [True, False])
def test_a_bf_cnn_of_their_form_is_theirs(tmp_path: Path, linear: bool) -> None:
    state = bf_cnn_state()
    (tmp_path / "model.pt").write_bytes(saved({f"module.{k}": v for k, v in state.items()}))
    network = read_authors(tmp_path / "model.pt", first_layer_linear=linear)
    assert isinstance(network, BFCNN)
    y = intensities(2, 1, 9, 7)
    x = F.conv2d(y, state["conv_layers.0.weight"], padding=1)
    x = x if linear else F.relu(x)
    for i in range(4):
        x = F.conv2d(x, state[f"conv_layers.{i + 1}.weight"], padding=1)
        scale = state[f"BN_layers.{i}.gammas"] / state[f"BN_layers.{i}.running_sd"]
        x = F.relu(x * scale)
    x = F.conv2d(x, state["conv_layers.5.weight"], padding=1)
    torch.testing.assert_close(network(y), y - x, atol=1e-5, rtol=1e-4)
    matrix = jacobian(network, y[:1])
    product = (matrix @ y[0].flatten()).reshape(1, 9, 7)
    torch.testing.assert_close(product, network(y)[0], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("network", [small_unet(3), small_bf_cnn(5)])
def test_what_a_module_saves_is_read(tmp_path: Path, network: ResidualNetwork) -> None:
    """Unlike a plain dict, such a state dict carries the versions of its modules."""
    wrapped = torch.nn.ModuleDict({"module": network})  # the names that DataParallel gives
    torch.save(wrapped.state_dict(), tmp_path / "model.pt")
    read = read_authors(tmp_path / "model.pt", first_layer_linear=False)
    y = intensities(2, 1, 16, 16)
    assert torch.equal(read(y), network(y))


def test_a_bf_cnn_does_not_say_whether_it_starts_with_a_relu(tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_bytes(saved(bf_cnn_state()))
    with pytest.raises(ConfigError, match=r"first_layer_linear is None; .*does not say which"):
        read_authors(tmp_path / "model.pt")


def test_the_registry_lists_their_seventeen_networks() -> None:
    files = authors._registry()
    assert len(files) == 17
    assert all(len(sha1) == 40 for sha1 in files.values())
    for n in (1, 10, 100, 1_000, 10_000, 100_000):
        for half in ("A", "B"):
            assert authors._path("celeba", n, half, None) in files
    for alpha in range(1, 6):
        assert f"C_alpha{alpha}_" in authors._path("c_alpha", 100_000, "A", alpha)


@pytest.mark.parametrize(
    "wrong",
    [
        {"data": "celeba", "n": 7},
        {"data": "celeba", "half": "C"},
        {"data": "celeba", "alpha": 3},
        {"data": "c_alpha"},
        {"data": "c_alpha", "alpha": 6},
        {"data": "c_alpha", "alpha": 2, "half": "B"},
        {"data": "lsun"},
        {"data": "lsun", "alpha": 3},
        {"data": "celeba", "n": "100000"},
        {"data": "c_alpha", "alpha": "7"},
        {"data": "c_alpha", "alpha": 3, "n": 10},
    ],
)
def test_an_unknown_network_is_refused_with_the_list(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="There are: celeba with n=1"):
        load_authors(**wrong)


# Damage


@pytest.mark.parametrize("change", [lambda c: c[:-1], lambda c: c[:500] + b"!" + c[501:], bytes])
def test_a_changed_file_is_refused_before_it_is_read(
    clone: Path, monkeypatch: pytest.MonkeyPatch, change: Any
) -> None:
    content = (clone / PATH).read_bytes()
    changed = change(content) if change is not bytes else b""
    (clone / PATH).write_bytes(changed)
    monkeypatch.setattr(torch, "load", lambda *a, **k: pytest.fail("it was read"))
    with pytest.raises(WeightsError, match="not the file that the authors published"):
        load_authors("celeba", half="B", folder=clone)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"model.pt cannot be read.*Name a clone"):
        load_authors("celeba", folder=tmp_path)


class Trap:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


def test_code_in_a_file_is_not_run(tmp_path: Path) -> None:
    path, sprung = tmp_path / "model.pt", tmp_path / "sprung"
    trap = Trap(sprung)
    pickle.loads(pickle.dumps(trap))
    assert sprung.exists()
    sprung.unlink()
    for content in (saved({"module.encoder.0.0.weight": trap}), pickle.dumps(trap)):
        path.write_bytes(content)
        with pytest.raises(WeightsError, match="damaged, or hold something"):
            read_authors(path)
    assert not sprung.exists()


@pytest.mark.parametrize("content", [[torch.ones(1)], {"a": 1}, torch.ones(2)])
def test_a_file_without_a_state_dict_is_refused(tmp_path: Path, content: Any) -> None:
    (tmp_path / "model.pt").write_bytes(saved(content))
    with pytest.raises(WeightsError, match="holds no state dict"):
        read_authors(tmp_path / "model.pt")


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s.pop("module.mid_block.4.gammas"),
        lambda s: s.update({"module.mid_block.9.weight": torch.ones(1)}),
        lambda s: s.update({"module.encoder.0.2.weight": torch.ones(4, 5, 3, 3)}),
        lambda s: s.pop("module.encoder.0.0.weight"),
        lambda s: s.clear(),
    ],
)
def test_another_architecture_is_refused(tmp_path: Path, change: Any) -> None:
    state = unet_state()
    change(state)
    (tmp_path / "model.pt").write_bytes(saved(state))
    with pytest.raises(WeightsError, match="neither those of the authors' UNet"):
        read_authors(tmp_path / "model.pt")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("module.mid_block.4.gammas", torch.nan, "finite floats"),
        ("module.encoder.1.0.weight", torch.inf, "finite floats"),
        ("module.encoder.0.3.running_sd", 0.0, "not positive"),
        ("module.decoder.0.1.running_sd", -1.0, "not positive"),
        ("module.decoder.0.1.running_sd", 1e-60, "not positive"),  # 0 in single precision
        ("module.encoder.1.0.weight", 1e60, "finite floats"),  # infinite
    ],
)
def test_weights_that_make_no_image_are_refused(
    tmp_path: Path, name: str, value: float, words: str
) -> None:
    state = {key: tensor.double() for key, tensor in unet_state().items()}
    state[name].view(-1)[1] = value
    (tmp_path / "model.pt").write_bytes(saved(state))
    with pytest.raises(WeightsError, match=f"{name.removeprefix('module.')} in .*{words}"):
        read_authors(tmp_path / "model.pt")


def test_integers_are_no_weights(tmp_path: Path) -> None:
    state = unet_state() | {"module.mid_block.4.gammas": torch.ones(1, 32, 1, 1, dtype=torch.int64)}
    (tmp_path / "model.pt").write_bytes(saved(state))
    with pytest.raises(WeightsError, match="finite floats"):
        read_authors(tmp_path / "model.pt")


def test_a_network_too_large_for_any_memory_is_refused(tmp_path: Path) -> None:
    state = unet_state() | {f"module.encoder.{b}.0.weight": torch.ones(1) for b in range(3, 12)}
    (tmp_path / "model.pt").write_bytes(saved(state))
    with pytest.raises(WeightsError, match="neither those of the authors' UNet"):
        read_authors(tmp_path / "model.pt")


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_weights_that_the_file_does_not_hold_are_refused(tmp_path: Path, device: str) -> None:
    state = unet_state(width=64)
    one = torch.ones(1, device=device)
    (tmp_path / "model.pt").write_bytes(saved({k: one.expand(v.shape) for k, v in state.items()}))
    with pytest.raises(WeightsError, match=r"more weights than its [\d,]+ bytes"):
        read_authors(tmp_path / "model.pt")
    state = unet_state()
    state["module.mid_block.4.gammas"] = torch.empty(1, 32, 1, 1, device="meta")
    (tmp_path / "model.pt").write_bytes(saved(state))
    with pytest.raises(WeightsError, match=r"mid_block\.4\.gammas in .* finite floats"):
        read_authors(tmp_path / "model.pt")


def test_convolutions_of_one_pixel_are_refused(tmp_path: Path) -> None:
    state = bf_cnn_state() | {"conv_layers.2.weight": torch.ones(5, 5, 1, 1)}
    (tmp_path / "model.pt").write_bytes(saved(state))
    with pytest.raises(WeightsError, match="3x3 convolutions"):
        read_authors(tmp_path / "model.pt", first_layer_linear=True)


def test_a_switch_that_is_a_word_is_refused(tmp_path: Path) -> None:
    for state in (bf_cnn_state(), unet_state()):
        (tmp_path / "model.pt").write_bytes(saved(state))
        with pytest.raises(ConfigError, match="expected True or False"):
            read_authors(tmp_path / "model.pt", first_layer_linear="False")  # type: ignore[arg-type]


# Downloading, from a server on this machine


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def server(clone: Path) -> Iterator[str]:
    served = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(clone)))
    thread = Thread(target=served.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{served.server_port}/"
    served.shutdown()
    served.server_close()
    thread.join()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("GAHR_AUTHORS", raising=False)
    return tmp_path / "cache"


def test_a_file_is_downloaded_once(
    server: str, cache: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    commit = authors._DOWNLOAD.split("/")[-2]
    assert (len(commit), commit[:7]) == (40, "3761722")
    monkeypatch.setattr(authors, "_DOWNLOAD", server)
    assert isinstance(load_authors("celeba", half="B"), UNet)
    assert "known_hash" not in capfd.readouterr().err
    assert (cache / "gahr_lib" / "authors" / PATH).is_file()
    monkeypatch.setattr(authors, "_DOWNLOAD", "http://127.0.0.1:1/")
    assert isinstance(load_authors("celeba", half="B"), UNet)


def test_a_wrong_download_is_refused_and_not_kept(
    server: str, clone: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authors, "_DOWNLOAD", server)
    monkeypatch.setattr(torch, "load", lambda *a, **k: pytest.fail("it was read"))
    (clone / PATH).write_bytes(b"something else")
    with pytest.raises(DownloadError, match=r"not the file that was expected.*GAHR_AUTHORS"):
        load_authors("celeba", half="B")
    assert not [path for path in cache.rglob("*") if path.is_file()]


def test_a_damaged_file_in_the_cache_is_fetched_again(
    server: str, clone: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authors, "_DOWNLOAD", server)
    kept = cache / "gahr_lib" / "authors" / PATH
    kept.parent.mkdir(parents=True)
    kept.write_bytes((clone / PATH).read_bytes()[:-1])
    assert isinstance(load_authors("celeba", half="B"), UNet)
    assert kept.read_bytes() == (clone / PATH).read_bytes()


def test_a_file_that_the_server_lacks_is_a_failed_download(
    server: str, clone: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authors, "_DOWNLOAD", server)
    (clone / PATH).unlink()
    with pytest.raises(DownloadError, match=r"could not be downloaded .*404"):
        load_authors("celeba", half="B")


def test_no_network_is_named(clone: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authors, "_DOWNLOAD", "http://127.0.0.1:1/")
    with pytest.raises(DownloadError, match="GAHR_AUTHORS"):
        load_authors("celeba", half="B")


def test_a_cache_that_cannot_be_written_is_named(
    server: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authors, "_DOWNLOAD", server)
    cache.write_text("in the way")
    with pytest.raises(CacheError, match="cannot be written"):
        load_authors("celeba", half="B")
