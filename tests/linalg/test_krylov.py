"""The relation A V = V T + D B that all solvers rest on, kept through every way of growing."""

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from edgewise.foundation import SettingError
from edgewise.linalg import Function
from edgewise.linalg.krylov import KrylovBasis
from reference.matrices import as_operator, spectrum, with_spectrum

A = with_spectrum(spectrum(100, 99, -50, bulk=40))


def relation_holds(basis: KrylovBasis) -> None:
    """Ritz residuals of the true matrix are what the small matrices say, vectors are orthonormal."""
    ritz = basis.ritz(wanted=1, rtol=1e-3)
    U = basis.vectors(ritz, basis.closed)
    assert_close(U.T @ U, torch.eye(basis.closed).double(), rtol=0.0, atol=1e-12)
    R = A @ U - U * ritz.values
    assert_close(R.T @ R, ritz.outside.T @ ritz.outside, rtol=0.0, atol=1e-9)
    assert_close(U.T @ R, torch.zeros_like(U.T @ R), rtol=0.0, atol=1e-10)


def test_the_relation_survives_blocks_expansions_random_directions_and_restarts() -> None:
    draw = torch.Generator().manual_seed(0)
    operator = as_operator(A)
    block = torch.randn(43, 3, generator=draw).double()
    basis = KrylovBasis(operator, block, capacity=5)
    relation_holds(basis)
    for _ in range(4):
        basis.close(basis.ritz(3, 1e-6).residual_direction)
        relation_holds(basis)
    basis.close_random(draw)
    relation_holds(basis)
    basis.restart(basis.ritz(3, 1e-6), keep=4)
    relation_holds(basis)
    for _ in range(6):  # past the capacity
        basis.close_random(draw)
        basis.close(basis.lead)
    relation_holds(basis)
    assert operator.products == basis.products == 3 + 4 + 1 + 12


def test_closing_every_direction_completes_the_space() -> None:
    basis = KrylovBasis(as_operator(A), torch.ones(43, 1).double(), capacity=43)
    draw = torch.Generator().manual_seed(0)
    while not basis.complete:
        basis.close_random(draw)
    assert basis.products == 43
    assert basis.open == 0
    assert_close(basis.ritz(3, 1e-6).values[:2], torch.tensor([100.0, 99.0]).double())


def test_an_invariant_block_opens_nothing() -> None:
    basis = KrylovBasis(as_operator(torch.diag(torch.arange(5.0))), torch.eye(5, 2), capacity=5)
    assert (basis.closed, basis.open) == (2, 0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dependent_columns_are_dropped(dtype: torch.dtype) -> None:
    v = torch.randn(43, 2, generator=torch.Generator().manual_seed(0)).to(dtype)
    block = torch.cat([v, v @ torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=dtype)], dim=1)
    basis = KrylovBasis(as_operator(A.to(dtype)), block, capacity=5)
    assert basis.closed == basis.products == 2


def test_zero_start_vectors_are_refused() -> None:
    with pytest.raises(SettingError, match=r"start vectors of shape \(43, 2\) that are all zero"):
        KrylovBasis(as_operator(A), torch.zeros(43, 2).double(), capacity=5)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_product_that_is_not_finite_is_refused(bad: float) -> None:
    def product(v: Tensor) -> Tensor:
        return torch.full_like(v, bad)

    with pytest.raises(SettingError, match="whose product has NaN or infinite entries"):
        KrylovBasis(Function(product, 43), torch.ones(43, 1), capacity=5)
