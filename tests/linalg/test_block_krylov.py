"""Tracking from a warm start: what it costs, what it promises, and blocks that are no good."""

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from edgewise.foundation import SettingError
from edgewise.linalg import BlockKrylov, Lanczos, Status
from reference.matrices import SPECTRA, as_operator, drifting, eigenvalues, spectrum, with_spectrum

BELOW = torch.linspace(30, 8, 12)
EDGES = {
    "separated": torch.cat([torch.tensor([100.0, 62, 40]), BELOW]).double(),
    "crowded": torch.cat([torch.tensor([100.0, 99, 98]), BELOW]).double(),
    "crowded past the wanted": torch.cat([torch.tensor([100, 99.9, 99.8, 99.7]), BELOW]).double(),
}


def follow(
    outliers: Tensor, drift: float, guards: int, dtype: torch.dtype = torch.float64, steps: int = 8
) -> tuple[float, float]:
    """Products a pair a step, and the largest error relative to the largest eigenvalue."""
    operators = drifting(outliers, 2000, drift, steps + 1, dtype)
    cold = Lanczos().solve(operators[0], 3 + guards, 1e-5, torch.Generator().manual_seed(0))
    block, products, worst = cold.vectors, 0, 0.0
    for operator in operators[1:]:
        tracked = BlockKrylov().solve(operator, block, 3, 1e-3)
        assert tracked.pairs.products == operator.products
        assert tracked.pairs.status is Status.CONVERGED
        errors = outliers[:3] - tracked.pairs.values.double()
        assert (errors.abs() <= tracked.pairs.bounds).all()
        products += tracked.pairs.products
        worst = max(worst, float(errors.abs().max() / outliers[0]))
        block = tracked.block
    return products / (3 * steps), worst


@pytest.mark.parametrize("guards", [0, 1])
@pytest.mark.parametrize("drift", [1e-3, 1e-2])
@pytest.mark.parametrize("name", EDGES)
def test_a_slow_drift_costs_less_than_two_products_a_pair(name: str, drift: float, guards: int) -> None:
    products, error = follow(EDGES[name], drift, guards)
    assert products <= 2
    assert error <= 1e-3


def test_single_precision_costs_the_same() -> None:
    products, error = follow(EDGES["crowded"], 1e-2, guards=1, dtype=torch.float32)
    assert products <= 2
    assert error <= 1e-3


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", SPECTRA)
def test_from_the_exact_vectors_it_takes_a_product_a_column(name: str, dtype: torch.dtype) -> None:
    A = with_spectrum(SPECTRA[name], dtype)
    k = min(3, len(A))
    exact = torch.linalg.eigh(A.double())[1].flip(1)[:, :k].to(dtype)
    tracked = BlockKrylov().solve(as_operator(A), exact, k, 1e-4)
    assert tracked.pairs.products == k
    errors = (tracked.pairs.values - eigenvalues(A)[:k]).abs()
    assert (errors <= tracked.pairs.bounds + 1e-14 * eigenvalues(A).abs().max()).all()


def test_from_nowhere_it_is_a_block_krylov_method() -> None:
    A = with_spectrum(SPECTRA["triple"])
    random = torch.randn(len(A), 4, generator=torch.Generator().manual_seed(0)).double()
    tracked = BlockKrylov(max_products_per_pair=20).solve(as_operator(A), random, 3, 1e-6)
    assert tracked.pairs.status is Status.CONVERGED
    assert_close(tracked.pairs.values, eigenvalues(A)[:3], rtol=1e-6, atol=0.0)
    assert tracked.block.shape == (len(A), 4)
    assert_close(tracked.block[:, :3], tracked.pairs.vectors)
    assert_close(tracked.ritz_values[:3], tracked.pairs.values)


def test_an_overtaking_eigenvalue_is_already_among_the_guards() -> None:
    A = with_spectrum(spectrum(10, 9, 8))
    vectors = torch.linalg.eigh(A)[1].flip(1)[:, :3]
    overtaken = A + 5 * torch.outer(vectors[:, 2], vectors[:, 2])
    tracked = BlockKrylov().solve(as_operator(overtaken), vectors, 2, 1e-6)
    assert_close(tracked.pairs.values, torch.tensor([13.0, 10.0]).double())
    assert_close(tracked.pairs.vectors[:, 0].dot(vectors[:, 2]).abs(), torch.tensor(1.0).double())


def test_a_budget_that_runs_out_is_admitted() -> None:
    A = with_spectrum(SPECTRA["crowded"])
    random = torch.randn(len(A), 3, generator=torch.Generator().manual_seed(0)).double()
    tracked = BlockKrylov(max_products_per_pair=2).solve(as_operator(A), random, 3, 1e-8)
    assert tracked.pairs.status is Status.BUDGET
    assert tracked.pairs.products == 6
    assert not tracked.pairs.converged.any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dependent_columns_are_replaced(dtype: torch.dtype) -> None:
    A = with_spectrum(spectrum(10, 9, 8), dtype)
    top = torch.linalg.eigh(A)[1].flip(1)[:, :1]
    tracked = BlockKrylov(max_products_per_pair=10).solve(as_operator(A), top.expand(-1, 3), 3, 1e-4)
    assert tracked.pairs.status is Status.CONVERGED
    assert_close(tracked.pairs.values.double(), eigenvalues(A)[:3], rtol=1e-4, atol=0.0)


