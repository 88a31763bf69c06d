"""The live explorer in Python: what it computes, on demand, in steps, and what stops it."""

import asyncio
import copy
import doctest
from typing import Any

import pytest
import torch

import gahr_lib as gahr
from gahr_lib import errors
from gahr_lib.widgets import (
    EigenbasisExplorer,
    LiveEigenbasisExplorer,
    live_eigenbasis_explorer,
)
from gahr_lib.widgets._expanding import expand_steps
from helpers import (
    BAD_IMAGES,
    LinearDenoiser,
    assert_refused,
    intensities,
    seeded,
    small_unet,
    until,
)

ASKED = ("network", "image", "sigma", "seed")


def small(denoisers=None, **arguments: Any) -> LiveEigenbasisExplorer:
    images = arguments.pop("images", intensities(2, 1, 8, 8))
    if denoisers is None:
        denoisers = {"one": small_unet(), "two": small_unet(seed=1)}
    return LiveEigenbasisExplorer(denoisers, images, **{"k": 20, **arguments})


def large(**arguments: Any) -> LiveEigenbasisExplorer:
    """Of an image whose Jacobian is too large to be decomposed."""
    return small({"one": small_unet()}, images=intensities(1, 1, 36, 32), **{"k": 6, **arguments})


def noisy(explorer: LiveEigenbasisExplorer, images: torch.Tensor) -> torch.Tensor:
    x = images[explorer.image, None]
    return gahr.add_noise(x, explorer.sigma, generator=seeded(explorer.seed))


def settled(explorer: LiveEigenbasisExplorer) -> bool:
    return explorer._work == {}


# ------------------------------------------------------------------------- what it computes


def test_it_is_the_explorer_of_computed_bases_at_every_choice():
    explorer = small()
    for choice in ({}, {"network": "two"}, {"image": 1}, {"sigma": 0.5}, {"seed": 7}):
        for name, value in choice.items():
            setattr(explorer, name, value)
        networks = {"one": small_unet(), "two": small_unet(seed=1)}
        whole = EigenbasisExplorer(
            {explorer.network: networks[explorer.network]},
            intensities(2, 1, 8, 8)[explorer.image, None],
            [explorer.sigma],
            k=20,
            generator=seeded(explorer.seed),
        )
        for name in ("noisy", "output", "asymmetry", "error"):
            mine, other = getattr(explorer.answer(), name), getattr(whole.answer(), name)
            torch.testing.assert_close(mine, other)
        for explorer.vectors in ("singular", "eigen"):
            whole.vectors = explorer.vectors
            # Where values lie close, any rotation of their vectors is as good.
            torch.testing.assert_close(explorer.expansion().values, whole.expansion().values)
            explorer.index = whole.index = 1
            assert explorer.psnr() == pytest.approx(whole.psnr(), abs=1e-3)


def test_eigenvalues_are_those_of_the_eigenbasis():
    explorer = small(sigma=0.3, seed=5, vectors="eigen")
    y = noisy(explorer, intensities(2, 1, 8, 8))
    torch.testing.assert_close(explorer.answer().noisy, y)
    basis = gahr.eigenbasis(small_unet(), y)
    torch.testing.assert_close(explorer.expansion().values, basis.values, atol=1e-5, rtol=0)


def test_of_large_images_the_leading_eigenpairs_are_found_without_the_matrix():
    explorer = large(sigma=0.2, index=6)
    y = noisy(explorer, intensities(1, 1, 36, 32))
    basis = gahr.eigenbasis(small_unet(), y, 6)  # iterative as well
    dense = gahr.eigenbasis(small_unet(), y, 6, method="dense")
    answer = explorer.answer()
    assert answer.singular is None
    assert explorer.vectors == "eigen"
    torch.testing.assert_close(answer.eigen.values, basis.values)
    torch.testing.assert_close(answer.eigen.values, dense.values, atol=1e-3, rtol=0)
    assert answer.asymmetry == basis.asymmetry
    torch.testing.assert_close(explorer.partial(), basis.shrink(y, kept=6), atol=1e-5, rtol=0)
    torch.testing.assert_close(answer.output, small_unet()(y))
    error = float(gahr.mse(explorer.partial(), intensities(1, 1, 36, 32)))
    assert float(answer.eigen.errors[5]) == pytest.approx(error, rel=1e-4)
    assert answer.eigen.gap is None
    with pytest.raises(errors.ConfigError, match="'eigen'"):
        explorer.vectors = "singular"


def test_any_function_is_a_denoiser():
    explorer = small({"half": lambda y, sigma: y * (1 - sigma)}, sigma=0.25)
    torch.testing.assert_close(explorer.expansion().values, torch.full((64,), 0.75))
    explorer.sigma = 0.5
    torch.testing.assert_close(explorer.expansion().values, torch.full((64,), 0.5))


