"""The networks of the zoo: under each name, the run that makes it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

from gahr_lib.errors import ConfigError
from gahr_lib.jobs import SCALES, Run, make_run

__all__ = ["LADDER", "RECIPES", "find_recipe", "network_name", "recipes"]

Scale = Literal["book", "paper"]
_Named = tuple[str, Run]

LADDER = (1, 10, 100, 300, 1_000, 3_000, 10_000, 30_000)
"""The sizes of the training sets of Fashion-MNIST."""


def network_name(
    data: str,
    *,
    n_train: int | None = None,
    half: str = "A",
    alpha: float | None = None,
    variant: str = "",
) -> str:
    """Return the name of a network and its files.

    Parameters
    ----------
    data
        What it is trained on: "fashion", "c_alpha", "contour", "discs", "ray", "sinusoids" or
        "photographs"; at the scale of the paper "faces" and "bedrooms" in place of "fashion".
    n_train, half
        On how many images of which half; None if every step had fresh ones.
    alpha
        The smoothness of "c_alpha" and "contour".
    variant
        What it has that others have not: "seed2", another seed; "width32", 32 channels in its first
        layer; "bf_cnn", another architecture; "bias", convolutions with biases; "shuffled",
        shuffled pixels.
    """
    parts = [data]
    if alpha is not None:
        parts.append(f"{alpha:g}")
    if n_train is not None:
        parts += [str(n_train), half]
    return "-".join([*parts, variant] if variant else parts)


def _ladder(
    n: int, half: str, scale: Scale, variant: str = "", title: str = "", **settings: Any
) -> _Named:
    # Half A is trained with seed 0 and half B with seed 1, so that all that two networks of one
    # size share is the kind of image. Nothing but the number of images differs from size to size.
    seed = 2 if variant == "seed2" else {"A": 0, "B": 1}[half]
    steps = SCALES[scale].training.steps
    early = (steps // 8, steps // 4, steps // 2) if half == "A" and not variant else ()
    run = make_run(scale, n_train=n, half=half, seed=seed, snapshots=early, **settings)
    data = title or ("fashion" if run.images.data == "fashion" else "faces")
    return network_name(data, n_train=n, half=half, variant=variant), run


def _drawn(data: str, scale: Scale, alpha: float | None = None, **settings: Any) -> _Named:
    beta = 8.0 if data == "contour" else None  # a background that shows nothing but the contour
    source = "c_alpha" if data == "contour" else data
    if scale == "book":
        # Slopes are read at small noise, so there is more of it and it counts more.
        small_noise = {"sigma_power": 2.0, "weight_power": 1.5}
        settings = {"steps": 8_000, "batch_size": 16, **small_noise, **settings}
    run = make_run(scale, data=source, alpha=alpha, beta=beta, **settings)
    return network_name(data, alpha=alpha), run


def _book() -> Mapping[str, Run]:
    def fashion(n: int, half: str = "A", variant: str = "", **settings: Any) -> _Named:
        return _ladder(n, half, "book", variant, **settings)

    return _mapping(
        *(fashion(n, half) for n in LADDER for half in "AB"),
        *(fashion(n, variant="seed2") for n in (100, 1_000, 30_000)),
        *(fashion(n, variant="width32", width=32) for n in (100, 30_000)),
        *(fashion(n, variant="bf_cnn", architecture="bf_cnn") for n in (100, 30_000)),
        fashion(30_000, variant="shuffled", shuffled=0),
        fashion(30_000, variant="bias", bias=True),
        *(_drawn("c_alpha", "book", float(alpha)) for alpha in (1, 2, 3, 4, 5)),
        *(_drawn("contour", "book", alpha) for alpha in (1.5, 4.0)),
        *(_drawn(data, "book") for data in ("discs", "ray", "sinusoids")),
        _drawn("photographs", "book", size=48, sigma_power=1.5, weight_power=1.0),
    )


def _paper(faces: str | None, bedrooms: str | None) -> Mapping[str, Run]:
    def of_faces(n: int, half: str = "A", variant: str = "", **settings: Any) -> _Named:
        # The rows and columns that the authors cut off the aligned images of CelebA.
        return _ladder(n, half, "paper", variant, data=faces, crop=(29, 9), **settings)

    sizes = [(n, half) for n in (1, 10, 100, 1_000, 10_000, 100_000) for half in "AB"]
    photographs: list[_Named] = []
    if faces is not None:
        photographs += [of_faces(n, half) for n, half in sizes]
        photographs += [of_faces(100_000, variant="shuffled", shuffled=0)]
    if bedrooms is not None:
        photographs += [
            _ladder(n, half, "paper", data=bedrooms, title="bedrooms") for n, half in sizes
        ]
    return _mapping(
        *photographs,
        *(_drawn("c_alpha", "paper", float(alpha)) for alpha in (1, 2, 3, 4, 5)),
        *(_drawn("contour", "paper", alpha) for alpha in (1.5, 4.0)),
        *(_drawn(data, "paper") for data in ("discs", "ray", "sinusoids")),
    )


def _mapping(*named: _Named) -> Mapping[str, Run]:
    return MappingProxyType(dict(named))


RECIPES = _book()
"""The networks of the book, which the package ships."""


def recipes(
    scale: Scale = "book", *, faces: str | None = None, bedrooms: str | None = None
) -> Mapping[str, Run]:
    """Return the networks of a scale by name.

    Parameters
    ----------
    scale
        "book", those that the package ships; or "paper", the paper's sizes, which want GPUs.
    faces
        The folder of the aligned images of CelebA, for the scale of the paper.
    bedrooms
        The folder of the bedrooms of LSUN as image files, for the scale of the paper: the middle
        square of each is taken. One folder of the two is enough.

    Raises
    ------
    ConfigError
        If the scale is unknown, or the paper's has no folder.
    """
    if scale == "book":
        return RECIPES
    if scale != "paper":
        raise ConfigError(f"scale is {scale!r}; expected 'book' or 'paper'.")
    if faces is None and bedrooms is None:
        raise ConfigError(
            "The networks of the paper are trained on CelebA and LSUN, which their owners give "
            "out; expected faces, the folder of CelebA's aligned images (img_align_celeba), or "
            "bedrooms, a folder of those of LSUN."
        )
    return _paper(faces, bedrooms)


def find_recipe(name: str) -> Run:
    """Return what makes a network of the package.

    Raises
    ------
    ConfigError
        If the package has no such network; the message lists those it has.
    """
    if name not in RECIPES:
        raise ConfigError(f"There is no network {name}. The package has: {', '.join(RECIPES)}.")
    return RECIPES[name]
