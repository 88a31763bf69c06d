import math
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

import gahr_lib.data._arguments as arguments
from gahr_lib.data.disc_images import DiscParameters, discs, draw_disc_parameters, render_discs
from gahr_lib.errors import ConfigError, ShapeError, ValueRangeError

# torch loads its forward-mode rules with its own deprecated torch.jit.script.
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def one_disc(
    row: float, column: float, radius: float, foreground: float = 1.0, background: float = 0.0
) -> DiscParameters:
    values = torch.tensor([[row, column, radius, foreground, background]], dtype=torch.float64)
    return DiscParameters.from_tensor(values)


def draw(values: Tensor, size: int) -> Tensor:
    """Image (1, size, size) as a function of five numbers (5,)."""
    return render_discs(DiscParameters.from_tensor(values[None]), size)[0]


@pytest.mark.parametrize("size", [8, 15, 28, 80])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_images_are_finite_intensities(size: int, dtype: torch.dtype) -> None:
    images = discs(n=20, size=size, generator=seeded(), dtype=dtype)
    assert images.shape == (20, 1, size, size)
    assert images.dtype == dtype
    assert images.min() >= 0
    assert images.max() <= 1
    reference = discs(n=20, size=size, generator=seeded(), dtype=torch.float64)
    tolerance = 1e-3 if dtype == torch.float16 else 2e-5
    torch.testing.assert_close(images.double(), reference, atol=tolerance, rtol=0)


def test_only_the_generator_decides() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    generator = seeded(5)
    first = discs(n=3, size=20, generator=generator)
    second = discs(n=3, size=20, generator=generator)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first, discs(n=3, size=20, generator=seeded(5)))
    assert not torch.equal(first, second)


@pytest.mark.parametrize("chunk_pixels", [1, 2**10, 2**30])
def test_an_image_depends_neither_on_its_batch_nor_on_the_chunks(
    monkeypatch: pytest.MonkeyPatch, chunk_pixels: int
) -> None:
    expected = discs(n=9, size=20, generator=seeded())
    monkeypatch.setattr(arguments, "CHUNK_PIXELS_CPU", chunk_pixels)
    torch.testing.assert_close(discs(n=9, size=20, generator=seeded()), expected)
    torch.testing.assert_close(discs(n=4, size=20, generator=seeded()), expected[:4])


def test_images_are_the_rendered_parameters() -> None:
    parameters = draw_disc_parameters(6, 32, generator=seeded())
    assert torch.equal(render_discs(parameters, 32), discs(6, 32, generator=seeded()))


@given(
    row=st.floats(20, 44),
    column=st.floats(20, 44),
    radius=st.floats(4, 19),
)
@settings(max_examples=30, deadline=None)
def test_area_is_that_of_the_disc(row: float, column: float, radius: float) -> None:
    # A ramp over one pixel of the distance adds pi / 12 to the area of the sharp disc; what is
    # left, of the order of the root of the radius, is that of a sum in place of an integral.
    area = float(render_discs(one_disc(row, column, radius), 64).sum())
    assert area == pytest.approx(math.pi * (radius**2 + 1 / 12), abs=0.4 * math.sqrt(radius))


def test_area_has_no_bias() -> None:
    parameters = draw_disc_parameters(2000, 40, generator=seeded(), dtype=torch.float64)
    level = torch.ones(2000, dtype=torch.float64)
    sharp = DiscParameters(parameters.centre, parameters.radius, level, 0 * level)
    # Away from the border, which cuts half a pixel off the ramp of the largest discs.
    error = render_discs(sharp, 40).sum((1, 2, 3)) - math.pi * (sharp.radius**2 + 1 / 12)
    inner = (sharp.centre - 20).abs().amax(1) + sharp.radius < 19
    assert int(inner.sum()) > 1000
    assert float(error[inner].mean()) == pytest.approx(0, abs=0.03)


