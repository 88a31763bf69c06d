"""The two scales of the chapters, the paper's with stand-ins for what it needs."""

import logging
from pathlib import Path
from typing import Any

import pytest
import torch

from gahr_lib.data import fashion
from gahr_lib.errors import ConfigError
from gahr_lib.models import Wiener
from gahr_lib.zoo import experiments, load_authors, load_denoiser, scales
from gahr_lib.zoo.results import load_result
from gahr_lib.zoo.scales import BOOK, Scale, scale
from helpers import intensities, seeded
from stand_ins import FACES, SIDE, paper_scale

pytestmark = pytest.mark.usefixtures("untouched_random_state")


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield paper_scale(tmp_path_factory.mktemp("stand-ins"), monkeypatch)


# The book's


def test_the_book_is_what_a_chapter_gets_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("GAHR_SCALE", raising=False)
    assert scale(device="cpu") == BOOK
    monkeypatch.setenv("GAHR_SCALE", "paper")
    assert scale(device="cpu").name == "paper"
    assert scale("book", device="cpu") == BOOK
    monkeypatch.setenv("GAHR_SCALE", "")
    assert scale(device="cpu") == BOOK


def test_the_book_has_the_networks_and_images_of_the_package() -> None:
    y = intensities(2, 1, 28, 28)
    ours = BOOK.network(n_train=100, half="B")
    assert torch.equal(ours(y), load_denoiser("fashion", n_train=100, half="B")(y))
    early = BOOK.network(n_train=100, step=500)
    assert torch.equal(early(y), load_denoiser("fashion", n_train=100, step=500)(y))
    assert torch.equal(BOOK.images(3), fashion("test", n=3))
    assert torch.equal(BOOK.training(3, "B"), fashion("train", half="B", n=3))
    assert BOOK.images(1).shape[-1] == BOOK.side
    scenes = BOOK.network("c_alpha", alpha=2)
    assert scenes.image_shape == (1, BOOK.scene_side, BOOK.scene_side)


def test_the_book_holds_a_chapter_to_its_text() -> None:
    BOOK.expect(torch.tensor(True))
    with pytest.raises(AssertionError, match="text says otherwise"):
        BOOK.expect(False)


# The paper's


def test_the_paper_has_the_networks_of_the_authors(paper: Scale) -> None:
    y = intensities(2, 1, SIDE, SIDE)
    network = paper.network(n_train=1_000, half="B")
    assert torch.equal(network(y), load_authors("celeba", n=1_000, half="B")(y))
    assert network.image_shape == (1, SIDE, SIDE)
    assert torch.equal(paper.network()(y), load_authors("celeba", n=100_000)(y))
    scenes = paper.network("c_alpha", alpha=3.0)
    assert torch.equal(scenes(y), load_authors("c_alpha", alpha=3)(y))


