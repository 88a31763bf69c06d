"""What the laboratory computes in Chromium is what Python computes."""

from collections.abc import Iterator

import pytest
import torch
from torch.testing import assert_close

import gahr_lib as gahr
from browser.laboratory import Laboratory, images, network_name, noise_of, served
from browser.visits import Visit
from gahr_lib.analysis.matrix import jacobian
from gahr_lib.analysis.symmetry import asymmetry
from gahr_lib.data import fashion
from gahr_lib.metrics import cosine_similarity, mse, psnr
from gahr_lib.sampling import SETTINGS, SampleConfig, algorithm, sample_steps
from helpers import seeded

pytestmark = pytest.mark.browser
CLOSE = {"rtol": 0, "atol": 1e-3}


@pytest.fixture(scope="module")
def lab(browser) -> Iterator[Laboratory]:
    """One laboratory for all tests: each sets what it needs."""
    with served() as address:
        visit = Visit(browser, f"{address}/")
        yield Laboratory(visit).start()
        visit.close()
    assert visit.complaints == []


@pytest.mark.parametrize("seed", [0, 1, 4294967295])
def test_noise_is_the_described_one(lab, seed):
    lab.denoise.get_by_label("image", exact=True).select_option("test image 2")
    lab.denoise.get_by_label("seed of the noise").fill(str(seed))
    lab.set_sigma(0.5)
    shown = lab.results("denoise")
    x = fashion("test", n=2)[1:]
    assert shown["seed"] == seed
    assert_close(images(shown["image"]), x, rtol=0, atol=1e-6)
    assert_close(images(shown["y"]), x + 0.5 * next(noise_of(seed)), rtol=0, atol=1e-6)


def test_noise_is_standard_normal():
    z = torch.cat([image for image, _ in zip(noise_of(3), range(200), strict=False)]).double()
    n = z.numel()
    for power, moment, variance in [(1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)]:
        assert abs(z.pow(power).mean().item() - moment) < 4 * (variance / n) ** 0.5
    pairs = (z.flatten()[1:] * z.flatten()[:-1]).mean().item()
    assert abs(pairs) < 4 / n**0.5


@pytest.mark.parametrize(("n", "sigma"), [(10, 0.1), (30_000, 0.1), (30_000, 1.0)])
def test_networks_denoise_as_in_python(lab, n, sigma):
    lab.denoise.get_by_label("image", exact=True).select_option("training image 1 of B")
    lab.choose_networks(n)
    lab.set_sigma(sigma)
    shown = lab.results("denoise")
    x, y = images(shown["image"]), images(shown["y"])
    assert_close(x, fashion(half="B", n=1), rtol=0, atol=1e-6)
    assert [network_name(i) for i in shown["networks"]] == [
        {"n_train": n, "half": half} for half in ("A", "B")
    ]
    outputs = [gahr.load_denoiser("fashion", n_train=n, half=half)(y) for half in ("A", "B")]
    for kind, result, expected in zip(("first", "second"), shown["results"], outputs, strict=True):
        assert_close(images(result["image"]), expected, **CLOSE)
        said = lab.denoise.locator(f".lab-{kind} .gx-value").last.inner_text()
        assert float(said.removesuffix(" dB")) == pytest.approx(psnr(expected, x).item(), abs=0.051)
    said = lab.denoise.locator(".lab-noisy .gx-value").last.inner_text()
    assert float(said.removesuffix(" dB")) == pytest.approx(psnr(y, x).item(), abs=0.051)
    said = lab.denoise.locator(".lab-difference .gx-value").last.inner_text()
    apart = mse(*outputs).sqrt().item()
    assert float(said.removeprefix("RMS ")) == pytest.approx(apart, abs=0.00051)


def walk_in_python(index: int, seed: int, config: SampleConfig, monkeypatch) -> list:
    """The states of the library's own loop, with the noise of the page."""
    denoiser = gahr.load_denoiser("fashion", **network_name(index))
    noise = noise_of(seed)
    monkeypatch.setattr(algorithm.NoiseStreams, "draw", lambda self, samples: next(noise))
    return list(sample_steps(denoiser, 1, config=config, generator=torch.Generator()))


@pytest.mark.parametrize(
    ("n", "steps", "seed"), [(30_000, "book", 0), (10, "book", 5), (30_000, "ascent", 1)]
)
def test_samples_are_those_of_the_library(lab, n, steps, seed, monkeypatch):
    lab.choose_networks(n)
    lab.sampling.get_by_label("seed of the noise").fill(str(seed))
    lab.sampling.get_by_label("steps", exact=True).select_option(steps)
    said = lab.work(lab.sampling)
    shown = lab.results("sample")
    config = SETTINGS.get(steps, SampleConfig())
    ends = []
    for place, index in enumerate(shown["networks"]):
        states = walk_in_python(index, seed, config, monkeypatch)
        sigmas = torch.tensor(shown["path"]["sigmas"][place])
        expected = torch.cat([state.sigma for state in states])
        # Rounding errors grow along the path, so far below what anybody could see.
        assert_close(sigmas, expected, **CLOSE)
        assert shown["states"][place]["step"] == len(states)
        assert shown["states"][place]["finished"]
        assert_close(images(shown["states"][place]["x"]), states[-1].x, **CLOSE)
        assert_close(images(shown["states"][place]["denoised"]), states[-1].denoised, **CLOSE)
        ends.append(states)
    alike = cosine_similarity(ends[0][-1].x, ends[1][-1].x).item()
    assert f"the cosine {alike:.2f}" in said
    # Where one has ended, its last guess is compared with those that the other still makes.
    for t, cosine in enumerate(shown["path"]["cosines"]):
        a, b = (states[min(t, len(states) - 1)].denoised for states in ends)
        assert cosine == pytest.approx(cosine_similarity(a, b).item(), abs=1e-3)


