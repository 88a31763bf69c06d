import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from gahr_lib.errors import ConfigError
from gahr_lib.models import UNet
from helpers import intensities, seeded, small_unet

pytestmark = pytest.mark.usefixtures("untouched_random_state")


def written_out(weights: dict[str, Tensor], y: Tensor, blocks: int) -> Tensor:
    """The paper's UNet in evaluation mode, from the names of its weights alone."""

    def conv(x: Tensor, name: str) -> Tensor:
        return F.conv2d(x, weights[f"{name}.weight"], weights.get(f"{name}.bias"), padding=1)

    def norm_relu(x: Tensor, name: str) -> Tensor:
        return F.relu(x / weights[f"{name}.running_sd"] * weights[f"{name}.gammas"])

    def two(x: Tensor, name: str) -> Tensor:
        x = norm_relu(conv(x, f"{name}.0"), f"{name}.1")
        return norm_relu(conv(x, f"{name}.3"), f"{name}.4")

    x = F.relu(conv(y, "encoder.0.0"))
    skips = [norm_relu(conv(x, "encoder.0.2"), "encoder.0.3")]
    for b in range(1, blocks):
        skips.append(two(F.avg_pool2d(skips[-1], 2), f"encoder.{b}"))
    x = two(F.avg_pool2d(skips[-1], 2), "mid_block")
    for b in range(blocks - 1, -1, -1):
        up, bias = weights[f"upsample.{b}.weight"], weights.get(f"upsample.{b}.bias")
        x = F.conv_transpose2d(x, up, bias, stride=2)
        x = torch.cat([x, skips[b]], dim=1)
        if b > 0:
            x = two(x, f"decoder.{b}")
    x = norm_relu(conv(x, "decoder.0.0"), "decoder.0.1")
    return y - conv(x, "decoder.0.3")


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("blocks", [1, 2, 3, 4])
def test_it_is_the_network_of_the_paper(blocks: int, channels: int, bias: bool) -> None:
    network = small_unet(blocks, channels=channels, width=3, bias=bias).double()
    y = intensities(2, channels, 2**blocks, 3 * 2**blocks, dtype=torch.float64)
    expected = written_out(dict(network.state_dict()), y, blocks)
    torch.testing.assert_close(network(y), expected)


@pytest.mark.parametrize(
    ("blocks", "parameters"), [(1, 366_080), (2, 1_825_024), (3, 7_659_264), (4, 30_993_152)]
)
def test_parameter_counts_are_those_of_table_1(blocks: int, parameters: int) -> None:
    with torch.device("meta"):  # shapes without numbers
        network = UNet(blocks=blocks, generator=seeded())
    assert sum(p.numel() for p in network.parameters()) == parameters


def test_the_network_of_the_book_has_114_496_parameters() -> None:
    network = UNet(width=16, blocks=2, generator=seeded())
    assert sum(p.numel() for p in network.parameters()) == 114_496


def test_nothing_has_a_bias() -> None:
    assert not [name for name in small_unet(3).state_dict() if "bias" in name]


def test_every_convolution_has_a_bias_if_asked() -> None:
    plain, network = UNet(width=2, generator=seeded()), UNet(width=2, bias=True, generator=seeded())
    weights = network.state_dict()
    biases = {name for name in weights if name not in plain.state_dict()}
    # Every layer with a weight is a convolution, for what the norms have are gains.
    assert biases == {
        name.replace(".weight", ".bias") for name in weights if name.endswith(".weight")
    }
    assert len(biases) == 2 * (2 * 3 + 1) + 3
    assert weights["encoder.0.0.bias"].shape == (2,)
    assert weights["upsample.2.bias"].shape == (8,)
    assert weights["decoder.0.3.bias"].shape == (1,)


def test_a_new_network_with_biases_is_the_one_without_them() -> None:
    plain = UNet(width=2, generator=seeded()).eval()
    network = UNet(width=2, bias=True, generator=seeded()).eval()
    y = intensities(2, 1, 16, 16)
    torch.testing.assert_close(network(y), plain(y))


@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_its_stride_is_what_it_halves(blocks: int) -> None:
    assert small_unet(blocks).stride == 2**blocks


def test_equal_generators_give_equal_networks() -> None:
    first, second = small_unet(seed=1).state_dict(), small_unet(seed=1).state_dict()
    other = small_unet(seed=2).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["encoder.0.0.weight"], other["encoder.0.0.weight"])


def test_in_training_mode_the_batch_sets_the_norms() -> None:
    network = UNet(width=2, blocks=1, generator=seeded())
    y = intensities(4, 1, 8, 8)
    alone, together = network(y[:1]), network(y)[:1]
    assert not torch.allclose(alone, together)
    assert not torch.equal(network.encoder["0"][3].running_sd, torch.ones(1, 2, 1, 1))


@pytest.mark.parametrize("argument", ["channels", "width", "blocks"])
@pytest.mark.parametrize("value", [0, -1, 1.5, "2", None])
def test_impossible_sizes_are_refused(argument: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"{argument} is .*expected a whole number of at least 1"):
        UNet(**{argument: value})


@pytest.mark.parametrize("bias", ["False", 0, None])
def test_biases_are_a_yes_or_no(bias: object) -> None:
    with pytest.raises(ConfigError, match=r"bias is .*expected True or False"):
        UNet(bias=bias)  # type: ignore[arg-type]