def test_its_example_runs():
    result = doctest.testmod(live_eigenbasis_explorer)
    assert result.attempted > 0
    assert result.failed == 0


def test_double_precision_is_kept():
    explorer = small(
        {"linear": LinearDenoiser(torch.eye(64, dtype=torch.float64) / 3)},
        images=intensities(1, 1, 8, 8, dtype=torch.float64),
    )
    assert float(explorer.expansion().values[0]) == pytest.approx(1 / 3, abs=1e-7)


@pytest.mark.parametrize("size", [8, 36])
def test_steps_say_how_far_they_are(size):
    x = intensities(1, 1, size, 32)
    *before, last = expand_steps(small_unet(), x, x + 0.1, 0.1, 4)
    assert all(step.answer is None for step in before)
    assert last.answer is not None
    if size == 8:
        shares = [step.share for step in (*before, last)]
        assert shares == sorted(shares)
        assert shares[-1] == 1
        assert before[0].text == "56 of 256 columns of J"
        assert before[-2].text == "256 of 256 columns of J"
    else:
        assert before[0].text == "2 products with J"
        assert {step.share for step in before} == {None}  # nobody knows how many it will take


# ------------------------------------------------------------------------- on demand, in steps


def test_in_a_kernel_a_change_starts_the_computation_and_returns():
    async def main():
        explorer = small()
        before, told = explorer.answer(), []
        explorer.observe(lambda change: told.append(change["new"]), "_work")
        explorer.sigma = 0.5
        assert explorer.answer() is before
        assert explorer._data["shown"]["sigma"] != 0.5
        assert "sigma=0.5" not in repr(explorer)  # it says what is shown
        await until(lambda: settled(explorer))
        assert explorer.answer() is not before
        assert explorer._data["shown"] == {"network": "one", "image": 0, "sigma": 0.5, "seed": 0}
        assert "sigma=0.5" in repr(explorer)
        texts = [work.get("text") for work in told]
        assert texts == [
            "starting", "56 of 64 columns of J", "64 of 64 columns of J", "singular vectors", None,
        ]  # fmt: skip

    asyncio.run(main())


def test_compute_waits_for_the_answer():
    async def main():
        explorer = small()
        explorer.sigma = 0.5
        answer = explorer.compute()
        assert answer is explorer.answer()
        assert settled(explorer)
        expected = noisy(explorer, intensities(2, 1, 8, 8))
        torch.testing.assert_close(answer.noisy, expected)
        assert explorer.compute() is answer  # nothing is left to do

    asyncio.run(main())


def test_a_new_choice_takes_the_place_of_the_one_being_computed():
    async def main():
        explorer, shown = small(), []
        explorer.observe(lambda change: shown.append(change["new"]["shown"]["sigma"]), "_data")
        explorer.sigma = 0.5
        await until(lambda: "columns" in explorer._work["text"])
        explorer.sigma = 0.6
        await until(lambda: settled(explorer))
        await asyncio.sleep(0.05)
        assert shown == [0.6]

    asyncio.run(main())


@pytest.mark.parametrize("make", [small, large])
def test_cancel_goes_back_to_what_is_shown(make):
    async def main():
        explorer = make()
        before = explorer.answer()
        first = [getattr(explorer, name) for name in ASKED]
        explorer.sigma, explorer.seed = 0.5, 3
        await until(lambda: explorer._work["text"] != "starting")
        explorer.cancel()
        assert [getattr(explorer, name) for name in ASKED] == first
        assert settled(explorer)
        await asyncio.sleep(0.1)
        assert explorer.answer() is before
        assert settled(explorer)
        explorer.sigma = 0.5  # and the next choice is computed
        await until(lambda: settled(explorer))
        assert explorer.answer() is not before

    asyncio.run(main())


def test_the_page_cancels_by_setting_the_choice_back():
    async def main():
        explorer = small()
        before, first = explorer.answer(), explorer.sigma
        explorer.set_state({"sigma": 0.5})
        await until(lambda: explorer._work["text"] != "starting")
        explorer.set_state({"network": "one", "image": 0, "sigma": first, "seed": 0})
        assert settled(explorer)
        await asyncio.sleep(0.05)
        assert explorer.answer() is before

    asyncio.run(main())


def test_an_index_moves_while_python_computes():
    async def main():
        explorer = small()
        explorer.sigma = 0.5
        await until(lambda: "columns" in explorer._work["text"])
        explorer.index = 9
        assert "columns" in explorer._work["text"]
        await until(lambda: settled(explorer))
        assert explorer.index == 9

    asyncio.run(main())


class Fragile(gahr.Denoiser):
    """Has no derivative in strong noise."""

    needs_sigma = True

    def denoise(self, y, sigma):
        return (0 * y).sqrt() if sigma > 0.4 else y / 2


