import pytest
import torch
from torch import Tensor

from gahr_lib.errors import ConfigError, GahrError, ShapeError
from gahr_lib.inverse_problems import InverseProblem, block_super_resolution, random_pixels
from helpers import BAD_IMAGES, intensities, seeded

pytestmark = pytest.mark.usefixtures("untouched_random_state")

SHAPE = (2, 3, 4)


def own_problem(vectors: Tensor, scale: float = 1.0, back: float = 1.0) -> InverseProblem:
    """A user's pair, made of a matrix with a measuring vector in each column."""
    return InverseProblem(
        lambda x: scale * x.flatten(1) @ vectors,
        lambda m: (back * m @ vectors.T).reshape(-1, *SHAPE),
        SHAPE,
        like=vectors,
    )


def orthonormal(k: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.linalg.qr(torch.randn(24, k, generator=seeded(), dtype=dtype)).Q


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_pair_of_functions_with_orthonormal_vectors_is_accepted(dtype: torch.dtype) -> None:
    vectors = orthonormal(7, dtype)
    problem = own_problem(vectors)
    assert problem.measurement_shape == (7,)
    assert problem.image_shape == SHAPE
    x, m = intensities(4, *SHAPE, dtype=dtype), intensities(4, 7, seed=1, dtype=dtype)
    projected = problem.project(x, m)
    torch.testing.assert_close(problem.measure(projected), m)
    # Nearest: what was moved lies in the span of the measuring vectors.
    moved = (projected - x).flatten(1)
    torch.testing.assert_close(moved @ vectors @ vectors.T, moved)


def test_vectors_that_are_not_orthonormal_are_refused() -> None:
    vectors = orthonormal(7)
    with pytest.raises(ConfigError, match=r"expected M\^T M = I.*qr"):
        own_problem(1.01 * vectors)
    slanted = vectors.clone()
    slanted[:, 0] = (vectors[:, 0] + vectors[:, 1]) / 2**0.5
    with pytest.raises(ConfigError, match=r"expected M\^T M = I"):
        own_problem(slanted)


def test_functions_that_are_not_transposes_are_refused() -> None:
    # scale times back is 1, so that M^T M = I all the same.
    with pytest.raises(ConfigError, match="not the transpose"):
        own_problem(orthonormal(5), scale=1.25, back=0.8)


@pytest.mark.parametrize(
    "measure",
    [
        lambda x: x.flatten(1)[:, :6] + 0.1,
        lambda x: x.flatten(1)[:, :6].abs(),
        lambda x: x.flatten(1)[:, :6] - 0.1 * x.flatten(1)[:, :6].mean(0),
    ],
    ids=["offset", "absolute", "mixes the batch"],
)
def test_functions_that_are_not_linear_image_by_image_are_refused(measure: object) -> None:
    def adjoint(m: Tensor) -> Tensor:
        return torch.cat((m, m.new_zeros(len(m), 18)), dim=1).reshape(-1, *SHAPE)

    with pytest.raises(ConfigError, match="not the transpose"):
        InverseProblem(measure, adjoint, SHAPE)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("measure", "adjoint", "words"),
    [
        (lambda x: x.flatten(), lambda m: m, "measure maps images"),
        (lambda x: x.mean(), lambda m: m, "measure maps images"),
        (lambda x: x.flatten(1).repeat(1, 2), lambda m: m, "not more numbers than it has"),
        (lambda x: x.flatten(1)[:, :6], lambda m: m, "adjoint maps measurements"),
        (lambda x: x.flatten(1)[:, :0], lambda m: m, "measure maps images"),
        (lambda x: None, lambda m: m, "measure maps images"),
        (lambda x: x, lambda m: None, "adjoint maps measurements"),
    ],
)
def test_functions_of_wrong_shapes_are_refused(measure, adjoint, words: str) -> None:
    with pytest.raises(ShapeError, match=words):
        InverseProblem(measure, adjoint, SHAPE)


@pytest.mark.parametrize("case", BAD_IMAGES)
def test_bad_images_are_refused(case: str) -> None:
    images, kind, words = BAD_IMAGES[case]
    with pytest.raises(kind, match=words):
        block_super_resolution((1, 8, 8), 2).measure(images)  # type: ignore[arg-type]


def test_images_of_another_shape_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"x has images of shape \(1, 8, 9\)"):
        block_super_resolution((1, 8, 8), 2).measure(torch.zeros(1, 1, 8, 9))


@pytest.mark.parametrize(
    ("measurement", "words"),
    [
        (torch.zeros(1, 4, 4), r"shape \(1, 4, 4\); expected \(B, 1, 4, 4\)"),
        (torch.zeros(()), "expected"),
        ([0.0], "expected"),
        (torch.full((1, 1, 4, 4), torch.nan), "finite"),
        (torch.zeros(1, 1, 4, 4, dtype=torch.int64), "floating"),
    ],
)
def test_bad_measurements_are_refused(measurement, words: str) -> None:
    problem = block_super_resolution((1, 8, 8), 2)
    for function in (
        problem.adjoint,
        problem.constraint,
        lambda m: problem.project(torch.zeros(1, 1, 8, 8), m),
    ):
        with pytest.raises(GahrError, match=words):
            function(measurement)


def test_a_measurement_is_for_each_image_or_for_all() -> None:
    problem = random_pixels((1, 4, 4), 0.5, generator=seeded())
    x, m = intensities(3, 1, 4, 4), intensities(3, 1, 8, seed=1)
    torch.testing.assert_close(problem.measure(problem.project(x, m)), m)
    same = problem.measure(problem.project(x, m[:1]))
    torch.testing.assert_close(same, m[:1].expand(3, 1, 8))
    with pytest.raises(ShapeError, match="2 measurements for 3 images"):
        problem.project(x, m[:2])
    constrain = problem.constraint(m)
    torch.testing.assert_close(problem.measure(constrain(x[:2], torch.tensor([2, 0]))), m[[2, 0]])
    with pytest.raises(ShapeError, match="3 measurements, and sample number 5"):
        constrain(x[:1], torch.tensor([5]))
