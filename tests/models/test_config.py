import json
from dataclasses import FrozenInstanceError, asdict

import pytest
import torch
import torch.nn.functional as F
from torch.nn import Conv2d, ConvTranspose2d

from gahr_lib.errors import ConfigError
from gahr_lib.models import BFCNN, NetworkConfig, UNet, build_network
from helpers import intensities, seeded, settled

pytestmark = pytest.mark.usefixtures("untouched_random_state")


def test_a_unet_is_built_as_configured() -> None:
    config = NetworkConfig("unet", channels=3, width=4, depth=1)
    built = build_network(config, generator=seeded(1))
    assert isinstance(built, UNet)
    expected = UNet(channels=3, width=4, blocks=1, generator=seeded(1)).state_dict()
    assert all(torch.equal(built.state_dict()[name], expected[name]) for name in expected)


def test_a_bf_cnn_is_built_as_configured() -> None:
    config = NetworkConfig("bf_cnn", channels=1, width=4, depth=5)
    built = build_network(config, generator=seeded(1))
    assert isinstance(built, BFCNN)
    assert (built.channels, built.width, built.layers) == (1, 4, 5)


def test_a_new_network_is_in_training_mode() -> None:
    assert build_network(NetworkConfig(width=2, depth=1), generator=seeded()).training


def test_the_default_is_the_network_of_the_book() -> None:
    with torch.device("meta"):
        network = build_network(NetworkConfig(), generator=seeded())
    assert sum(p.numel() for p in network.parameters()) == 114_496


def test_a_configuration_survives_json() -> None:
    config = NetworkConfig("bf_cnn", channels=3, width=8, depth=20)
    assert NetworkConfig(**json.loads(json.dumps(asdict(config)))) == config


def test_a_configuration_does_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        NetworkConfig().width = 32  # type: ignore[misc]


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (NetworkConfig("transformer"), "expected 'unet' or 'bf_cnn'"),  # type: ignore[arg-type]
        (NetworkConfig(width=0), "width is 0"),
        (NetworkConfig(depth=0), "blocks is 0"),
        (NetworkConfig("bf_cnn", depth=2), "layers is 2"),
        (NetworkConfig(channels=-1), "channels is -1"),
    ],
)
def test_impossible_configurations_are_refused(config: NetworkConfig, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        build_network(config, generator=seeded())


def test_a_first_layer_can_be_linear() -> None:
    config = NetworkConfig("bf_cnn", width=4, depth=3, first_layer_linear=True)
    assert NetworkConfig(**json.loads(json.dumps(asdict(config)))) == config
    network = settled(build_network(config, generator=seeded())).double()
    w = network.state_dict()
    y = intensities(1, 1, 7, 9, dtype=torch.float64)
    x = F.conv2d(y, w["conv_layers.0.weight"], padding=1)
    x = F.conv2d(x, w["conv_layers.1.weight"], padding=1)
    x = F.relu(x * w["BN_layers.0.gammas"] / w["BN_layers.0.running_sd"])
    x = F.conv2d(x, w["conv_layers.2.weight"], padding=1)
    torch.testing.assert_close(network(y), y - x)


@pytest.mark.parametrize("architecture", ["unet", "bf_cnn"])
def test_convolutions_can_have_biases(architecture: str) -> None:
    config = NetworkConfig(architecture, width=4, depth=3, bias=True)  # type: ignore[arg-type]
    assert NetworkConfig(**json.loads(json.dumps(asdict(config)))) == config
    network = build_network(config, generator=seeded())
    convolutions = [m for m in network.modules() if isinstance(m, (Conv2d, ConvTranspose2d))]
    assert convolutions
    assert all(layer.bias is not None and not layer.bias.any() for layer in convolutions)
    plain = build_network(NetworkConfig(architecture, width=4, depth=3), generator=seeded())  # type: ignore[arg-type]
    assert not [name for name in plain.state_dict() if "bias" in name]


@pytest.mark.parametrize("architecture", ["unet", "bf_cnn"])
def test_biases_are_a_yes_or_no(architecture: str) -> None:
    with pytest.raises(ConfigError, match="bias is 'False'; expected True or False"):
        build_network(NetworkConfig(architecture, depth=3, bias="False"), generator=seeded())  # type: ignore[arg-type]


def test_a_linear_first_layer_is_a_yes_or_no_of_a_bf_cnn() -> None:
    with pytest.raises(ConfigError, match="first_layer_linear is set for a UNet"):
        build_network(NetworkConfig(first_layer_linear=True), generator=seeded())
    with pytest.raises(ConfigError, match="first_layer_linear is 'False'"):
        BFCNN(first_layer_linear="False")  # type: ignore[arg-type]
