"""Denoisers for other programs: ONNX files, which run without Python and without PyTorch.

A file holds one graph of standard operators with its weights inside. ONNX Runtime runs it, on a
server or in a web page.
"""

import contextlib
import copy
import logging
import warnings
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.export import Dim

from gahr_lib._files import write_whole
from gahr_lib.errors import ConfigError, ShapeError, WeightsError
from gahr_lib.models import Denoiser, ResidualNetwork, check_evaluating

__all__ = ["export_denoiser", "export_jacobian_product"]

# Old enough for every ONNX Runtime since 1.14, and the exporter writes it without converting.
_OPSET = 18

_D = TypeVar("_D", bound=Denoiser)


def export_denoiser(
    denoiser: Denoiser, path: str | Path, *, image_shape: tuple[int, int, int] | None = None
) -> Path:
    """Write a denoiser as an ONNX file.

    The graph maps ``y`` (batch, C, rows, columns), intensities in [0, 1] plus noise, to
    ``denoised`` of the same shape, in single precision. A denoiser that is not blind has a second
    input, ``sigma`` (batch,), in intensity units. The batch is free. So are the sides for a
    network, as long as they are multiples of its `stride`; every other denoiser keeps the sides of
    `image_shape`. The graph does not check what it is given.

    Parameters
    ----------
    denoiser
        The denoiser, in evaluation mode, on any device and of any dtype.
    path
        The file to write, usually ``*.onnx``; an older one lives until the new one is whole.
    image_shape
        (C, H, W) of the images; the denoiser's own `image_shape` if None. Networks, which take
        images of any size, do not read it.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ConfigError
        If the package's extra ``export`` is not installed, it is no `Denoiser`, a network is in
        training mode, or the denoiser does something that ONNX has no word for.
    ShapeError
        If the image shape is missing, or the denoiser does not take it.
    WeightsError
        If the file cannot be written; none is left half-written.
    """
    if not isinstance(denoiser, Denoiser):
        raise ConfigError(
            f"A {type(denoiser).__name__} says neither what it takes nor how large its images are; "
            "expected a Denoiser. Call it in the denoise of a subclass of one."
        )
    check_evaluating(denoiser)
    batch = Dim("batch")
    if isinstance(denoiser, ResidualNetwork):
        shape: tuple[int, ...] | None = _traced_shape(denoiser)
        sides = _free_sides(denoiser)
    else:
        shape, sides = image_shape or denoiser.image_shape, {}
    if shape is None:
        raise ShapeError(
            f"{type(denoiser).__name__} does not say how large its images are, and a graph has to "
            "know. Pass image_shape=(C, H, W)."
        )
    inputs: tuple[Tensor, ...] = (torch.zeros(2, *shape),)
    free: tuple[dict[int, Dim], ...] = ({0: batch, **sides},)
    if denoiser.needs_sigma:
        inputs, free = (*inputs, torch.full((2,), 0.1)), (*free, {0: batch})
    own = _copy(denoiser)
    with torch.no_grad():
        own(*inputs)  # the denoiser's own checks, which the graph leaves out
    graph = _Graph(own, lambda y, sigma=None: own.denoise(y, sigma))
    return _write(graph, inputs, ("y", "sigma")[: len(inputs)], "denoised", free, Path(path))