def test_images_equal_a_loop_over_pixels() -> None:
    size = 20
    values = draw_disc_parameters(5, size, generator=seeded(), dtype=torch.float64).as_tensor()
    images = render_discs(DiscParameters.from_tensor(values), size)[:, 0].numpy()
    for image, (row, column, radius, foreground, background) in zip(
        images, values.tolist(), strict=True
    ):
        for i in range(size):
            for j in range(size):
                distance = math.dist((i + 0.5, j + 0.5), (row, column))
                inside = min(max(radius - distance + 0.5, 0.0), 1.0)
                expected = inside * foreground + (1 - inside) * background
                assert image[i, j] == pytest.approx(expected, abs=1e-12)


def test_edge_is_close_to_the_exact_average_over_each_pixel() -> None:
    size, fine = 40, 16
    fine_grid = (np.arange(size * fine) + 0.5) / fine
    for row, column, radius in [(20, 20, 9), (18.3, 21.7, 11.25), (13.9, 25.1, 5.5)]:
        square = (fine_grid[:, None] - row) ** 2 + (fine_grid[None, :] - column) ** 2
        exact = (square <= radius**2).reshape(size, fine, size, fine).mean((1, 3))
        image = render_discs(one_disc(row, column, radius), size)[0, 0].numpy()
        # On a diagonal edge a pixel is sqrt(2) wide, which a ramp of one pixel cuts at both ends:
        # by (sqrt(1/2) - 1/2)^2 = 0.043 at most; the curvature adds a little.
        assert np.abs(image - exact).max() < 0.06
        assert np.abs(image - exact).mean() < 0.002


def test_derivatives_equal_finite_differences() -> None:
    size = 16
    values = draw_disc_parameters(3, size, generator=seeded(1), dtype=torch.float64).as_tensor()
    values.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda v: render_discs(DiscParameters.from_tensor(v), size), (values,)
    )


def test_derivatives_equal_closed_forms() -> None:
    size, radius, foreground, background = 40, 8.3, 0.9, 0.2
    values = torch.tensor([19.2, 21.6, radius, foreground, background], dtype=torch.float64)
    tangents = torch.func.jacfwd(lambda v: draw(v, size))(values)[0]
    mask = render_discs(one_disc(19.2, 21.6, radius), size)[0, 0]
    torch.testing.assert_close(tangents[..., 3], mask)
    torch.testing.assert_close(tangents[..., 4], 1 - mask)
    # A larger radius adds the circumference; a shift adds on one side what it takes on the other.
    circumference = (foreground - background) * 2 * math.pi * radius
    assert float(tangents[..., 2].sum()) == pytest.approx(circumference, rel=0.06)
    assert float(tangents[..., 0].sum()) == pytest.approx(0, abs=0.06 * circumference)
    # The derivative in the row has the sign of the row's offset from the centre.
    offset = torch.arange(size) + 0.5 - 19.2
    assert bool((tangents[..., 0] * offset[:, None] >= 0).all())


@pytest.mark.parametrize("transform", [torch.func.jacfwd, torch.func.jacrev])
def test_tangent_space_has_dimension_five(transform: Callable[..., Any]) -> None:
    size = 20
    values = draw_disc_parameters(8, size, generator=seeded(), dtype=torch.float64).as_tensor()
    tangents = torch.func.vmap(transform(lambda v: draw(v, size)))(values)  # (8, 1, 20, 20, 5)
    assert tangents.shape == (8, 1, size, size, 5)
    # Only the geometric directions scale with the contrast, which may be small.
    contrast = (values[:, 3] - values[:, 4])[:, None, None]
    scale = torch.cat((contrast.expand(-1, 1, 3), torch.ones(8, 1, 2)), dim=-1)
    singular = torch.linalg.svdvals(tangents.flatten(1, 3) / scale)
    assert float((singular[:, -1] / singular[:, 0]).min()) > 0.05


def test_a_disc_centred_on_a_pixel_has_finite_derivatives() -> None:
    values = torch.tensor([8.5, 8.5, 4.0, 0.7, 0.1], dtype=torch.float64, requires_grad=True)
    image = draw(values, 16)
    assert float(image[0, 8, 8].detach()) == pytest.approx(0.7)
    (gradient,) = torch.autograd.grad(image.square().sum(), values)
    assert torch.isfinite(gradient).all()
    assert torch.isfinite(torch.func.jacfwd(lambda v: draw(v, 16))(values.detach())).all()


