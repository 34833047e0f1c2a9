"""Error bounds: against the formula by hand, and against the truth for every Rayleigh–Ritz there is."""

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given
from torch import Tensor
from torch.testing import assert_close

from edgewise.linalg import error_bounds
from reference.matrices import eigenvalues, with_spectrum


def test_a_single_pair_with_a_gap_has_the_quadratic_bound() -> None:
    bound = error_bounds(torch.tensor([10.0, 2.0]).double(), torch.tensor([0.8, 0.0]).double(), wanted=1)
    assert_close(bound, torch.tensor([0.8**2 / 8]).double())


def test_without_a_gap_the_residual_remains() -> None:
    values, residuals = torch.tensor([3.0, 2.9]), torch.tensor([0.3, 0.2])
    assert_close(error_bounds(values, residuals, wanted=2), residuals)


def test_a_pair_that_may_yet_overtake_is_allowed_for() -> None:
    values, residuals = torch.tensor([3.0, 2.0]), torch.tensor([0.1, 5.0])
    assert_close(error_bounds(values, residuals, wanted=2), torch.tensor([4.0, 5.0]))


def test_a_cluster_is_bounded_as_one() -> None:
    values = torch.tensor([1.0, 1.0 - 1e-9, 0.0]).double()
    residuals = torch.tensor([1e-3, 2e-3, 1e-3]).double()
    bounds = error_bounds(values, residuals, wanted=2)
    # Alone, the first would have no gap worth the name; together, ‖R‖² = 5e-6 over a gap of 0.999.
    assert_close(bounds, torch.full((2,), 5e-6 / 0.999).double(), rtol=1e-6, atol=0.0)


def test_the_gap_ends_where_the_highest_residual_reaches() -> None:
    values, residuals = torch.tensor([10.0, 2.0, 1.0]).double(), torch.tensor([0.5, 0.1, 4.0]).double()
    bound = error_bounds(values, residuals, wanted=1)
    assert_close(bound, torch.tensor([0.25 / (10 - 5)]).double())


def test_exact_pairs_have_zero_bounds() -> None:
    assert_close(error_bounds(torch.ones(3), torch.zeros(3), wanted=3), torch.zeros(3))
    assert_close(error_bounds(torch.tensor([2.0, 1.0]), torch.zeros(2), wanted=1), torch.zeros(1))


def rayleigh_ritz(A: Tensor, V: Tensor) -> tuple[Tensor, Tensor]:
    Q = torch.linalg.qr(V)[0]
    values, s = torch.linalg.eigh(Q.T @ A @ Q)
    vectors = Q @ s
    return values.flip(0), (A @ vectors - vectors * values).norm(dim=0).flip(0)


@given(
    top=st.lists(st.floats(5, 100), min_size=1, max_size=4),
    error=st.floats(0, 0.3),
    extra=st.integers(0, 3),
    seed=st.integers(0, 2**31),
)
def test_the_truth_is_within_the_bound(top: list[float], error: float, extra: int, seed: int) -> None:
    """Perturbed eigenvectors of random, crowded and repeated eigenvalues over a bulk in [-1, 1]."""
    bulk = torch.linspace(-1, 1, 30).double()
    A = with_spectrum(torch.cat([torch.tensor(sorted(top, reverse=True)).double(), bulk]), seed=seed % 1000)
    exact = torch.linalg.eigh(A)[1].flip(1)
    noise = torch.randn(len(A), len(top) + extra, generator=torch.Generator().manual_seed(seed)).double()
    values, residuals = rayleigh_ritz(A, exact[:, : len(top) + extra] + error / len(A) ** 0.5 * noise)
    errors = eigenvalues(A)[: len(top)] - values[: len(top)]
    assert (errors >= -1e-12).all()  # Cauchy: a Ritz value never exceeds the eigenvalue of its rank
    assert (errors <= error_bounds(values, residuals, len(top)) + 1e-12).all()


def test_a_cluster_ends_with_the_wanted_pairs() -> None:
    """Unresolved pairs are no cluster, however far below them the next Ritz value lies."""
    values, residuals = torch.tensor([1.0, 0.5, -1000.0]).double(), torch.tensor([0.1, 0.5, 1.0]).double()
    assert_close(error_bounds(values, residuals, wanted=1), torch.tensor([0.1]).double())
    assert error_bounds(values, residuals, wanted=2)[0] < 1e-3


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_bounds_scale_with_the_matrix(scale: float) -> None:
    values, residuals = torch.tensor([9.0, 8.5, 1.0]).double(), torch.tensor([0.3, 0.2, 0.4]).double()
    assert_close(error_bounds(scale * values, scale * residuals, 2), scale * error_bounds(values, residuals, 2))
