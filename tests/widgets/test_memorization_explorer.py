import copy
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

from gahr_lib import errors
from gahr_lib.analysis.neighbours import nearest_by_cosine
from gahr_lib.data import fashion, fashion_images
from gahr_lib.figures import bright
from gahr_lib.metrics import cosine_similarity
from gahr_lib.widgets.memorization_explorer import WITH_PACKAGE, MemorizationExplorer
from gahr_lib.zoo.experiments import Samples
from gahr_lib.zoo.results import load_result
from helpers import BAD_IMAGES, assert_refused, intensities, seeded


def drawn(n_train: int, count: int = 6, shape: tuple[int, int] = (28, 28)) -> Samples:
    """Samples of nothing but chance, with true similarities but for their neighbours."""
    a, b = (intensities(count, 1, *shape, seed=n_train + i) for i in (1, 2))
    others = {
        name: torch.linspace(-0.31, 0.9, count)
        for name in ("to_other", "ratio", "real_to_own", "real_ratio")
    }
    return Samples(
        n_train=n_train,
        a=(255 * a).round().byte(),
        b=(255 * b).round().byte(),
        similarity=cosine_similarity(a, b),
        nearest=torch.arange(count) % n_train,
        to_own=torch.linspace(-0.2, 0.8, count),
        **others,
    )


def of_fashion(n_train: int, count: int = 6) -> Samples:
    """Samples whose neighbours among the training images are true."""
    found = drawn(n_train, count)
    noise = found.a.float() / 255
    a = fashion("test", n=count) * 0.7 + noise * 0.3
    near = nearest_by_cosine(a, fashion("train", half="A", n=n_train), 1)
    return replace(
        found,
        a=(255 * a).round().byte(),
        similarity=cosine_similarity(a, noise.roll(1, 0)),
        b=found.a.roll(1, 0),
        nearest=near.indices[:, 0],
        to_own=near.values[:, 0],
    )


def chance(**arguments: Any) -> MemorizationExplorer:
    """An explorer of images that are no clothes, with the nearest of each passed."""
    found = [drawn(n, shape=(6, 9)) for n in (3, 70)]
    found = [
        replace(s, to_own=cosine_similarity(s.a.float() / 255, s.b.float() / 255)) for s in found
    ]
    near = {s.n_train: (s.b.float() / 255, s.a.float() / 255) for s in found}
    arguments = {"nearest": near, "pairs": 4, **arguments}
    return MemorizationExplorer({s.n_train: s for s in found}, **arguments)


@pytest.fixture
def explorer():
    return MemorizationExplorer({n: of_fashion(n) for n in (20, 4)}, pairs=6)


def read(data: bytes, kind: str) -> np.ndarray:
    return np.frombuffer(data, kind)


