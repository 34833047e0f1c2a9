"""Lanczos against dense eigenvalues, on every spectrum that is known to hurt."""

import pytest
import scipy.sparse.linalg
import torch
from torch.testing import assert_close

from edgewise.foundation import SettingError
from edgewise.linalg import Diagonal, Eigenpairs, Lanczos, Status
from reference.matrices import SPECTRA, as_operator, eigenvalues, spectrum, with_spectrum

dtypes = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])


def solve(A: torch.Tensor, k: int, rtol: float, seed: int = 0, solver: Lanczos | None = None) -> Eigenpairs:
    operator = as_operator(A)
    pairs = (solver or Lanczos()).solve(operator, k, rtol, torch.Generator().manual_seed(seed))
    assert pairs.products == operator.products
    return pairs


@dtypes
@pytest.mark.parametrize("rtol", [1e-2, 1e-5])
@pytest.mark.parametrize("name", SPECTRA)
def test_every_value_is_within_its_bound(name: str, rtol: float, dtype: torch.dtype) -> None:
    A = with_spectrum(SPECTRA[name], dtype)
    exact = eigenvalues(A)
    for k in sorted({1, min(3, len(A)), min(5, len(A))}):
        pairs = solve(A, k, rtol, seed=k)
        eps = torch.finfo(dtype).eps
        errors = (pairs.values - exact[:k]).abs()
        # The reference rounds too, in float64.
        assert (errors <= pairs.bounds + 1e-14 * exact.abs().max()).all()
        assert (pairs.values - exact[:k] <= 16 * eps * exact.abs().max()).all()
        assert (pairs.values.diff() <= 0).all()
        assert pairs.status is not Status.BUDGET
        size = pairs.values.abs().max()
        reached = pairs.bounds <= rtol * size * (1 + 2 * eps)
        assert (reached | (pairs.bounds <= 64 * eps * exact.abs().max())).all()

        u, values = pairs.vectors.double(), pairs.values.double()
        assert_close(u.T @ u, torch.eye(k).double(), rtol=0.0, atol=50 * eps)
        residuals = (A.double() @ u - u * values).norm(dim=0)
        assert (residuals <= pairs.residuals * (1 + 1e-3) + 16 * eps * exact.abs().max()).all()


@dtypes
@pytest.mark.parametrize("k", [1, 7, 40])
def test_as_many_pairs_as_the_size(k: int, dtype: torch.dtype) -> None:
    A = with_spectrum(torch.linspace(-1, 1, k).square(), dtype)  # every eigenvalue but one is double
    pairs = solve(A, k, 1e-6)
    assert pairs.status is Status.COMPLETE
    assert pairs.products == k
    assert_close(pairs.values.double(), eigenvalues(A), rtol=0.0, atol=16 * torch.finfo(dtype).eps)


@dtypes
def test_scipy_agrees(dtype: torch.dtype) -> None:
    A = with_spectrum(spectrum(10, 9, 7, -30), dtype)
    theirs = scipy.sparse.linalg.eigsh(A.double().numpy(), k=3, which="LA")[0][::-1].copy()
    assert_close(solve(A, 3, 1e-5).values.double(), torch.from_numpy(theirs), rtol=1e-5, atol=0.0)


def test_restarts_reach_what_a_large_basis_reaches() -> None:
    A = with_spectrum(spectrum(1.05, bulk=300))
    small = solve(A, 3, 1e-8, solver=Lanczos(basis=12))
    assert small.status is Status.CONVERGED
    assert_close(small.values, eigenvalues(A)[:3], rtol=1e-8, atol=0.0)
    assert small.products > solve(A, 3, 1e-8).products