def test_parameters_follow_the_stated_distribution() -> None:
    n = 20_000
    parameters = draw_disc_parameters(n, 80, generator=seeded(), dtype=torch.float64)
    row, column = parameters.centre.T
    border = torch.stack((row, 80 - row, column, 80 - column)).amin(0)
    fraction = (parameters.radius - 5) / (border - 5)
    uniform = {
        "row": (row - 10) / 60,
        "column": (column - 10) / 60,
        "radius": fraction,
        "foreground": parameters.foreground,
        "background": parameters.background,
    }
    for name, values in uniform.items():
        assert values.min() >= 0, name
        assert values.max() <= 1, name
        assert stats.kstest(values.numpy(), "uniform").pvalue > 1e-3, name
    correlation = torch.corrcoef(torch.stack(list(uniform.values()))) - torch.eye(5)
    assert float(correlation.abs().max()) < 4 / math.sqrt(n)


def test_geometry_scales_with_the_image() -> None:
    large = draw_disc_parameters(10, 80, generator=seeded())
    small = draw_disc_parameters(10, 20, generator=seeded())
    torch.testing.assert_close(small.centre * 4, large.centre)
    torch.testing.assert_close(small.radius * 4, large.radius)
    assert torch.equal(small.foreground, large.foreground)


def test_parameters_are_frozen_and_survive_the_tensor_form() -> None:
    parameters = draw_disc_parameters(4, generator=seeded())
    values = parameters.as_tensor()
    assert values.shape == (4, 5)
    assert torch.equal(DiscParameters.from_tensor(values).as_tensor(), values)
    with pytest.raises(FrozenInstanceError):
        parameters.radius = torch.ones(4)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"n": 0}, ConfigError, "of at least 1"),
        ({"n": 1.5}, ConfigError, "whole number"),
        ({"size": 4}, ShapeError, "8 or more"),
        ({"generator": None}, ConfigError, "torch.Generator"),
        ({"dtype": torch.int64}, ConfigError, "floating"),
    ],
)
@pytest.mark.parametrize("function", [discs, draw_disc_parameters])
def test_wrong_arguments_are_refused(
    function: Callable[..., Any], change: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        function(**({"n": 2, "size": 16, "generator": seeded()} | change))


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ((8, 8, math.nan, 1, 0), "NaN"),
        ((math.inf, 8, 3, 1, 0), "infinite"),
        ((8, 8, 0, 1, 0), "radius"),
        ((8, 8, 3, 200, 0), "divide by 255"),
        ((8, 8, 3, 1, -0.1), "grey levels"),
    ],
)
def test_impossible_discs_are_refused(values: tuple[float, ...], says: str) -> None:
    with pytest.raises(ValueRangeError, match=says):
        render_discs(one_disc(*values), 16)


@pytest.mark.parametrize(
    "fields",
    [
        (torch.ones(3, 2), torch.ones(3), torch.ones(3), torch.ones(2)),
        (torch.ones(3), torch.ones(3), torch.ones(3), torch.ones(3)),
        (torch.ones(2), torch.tensor(1.0), torch.tensor(1.0), torch.tensor(1.0)),
        (torch.ones(0, 2), torch.ones(0), torch.ones(0), torch.ones(0)),
        (torch.ones(1, 2).int(), torch.ones(1), torch.ones(1), torch.ones(1)),
        ((8.0, 8.0), 3.0, 1.0, 0.0),
    ],
)
def test_parameters_that_do_not_fit_together_are_refused(fields: tuple[Any, ...]) -> None:
    with pytest.raises(ShapeError):
        DiscParameters(*fields)


def test_a_tensor_without_five_columns_is_refused() -> None:
    with pytest.raises(ShapeError, match="row, column"):
        DiscParameters.from_tensor(torch.ones(5))
    with pytest.raises(ShapeError, match="8 or more"):
        render_discs(one_disc(2, 2, 1), 4)
