import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from gahr_lib.errors import ConfigError
from gahr_lib.models import BFCNN
from helpers import intensities, seeded, small_bf_cnn

pytestmark = pytest.mark.usefixtures("untouched_random_state")


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("layers", [3, 4, 7])
def test_it_is_the_network_of_the_paper(layers: int, channels: int, bias: bool) -> None:
    network = small_bf_cnn(layers, channels=channels, bias=bias).double()
    weights = network.state_dict()
    assert bias == ("conv_layers.0.bias" in weights)

    def conv(x: Tensor, i: int) -> Tensor:
        name = f"conv_layers.{i}"
        return F.conv2d(x, weights[f"{name}.weight"], weights.get(f"{name}.bias"), padding=1)

    y = intensities(2, channels, 7, 9, dtype=torch.float64)
    x = F.relu(conv(y, 0))
    for i in range(1, layers - 1):
        x = conv(x, i)
        gain = weights[f"BN_layers.{i - 1}.gammas"] / weights[f"BN_layers.{i - 1}.running_sd"]
        x = F.relu(x * gain)
    torch.testing.assert_close(network(y), y - conv(x, layers - 1))


def test_its_parameter_count_is_that_of_the_paper() -> None:
    with torch.device("meta"):
        network = BFCNN(generator=seeded())
    assert sum(p.numel() for p in network.parameters()) == 702_784


def test_biases_are_one_for_each_channel_of_each_convolution_and_start_at_zero() -> None:
    network = BFCNN(width=6, layers=5, bias=True, generator=seeded())
    biases = {name: b for name, b in network.state_dict().items() if name.endswith(".bias")}
    assert [len(bias) for bias in biases.values()] == [6, 6, 6, 6, 1]
    assert not any(bias.any() for bias in biases.values())
    plain = BFCNN(width=6, layers=5, generator=seeded()).state_dict()
    assert network.state_dict().keys() - biases.keys() == plain.keys()
    assert all(torch.equal(network.state_dict()[name], plain[name]) for name in plain)


@pytest.mark.parametrize("switch", ["bias", "first_layer_linear"])
@pytest.mark.parametrize("value", ["False", 1, None])
def test_switches_are_a_yes_or_no(switch: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"{switch} is .*expected True or False"):
        BFCNN(**{switch: value})


def test_it_takes_images_of_any_size() -> None:
    assert small_bf_cnn().stride == 1
    assert small_bf_cnn()(intensities(1, 1, 5, 13)).shape == (1, 1, 5, 13)


def test_a_pixel_sees_as_far_as_its_layers_reach() -> None:
    network = small_bf_cnn(4)
    y = intensities(1, 1, 21, 21)
    changed = y.clone()
    changed[0, 0, 10, 10] += 0.5
    rows, columns = (network(changed) - network(y))[0, 0].abs().nonzero(as_tuple=True)
    assert (rows - 10).abs().max() <= 4
    assert (columns - 10).abs().max() <= 4


def test_equal_generators_give_equal_networks() -> None:
    first = BFCNN(width=3, layers=3, generator=seeded(1)).state_dict()
    second = BFCNN(width=3, layers=3, generator=seeded(1)).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(
    ("argument", "value"),
    [("channels", 0), ("width", 0), ("layers", 2), ("layers", 20.0), ("width", "64")],
)
def test_impossible_sizes_are_refused(argument: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"{argument} is .*expected a whole number of at least"):
        BFCNN(**{argument: value})