def decoded(data: dict[str, Any]) -> torch.Tensor:
    """The pictures as the bits say, pixel by pixel."""
    pixels = data["height"] * data["width"]
    row = 3 * -(-pixels // 4)
    bits = np.unpackbits(read(data["images"], "u1").reshape(-1, row), axis=1)
    codes = bits.reshape(len(bits), -1, 6) @ (1 << np.arange(5, -1, -1))
    return torch.from_numpy(codes[:, :pixels]).float() / 63


# ------------------------------------------------------------------------- what it shows


def test_pictures_are_samples_and_the_training_images_nearest_to_them(explorer):
    for n in (4, 20):
        found = of_fashion(n)
        for k in range(6):
            explorer.n_train, explorer.pair = n, k
            own, a, b, other = explorer.pictures()
            assert torch.equal(a, bright(found.a[k, None].float()))
            assert torch.equal(b, bright(found.b[k, None].float()))
            for shown, sample, half in ((own, a, "A"), (other, b, "B")):
                training = fashion("train", half=half, n=n)
                best = cosine_similarity(training, sample).argmax()
                assert torch.equal(shown, bright(training[best, None]))


def test_cosines_are_those_of_the_pictures(explorer):
    for explorer.n_train in (4, 20):
        for explorer.pair in range(6):
            own, a, b, other = explorer.pictures()
            expected = [float(cosine_similarity(*pair)) for pair in ((own, a), (a, b), (b, other))]
            # The first two were found before the samples became bytes.
            assert explorer.cosines() == pytest.approx(expected, abs=2e-3)


def test_sizes_are_in_order_and_the_smallest_is_first(explorer):
    assert explorer.n_train == 4
    assert explorer._data["sizes"] == [4, 20]


def test_images_that_are_not_in_the_package_are_not_shown():
    """Of a large set those of A's nearest are that happen to be among the first."""
    few = of_fashion(WITH_PACKAGE)
    many = replace(few, n_train=30_000, nearest=few.nearest.clone())
    many.nearest[:3] = torch.tensor([500, 29_999, 12_345])
    explorer = MemorizationExplorer({30_000: many}, pairs=6)
    for explorer.pair in range(6):
        own, _, _, other = explorer.pictures()
        assert other is None
        assert explorer.cosines()[0] == float(many.to_own[explorer.pair])
        assert explorer.cosines()[2] is None
        if explorer.pair < 3:
            assert own is None
        else:
            index = few.nearest[explorer.pair]
            assert torch.equal(own, bright(fashion("train", half="A", n=WITH_PACKAGE)[index, None]))
    assert explorer.still().startswith(b"\x89PNG")


def test_so_many_images_come_with_the_package():
    assert fashion_images._SHIPPED_SIZE["A"] == WITH_PACKAGE
    assert fashion_images._SHIPPED_SIZE["B"] == WITH_PACKAGE


def test_nearest_images_can_be_passed():
    explorer = chance()
    for explorer.n_train in (3, 70):
        for explorer.pair in range(4):
            own, a, b, other = explorer.pictures()
            torch.testing.assert_close(own, b)
            torch.testing.assert_close(other, a)
            assert explorer.cosines()[2] == pytest.approx(float(cosine_similarity(a, b)), abs=1e-5)


def test_sentence_has_the_numbers():
    explorer = chance(n_train=70, pair=2)
    own, twins, other = (f"{value:.2f}" for value in explorer.cosines())
    sentence = explorer.describe()
    assert f"cosine {own} with its nearest training image and {twins} with the sample" in sentence
    assert f"that of B has {other} with" in sentence
    assert "N = 70 " in sentence
    assert "pair 3 of 4" in sentence


# ------------------------------------------------------------------------- what it sends


@pytest.mark.parametrize(
    "make", [lambda: chance(), lambda: MemorizationExplorer({4: of_fashion(4)}, pairs=6)]
)
def test_pictures_are_sent_in_six_bits(make):
    explorer = make()
    data = explorer._data
    images = decoded(data)
    places = read(data["places"], "<u2").reshape(len(data["sizes"]), -1, 4)
    for i, explorer.n_train in enumerate(data["sizes"]):
        for explorer.pair in range(data["pairs"]):
            for which, picture in enumerate(explorer.pictures()):
                sent = images[places[i, explorer.pair, which]]
                torch.testing.assert_close(sent, picture.flatten(), atol=0.5001 / 63, rtol=0)


def test_cosines_are_sent(explorer):
    data = explorer._data
    assert data["counts"] == [6, 6]
    assert np.array_equal(
        read(data["twins"], "<f4"),
        np.concatenate([of_fashion(n).similarity.numpy() for n in (4, 20)]),
    )
    assert np.array_equal(
        read(data["own"], "<f4"), np.concatenate([of_fashion(n).to_own.numpy() for n in (4, 20)])
    )
    assert np.array_equal(read(data["real"], "<f4")[:6], drawn(4).real_to_own.numpy())
    other = read(data["other"], "<f4").reshape(2, 6)
    for i, explorer.n_train in enumerate((4, 20)):
        for explorer.pair in range(6):
            assert explorer.cosines()[2] == pytest.approx(other[i, explorer.pair], abs=1e-6)


def test_unknown_places_are_sent_as_such():
    many = replace(of_fashion(WITH_PACKAGE), n_train=1_000)
    many.nearest[2] = 700
    data = MemorizationExplorer({1_000: many}, pairs=6)._data
    places = read(data["places"], "<u2").reshape(6, 4)
    assert ((places == 65_535).nonzero()[0] == [0, 1, 2, 2, 3, 4, 5]).all()
    assert (places[2, 0], places[0, 3]) == (65_535, 65_535)
    assert np.isnan(read(data["other"], "<f4")).all()
    assert read(data["numbers"], "<u2").tolist() == many.nearest.tolist()


def test_all_samples_of_the_book_stay_under_a_megabyte_with_their_encoding():
    sizes = (1, 10, 100, 300, 1_000, 3_000, 10_000, 30_000)
    explorer = MemorizationExplorer({n: load_result(f"samples-{n}", Samples) for n in sizes})
    total = sum(len(value) for value in explorer._data.values() if isinstance(value, bytes))
    assert 500_000 < total < 740_000  # in base64 a third more
    explorer.n_train = 300
    for explorer.pair in (0, 20, 63):
        own, a, _, other = explorer.pictures()
        assert other is not None
        assert float(cosine_similarity(own, a)) == pytest.approx(explorer.cosines()[0], abs=0.03)


def test_axis_reaches_to_the_least_cosine():
    found = of_fashion(4)
    assert MemorizationExplorer({4: found}, pairs=2)._data["low"] == min(
        0, np.floor(10 * float(found.similarity.min())) / 10
    )
    found.similarity[0] = -0.31
    assert MemorizationExplorer({4: found}, pairs=2)._data["low"] == -0.4


# ------------------------------------------------------------------------- manners


def test_choices_do_not_change_what_was_sent(explorer):
    before = copy.deepcopy(explorer._data)
    for explorer.n_train in (4, 20):
        for explorer.pair in range(6):
            explorer.describe()
    assert explorer._data == before
    assert set(explorer.get_state()) >= {"n_train", "pair", "_data"}


def test_samples_are_left_as_they_were():
    found = of_fashion(4)
    original = copy.deepcopy(found)
    MemorizationExplorer({4: found}, pairs=6)
    for name in ("a", "b", "nearest", "to_own"):
        assert torch.equal(getattr(found, name), getattr(original, name))


def test_repr_and_still_picture(explorer):
    data, _ = explorer._repr_mimebundle_()
    assert data["text/plain"] == repr(explorer) == "MemorizationExplorer(n_train=4, pair=0)"
    assert 'src="data:image/png;base64,iVBOR' in data["text/html"]
    assert explorer.describe() in data["text/html"]
    before = explorer.still()
    assert explorer.still() == before
    explorer.pair = 3
    assert explorer.still() != before


# ------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    "samples", [{}, None, [drawn(4)], {4: None}, {5: drawn(4)}, {"4": drawn(4)}]
)
def test_bad_samples(samples):
    with pytest.raises(errors.ConfigError, match="expected"):
        MemorizationExplorer(samples, pairs=2)


