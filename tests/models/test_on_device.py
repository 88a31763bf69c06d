"""A network on another device, without one: torch's fake tensors know where they are, not what."""

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from gahr_lib.analysis.jacobian import eigenbasis, jacobian
from gahr_lib.errors import ShapeError
from gahr_lib.models import OnDevice, ResidualNetwork
from gahr_lib.models.base import Activation
from gahr_lib.sampling import sample
from helpers import intensities, seeded, small_unet

ELSEWHERE = "lazy"  # the one device that fake tensors move to where torch is built without it

pytestmark = pytest.mark.usefixtures("untouched_random_state")


class Scaled(ResidualNetwork):
    """relu(w y), with a w that moves as parameters do."""

    image_shape = (1, 8, 8)

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.full((1, 1, 8, 8), 0.5)

    def __deepcopy__(self, memo: dict[int, object]) -> "Scaled":
        """Torch cannot copy fake tensors."""
        twin = Scaled().train(self.training)
        twin.weight = self.weight.clone()
        return twin

    def to(self, device: torch.device) -> "Scaled":  # type: ignore[override]
        self.weight = self.weight.to(device)
        return self

    def check_input(self, y: Tensor, name: str = "y") -> None:
        """Fake tensors have no values to check."""

    def residual(self, y: Tensor, activation: Activation = torch.relu) -> Tensor:
        return activation(self.weight * y)


def test_it_computes_there_and_answers_here() -> None:
    with FakeTensorMode():
        network = Scaled().eval()
        moved = OnDevice(network, ELSEWHERE)
        here, there = torch.rand(2, 1, 8, 8), torch.rand(2, 1, 8, 8, device=ELSEWHERE)
        for y in (here, there):
            assert moved.residual(y).device == y.device
            assert moved(y).device == y.device
            assert moved.linearize(here[:1])(y).device == y.device
        assert network.weight.device.type == "cpu"
        assert not list(moved.parameters())
        moved_whole = Scaled().to(torch.device(ELSEWHERE))
        with pytest.raises(Exception, match="same device"):
            moved_whole.residual(here)


def test_on_the_same_device_it_is_the_network() -> None:
    network = small_unet(1, bias=True)
    network.image_shape = (1, 8, 8)
    copy = OnDevice(network, "cpu")
    y = intensities(1, 1, 8, 8)
    assert torch.equal(copy(y), network(y))
    torch.testing.assert_close(jacobian(copy, y), jacobian(network, y))
    ours, theirs = (eigenbasis(f, y, k=3, method="iterative") for f in (copy, network))
    torch.testing.assert_close(ours.values, theirs.values)
    blank = small_unet(1)
    blank.image_shape = (1, 8, 8)
    drawn = [sample(f, 2, generator=seeded()) for f in (OnDevice(blank, "cpu"), blank)]
    assert torch.equal(*drawn)


def test_it_keeps_the_contract() -> None:
    copy = OnDevice(small_unet(2), "cpu")
    assert not copy.training
    assert (copy.channels, copy.stride) == (1, 4)
    with pytest.raises(ShapeError, match="multiples of 4"):
        copy(intensities(1, 1, 6, 8))
