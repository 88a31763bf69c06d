"""What measures the claims of Chapter 6, what is not settled.

They are claims of several papers; each entry of the ledger names its own. Where an experiment is
short, it runs again, and where it is long, its cached result has to be made of the networks that
are there.
"""

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from gahr_lib import data
from gahr_lib.analysis.evaluation import psnr_curve
from gahr_lib.analysis.jacobian import jacobian
from gahr_lib.claims.cached import current_result
from gahr_lib.claims.claim import Measured
from gahr_lib.models import PatchPosterior, ResidualNetwork
from gahr_lib.noise import add_noise
from gahr_lib.zoo import experiments, load_denoiser

__all__ = ["MEASURES"]


def _machine_samples() -> Measured:
    found = current_result("mosaics", experiments.Mosaics)
    machines = [found.names.index(name) for name in ("patches", "local", "equivariant")]
    medians = found.r2[machines].median(dim=1).values
    best = found.r2[machines[int(medians.argmax())]]
    return _median(best)


def _patches_near() -> Measured:
    x = data.fashion("test", n=16)
    y = add_noise(x, 0.2, generator=_noise())
    network = load_denoiser("fashion", n_train=300)(y)
    machine = PatchPosterior(data.fashion("train", half="A", n=300), 5)(y, 0.2)
    distance, error = (_mse(a, network) for a in (machine, x))
    return _ratio(distance, error)


def _twin_nearer() -> Measured:
    found = current_result("likeness", experiments.Likeness)
    row, level = list(found.n_train.tolist()).index(1_000), 2
    twin = found.distance[row, found.machines.index("twin"), level]
    sides = [i for i, name in enumerate(found.machines) if name.startswith("patches")]
    patches = found.distance[row, sides, level]
    return _ratio(patches[int(patches.mean(dim=1).argmin())], twin)


def _nearer_to_gaussian() -> Measured:
    found = current_result("likeness", experiments.Likeness)
    few, many = (list(found.n_train.tolist()).index(n) for n in (100, 30_000))
    r2 = found.r2[:, found.machines.index("wiener"), 2]
    return Measured.of_mean(r2[many] - r2[few])


def _gaussian_in_weak_noise() -> Measured:
    found = current_result("likeness", experiments.Likeness)
    many = list(found.n_train.tolist()).index(30_000)
    distance = found.distance[many, found.machines.index("wiener"), 0]
    return _ratio(distance, found.network_error[many, 0])


def _footprint_of(name: str, reference: str) -> Measured:
    found = current_result("footprints", experiments.Footprints)
    ours, theirs = (
        found.on_grid[found.names.index(which)].double().mean(dim=2) for which in (name, reference)
    )
    # A pixel's mean over images, then over levels: pixels count as independent.
    return Measured.of_mean((ours / theirs).mean(dim=0))


def _footprint_of_shuffled() -> Measured:
    found = current_result("footprints", experiments.Footprints)
    ours = found.on_grid[found.names.index("UNet, shuffled")].double().mean(dim=(0, 1))
    # Weights that know nothing of the grid are as good as equal ones.
    places = experiments.places_when_shuffled(experiments.PIXELS)
    flat = torch.ones(len(places), 1, *found.rows.shape[-2:])
    return Measured.of_mean(ours / experiments.half_energy_radius(flat, places))


def _onset_power(field: str, level: float) -> Measured:
    found = current_result("onsets", experiments.Onsets)
    # The first moments run again; they are all that the onset of good denoising needs.
    early = tuple(found.steps[:4].tolist())
    again = experiments.watch_onsets([4], early)
    values = getattr(found, field).clone()
    values[0, : len(early)] = getattr(again, field)[0]
    times = [experiments.crossing(found.steps, row, level) for row in values]
    u, v = (torch.tensor(x, dtype=torch.float64).log() for x in (found.n_train.tolist(), times))
    u = u - u.mean()
    slope = (u * v).sum() / u.square().sum()
    left = v - v.mean() - slope * u
    error = (left.square().sum() / (len(u) - 2) / u.square().sum()).sqrt()
    return Measured(float(slope), 3.18 * float(error))  # Student's t of three degrees of freedom


