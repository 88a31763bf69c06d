"""The networks that the paper's authors published, read into ours.

They are files of the repository memorization_generalization_in_diffusion_models of the Laboratory
for Computational Vision, MIT licence, at one commit. A file is compared with its git blob id before
anything in it is believed, and its weights are read without running any code that it may hold.
"""

import functools
import hashlib
import io
import os
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from gahr_lib.errors import CacheError, ConfigError, DownloadError, WeightsError
from gahr_lib.models import NetworkConfig, ResidualNetwork, build_network

__all__ = ["load_authors", "read_authors"]

# In full: GitHub does not promise to serve an abbreviated one.
_COMMIT = "37617228bea21e0794cfae98f1a10a81a5ada809"
_REPOSITORY = "LabForComputationalVision/memorization_generalization_in_diffusion_models"
_DOWNLOAD = f"https://raw.githubusercontent.com/{_REPOSITORY}/{_COMMIT}/"
_FILES = Path(__file__).with_name("authors_files.tsv")
_REMEDY = "Check the clone out again, or name none to have the file downloaded."
_ONLY_THESE = "Only these two, of 3x3 convolutions without biases, can be read."


def load_authors(
    data: Literal["celeba", "c_alpha"],
    *,
    n: int = 100_000,
    half: Literal["A", "B"] = "A",
    alpha: int | None = None,
    folder: str | Path | None = None,
) -> ResidualNetwork:
    """Return a UNet of the paper, trained by its authors on images of 80x80 pixels.

    Parameters
    ----------
    data
        "celeba", grey faces, or "c_alpha".
    n
        Size of the training set: 1, 10, 100, 1,000, 10,000 or 100,000 for the faces (the largest
        set has 99,325), 100,000 for C^alpha images.
    half
        "A" for the first n faces, "B" for the last, which their files call swapped.
    alpha
        1 to 5, for C^alpha images.
    folder
        A clone of their repository. If None, the folder that the environment variable GAHR_AUTHORS
        names; else the file is downloaded once to the user's cache, 31 MB.

    Returns
    -------
    ResidualNetwork
        In evaluation mode, its weights constants, its `image_shape` (1, 80, 80). It takes
        intensities in [0, 1]: the 0 to 255 in the names of the files is the range of noise levels.

    Raises
    ------
    ConfigError
        If there is no such network; the message lists those there are.
    WeightsError, DownloadError, CacheError
        If the file is missing, not the one that was published, or cannot be fetched or kept. No
        file is unpacked before its bytes are known to be the published ones.

    References
    ----------
    The paper, sections 2 and 3, appendix A.
    """
    path = _path(data, n, half, alpha)
    folder = folder or os.environ.get("GAHR_AUTHORS")
    local = Path(folder) / path if folder else _download(path)
    content = _read(local)
    if not _is_published(content, path):
        raise WeightsError(
            f"{local} is not the file that the authors published: its git blob id is not "
            f"{_registry()[path]}, so it is damaged or another version. {_REMEDY}"
        )
    network = _network(content, local)
    network.image_shape = (1, 80, 80)
    return network


def read_authors(path: str | Path, *, first_layer_linear: bool | None = None) -> ResidualNetwork:
    """Return the network of any file in the form of the authors' checkpoints.

    Width, depth and channels are read off the tensors. Nothing but tensors and plain containers is
    unpacked, so a file from a stranger runs nothing.

    Parameters
    ----------
    path
        A state dict of their UNet or BF-CNN, as torch.save writes it, with or without "module."
        before the names.
    first_layer_linear
        For a BF-CNN, whether a ReLU follows its first convolution (False) or not (True). It has to
        be said, because the file does not: their script for training has the ReLU, and 21 layers,
        unless told otherwise; their loader leaves it out, and has 20. A UNet always has it.

    Returns
    -------
    ResidualNetwork
        In evaluation mode, in single precision, its weights constants. Its `image_shape` is None,
        for the file does not say that either.

    Raises
    ------
    WeightsError
        If the file is missing or damaged, or its network is neither of the two.
    ConfigError
        If `first_layer_linear` is no bool, or the network a BF-CNN and it is None.
    """
    return _network(_read(Path(path)), Path(path), first_layer_linear=first_layer_linear)


