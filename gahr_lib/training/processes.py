"""What the loop asks of the processes that it runs in: one, or several that share each batch.

Several processes train the network that one would, but for rounding. Each draws the whole batch
from the same generator and keeps its share of it, so the order of images and noise does not depend
on how many there are. And the norms divide by the standard deviation of the whole batch: of its
share alone, a process would have too few images to tell it, and a network of its own.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import torch
from torch import Tensor, nn

from gahr_lib.errors import ConfigError, GahrError
from gahr_lib.models import BiasFreeBatchNorm, ResidualNetwork

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = ["Alone", "Processes", "SharedNorm", "Together", "batch_share", "first_to_all"]

T = TypeVar("T")


class Processes(Protocol):
    """How the loop runs a network, forwards and backwards."""

    device: torch.device
    share: slice  # of each batch

    def residual(self, y: Tensor) -> Tensor:
        """Return the network's estimate of the noise in `y`."""

    def backward(self, loss: Tensor) -> None:
        """Find the gradient of the loss of the whole batch."""

    def mean(self, loss: Tensor) -> float:
        """Return the loss of the whole batch."""

    def from_first(self, read: Callable[[], T]) -> T:
        """Return what `read` returns in the first process."""


class Alone:
    """One process, on the device of the network's weights."""

    def __init__(self, network: ResidualNetwork) -> None:
        self.device = next(network.parameters()).device
        self.share = slice(None)
        self.residual = network.residual

    def backward(self, loss: Tensor) -> None:
        """Find the gradient."""
        loss.backward()

    def mean(self, loss: Tensor) -> float:
        """Return the loss."""
        return loss.item()

    def from_first(self, read: Callable[[], T]) -> T:
        """Return what `read` returns."""
        return read()


class Together:
    """The processes of a Fabric, on its devices and in its precision.

    Parameters
    ----------
    network
        The network; it is moved to the device, and its norms are replaced in place.
    fabric
        After its launch.
    batch_size
        Of all processes together.

    Raises
    ------
    ConfigError
        If the batch cannot be divided among the processes.
    """

    def __init__(self, network: ResidualNetwork, fabric: "Fabric", batch_size: int) -> None:
        self.share = batch_share(fabric, batch_size)
        for module in network.modules():
            if isinstance(module, BiasFreeBatchNorm):
                module.__class__ = SharedNorm  # no weight of it changes, nor its name
                # One number a channel is in order either way; the gradients come in this one.
                module.gammas.data = module.gammas.data.clone(memory_format=torch.contiguous_format)
        self.fabric = fabric
        self.device = fabric.device
        self.module = fabric.setup_module(_Residual(network))

    def residual(self, y: Tensor) -> Tensor:
        """Return the estimate of the noise, in the precision of `y`."""
        return self.module(y)

    def backward(self, loss: Tensor) -> None:
        """Find the gradient, averaged over the processes."""
        self.fabric.backward(loss)

    def mean(self, loss: Tensor) -> float:
        """Return the loss, averaged over the processes."""
        return _average(loss.detach()).item()

    def from_first(self, read: Callable[[], T]) -> T:
        """Return what `read` returns, or raise what it raises, in the first process."""
        return first_to_all(self.fabric, read)


def batch_share(fabric: "Fabric", batch_size: int) -> slice:
    """Return which images of a batch are this process's, or raise `ConfigError`."""
    length, rest = divmod(batch_size, fabric.world_size)
    if rest:
        raise ConfigError(
            f"A batch of {batch_size} images cannot be divided among {fabric.world_size} "
            f"processes; expected a multiple. Take {(length + 1) * fabric.world_size} images."
        )
    return slice(fabric.global_rank * length, (fabric.global_rank + 1) * length)


def first_to_all(fabric: "Fabric", work: Callable[[], T]) -> T:
    """Work in the first process; return its result, or raise its error, in all of them.

    An error that only one process knew of would leave the others waiting for it.
    """
    result: tuple[T | None, GahrError | None] = (None, None)
    if fabric.is_global_zero:
        try:
            result = (work(), None)
        except GahrError as error:
            result = (None, error)
    value, problem = fabric.broadcast(result)
    if problem is not None:
        raise problem
    return value  # type: ignore[return-value]  # None only where T is


class _Residual(nn.Module):
    """A network whose forward pass, which Fabric runs, is its residual."""

    def __init__(self, network: ResidualNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, y: Tensor) -> Tensor:
        return self.network.residual(y)


class SharedNorm(BiasFreeBatchNorm):
    """The bias-free norm with the standard deviation of the batch of all processes.

    It averages two moments of each channel over the processes, forwards and backwards. In lower
    precision the moments stay in that of the weights: their difference would be lost.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Scale each channel of `x`, (B, C, H, W)."""
        if not self.training:
            return super().forward(x)
        with torch.autocast(x.device.type, enabled=False):
            pixels = x.permute(0, 2, 3, 1).reshape(-1, x.shape[1]).to(self.running_sd.dtype)
            averaging = pixels.new_full((1, len(pixels)), 1 / len(pixels))
            moments = torch.cat([averaging @ pixels, averaging @ pixels.square()])
            mean, mean_square = _Average.apply(moments)
            variance = (mean_square - mean.square()).clamp_min(0).reshape(1, -1, 1, 1)
            sd = (variance + self.eps).sqrt()
            with torch.no_grad():
                self.running_sd.lerp_(sd, self.momentum)
            scale = self.gammas / sd
        return x * scale.to(x.dtype)


class _Average(torch.autograd.Function):
    """The average over the processes.

    Each adds a 1 / n of itself to the average of all, and the gradients of all are averaged in the
    end; so the gradient of the average is the average of the gradients.
    """

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:  # noqa: ARG004  # torch hands it over
        return _average(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:  # noqa: ARG004
        return _average(gradients[0])


def _average(values: Tensor) -> Tensor:
    distributed = torch.distributed
    if not (distributed.is_available() and distributed.is_initialized()):
        return values.clone()
    total = values.contiguous().clone()
    distributed.all_reduce(total)
    return total / distributed.get_world_size()