def export_jacobian_product(denoiser: ResidualNetwork, path: str | Path) -> Path:
    """Write the map (y, v) -> J(y) v of a network as an ONNX file.

    The graph has the inputs ``y`` (1, C, rows, columns), the image, and ``v`` (block, C, rows,
    columns), vectors of the image's size, and the output ``product``, J(y) v, shaped as `v`; all
    are in single precision. The image passes the network once, whatever the size of the block; the
    vectors pass it with the ReLUs held as the image set them (`ResidualNetwork.linearize`). The
    block is free, and so are the sides, as long as they are multiples of the network's `stride`.

    Parameters
    ----------
    denoiser
        The network, in evaluation mode, on any device and of any dtype.
    path
        The file to write, usually ``*.onnx``; an older one lives until the new one is whole.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ConfigError
        If the package's extra ``export`` is not installed, the denoiser is no network of this
        library, or it is in training mode.
    WeightsError
        If the file cannot be written; none is left half-written.

    References
    ----------
    The paper, equation 6.
    """
    check_evaluating(denoiser)
    if not isinstance(denoiser, ResidualNetwork):
        raise ConfigError(
            f"A {type(denoiser).__name__} has no linearisation to export; expected a network of "
            "this library. Use gahr_lib.analysis.jacobian.jacobian_product in Python."
        )
    shape, sides = _traced_shape(denoiser), _free_sides(denoiser)
    inputs = (torch.zeros(1, *shape), torch.zeros(2, *shape))
    free = (sides, {0: Dim("block"), **sides})
    own = _copy(denoiser)
    graph = _Graph(own, lambda y, v: own.linearize(y)(v))
    return _write(graph, inputs, ("y", "v"), "product", free, Path(path))


class _Graph(nn.Module):
    """A function of a denoiser as the module that the exporter asks for."""

    def __init__(self, denoiser: Denoiser, function: Callable[..., Tensor]) -> None:
        super().__init__()
        self.denoiser = denoiser
        self.function = function
        self.eval()

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.function(*inputs)


def _copy(denoiser: _D) -> _D:
    """Return a copy in single precision: ONNX Runtime has no other convolutions on the CPU."""
    return copy.deepcopy(denoiser).to("cpu", torch.float32)


def _traced_shape(network: ResidualNetwork) -> tuple[int, int, int]:
    # Sides that differ, or the graph might take them for one number.
    return (network.channels or 1, 4 * network.stride, 6 * network.stride)


def _free_sides(network: ResidualNetwork) -> dict[int, Dim]:
    rows, columns = Dim("rows"), Dim("columns")
    stride = network.stride
    return {2: stride * rows, 3: stride * columns} if stride > 1 else {2: rows, 3: columns}


def _write(
    graph: nn.Module,
    inputs: tuple[Tensor, ...],
    names: tuple[str, ...],
    output: str,
    free: tuple[dict[int, Dim], ...],
    path: Path,
) -> Path:
    try:
        import_module("onnx")
        import_module("onnxscript")
        passes = import_module("onnx_ir.passes.common")
    except ImportError as error:
        raise ConfigError(
            f"ONNX files need packages that are not installed ({error}). "
            'Install them with pip install "gahr-lib[export]".'
        ) from error
    try:
        with torch.no_grad(), _quiet():
            program = torch.onnx.export(
                graph,
                inputs,
                dynamo=True,
                dynamic_shapes=(free,),  # of the one argument, *inputs
                input_names=names,
                output_names=[output],
                opset_version=_OPSET,
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        reason = str(error.__cause__ or error).splitlines()[0]  # of pages
        raise ConfigError(
            f"The denoiser cannot be written as ONNX ({reason}). Export one that is made of "
            "PyTorch operations and does not look at the values it computes."
        ) from error
    assert program is not None  # as it is whenever dynamo=True
    for name, value, axes in zip(names, program.model.graph.inputs, free, strict=True):
        # Where it cannot keep an axis free, the exporter gives up on that instead of failing.
        held = [axis for axis in axes if value.shape is None or isinstance(value.shape[axis], int)]
        if held:
            raise ConfigError(
                f"The denoiser cannot be written as ONNX (it fixes axis {held[0]} of {name} to one "
                "number). Export one whose operations take any number of images."
            )
    # The exporter notes beside each node which lines of whose files it came from.
    passes.ClearMetadataAndDocStringPass()(program.model)
    content = program.model_proto.SerializeToString()
    write_whole(path, content, WeightsError)
    return path


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence what the exporter says of itself: it concerns neither the caller nor the graph."""
    logger = logging.getLogger("torch.onnx._internal.exporter._registration")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"`isinstance\(treespec, LeafSpec\)`", FutureWarning)
        warnings.filterwarnings("ignore", r"# The axis name: .* will not be used", UserWarning)
        was_disabled, logger.disabled = logger.disabled, True  # "torchvision is not installed"
        try:
            yield
        finally:
            logger.disabled = was_disabled
