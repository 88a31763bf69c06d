import copy
import math
import re
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

import gahr_lib as gahr
from gahr_lib import errors, figures
from gahr_lib.sampling import SampleConfig, sample_steps
from gahr_lib.sampling._noise_streams import NoiseStreams
from gahr_lib.widgets.sampler_explorer import MOST_BYTES, SamplerExplorer
from helpers import LinearDenoiser, assert_refused, seeded, size_in_bytes, symmetric

SHAPE = (1, 8, 6)
CONFIGS = {
    "slow": SampleConfig(h0=0.1, ramp=False, beta=0.5, sigma_inf=0.05),
    "fast": SampleConfig(h0=0.1, beta=1.0, sigma_inf=0.05),
}


def shrinking(share: float = 0.1, seed: int = 0, offset: float = 0.05) -> LinearDenoiser:
    """A denoiser that keeps 12 directions and shrinks the others: some noise is always found."""
    values = torch.full((48,), share)
    values[:12] = 0.9
    return LinearDenoiser(symmetric(values, seed)[0], offset)


def small(**arguments: Any) -> SamplerExplorer:
    a = arguments.pop("a", shrinking())
    b = arguments.pop("b", shrinking(0.3, seed=1))
    arguments = {"n": 2, "frames": 9, "shape": SHAPE, "generator": seeded(3), **arguments}
    return SamplerExplorer({"A": a, "B": b}, arguments.pop("configs", CONFIGS), **arguments)


@pytest.fixture(scope="module")
def made() -> SamplerExplorer:
    return small()


@pytest.fixture
def explorer(made: SamplerExplorer) -> SamplerExplorer:
    made.noise, made.sampler, made.moment = 0, "slow", 6
    return made


def read(data: bytes, kind: str = "<f4") -> torch.Tensor:
    return torch.from_numpy(np.frombuffer(data, kind).copy())


def walked(denoiser: LinearDenoiser, config: SampleConfig, generator_seed: int = 3):
    """What the library's own loop does, with the noise that the explorer is documented to use."""
    seed = int(torch.randint(2**62, (), generator=seeded(generator_seed)))
    streams = NoiseStreams(denoiser, 2, SHAPE, generator=seeded(seed))
    start = config.mean + config.sigma_0 * streams.draw(streams.everyone)
    return start, list(
        sample_steps(denoiser, 2, shape=SHAPE, config=config, generator=seeded(seed))
    )


# ------------------------------------------------------------------------- what it shows


@pytest.mark.parametrize("sampler", CONFIGS)
@pytest.mark.parametrize("noise", [0, 1])
def test_pictures_are_those_of_the_samplers_own_states(explorer, sampler, noise):
    explorer.sampler, explorer.noise = sampler, noise
    for name, denoiser in (("A", shrinking()), ("B", shrinking(0.3, seed=1))):
        start, states = walked(denoiser, CONFIGS[sampler])
        for explorer.moment in range(9):
            shown = explorer.shown(name)
            state = states[shown.step - 1]
            x = states[shown.step - 2].x if shown.step > 1 else start
            assert shown.sigma == pytest.approx(float(state.sigma[noise]))
            assert shown.steps == sum(bool(s.active[noise]) for s in states)
            x = x[noise] - x[noise].min()
            assert (shown.state - 255 * x / x.max()).abs().max() <= 0.5001
            guess = figures.bright(state.denoised[noise, None])[0]
            assert (shown.guess - 255 * guess).abs().max() <= 0.5001


def test_state_and_guess_belong_together(explorer):
    """The guess is the denoiser's answer to the state, not to the one after the step."""
    a = shrinking()
    start, states = walked(a, CONFIGS["slow"])
    explorer.moment = 0
    torch.testing.assert_close(states[0].denoised, a(start))
    assert explorer.shown("A").step == 1
    expected = 255 * figures.bright(a(start)[:1])[0]
    assert (explorer.shown("A").guess - expected).abs().max() <= 0.5001