def _lead_of_width() -> Measured:
    own, new = data.fashion("train", half="A", n=100), data.fashion("test", n=100)
    curves = [
        [
            psnr_curve(
                load_denoiser("fashion", n_train=100, variant=variant), x, [0.1], generator=_noise()
            )
            for x in (own, new)
        ]
        for variant in ("width32", "")
    ]
    # Image by image, which is paired: the wide network less the usual one.
    gain, loss = (wide[0] - usual[0] for wide, usual in zip(*curves, strict=True))
    return Measured.of_mean(gain - loss)


def _other_relatives() -> Measured:
    found = current_result("relatives", experiments.Relatives)
    samples = len(found.same) // 2
    return Measured.of_mean(1 - found.same[:samples].double())


def _nearer_than_real() -> Measured:
    found = current_result("relatives", experiments.Relatives)
    samples, real = found.ssim_to[:, 0].chunk(2)
    ours, theirs = Measured.of_mean(samples), Measured.of_mean(real)
    return Measured(ours.value - theirs.value, (ours.spread**2 + theirs.spread**2) ** 0.5)


def _dense_twins() -> Measured:
    found = current_result("dim-samples-30000", experiments.Samples)
    far, *_, near = found.to_own.argsort().chunk(3)
    ours, theirs = (Measured.of_mean(found.similarity[part]) for part in (near, far))
    return Measured(ours.value - theirs.value, (ours.spread**2 + theirs.spread**2) ** 0.5)


def _shared_vectors() -> Measured:
    spans = [
        _span(network) for network in (_transformer(), load_denoiser("fashion", n_train=30_000))
    ]
    return Measured(float((spans[0].T @ spans[1]).square().sum() / spans[0].shape[1]))


def _blocks() -> Measured:
    vectors = _span(_transformer(), 40).T.reshape(-1, 28, 28)
    steps = vectors.diff(dim=2).square().mean((0, 1)) + vectors.diff(dim=1).square().mean((0, 2))
    border = torch.arange(27) % 4 == 3
    return Measured(float(steps[border].mean() / steps[~border].mean()))


@cache
def _transformer() -> ResidualNetwork:
    return current_result("transformer", experiments.TrainedTransformer).denoiser()


def _span(network: ResidualNetwork, k: int = 20) -> Tensor:
    y = add_noise(data.fashion("test", n=4)[3:], 0.15, generator=_noise())
    matrix = jacobian(network, y).double()
    return torch.linalg.eigh(matrix + matrix.T).eigenvectors[:, -k:]


def _median(values: Tensor) -> Measured:
    """Return the median with 1.57 times the standard error of a mean, as of normal values."""
    error = 1.57 * 1.25 * float(values.double().std()) / len(values) ** 0.5
    return Measured(float(values.median()), error)


def _ratio(above: Tensor, below: Tensor) -> Measured:
    """Return the ratio of two means over the same images, with the interval of its error."""
    ratio = float(above.mean() / below.mean())
    left = Measured.of_mean(above.double() - ratio * below.double())
    return Measured(ratio, left.spread / float(below.mean()))


def _mse(a: Tensor, b: Tensor) -> Tensor:
    return (a - b).square().mean(dim=(1, 2, 3))


def _noise() -> torch.Generator:
    return torch.Generator().manual_seed(0)


MEASURES: dict[str, Callable[[], Measured]] = {
    "questions-machine-samples": _machine_samples,
    "questions-patches-near": _patches_near,
    "questions-twin-nearer": _twin_nearer,
    "questions-gaussian-order": _nearer_to_gaussian,
    "questions-gaussian-weak-noise": _gaussian_in_weak_noise,
    "questions-footprint-data": lambda: _footprint_of("UNet", "Wiener"),
    "questions-footprint-transformer": lambda: _footprint_of("transformer", "UNet"),
    "questions-footprint-shuffled": _footprint_of_shuffled,
    "questions-memory-time": lambda: _onset_power("lead", 2.0),
    "questions-good-time": lambda: _onset_power("test", 22.0),
    "questions-width": _lead_of_width,
    "questions-other-relatives": _other_relatives,
    "questions-nearer-than-real": _nearer_than_real,
    "questions-dense-twins": _dense_twins,
    "questions-transformer-span": _shared_vectors,
    "questions-transformer-blocks": _blocks,
}
