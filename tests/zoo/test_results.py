"""The cached results: all there, and what the code of the chapters gives."""

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from gahr_lib.analysis.results import Result
from gahr_lib.data import fashion
from gahr_lib.errors import ConfigError, DataFileError
from gahr_lib.zoo import experiments, results
from gahr_lib.zoo.results import (
    FOLDER,
    RESULTS,
    CachedResult,
    build_result,
    is_current_result,
    load_result,
)

pytestmark = pytest.mark.usefixtures("untouched_random_state")


def close(ours: Tensor, theirs: Tensor, atol: float = 0.01) -> None:
    torch.testing.assert_close(ours, theirs, rtol=0, atol=atol)


@pytest.mark.parametrize("name", RESULTS)
def test_every_result_is_there_and_current(name: str) -> None:
    assert is_current_result(name)
    assert isinstance(load_result(name, RESULTS[name].kind), RESULTS[name].kind)


def test_nothing_lies_about_and_all_is_small() -> None:
    expected = {f"{name}{suffix}" for name in RESULTS for suffix in (".safetensors", ".json")}
    assert {path.name for path in FOLDER.iterdir()} == expected
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 15e6


# A part of each, computed again


def test_the_ladder_is_found_again() -> None:
    cached = load_result("ladder", experiments.Ladder)
    size, level = 3, 10
    n, sigma = int(cached.n_train[size]), float(cached.sigmas[level])
    found = experiments.climb([n], [sigma])
    for name in ("train", "test", "gap"):
        close(getattr(cached, name)[size, level], getattr(found, name)[0, 0], 0.02)
    torch.testing.assert_close(
        cached.variance[size, level], found.variance[0, 0], rtol=0.02, atol=0
    )


def test_the_comparison_of_seeds_is_found_again() -> None:
    cached = load_result("seeds", experiments.Seeds)
    found = experiments.compare_seeds([1_000], [float(cached.sigmas[8])])
    for name in ("same_data", "other_data"):
        ours, theirs = getattr(cached, name)[1, 8], getattr(found, name)[0, 0]
        torch.testing.assert_close(ours, theirs, rtol=0.02, atol=0)


def test_the_grid_of_training_times_is_found_again() -> None:
    cached = load_result("training-time", experiments.Grid)
    found = experiments.training_grid([100], [float(cached.sigmas[2])])
    for name in ("train", "test"):
        close(getattr(cached, name)[2, :, 2], getattr(found, name)[0, :, 0])
    assert torch.equal(cached.steps, found.steps)


def test_samples_are_drawn_again() -> None:
    cached = load_result("samples-300", experiments.Samples)
    found = experiments.draw_samples(300, 4)
    for name in ("a", "b"):
        difference = getattr(cached, name)[:4].float() - getattr(found, name).float()
        assert difference.abs().mean() < 1  # of 255
    for name in ("similarity", "to_own", "to_other", "real_to_own"):
        close(getattr(cached, name)[:4], getattr(found, name))
    for name in ("ratio", "real_ratio"):
        close(getattr(cached, name)[:4], getattr(found, name), 0.05)


def test_bases_are_found_again() -> None:
    cached = load_result("bases", experiments.Bases)
    sigma = float(cached.sigmas[1])
    found = experiments.compare_bases([100], fashion("test", n=1), [sigma], k=4)
    at = int((cached.n_train == 100).nonzero()), 0, 1
    assert torch.equal(cached.noisy[0, 1], found.noisy[0, 0])
    close(cached.values[at], found.values[0, 0, 0], 1e-4)
    close(cached.denoised[at], found.denoised[0, 0, 0], 1e-4)
    close(cached.asymmetry[at], found.asymmetry[0, 0, 0], 1e-4)
    overlap = (cached.vectors[at][:4].float() * found.vectors[0, 0, 0].float()).sum((1, 2)).abs()
    assert overlap[0] > 0.99


@pytest.mark.slow
def test_curves_of_discs_are_found_again() -> None:
    cached = load_result("curves-discs", experiments.ClassCurves)
    found = experiments.class_curves(
        "discs", [float(cached.input_psnr[9])], images=8, bayes_images=1
    )
    for name, count in (("network", 8), ("wavelet", 8), ("bayes", 1)):
        close(getattr(cached, name)[9, :count], getattr(found, name)[0], 0.05)