@pytest.mark.parametrize("sampler", CONFIGS)
def test_each_moment_is_the_first_step_below_a_common_level(explorer, sampler):
    explorer.sampler = sampler
    levels = []
    for explorer.moment in range(9):
        levels.append(explorer.level)
        for name, denoiser in (("A", shrinking()), ("B", shrinking(0.3, seed=1))):
            sigmas = [float(state.sigma[0]) for state in walked(denoiser, CONFIGS[sampler])[1]]
            first = next(k for k, s in enumerate(sigmas, 1) if s <= explorer.level * (1 + 1e-6))
            assert explorer.shown(name).step == first
    gaps = [math.log(a / b) for a, b in pairwise(levels)]
    assert gaps == pytest.approx([gaps[0]] * 8, rel=1e-4)
    assert gaps[0] > 0


@pytest.mark.parametrize("sampler", CONFIGS)
def test_paths_go_from_the_first_step_to_the_sample(explorer, sampler):
    explorer.sampler, explorer.moment = sampler, 0
    assert explorer.shown("A").step == explorer.shown("B").step == 1
    assert torch.equal(explorer.shown("A").state, explorer.shown("B").state)
    explorer.moment = 8
    for name, denoiser in (("A", shrinking()), ("B", shrinking(0.3, seed=1))):
        shown = explorer.shown(name)
        sample = walked(denoiser, CONFIGS[sampler])[1][-1].x
        assert shown.step == shown.steps
        assert (shown.guess - 255 * figures.bright(sample[:1])[0]).abs().max() <= 0.5001


def test_cosine_is_that_of_the_guesses(explorer):
    for explorer.moment in range(9):
        states = walked(shrinking(), CONFIGS["slow"])[1]
        first = states[explorer.shown("A").step - 1].denoised[:1]
        second = walked(shrinking(0.3, seed=1), CONFIGS["slow"])[1]
        second = second[explorer.shown("B").step - 1].denoised[:1]
        expected = torch.corrcoef(torch.stack([first.flatten(), second.flatten()]))[0, 1]
        assert explorer.cosine() == pytest.approx(float(expected), abs=1e-5)


def test_equal_networks_stay_together():
    explorer = small(b=shrinking())
    for explorer.moment in range(9):
        assert explorer.cosine() == pytest.approx(1)
        for kind in ("state", "guess"):
            first, second = (getattr(explorer.shown(name), kind) for name in "AB")
            assert torch.equal(first, second)


def test_noise_is_the_same_for_all_settings_and_differs_between_noises(explorer):
    explorer.moment = 0
    seen = {}
    for explorer.sampler in CONFIGS:
        for explorer.noise in (0, 1):
            seen[explorer.sampler, explorer.noise] = explorer.shown("A").state
    assert torch.equal(seen["slow", 0], seen["fast", 0])
    assert torch.equal(seen["slow", 1], seen["fast", 1])
    assert not torch.equal(seen["slow", 0], seen["slow", 1])


def test_an_exact_denoiser_has_one_step():
    class Same(gahr.Denoiser):
        def denoise(self, y, sigma):
            return y

    explorer = small(a=Same(), b=Same())
    assert explorer.shown("A").step == explorer.shown("A").steps == 1
    assert math.isfinite(explorer.level)


# ------------------------------------------------------------------------- what it sends


def test_page_of_three_noises_and_settings_is_small(trained_a, trained_b):
    betas = (0.1, 0.3, 1.0)
    explorer = SamplerExplorer(
        {"A": trained_a, "B": trained_b},
        {f"β = {beta}": SampleConfig(beta=beta, mean=0.3) for beta in betas},
        generator=seeded(),
    )
    assert size_in_bytes(explorer._data) < MOST_BYTES
    assert len(explorer._data["pictures"]) == 2 * 3 * 3 * 24 * 2 * 784
    explorer.moment = 23
    assert explorer.cosine() > 0.5  # two halves of 30,000 images make much the same sample