@pytest.mark.parametrize(("n", "which", "sigma"), [(30_000, "first", 0.1), (10, "second", 0.5)])
def test_eigenvectors_are_those_of_the_library(lab, n, which, sigma):
    lab.denoise.get_by_label("image", exact=True).select_option("test image 1")
    lab.choose_networks(n)
    lab.set_sigma(sigma)
    lab.eigenvectors.get_by_role("radio", name=which, exact=True).click()
    said = lab.work(lab.eigenvectors)
    shown = lab.results("basis")
    y = images(shown["y"])
    denoiser = gahr.load_denoiser("fashion", **network_name(shown["network"]))
    expected = gahr.eigenbasis(denoiser, y, k=24)
    assert_close(torch.tensor(shown["values"]), expected.values[:16], **CLOSE)
    assert max(shown["residuals"]) < 1e-4
    vectors = images(*shown["vectors"]).flatten(1).double()
    assert_close(vectors @ vectors.T, torch.eye(16).double(), **CLOSE)
    # A vector of the page lies in the space of those of Python whose eigenvalues are near its own:
    # where two eigenvalues are equal, any two vectors of one plane are right.
    for vector, value in zip(vectors, shown["values"], strict=True):
        near = (expected.values - value).abs() < 0.02
        plane = expected.vectors[near].flatten(1).double()
        assert (plane @ vector).norm().item() == pytest.approx(1, abs=1e-3)
    J = jacobian(denoiser, y)
    assert shown["trace"] == pytest.approx(J.trace().item(), abs=1e-2)
    assert shown["asymmetry"] == pytest.approx(asymmetry(J), abs=1e-3)
    assert f"sum to {J.trace().item():.1f}" in said


LANCZOS = """async ({ matrix, k }) => {
  const { leadingEigenpairs } = await import("/_static/lab/eigenpairs.js");
  const times = (row, v) => row.reduce((sum, entry, j) => sum + entry * v[j], 0);
  const product = (v) => Float64Array.from(matrix, (row) => times(row, v));
  const { values, vectors } = await leadingEigenpairs(product, matrix.length, k);
  return { values, vectors: vectors.map((v) => Array.from(v)) };
}"""


def rotated(values: torch.Tensor) -> torch.Tensor:
    """A symmetric matrix with these eigenvalues."""
    square = torch.randn(len(values), len(values), dtype=torch.float64, generator=seeded(0))
    q = torch.linalg.qr(square).Q
    return q @ torch.diag(values.double()) @ q.T


@pytest.mark.parametrize(
    ("values", "k"),
    [
        (torch.linspace(-2, 1, 90), 10),
        (torch.linspace(0, 1, 90) ** 8, 90),
        (torch.ones(40), 5),
        (torch.tensor([2.0] * 3 + [1.0] * 4 + [0.0] * 113), 9),
        (torch.zeros(30), 3),
        (-torch.arange(1.0, 70), 2),
        (torch.ones(1), 1),
    ],
    ids=["even", "all of them", "identity", "clusters", "zero", "negative", "one number"],
)
def test_eigenpairs_of_matrices_whose_spectrum_is_known(lab, values, k):
    matrix = rotated(values)
    found = lab.page.evaluate(LANCZOS, {"matrix": matrix.tolist(), "k": k})
    expected = values.double().sort(descending=True).values[:k]
    found_values, vectors = (
        torch.tensor(found[name], dtype=torch.float64) for name in ("values", "vectors")
    )
    assert_close(found_values, expected, rtol=0, atol=1e-8)
    assert_close(vectors @ vectors.T, torch.eye(k).double(), rtol=0, atol=1e-8)
    assert_close(vectors @ matrix, expected[:, None] * vectors, rtol=0, atol=1e-4)


@pytest.mark.slow
def test_experiments_of_the_page_have_their_results(lab):
    """The three experiments of book/laboratory.md."""
    lab.denoise.get_by_label("seed of the noise").fill("0")
    lab.denoise.get_by_label("image", exact=True).select_option("training image 1 of A")
    lab.set_sigma(0.3)
    for n, expected in [(10, [40, 14]), (30_000, [21, 21])]:
        lab.choose_networks(n)
        shown = lab.results("denoise")
        x = images(shown["image"])
        assert [
            round(psnr(images(result["image"]), x).item()) for result in shown["results"]
        ] == expected

    lab.sampling.get_by_label("steps", exact=True).select_option("book")
    for n, lowest, highest in [(1, 0.46, 0.46), (10, 0.20, 0.65), (30_000, 0.78, 0.99)]:
        lab.choose_networks(n)
        cosines = []
        for seed in range(8):
            lab.sampling.get_by_label("seed of the noise").fill(str(seed))
            lab.work(lab.sampling)
            a, b = (images(state["x"]) for state in lab.results("sample")["states"])
            cosines.append(round(cosine_similarity(a, b).item(), 2))
        assert [min(cosines), max(cosines)] == [lowest, highest]

    lab.denoise.get_by_label("image", exact=True).select_option("test image 1")
    lab.eigenvectors.get_by_role("radio", name="first", exact=True).click()
    for n, sums in [(30_000, [107, 16]), (10, [30, 5])]:
        lab.choose_networks(n)
        for sigma, expected in zip([0.1, 0.6], sums, strict=True):
            lab.set_sigma(sigma)
            lab.work(lab.eigenvectors)
            assert round(lab.results("basis")["trace"]) == expected