def test_many_copies_are_all_found_with_the_guard_and_one_without() -> None:
    A = with_spectrum(spectrum(*[10.0] * 6, 5), seed=3)
    assert_close(solve(A, 7, 1e-6).values, eigenvalues(A)[:7], rtol=1e-6, atol=0.0)
    # Diagonal and exactly repeated: rounding cannot bring the copies in.
    operator = Diagonal(spectrum(10, 10, 5).round())
    found = Lanczos(guard=False).solve(operator, 2, 1e-6, torch.Generator().manual_seed(0))
    assert_close(found.values, torch.tensor([10.0, 5.0]).double())


@dtypes
@pytest.mark.parametrize("top", [(90, 90, 70, 60), (110, 110, 110, 80), (100, 99.999, 99.998, 99.9)])
def test_copies_are_found_whatever_the_seed(top: tuple[float, ...], dtype: torch.dtype) -> None:
    for seed in range(15):
        A = with_spectrum(spectrum(*top, 40, -300, bulk=100), dtype, seed=seed)
        pairs = solve(A, 3, 1e-5, seed=seed)
        assert_close(pairs.values.double(), eigenvalues(A)[:3], rtol=1e-4, atol=0.0)


def test_a_start_without_the_top_eigenvector_is_rescued_by_the_guard() -> None:
    operator = Diagonal(torch.tensor([3.0, 2.0, 1.0] + [0.0] * 97))
    draw = torch.Generator().manual_seed(0)
    start = torch.eye(100)[:, 1:2]
    assert_close(Lanczos().solve(operator, 1, 1e-4, draw, start).values, torch.tensor([3.0]), rtol=1e-5, atol=0.0)


def test_a_large_negative_end_is_never_returned() -> None:
    pairs = solve(with_spectrum(spectrum(-1e4, -9e3)), 4, 1e-3)
    assert_close(pairs.values, torch.linspace(-1, 1, 150).double().flip(0)[:4], rtol=0.0, atol=1e-3)


def test_the_price_of_a_cold_start_does_not_grow_with_the_dimension() -> None:
    """Three of 100, 99, 98 over a bulk: SciPy's default takes 36 products or more."""
    for size in (10**3, 10**5):
        operator = Diagonal(spectrum(100, 99, 98, bulk=size).float())
        pairs = Lanczos().solve(operator, 3, 1e-4, torch.Generator().manual_seed(0))
        assert pairs.status is Status.CONVERGED
        assert pairs.products <= 40


def test_a_budget_that_runs_out_is_admitted() -> None:
    A = with_spectrum(spectrum(bulk=300))
    pairs = solve(A, 3, 1e-8, solver=Lanczos(max_products=12))
    assert pairs.status is Status.BUDGET
    assert pairs.products == 12
    assert not pairs.converged.all()
    # Even then some eigenvalue lies within each residual.
    distances = (eigenvalues(A)[:, None] - pairs.values).abs().min(dim=0).values
    assert (distances <= pairs.residuals).all()


def test_a_tolerance_below_the_arithmetic_is_admitted() -> None:
    pairs = solve(with_spectrum(spectrum(100, 50), torch.float32), 2, 1e-7)
    assert pairs.status is Status.ROUNDING
    assert not pairs.converged.any()


def test_the_same_seed_gives_the_same_bits() -> None:
    A = with_spectrum(SPECTRA["crowded"], torch.float32)
    first, second = solve(A, 3, 1e-4, seed=5), solve(A, 3, 1e-4, seed=5)
    assert torch.equal(first.vectors, second.vectors)


def test_a_basis_too_small_to_restart_is_refused() -> None:
    with pytest.raises(SettingError, match=r"Lanczos\(basis=4\) for k=3 pairs.*Type Lanczos\(basis=29\)"):
        solve(with_spectrum(spectrum()), 3, 1e-4, solver=Lanczos(basis=4))


def test_a_budget_below_one_product_a_pair_is_refused() -> None:
    with pytest.raises(SettingError, match=r"every pair takes at least one product"):
        solve(with_spectrum(spectrum()), 3, 1e-4, solver=Lanczos(max_products=2))