def test_the_whole_space_is_complete() -> None:
    A = with_spectrum(torch.linspace(-1, 1, 6, dtype=torch.float64))
    tracked = BlockKrylov().solve(as_operator(A), torch.eye(6, 2).double(), 2, 1e-9)
    assert tracked.pairs.status is Status.COMPLETE
    assert tracked.pairs.products == 6


def test_the_block_is_left_alone() -> None:
    block = torch.randn(153, 3, generator=torch.Generator().manual_seed(0)).double()
    before = block.clone()
    BlockKrylov().solve(as_operator(with_spectrum(SPECTRA["crowded"])), block, 3, 1e-3)
    assert torch.equal(block, before)


def test_a_block_with_fewer_columns_than_pairs_is_refused() -> None:
    with pytest.raises(SettingError, match=r"153 rows and at least 3 columns on cpu"):
        BlockKrylov().solve(as_operator(with_spectrum(SPECTRA["crowded"])), torch.ones(153, 2).double(), 3, 1e-3)


@pytest.mark.parametrize("products", [0.5, float("nan")])
def test_less_than_a_product_a_column_is_refused(products: float) -> None:
    with pytest.raises(SettingError, match="every column of the block takes at least one product"):
        BlockKrylov(max_products_per_pair=products).solve(
            as_operator(with_spectrum(SPECTRA["crowded"])), torch.ones(153, 1).double(), 1, 1e-3
        )


def test_a_reserve_costs_nothing_while_the_bounds_are_met_without_it() -> None:
    A = with_spectrum(EDGES["separated"])
    exact = torch.linalg.eigh(A)[1].flip(1)
    operator = as_operator(A)
    tracked = BlockKrylov().solve(operator, exact[:, :1], 1, 1e-3, reserve=exact[:, 1:2], reach=62.5)
    assert operator.products == tracked.pairs.products == 1
    assert tracked.block.shape[1] == 1
    assert tracked.reach == 62.5
    assert bool(tracked.pairs.converged.all())


def test_a_reserve_stays_out_where_one_product_more_meets_the_bounds() -> None:
    A = with_spectrum(EDGES["crowded"])
    exact = torch.linalg.eigh(A)[1].flip(1)
    mixed = exact[:, :1] + 0.3 * exact[:, 2:3]
    tracked = BlockKrylov().solve(as_operator(A), mixed, 1, 1e-4, reserve=exact[:, 1:2], reach=99.0)
    assert tracked.pairs.products == 2
    assert tracked.block.shape[1] == 1
    assert tracked.reach == 99.0
    assert_close(float(tracked.pairs.values[0]), 100.0)


def test_a_reserve_joins_where_the_bounds_are_not_met_and_measures_the_reach_anew() -> None:
    A = with_spectrum(EDGES["crowded"])
    exact = torch.linalg.eigh(A)[1].flip(1)
    mixed = exact[:, :1] + 0.3 * exact[:, 1:2] + 0.3 * exact[:, 2:3]
    operator = as_operator(A)
    tracked = BlockKrylov().solve(operator, mixed, 1, 1e-4, reserve=exact[:, 1:2], reach=99.0)
    # The block, its residual, and the reserve, which complete the space of the three.
    assert operator.products == tracked.pairs.products == 3
    assert_close(float(tracked.pairs.values[0]), 100.0)
    assert tracked.block.shape[1] == 2
    assert tracked.reach == pytest.approx(99.0)


def test_a_reach_above_the_value_found_says_that_it_may_not_be_the_largest() -> None:
    A = with_spectrum(EDGES["crowded"])
    second = torch.linalg.eigh(A)[1].flip(1)[:, 1:2]
    solver = BlockKrylov(max_products_per_pair=1)
    tracked = solver.solve(as_operator(A), second, 1, 1e-3, reach=100.0)
    assert float(tracked.pairs.bounds[0]) == pytest.approx(1.0)
    assert not bool(tracked.pairs.converged.any())


def test_a_fresh_direction_finds_what_the_block_cannot_lead_to() -> None:
    A = with_spectrum(EDGES["separated"])
    exact = torch.linalg.eigh(A)[1].flip(1)
    second = exact[:, 1:3]  # exact eigenvectors: their residuals are zero, and the largest pair is not among them
    blind = BlockKrylov().solve(as_operator(A), second, 1, 1e-3)
    assert_close(float(blind.pairs.values[0]), 62.0)
    operator = as_operator(A)
    fresh = torch.randn(len(A), generator=torch.Generator().manual_seed(1), dtype=A.dtype)
    seeing = BlockKrylov(search=8).solve(operator, second, 1, 1e-3, fresh=fresh)
    assert_close(float(seeing.pairs.values[0]), 100.0, rtol=1e-3, atol=0.0)
    assert operator.products == seeing.pairs.products
