"""The front door: defaults, signs, and what it refuses."""

import inspect

import pytest
import torch
from torch.testing import assert_close

from edgewise.foundation import SettingError
from edgewise.linalg import Diagonal, Lanczos, Status, eigenpairs
from reference.matrices import SPECTRA, as_operator, eigenvalues, spectrum, with_spectrum

A = with_spectrum(spectrum(100, 62, 40))


def test_the_largest_algebraic_pair_by_default() -> None:
    pairs = eigenpairs(as_operator(-A))
    assert pairs.status is Status.CONVERGED
    assert_close(pairs.values, eigenvalues(-A)[:1], rtol=1e-4, atol=0.0)
    assert pairs.vectors.shape == (len(A), 1)


def test_dtype_and_shape_follow_the_operator() -> None:
    pairs = eigenpairs(as_operator(A.float()), k=3)
    assert {t.dtype for t in (pairs.values, pairs.vectors, pairs.residuals, pairs.bounds)} == {torch.float32}
    assert pairs.values.shape == pairs.residuals.shape == pairs.bounds.shape == pairs.converged.shape == (3,)


def test_signs_do_not_depend_on_the_seed() -> None:
    first, second = (eigenpairs(as_operator(A), k=3, rtol=1e-10, seed=seed).vectors for seed in (0, 1))
    assert_close(first, second, rtol=0.0, atol=1e-4)
    assert (first.gather(0, first.abs().argmax(0, keepdim=True)) > 0).all()


def test_signs_follow_the_start() -> None:
    vectors = eigenpairs(as_operator(A), k=3).vectors
    start = vectors * torch.tensor([-1.0, 1.0, -1.0]).double()
    again = eigenpairs(as_operator(A), k=3, start=start).vectors
    assert ((again * start).sum(0) > 0.99).all()


def test_a_good_start_saves_products_against_a_cold_one() -> None:
    start = eigenpairs(as_operator(A), k=3, rtol=1e-8).vectors
    unguarded = Lanczos(guard=False)
    warm = eigenpairs(as_operator(A), k=3, rtol=1e-4, start=start, solver=unguarded)
    assert warm.products == 3
    assert warm.status is Status.CONVERGED


def test_the_solver_is_used() -> None:
    assert eigenpairs(as_operator(A), k=3, solver=Lanczos(max_products=5)).status is Status.BUDGET


@pytest.mark.parametrize("thing", [torch.eye(3), "hessian"])
def test_what_is_no_operator_has_no_eigenpairs(thing: object) -> None:
    unchecked = inspect.unwrap(eigenpairs)  # without the types that only the tests check
    with pytest.raises(SettingError, match=r"the eigenpairs of a (Tensor|str).*Type eigenpairs\(Hessian\("):
        unchecked(thing)


@pytest.mark.parametrize("k", [0, -1, 4])
def test_impossible_numbers_of_pairs_are_refused(k: int) -> None:
    with pytest.raises(SettingError, match=f"k={k} eigenpairs of an operator of size 3.*Type k=1 up to k=3"):
        eigenpairs(Diagonal(torch.ones(3)), k=k)


@pytest.mark.parametrize("rtol", [0.0, -1e-3, 1.0, float("nan")])
def test_impossible_tolerances_are_refused(rtol: float) -> None:
    with pytest.raises(SettingError, match=r"lies between 0 and 1\. Type rtol=1e-4"):
        eigenpairs(Diagonal(torch.ones(3)), rtol=rtol)


@pytest.mark.parametrize(
    "start", [torch.ones(4, 1), torch.ones(3, 1).double(), torch.ones(3, 0)], ids=["size", "dtype", "none"]
)
def test_a_start_that_does_not_fit_is_refused(start: torch.Tensor) -> None:
    with pytest.raises(SettingError, match=r"columns of a torch\.float32 tensor of 3 rows and at least 1"):
        eigenpairs(Diagonal(torch.ones(3)), start=start)


def test_a_network_that_diverged_is_refused() -> None:
    with pytest.raises(SettingError, match="the loss and its gradient are finite"):
        eigenpairs(Diagonal(torch.tensor([1.0, float("nan"), 2.0])))


def test_the_zero_operator_has_zero_eigenvalues() -> None:
    pairs = eigenpairs(as_operator(with_spectrum(SPECTRA["zero"])), k=3)
    assert pairs.converged.all()
    assert not pairs.values.any()