def _path(data: str, n: int, half: str, alpha: int | None) -> str:
    """Return the path of a network in their repository."""
    size = 99_325 if data == "celeba" and n == 100_000 else n
    swapped = "_swapped" if half == "B" else ""
    name = (
        "img_align_celeba_80x80"
        if data == "celeba"
        else f"C_alpha{alpha}_beta{alpha}_line_80x80_blurredx2"
    )
    path = f"denoisers/UNet/{name}/0to255_RF_90x90_set_size_{size}{swapped}/model.pt"
    known = data in ("celeba", "c_alpha") and half in ("A", "B") and path in _registry()
    if not known or (data == "celeba") != (alpha is None):
        raise ConfigError(
            f"The authors published no network for data={data!r}, n={n!r}, half={half!r}, "
            f"alpha={alpha!r}. There are: celeba with n=1, 10, 100, 1_000, 10_000, 100_000 and "
            "half 'A' or 'B'; c_alpha with alpha=1, 2, 3, 4, 5 and n=100_000."
        )
    return path


@functools.cache
def _registry() -> dict[str, str]:
    """Return the git blob id of each of their files."""
    lines = _FILES.read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    return {row[0]: row[1] for row in rows[1:]}


def _is_published(content: bytes, path: str) -> bool:
    """Return whether git would give this content the name that it gives to the published file."""
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False)
    return blob.hexdigest() == _registry()[path]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise WeightsError(
            f"The network {path} cannot be read ({error}). Name a clone of the repository "
            f"https://github.com/{_REPOSITORY}."
        ) from error


def _download(path: str, cache: Path | None = None) -> Path:
    """Return the file in the user's cache, fetched if it is not there or is damaged."""
    import pooch
    from requests import RequestException

    cache = cache or Path(pooch.os_cache("gahr_lib")) / "authors"
    local = cache / path
    fetch = pooch.HTTPDownloader()

    def fetch_and_check(url: str, partial: str, owner: Any) -> None:
        # Pooch knows no git blob ids; what fails here is not moved into the cache.
        fetch(url, partial, owner)
        if not _is_published(Path(partial).read_bytes(), path):
            raise ValueError(f"its git blob id is not {_registry()[path]}.")

    try:
        local.parent.mkdir(parents=True, exist_ok=True)
        if local.is_file() and not _is_published(local.read_bytes(), path):
            local.unlink()
        # Not pooch.retrieve: without a hash it advises the reader to add one.
        files = pooch.create(path=cache, base_url=_DOWNLOAD, registry={path: None})
        files.fetch(path, downloader=fetch_and_check)
    except RequestException as error:
        raise DownloadError(
            f"{_DOWNLOAD + path} could not be downloaded ({error}). Connect to the network, or "
            "name a clone of the repository with the variable GAHR_AUTHORS."
        ) from error
    except ValueError as error:
        raise DownloadError(
            f"{_DOWNLOAD + path} is not the file that was expected: {error} Nothing was kept. Try "
            "again, or name a clone of the repository with the variable GAHR_AUTHORS."
        ) from error
    except OSError as error:
        raise CacheError(
            f"The cache folder {cache} cannot be written ({error}). Free some space, or name a "
            "clone of the repository with the variable GAHR_AUTHORS."
        ) from error
    return local