@pytest.mark.parametrize(("data", "alpha"), [("c_alpha", 4), ("contour", 1.5)])
def test_curves_of_smooth_images_are_found_again(data: str, alpha: float) -> None:
    cached = load_result(f"curves-{data}-{alpha:g}", experiments.ClassCurves)
    found = experiments.class_curves(data, [float(cached.input_psnr[9])], alpha=alpha, images=8)
    for name in ("network", "wavelet", "wiener"):
        close(getattr(cached, name)[9, :8], getattr(found, name)[0], 0.05)
    assert cached.bayes.shape == (len(cached.input_psnr), 0)


@pytest.mark.parametrize(
    "data", [pytest.param("discs", marks=pytest.mark.slow), "ray", "sinusoids"]
)
def test_spectra_are_found_again(data: str) -> None:
    cached = load_result(f"spectra-{data}", experiments.Spectra)
    found = experiments.spectra(data, cached.sigma, images=1, k=20)
    close(cached.network[0], found.network[0], 1e-3)
    close(cached.bayes[0], found.bayes[0], 1e-3)


# The store


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> str:
    made = experiments.Seeds(
        torch.ones(1), torch.ones(2), torch.zeros(1, 2, 3), torch.ones(1, 2, 3)
    )
    result = CachedResult(experiments.Seeds, ("fashion-10-A",), lambda: made)
    monkeypatch.setattr(results, "RESULTS", {"small": result})
    return "small"


def test_a_result_is_made_kept_and_read(small: str, tmp_path: Path) -> None:
    assert not is_current_result(small, folder=tmp_path)
    build_result(small, folder=tmp_path)
    assert is_current_result(small, folder=tmp_path)
    read = load_result(small, experiments.Seeds, folder=tmp_path)
    assert torch.equal(read.other_data, torch.ones(1, 2, 3))
    assert {path.name for path in tmp_path.iterdir()} == {"small.safetensors", "small.json"}


def test_a_result_of_other_weights_is_not_current(small: str, tmp_path: Path) -> None:
    build_result(small, folder=tmp_path)
    facts = json.loads((tmp_path / "small.json").read_text())
    assert set(facts["networks"]) == {
        "fashion-10-A",
        *(f"fashion-10-A-step{step}" for step in (500, 1_000, 2_000)),
    }
    facts["networks"]["fashion-10-A"] = "0" * 64
    (tmp_path / "small.json").write_text(json.dumps(facts))
    assert not is_current_result(small, folder=tmp_path)
    load_result(small, experiments.Seeds, folder=tmp_path)  # it is whole


@pytest.mark.parametrize("damage", ["cut", "gone", "facts", "no facts"])
def test_a_damaged_result_is_refused(small: str, tmp_path: Path, damage: str) -> None:
    build_result(small, folder=tmp_path)
    path = tmp_path / "small.safetensors"
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    elif damage == "gone":
        path.unlink()
    elif damage == "facts":
        path.with_suffix(".json").write_text("[]")
    else:
        path.with_suffix(".json").unlink()
    with pytest.raises(DataFileError, match=r"small.safetensors is .*gahr zoo build"):
        load_result(small, experiments.Seeds, folder=tmp_path)
    assert not is_current_result(small, folder=tmp_path)
    build_result(small, folder=tmp_path)
    assert is_current_result(small, folder=tmp_path)


def test_what_does_not_exist_is_refused(small: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no result 'large'. There are: small"):
        load_result("large", experiments.Seeds, folder=tmp_path)
    build_result(small, folder=tmp_path)
    with pytest.raises(ConfigError, match="is a Seeds, not a Grid"):
        load_result(small, experiments.Grid, folder=tmp_path)


def test_every_network_that_a_result_reads_is_in_its_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or it would not be made again when that network is."""
    from gahr_lib.zoo import networks
    from gahr_lib.zoo.experiments import ladder

    read: set[str] = set()
    real = networks.load_network

    def note(path: Path) -> torch.nn.Module:
        read.add(path.stem)
        return real(path)

    monkeypatch.setattr(networks, "load_network", note)
    ladder.compare_seeds((100, 1_000, 30_000), [0.1], images=2)
    assert read == set(RESULTS["seeds"].networks)


def test_kinds_are_results() -> None:
    for cached in RESULTS.values():
        assert issubclass(cached.kind, Result)