def test_samples_of_different_images():
    with pytest.raises(errors.ShapeError, match="of one size"):
        MemorizationExplorer({4: drawn(4), 5: drawn(5, shape=(8, 8))}, pairs=2)


def test_nearest_images_that_are_others():
    found = replace(of_fashion(20), nearest=torch.arange(6))
    with pytest.raises(errors.ConfigError, match="Pass them as nearest"):
        MemorizationExplorer({20: found}, pairs=6)


@pytest.mark.parametrize("case", BAD_IMAGES)
def test_bad_nearest_images(case):
    images, error, words = BAD_IMAGES[case]
    good = torch.rand(6, 1, 28, 28, generator=seeded())
    for pair in ((images, good), (good, images)):
        with pytest.raises(error, match=words):
            MemorizationExplorer({4: of_fashion(4)}, {4: pair}, pairs=6)


def test_nearest_images_for_other_sizes_or_too_few():
    good = torch.rand(6, 1, 28, 28, generator=seeded())
    found = {4: of_fashion(4)}
    with pytest.raises(errors.ConfigError, match="no samples"):
        MemorizationExplorer(found, {5: (good, good)}, pairs=6)
    with pytest.raises(errors.ConfigError, match="two tensors"):
        MemorizationExplorer(found, {4: good}, pairs=6)
    with pytest.raises(errors.ShapeError, match="at least 6 images"):
        MemorizationExplorer(found, {4: (good[:5], good)}, pairs=6)
    with pytest.raises(errors.ShapeError, match="one for each pair"):
        MemorizationExplorer(found, {4: (good, good[..., :20])}, pairs=6)


BAD_CHOICES = [("n_train", 5), ("n_train", 0), ("pair", 6), ("pair", -1)]


@pytest.mark.parametrize(("name", "value"), BAD_CHOICES)
def test_bad_choices(name, value, explorer):
    make = partial(MemorizationExplorer, {4: of_fashion(4)}, pairs=6)
    assert_refused(explorer, make, name, value)


@pytest.mark.parametrize("pairs", [0, 7, 2.0])
def test_bad_numbers_of_pairs(pairs):
    with pytest.raises(errors.ConfigError, match="pairs"):
        MemorizationExplorer({4: of_fashion(4)}, pairs=pairs)
