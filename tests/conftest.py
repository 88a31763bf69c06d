"""Fixtures that the tests share."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import settings

from gahr_lib import load_denoiser
from gahr_lib.models import ResidualNetwork

# The same examples every time, however slow the machine: a failure is that of a change.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Sums then have one order, so that equal computations give equal bits."""
    torch.set_num_threads(1)


@pytest.fixture
def untouched_random_state() -> Iterator[None]:
    """Fail if the test, or the library that it calls, draws from the global random state."""
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()  # noqa: NPY002
    yield
    assert torch.equal(torch.get_rng_state(), torch_state), "torch's global random state moved"
    after = np.random.get_state()  # noqa: NPY002
    assert np.array_equal(after[1], numpy_state[1]), "NumPy's global random state moved"
    assert after[2:] == numpy_state[2:], "NumPy's global random state moved"


@pytest.fixture(scope="session")
def trained_a() -> ResidualNetwork:
    return load_denoiser("fashion", n_train=30_000, half="A")


@pytest.fixture(scope="session")
def trained_b() -> ResidualNetwork:
    return load_denoiser("fashion", n_train=30_000, half="B")