def test_what_is_sent_is_what_is_shown(explorer):
    data = explorer._data
    pictures = read(data["pictures"], "u1").reshape(2, 2, 2, 9, 2, *SHAPE[1:])
    levels, cosines = (read(data[name]).reshape(2, 2, 9) for name in ("levels", "cosines"))
    steps, sigmas = (read(data[name]).reshape(2, 2, 2, 9) for name in ("steps", "sigmas"))
    for s, explorer.sampler in enumerate(CONFIGS):
        for explorer.noise in (0, 1):
            for explorer.moment in (0, 5, 8):
                at = s, explorer.noise
                assert float(levels[*at, explorer.moment]) == pytest.approx(explorer.level)
                assert float(cosines[*at, explorer.moment]) == pytest.approx(explorer.cosine())
                for i, name in enumerate("AB"):
                    shown = explorer.shown(name)
                    assert int(steps[*at, i, explorer.moment]) == shown.step
                    assert float(sigmas[*at, i, explorer.moment]) == pytest.approx(shown.sigma)
                    both = pictures[*at, i, explorer.moment]
                    assert torch.equal(both, torch.cat([shown.state, shown.guess]))


def test_long_curves_are_thinned_but_keep_their_ends():
    slow = {"slow": SampleConfig(h0=0.01, ramp=False, beta=0.5, sigma_inf=0.05)}
    explorer = small(configs=slow, n=1)
    counts = explorer._data["traceCounts"]
    steps = read(explorer._data["traceSteps"]).split(counts)
    for i, name in enumerate("AB"):
        total = explorer.shown(name).steps
        assert total > 400
        assert counts[i] == 400
        assert (float(steps[i][0]), float(steps[i][-1])) == (1, total)


def test_choices_do_not_change_what_was_sent(explorer):
    before = copy.deepcopy(explorer._data)
    for explorer.moment in range(9):
        explorer.shown("A")
    assert explorer._data == before
    assert set(explorer.get_state()) >= {"noise", "sampler", "moment", "_data"}


def test_module_is_whole_in_itself():
    assert not re.search(r"https?:|^import |import\(|fetch\(", SamplerExplorer._esm, re.MULTILINE)
    assert SamplerExplorer._esm.rstrip().endswith("export default { render };")


# ------------------------------------------------------------------------- manners


def test_equal_generators_give_equal_paths(made, untouched_random_state):
    assert small()._data == made._data
    assert small(generator=seeded(4))._data["pictures"] != made._data["pictures"]


def test_denoisers_are_left_as_they_were():
    a = shrinking()
    before = a.matrix.clone()
    small(a=a)
    assert torch.equal(a.matrix, before)


def test_still_picture_comes_with_the_widget(explorer):
    data, _ = explorer._repr_mimebundle_()
    assert 'src="data:image/png;base64,iVBOR' in data["text/html"]
    assert f"is {explorer.cosine():.2f}." in data["text/html"]
    assert "at step" in explorer.describe()
    assert data["text/plain"] == repr(explorer)
    assert repr(explorer) == "SamplerExplorer(A and B, noise=0, sampler='slow', moment=6)"


# ------------------------------------------------------------------------- bad input

BAD_ARGUMENTS = [
    ({"n": 0}, errors.ConfigError),
    ({"frames": 1}, errors.ConfigError),
    ({"frames": 100_000}, errors.ConfigError),
    ({"shape": (3, 8, 6)}, errors.ShapeError),
    ({"shape": None}, errors.ConfigError),
    ({"configs": {}}, errors.ConfigError),
    ({"configs": {"half": 0.5}}, errors.ConfigError),
    ({"configs": [0.5]}, errors.ConfigError),
]


@pytest.mark.parametrize(("arguments", "error"), BAD_ARGUMENTS)
def test_bad_arguments(arguments, error):
    with pytest.raises(error, match=r"expected|Pass"):
        small(**arguments)


@pytest.mark.parametrize("denoisers", [{}, {"A": shrinking()}, [shrinking(), shrinking()]])
def test_not_two_named_networks(denoisers):
    with pytest.raises(errors.ConfigError, match="two networks by name"):
        SamplerExplorer(denoisers, CONFIGS, shape=SHAPE)


BAD_CHOICES = [("noise", 2), ("noise", -1), ("moment", 9), ("moment", -1), ("sampler", "other")]


@pytest.mark.parametrize(("name", "value"), BAD_CHOICES)
def test_bad_choices(name, value, explorer):
    assert_refused(explorer, small, name, value)


def test_unknown_network(explorer):
    with pytest.raises(errors.ConfigError, match="expected one of A, B"):
        explorer.shown("C")
