"""An explorer of Algorithm 1: two networks walk from the same noise, moment by moment."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import traitlets
from matplotlib.figure import Figure
from torch import Tensor

from gahr_lib._checks import check_count
from gahr_lib.errors import ConfigError, ShapeError
from gahr_lib.figures import COLOURS
from gahr_lib.sampling import SampleConfig
from gahr_lib.sampling._noise_streams import Shape, check_shape
from gahr_lib.widgets import _front_end
from gahr_lib.widgets._explorer import Explorer, png, refuse_others
from gahr_lib.widgets._walks import Pair, compare, thinned

__all__ = ["MOST_BYTES", "Moment", "SamplerExplorer"]

MOST_BYTES = 900_000
"""How much room the pictures of a `SamplerExplorer` may take in the page, one byte a pixel."""


@dataclass(frozen=True)
class Moment:
    """Where one network is at a moment of the path.

    Attributes
    ----------
    step, steps
        The step that is about to be made, from 1, and how many there are.
    sigma
        The noise that the network finds, in intensity units.
    state
        The image x before the step, (1, H, W), bytes from its smallest number to its largest.
    guess
        What the network makes of it, f(x), (1, H, W), bytes from 0 to its largest number.
    """

    step: int
    steps: int
    sigma: float
    state: Tensor
    guess: Tensor


class SamplerExplorer(Explorer):
    """Follow two networks from equal noise to their samples, and see when they part.

    The reader chooses the noise, the settings of the sampler and the moment; the explorer shows
    the image x and the guess f(x) of either network, the noise that each finds at every step, and
    the cosine similarity of the two guesses. Everything is computed here, once.

    Networks need different numbers of steps. So a moment is a level of noise, and each network is
    shown at the first step at which it finds no more than that. The levels are spaced evenly in
    their logarithm, from the larger of the first two sigmas to the larger of the last two: both
    networks are at their first step in the first moment, and at their last step in the last one,
    where the guess is the sample.

    Parameters
    ----------
    denoisers
        Names, and two blind denoisers in evaluation mode. They are neither changed nor kept.
    configs
        Names, and settings of Algorithm 1.
    n
        How many noises there are to start from. Each also has its own noise along the way, the
        same for both networks and all settings.
    frames
        How many moments of a path are kept.
    shape
        (1, H, W) of the images; the `image_shape` of the first denoiser if None.
    generator
        Source of the noise; torch's default generator if None.
    **choices
        First values of the traits below.

    Attributes
    ----------
    noise : int
        Index of the noise, from 0 to n - 1.
    sampler : str
        The name of one of the settings.
    moment : int
        Index of the moment, from 0 to frames - 1.

    Raises
    ------
    ConfigError
        If there are not two networks, no settings, or choices that are not of this kind; or if the
        pictures take more room than `MOST_BYTES`.
    ShapeError
        If the images are not grey.
    SigmaError, SamplingError
        As `sample_steps` does.
    """

    _esm = _front_end.module("sampler_plot.js", "sampler_explorer.js")

    noise = traitlets.Int(0).tag(sync=True)
    sampler = traitlets.Unicode().tag(sync=True)
    moment = traitlets.Int(0).tag(sync=True)
    _data = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        denoisers: Mapping[str, Callable[..., Tensor]],
        configs: Mapping[str, SampleConfig],
        *,
        n: int = 3,
        frames: int = 24,
        shape: Shape | None = None,
        generator: torch.Generator | None = None,
        **choices: Any,
    ) -> None:
        _check_named(denoisers, configs)
        self._networks, self._samplers = tuple(denoisers), tuple(configs)
        self._n, self._frames = check_count(n, "n"), check_count(frames, "frames", 2)
        first = next(iter(denoisers.values()))
        height, width = self._grey(shape or getattr(first, "image_shape", None))
        _check_room(4 * len(configs) * n * frames * height * width)
        choices = {"sampler": self._samplers[0], "moment": frames * 2 // 3, **choices}
        self._check_choices(choices)
        # One seed for all, so that every network, whatever its settings, meets the same noise.
        seed = int(torch.randint(2**62, (), generator=generator, device=_device(generator)))
        self._paths = {
            name: compare(list(denoisers.values()), config, n, frames, (1, height, width), seed)
            for name, config in configs.items()
        }
        super().__init__(_data=self._packed(height, width), **choices)

    @property
    def level(self) -> float:
        """The noise level of the moment that is shown; no network finds more."""
        return float(self._pair().levels[self.moment])

    def shown(self, network: str) -> Moment:
        """Return where a network is at the moment that the explorer shows."""
        if network not in self._networks:
            raise ConfigError(
                f"There is no network {network!r}; expected one of {', '.join(self._networks)}."
            )
        path = self._pair().paths[self._networks.index(network)]
        place = int(path.places[self.moment])
        return Moment(
            step=place + 1,
            steps=len(path.sigmas),
            sigma=float(path.sigmas[place]),
            state=path.pictures[self.moment, :1],
            guess=path.pictures[self.moment, 1:],
        )

    def cosine(self) -> float:
        """Return the cosine similarity of the two guesses that are shown, means removed."""
        return float(self._pair().cosines[self.moment])

    def describe(self) -> str:
        """Return in a sentence what the explorer shows."""
        a, b = self._networks
        first, second = self.shown(a), self.shown(b)
        return (
            f"From noise {self.noise + 1} with the sampler {self.sampler}, at noise level "
            f"{self.level:.2g}: network {a} is at step {first.step} of {first.steps}, network {b} "
            f"at step {second.step} of {second.steps}, and the cosine similarity of their guesses "
            f"is {self.cosine():.2f}."
        )

    def still(self) -> bytes:
        """Return the state and the guess of both networks, and their noise, as a PNG."""
        figure = Figure(figsize=(7.4, 2.1), dpi=120, layout="constrained")
        axes = figure.subplots(1, 5, width_ratios=[1, 1, 1, 1, 1.5])
        pictures = {
            f"{name}: {title}": picture
            for name in self._networks
            for title, picture in (
                ("state x", self.shown(name).state),
                ("guess f(x)", self.shown(name).guess),
            )
        }
        for axis, (title, picture) in zip(axes, pictures.items(), strict=False):
            axis.imshow(picture[0].numpy(), cmap="gray", vmin=0, vmax=255)
            axis.set_title(title, fontsize=9)
            axis.set_axis_off()
        pair = self._pair()
        for path, name, colour, dash in zip(
            pair.paths, self._networks, ("blue", "orange"), ("-", "--"), strict=True
        ):
            steps = torch.arange(1, len(path.sigmas) + 1).numpy()
            axes[4].semilogy(steps, path.sigmas.numpy(), dash, color=COLOURS[colour], label=name)
        axes[4].axhline(self.level, color="black", lw=1)
        axes[4].set_title("$\\sigma$ found at each step", fontsize=9)
        axes[4].tick_params(labelsize=7)
        axes[4].legend(fontsize=7)
        return png(figure)

    def _pair(self) -> Pair:
        return self._paths[self.sampler][self.noise]

    def _packed(self, height: int, width: int) -> dict[str, Any]:
        """Return what the browser needs, in the order sampler, noise, network, moment."""
        pairs = [pair for row in self._paths.values() for pair in row]
        paths = [path for pair in pairs for path in pair.paths]
        traces = [thinned(path.sigmas) for path in paths]
        return {
            "height": height,
            "width": width,
            "networks": list(self._networks),
            "samplers": list(self._samplers),
            "noises": self._n,
            "frames": self._frames,
            "pictures": torch.stack([path.pictures for path in paths]).numpy().tobytes(),
            "levels": _front_end.floats(torch.stack([pair.levels for pair in pairs])),
            "cosines": _front_end.floats(torch.stack([pair.cosines for pair in pairs])),
            "steps": _front_end.floats(torch.stack([path.places + 1 for path in paths])),
            "sigmas": _front_end.floats(torch.stack([path.sigmas[path.places] for path in paths])),
            "traceCounts": [len(steps) for steps, _ in traces],
            "traceSteps": _front_end.floats(torch.cat([steps for steps, _ in traces])),
            "traceSigmas": _front_end.floats(torch.cat([sigmas for _, sigmas in traces])),
        }

    @staticmethod
    def _grey(shape: Shape | None) -> tuple[int, int]:
        if shape is None:
            raise ConfigError("The denoiser knows no size of images. Pass shape=(1, H, W).")
        channels, height, width = check_shape(shape)
        if channels != 1:
            raise ShapeError(
                f"The images have {channels} channels; expected 1. Pass networks of grey images."
            )
        return height, width

    @traitlets.validate("noise", "sampler", "moment")
    def _validate_choice(self, proposal: Any) -> Any:
        self._check_choices({proposal["trait"].name: proposal["value"]})
        return proposal["value"]

    def _check_choices(self, choices: Mapping[str, Any]) -> None:
        allowed: dict[str, Sequence[Any]] = {
            "noise": range(self._n),
            "sampler": self._samplers,
            "moment": range(self._frames),
        }
        refuse_others(choices, allowed)

    def __repr__(self) -> str:
        return (
            f"SamplerExplorer({' and '.join(self._networks)}, noise={self.noise}, "
            f"sampler={self.sampler!r}, moment={self.moment})"
        )


def _check_named(denoisers: object, configs: object) -> None:
    if not isinstance(denoisers, Mapping) or len(denoisers) != 2:
        raise ConfigError(
            f"denoisers is {denoisers!r:.80}; expected two networks by name. "
            "Pass {'A': denoiser_a, 'B': denoiser_b}."
        )
    fine = isinstance(configs, Mapping) and all(
        isinstance(config, SampleConfig) for config in configs.values()
    )
    if not fine or not configs:
        raise ConfigError(
            f"configs is {configs!r:.80}; expected settings by name. "
            "Pass {'β = 0.1': SampleConfig(beta=0.1)}, for instance."
        )


def _check_room(size: int) -> None:
    if size > MOST_BYTES:
        raise ConfigError(
            f"The pictures take {size:,} bytes; expected at most {MOST_BYTES:,}. "
            "Pass fewer frames, noises or settings."
        )


def _device(generator: torch.Generator | None) -> torch.device | str:
    return generator.device if generator is not None else "cpu"
