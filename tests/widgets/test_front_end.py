import re

import numpy as np
import pytest
import torch

from gahr_lib.bases import dct_basis, wavelet_basis
from gahr_lib.widgets import ShrinkageExplorer, _front_end
from helpers import intensities

BASES = {
    "cosine": lambda: dct_basis(12, 8),
    "wavelet": lambda: wavelet_basis(12, 8),
    "haar": lambda: wavelet_basis(16, 16, wavelet="haar"),
    "square": lambda: wavelet_basis(28, 28),
}


def dequantized(codes: bytes, scales: bytes) -> torch.Tensor:
    c = torch.frombuffer(bytearray(codes), dtype=torch.int8).double().reshape(len(scales) // 4, -1)
    return torch.frombuffer(bytearray(scales), dtype=torch.float32)[:, None] * c * c.abs() / 127**2


def test_error_of_quantized_vectors_is_within_its_bound():
    vectors = (intensities(7, 1, 6, 5) - 0.5) ** 3
    flat = vectors.flatten(1).double()
    errors = (dequantized(*_front_end.quantize(vectors)) - flat).abs()
    largest = flat.abs().amax(1, keepdim=True)
    bound = ((largest * flat.abs()).sqrt() + largest / 508) / 127
    assert torch.all(errors <= bound * 1.0001)


def test_a_vector_of_zeros_stays_zero():
    codes, scales = _front_end.quantize(torch.zeros(1, 1, 2, 2))
    assert codes == bytes(4)
    assert np.isfinite(np.frombuffer(scales, "<f4")).all()


@pytest.mark.parametrize("make", BASES.values(), ids=BASES.keys())
def test_separated_bases_are_the_bases(make):
    basis = make()
    columns, rows, pairs, signs = _front_end.separate(basis)
    products = columns[pairs[:, 0], :, None] * rows[pairs[:, 1], None, :]
    torch.testing.assert_close(
        (signs[:, None, None] * products).float(), basis[:, 0], atol=2e-6, rtol=0
    )


def test_few_columns_make_a_whole_basis():
    columns, rows, _, _ = _front_end.separate(dct_basis(28, 28))
    assert len(columns) == len(rows) == 28
    columns, rows, _, _ = _front_end.separate(wavelet_basis(28, 28))
    assert len(columns) == len(rows) == 28 + 14  # two levels, each of smooth and detail


def test_numbers_are_little_endian():
    assert _front_end.floats(torch.tensor([1.0])) == b"\x00\x00\x80\x3f"
    assert _front_end.integers(torch.tensor([1, 65535])) == b"\x01\x00\xff\xff"


def test_source_joins_files_in_order():
    joined = _front_end.source("draw.js", "shrinkage_plot.js")
    assert joined.index("class Panel") < joined.index("function drawPlot")


def test_modules_are_whole_in_themselves():
    """A page may not fetch anything for an explorer, neither from a host nor from a neighbour."""
    assert not re.search(r"https?:|^import |import\(|fetch\(", ShrinkageExplorer._esm, re.MULTILINE)
    assert not re.search(r"https?:|@import|url\(", ShrinkageExplorer._css)
    assert ShrinkageExplorer._esm.rstrip().endswith("export default { render };")