def test_an_error_is_told_and_what_was_shown_stays():
    async def main():
        explorer = small({"fragile": Fragile()}, sigma=0.1)
        before = explorer.answer()
        explorer.sigma = 0.5
        await until(lambda: "error" in explorer._work)
        assert "expected a finite one" in explorer._work["error"]
        assert isinstance(explorer.error, errors.NotDifferentiableError)
        assert explorer.answer() is before
        with pytest.raises(errors.NotDifferentiableError):
            explorer.compute()
        explorer.sigma = 0.2
        assert explorer.error is None
        await until(lambda: settled(explorer))
        assert explorer.answer() is not before

    asyncio.run(main())


def test_errors_of_a_readers_function_come_with_their_type():
    def odd(y, sigma):
        if sigma > 0.4:
            raise KeyError("what")
        return y / 2

    async def main():
        explorer = small({"odd": odd}, sigma=0.1)
        explorer.sigma = 0.5
        await until(lambda: "error" in explorer._work)
        assert explorer._work["error"] == "KeyError: 'what'"

    asyncio.run(main())


def test_in_a_script_a_change_computes_at_once_and_raises():
    explorer = small({"fragile": Fragile()}, sigma=0.1)
    explorer.sigma = 0.2
    torch.testing.assert_close(explorer.answer().noisy, noisy(explorer, intensities(2, 1, 8, 8)))
    with pytest.raises(errors.NotDifferentiableError):
        explorer.sigma = 0.5


# ------------------------------------------------------------------------- manners


def test_denoiser_and_images_are_left_as_they_were(untouched_random_state):
    denoiser, images = small_unet(), intensities(2, 1, 8, 8)
    state, original = copy.deepcopy(denoiser.state_dict()), images.clone()
    explorer = small({"one": denoiser}, images=images)
    explorer.sigma = 0.4
    assert torch.equal(images, original)
    for name, value in denoiser.state_dict().items():
        assert torch.equal(value, state[name])
    images.zero_()
    explorer.seed = 1
    torch.testing.assert_close(explorer.answer().noisy, noisy(explorer, original))


def test_first_noise_is_between_the_two_levels():
    assert small(sigmas=(0.04, 0.25)).sigma == 0.1
    assert small(sigmas=(0.03333, 0.033331)).sigma == pytest.approx(0.03333, abs=1e-6)


def test_still_picture_shows_what_was_computed(untouched_random_state):
    explorer = small(sigma=0.3)
    alt = explorer._repr_mimebundle_()[0]["text/html"]
    assert "Network one at image 0 with noise of sigma = 0.3: singular value 1" in alt
    assert "eigenvalue 1" in large().describe()
    assert large().still().startswith(b"\x89PNG")


def test_repr_says_what_is_shown_and_no_address():
    assert repr(small(sigma=0.3)) == (
        "LiveEigenbasisExplorer(network='one', image='image 0', sigma=0.3, seed=0, "
        "vectors='singular', index=1)"
    )


# ------------------------------------------------------------------------- bad input


@pytest.mark.parametrize("case", BAD_IMAGES)
def test_bad_images(case):
    images, error, words = BAD_IMAGES[case]
    with pytest.raises(error, match=words):
        small(images=images)


@pytest.mark.parametrize(
    "sigmas", [(), 0.1, (0.1,), (0.1, 0.1), (0.4, 0.1), (0.0, 1.0), (-1, 1), (0.1, float("nan"))]
)
def test_bad_sigmas(sigmas):
    with pytest.raises(errors.SigmaError, match="expected"):
        small(sigmas=sigmas)


@pytest.mark.parametrize(
    "arguments",
    [{"names": ["one"]}, {"k": 0}, {"k": 65}, {"denoisers": {}}, {"denoisers": [small_unet()]}],
)
def test_bad_arguments(arguments):
    with pytest.raises(errors.ConfigError, match="expected"):
        small(**arguments)


BAD_CHOICES = [
    ("network", "three", errors.ConfigError),
    ("image", 2, errors.ConfigError),
    ("sigma", 1.5, errors.SigmaError),
    ("sigma", 0.0, errors.SigmaError),
    ("sigma", float("nan"), errors.SigmaError),
    ("seed", -1, errors.ConfigError),
    ("seed", 2**31, errors.ConfigError),
    ("vectors", "fourier", errors.ConfigError),
    ("index", 21, errors.ConfigError),
]


@pytest.mark.parametrize(("name", "value", "error"), BAD_CHOICES)
def test_bad_choices(name, value, error):
    explorer = small()
    answer = explorer.answer()
    assert_refused(explorer, small, name, value, error)
    assert explorer.answer() is answer


def test_a_sigma_that_is_no_number():
    with pytest.raises(errors.SigmaError):
        small(sigma="much")


def test_the_training_mode_is_refused():
    with pytest.raises(errors.ConfigError, match="eval"):
        small({"one": small_unet().train()})