def _network(
    content: bytes, path: Path, *, first_layer_linear: bool | None = None
) -> ResidualNetwork:
    """Return the network of a file's content."""
    remedy = "Fetch the file again, and use none that holds more than weights."
    try:
        loaded = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # torch has no one error for a damaged file, and bad advice
        raise WeightsError(
            f"The weights {path} are damaged, or hold something that is no tensor "
            f"({type(error).__name__}); nothing in them was run. {remedy}"
        ) from error
    if not isinstance(loaded, dict) or not all(isinstance(v, Tensor) for v in loaded.values()):
        raise WeightsError(f"{path} holds no state dict; expected names and tensors. {remedy}")
    # A tensor may repeat one number without end, or have a shape and no numbers.
    if sum(value.numel() * value.element_size() for value in loaded.values()) > len(content):
        raise WeightsError(
            f"{path} describes more weights than its {len(content):,} bytes can hold; expected "
            f"those of a network, each number stored. {remedy}"
        )
    state = {str(name).removeprefix("module."): value for name, value in loaded.items()}
    config = _configuration(state, path, first_layer_linear)
    _check_weights(state, path)
    try:
        # A generator of its own, for the initial weights that the file replaces.
        network = build_network(config, generator=torch.Generator())
        network.load_state_dict(state)
    except (RuntimeError, ConfigError) as error:
        raise WeightsError(
            f"The weights {path} are neither those of the authors' UNet nor of their BF-CNN "
            f"({error}). {_ONLY_THESE}"
        ) from error
    return network.eval().requires_grad_(False)


def _configuration(
    state: dict[str, Tensor], path: Path, first_layer_linear: bool | None
) -> NetworkConfig:
    """Return the architecture that the names and shapes of the weights tell."""
    undecided = first_layer_linear is None and "conv_layers.0.weight" in state
    if undecided or not isinstance(first_layer_linear, bool | None):
        raise ConfigError(
            f"first_layer_linear is {first_layer_linear!r}; expected True or False, because the "
            f"two are different BF-CNNs, and {path} does not say which it holds. Pass what its "
            "training used: the authors' script says False unless told otherwise."
        )
    first = state.get("encoder.0.0.weight", state.get("conv_layers.0.weight"))
    width, channels = first.shape[:2] if first is not None and first.ndim == 4 else (0, 0)
    if "encoder.0.0.weight" in state:
        blocks = _count(state, "encoder")
        config = NetworkConfig("unet", channels, width, blocks)
        largest, sides = ["mid_block.3"], width * 2**blocks
    else:
        layers = _count(state, "conv_layers")
        config = NetworkConfig("bf_cnn", channels, width, layers, bool(first_layer_linear))
        largest, sides = [f"conv_layers.{i}" for i in range(1, layers - 1)], width
    # The largest weights first: a name more in a damaged file doubles a network, up to any size.
    for name in largest:
        weight = state.get(f"{name}.weight")
        if weight is None or weight.shape != (sides, sides, 3, 3):
            raise WeightsError(
                f"The weights {path} are neither those of the authors' UNet nor of their BF-CNN: "
                f"{name}.weight is {'missing' if weight is None else tuple(weight.shape)}; "
                f"expected {(sides, sides, 3, 3)}. {_ONLY_THESE}"
            )
    return config


def _count(state: dict[str, Tensor], part: str) -> int:
    """Return how many numbers follow the name of a part."""
    return len({name.split(".")[1] for name in state if name.startswith(f"{part}.")})


def _check_weights(state: dict[str, Tensor], path: Path) -> None:
    """Raise `WeightsError` unless the weights are finite and what is divided by is positive."""
    for name, value in state.items():
        stored = value.layout == torch.strided and value.device.type == "cpu"
        plain = stored and value.is_floating_point()
        single = value.float() if plain else value  # the precision in which they are used
        if not plain or not bool(single.isfinite().all()):
            raise WeightsError(
                f"{name} in {path} is not made of finite floats, as weights are. The training "
                "diverged, or the file is damaged: use another."
            )
        if name.endswith(".running_sd") and bool((single <= 0).any()):
            raise WeightsError(
                f"{name} in {path} has a standard deviation that is not positive; expected those "
                "of a trained network, since its norms divide by them."
            )
