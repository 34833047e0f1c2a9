"""The dominant subspace of a matrix built from its eigenvectors."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from edgewise.curvature import dominant_fraction, dominant_split
from edgewise.foundation import SettingError

SIZE = 7


def _orthogonal(seed: int) -> Tensor:
    numbers = torch.Generator().manual_seed(seed)
    return torch.linalg.qr(torch.randn(SIZE, SIZE, generator=numbers, dtype=torch.float64)).Q


@settings(max_examples=25)
@given(seed=st.integers(0, 1000), k=st.integers(1, SIZE))
def test_the_parts_are_the_coordinates_in_the_eigenbasis(seed: int, k: int) -> None:
    Q = _orthogonal(seed)
    coordinates = torch.randn(SIZE, generator=torch.Generator().manual_seed(seed + 1), dtype=torch.float64)
    split = dominant_split(Q @ coordinates, Q[:, :k])
    kept = torch.where(torch.arange(SIZE) < k, coordinates, 0.0)
    torch.testing.assert_close(split.dominant, Q @ kept, rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(split.bulk, Q @ (coordinates - kept), rtol=1e-12, atol=1e-13)
    assert split.fraction == pytest.approx(float(kept.norm() / coordinates.norm()), rel=1e-12)
    assert 0.0 <= split.fraction <= 1.0
    # The basis of the subspace does not matter.
    turn = torch.linalg.qr(torch.randn(k, k, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)).Q
    assert dominant_fraction(Q @ coordinates, Q[:, :k] @ turn) == pytest.approx(split.fraction, rel=1e-12)


def test_a_vector_in_the_subspace_is_all_dominant_and_one_beside_it_all_bulk() -> None:
    Q = _orthogonal(0)
    inside, beside = dominant_split(Q[:, 1], Q[:, :3]), dominant_split(Q[:, 5], Q[:, :3])
    assert inside.fraction == pytest.approx(1.0, abs=1e-15)
    assert float(inside.bulk.norm()) < 1e-14
    assert beside.fraction < 1e-14


@pytest.mark.parametrize("entry", [0.0, math.nan, math.inf])
def test_a_vector_without_a_direction_is_refused(entry: float) -> None:
    with pytest.raises(SettingError, match=r"a vector of length .*no share of it lies anywhere"):
        dominant_fraction(torch.full((SIZE,), entry).double(), _orthogonal(0)[:, :2])


def test_columns_that_are_no_basis_are_refused() -> None:
    with pytest.raises(SettingError, match=r"2 columns whose inner products are off by 3: .*linalg\.qr"):
        dominant_fraction(torch.ones(SIZE).double(), 2 * _orthogonal(0)[:, :2])