@pytest.mark.parametrize(
    ("which", "words"),
    [
        ({"data": "discs"}, "no network for data='discs'"),
        ({"n_train": 100, "variant": "bias"}, "variant='bias'"),
        ({"n_train": 100, "step": 500}, "step=500"),
        ({"n_train": 300}, "There are: celeba with n=1"),
        ({"data": "c_alpha", "alpha": 1.5}, "c_alpha with alpha=1"),
        ({"data": "c_alpha"}, "c_alpha with alpha=1"),
    ],
)
def test_networks_that_nobody_published_are_refused(
    paper: Scale, which: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        paper.network(**which)


def test_no_face_is_in_two_sets(paper: Scale) -> None:
    tests, a, b = paper.images(500), paper.training(30), paper.training(30, "B")
    assert tests.shape == (500, 1, SIDE, SIDE)
    assert len(torch.cat([tests, a, b]).flatten(1).unique(dim=0)) == 560
    everything = paper.other_faces
    assert everything.dtype == torch.uint8
    assert torch.equal(everything[:60], (torch.cat([a, b]) * 255).round().byte())
    assert len(everything) == FACES - 500
    assert torch.equal(paper.training(2), a[:2])


def test_faces_are_in_the_order_of_their_names(paper: Scale) -> None:
    small = torch.nn.functional.interpolate(fashion("test", n=40), size=SIDE, mode="area").flatten(
        1
    )
    faces = paper.images(40).flatten(1)
    nearest = torch.cdist(faces, small).argmin(dim=1)
    assert (nearest == torch.arange(40)).float().mean() > 0.9


@pytest.mark.parametrize(("call", "words"), [("images", "500"), ("training", "half is 'C'")])
def test_impossible_faces_are_refused(paper: Scale, call: str, words: str) -> None:
    arguments: tuple[Any, ...] = (501,) if call == "images" else (3, "C")
    with pytest.raises(ConfigError, match=words):
        getattr(paper, call)(*arguments)


@pytest.mark.parametrize("half", ["A", "B"])
@pytest.mark.parametrize("n", [0, -3, True, "many"])
def test_impossible_numbers_of_faces_are_refused(paper: Scale, n: Any, half: Any) -> None:
    with pytest.raises(ConfigError, match="expected a whole number"):
        paper.training(n, half)


def test_a_folder_of_faces_has_to_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GAHR_FACES", raising=False)
    with pytest.raises(ConfigError, match=r"img_align_celeba.*GAHR_FACES"):
        scale("paper").images(3)


def test_arguments_go_before_variables(paper: Scale, tmp_path: Path) -> None:
    found = scale("paper", faces=tmp_path, authors=str(tmp_path / "clone"))
    assert (found.faces, found.authors) == (tmp_path, tmp_path / "clone")
    assert paper.faces != tmp_path


def test_what_the_paper_lacks_is_the_book_and_the_log_says_so(
    paper: Scale, caplog: pytest.LogCaptureFixture
) -> None:
    assert paper.book("shuffled pixels") == BOOK
    assert BOOK.book("anything") is BOOK
    paper.expect(torch.tensor(False))
    paper.expect(True)
    logged = [record.getMessage() for record in caplog.records]
    assert logged == [
        "The paper's scale has no counterpart of shuffled pixels; this is the book's.",
        "Not as the text says: it describes the book's scale.",
    ]
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"name": "small"}, "scale is 'small'; expected 'book' or 'paper'"),
        ({"device": "tpu"}, "device is 'tpu'; expected 'cpu' or 'cuda'"),
        ({"device": "cuda"}, "device is 'cuda'; expected 'cpu', since PyTorch finds no GPU"),
    ],
)
def test_an_unknown_scale_or_device_is_refused(
    arguments: dict[str, str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=words):
        scale(**arguments)  # type: ignore[arg-type]  # that is the point


# Devices


def test_a_gpu_is_taken_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(scales, "OnDevice", lambda network, device: made.append(device) or network)
    for name in ("book", "paper"):
        assert scale(name).device == "cuda"
        assert scale(name, device="cpu").device == "cpu"
    scale("book").network(n_train=10)
    scale("paper", device="cuda").book("nothing").network(n_train=10)
    scale("book", device="cpu").network(n_train=10)
    assert made == ["cuda", "cuda"]


# Results


def test_the_ladder_knows_no_training_sets(paper: Scale) -> None:
    found = experiments.climb([10, 100_000], [0.1, 0.4], images=12, scale=paper)
    assert found.train.isnan().all()
    assert found.gap.isnan().all()
    faces = paper.images(12)
    noisy = [
        torch.stack([seeded_psnr(paper, n, half, faces) for half in ("A", "B")])
        for n in (10, 100_000)
    ]
    torch.testing.assert_close(found.test[:, 0, 0], torch.stack(noisy).mean(1))
    assert (found.test[1] > found.test[0]).all()
    assert (found.variance[1] < found.variance[0]).all()


def seeded_psnr(paper: Scale, n: int, half: Any, faces: torch.Tensor) -> torch.Tensor:
    """The mean PSNR of the first level, from the definition; the noise of a card has seed 0."""
    noise = torch.randn(faces.shape, generator=seeded(0))
    errors = paper.network(n_train=n, half=half)(faces + 0.1 * noise) - faces
    return (-10 * errors.square().mean(dim=(1, 2, 3)).log10()).mean()


def test_samples_are_compared_with_all_other_faces(paper: Scale) -> None:
    found = experiments.draw_samples(10, 3, scale=paper)
    assert found.a.shape == (3, 1, SIDE, SIDE)
    assert found.to_other.isnan().all()
    both = torch.cat([paper.images(3).double(), paper.other_faces.double()]).flatten(1)
    expected = torch.corrcoef(both)[:3, 3:].amax(dim=1).float()  # the cosine, means removed
    torch.testing.assert_close(found.real_to_own, expected, atol=1e-4, rtol=0)
    assert (found.nearest < len(paper.other_faces)).all()


def test_curves_of_scenes_have_their_size(paper: Scale, monkeypatch: pytest.MonkeyPatch) -> None:
    fits = []
    original = Wiener.from_images
    monkeypatch.setattr(
        Wiener, "from_images", lambda images: fits.append(images.shape) or original(images)
    )
    found = experiments.class_curves("c_alpha", [20.0], alpha=2.0, images=6, scale=paper)
    assert found.network.shape == (1, 6)
    assert fits == [(10_000 * SIDE**2 // BOOK.scene_side**2, 1, SIDE, SIDE)]
    assert found.network.mean() > 21


def test_results_are_made_again_or_those_of_the_book(
    paper: Scale, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = experiments.draw_samples
    monkeypatch.setattr(experiments, "draw_samples", lambda n, **settings: draw(n, 2, **settings))
    made = load_result("samples-100000", experiments.Samples, scale=paper)
    assert made.a.shape == (2, 1, SIDE, SIDE)
    assert not caplog.records
    kept = load_result("seeds", experiments.Seeds, scale=paper)
    assert torch.equal(kept.same_data, load_result("seeds", experiments.Seeds).same_data)
    assert "no counterpart of the result seeds" in caplog.text
    with pytest.raises(ConfigError, match="no result 'samples-30000000'"):
        load_result("samples-30000000", experiments.Samples, scale=paper)
