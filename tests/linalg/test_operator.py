"""Operators: the laws of matrices, and true counts."""

from collections.abc import Callable

import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.sparse.linalg
import torch
from hypothesis import given
from torch import Tensor
from torch.testing import assert_close

from edgewise.foundation import SettingError
from edgewise.linalg import Diagonal, Function, Operator
from reference.matrices import as_operator, with_spectrum

SIZE = 7
A = with_spectrum(torch.linspace(-2, 3, SIZE), seed=1)
B = with_spectrum(torch.linspace(0, 1, SIZE), seed=2)
d = torch.linspace(0.5, 2, SIZE).double()
D = torch.diag(d)

COMBINED: dict[str, tuple[Callable[[], Operator], Tensor]] = {
    "function": (lambda: as_operator(A), A),
    "diagonal": (lambda: Diagonal(d), D),
    "sum": (lambda: as_operator(A) + as_operator(B), A + B),
    "scaled": (lambda: -2 * as_operator(A), -2 * A),
    "scaled from the right": (lambda: as_operator(A) * 0.5, A / 2),
    "conjugation": (lambda: as_operator(A).conjugate_by(Diagonal(d)), D @ A @ D),
    "nested": (lambda: (as_operator(A) + 3 * Diagonal(d)).conjugate_by(as_operator(B)), B @ (A + 3 * D) @ B),
}
each_operator = pytest.mark.parametrize(("build", "dense"), COMBINED.values(), ids=COMBINED)
vectors = st.lists(st.floats(-10, 10), min_size=SIZE, max_size=SIZE).map(
    lambda entries: torch.tensor(entries, dtype=torch.float64)
)


@each_operator
def test_products_are_those_of_the_dense_matrix(build: Callable[[], Operator], dense: Tensor) -> None:
    V = torch.randn(SIZE, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    operator = build()
    assert_close(operator @ V, dense @ V)
    assert_close(operator @ V[:, 1], dense @ V[:, 1])
    assert_close(operator.matmat(V[:, :0]), V[:, :0])


@each_operator
@given(u=vectors, v=vectors, c=st.floats(-10, 10))
def test_operators_are_linear_and_symmetric(
    build: Callable[[], Operator], dense: Tensor, u: Tensor, v: Tensor, c: float
) -> None:
    operator = build()
    tolerance = {"rtol": 1e-12, "atol": 1e-10}
    assert_close(operator @ (c * u + v), c * (operator @ u) + operator @ v, **tolerance)
    assert_close(u @ (operator @ v), (operator @ u) @ v, rtol=1e-12, atol=1e-9)


@each_operator
def test_every_product_is_counted(build: Callable[[], Operator], dense: Tensor) -> None:
    operator = build()
    operator @ torch.ones(SIZE, dtype=torch.float64)
    operator @ torch.ones(SIZE, 4, dtype=torch.float64)
    assert operator.products == 5


def test_a_combination_counts_its_own_products_and_its_parts_theirs() -> None:
    a, b, scale = as_operator(A), as_operator(B), Diagonal(d)
    combined = (a + 2 * b).conjugate_by(scale)
    combined @ torch.ones(SIZE, dtype=torch.float64)
    assert (combined.products, a.products, b.products, scale.products) == (1, 1, 1, 2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_scipy_sees_the_same_operator(dtype: torch.dtype) -> None:
    operator = as_operator(with_spectrum(torch.linspace(-3, 5, 40, dtype=torch.float64), dtype))
    theirs = operator.to_scipy()
    assert theirs.shape == (40, 40)
    assert theirs.dtype == torch.empty(0, dtype=dtype).numpy().dtype
    top = scipy.sparse.linalg.eigsh(theirs, k=2, which="LA", v0=np.ones(40))[0]
    np.testing.assert_allclose(top, [5 - 8 / 39, 5], rtol=100 * torch.finfo(dtype).eps)
    before = operator.products
    assert (theirs @ np.ones((40, 3))).shape == (40, 3)
    assert operator.products == before + 3


def test_it_says_what_it_is() -> None:
    assert repr(Diagonal(d)) == f"Diagonal(size={SIZE}, dtype=torch.float64, device=cpu)"


def test_a_size_below_one_is_refused() -> None:
    with pytest.raises(SettingError, match="an operator of size 0: it acts on vectors of at least one entry"):
        Function(lambda v: v, size=0)


def test_half_precision_is_refused() -> None:
    with pytest.raises(SettingError, match=r"dtype torch\.float16: eigenvalues need at least single"):
        Function(lambda v: v, size=2, dtype=torch.float16)


@pytest.mark.parametrize("v", [torch.ones(3).double(), torch.ones(SIZE)], ids=["size", "dtype"])
def test_a_vector_that_does_not_fit_is_refused(v: Tensor) -> None:
    operator = Diagonal(d)
    with pytest.raises(SettingError, match=r"multiplies torch\.float64 tensors of shape \(7,\) on cpu"):
        operator.matvec(v)
    with pytest.raises(SettingError, match=r"tensors of shape \(7, block\) on cpu"):
        operator.matmat(v[:, None])
    assert operator.products == 0


def test_a_function_that_does_not_map_vectors_to_vectors_is_refused() -> None:
    with pytest.raises(SettingError, match=r"Return a torch\.float32 tensor of shape \(4,\)"):
        Function(lambda v: v[:2], size=4) @ torch.ones(4)


def test_operators_of_different_kinds_do_not_combine() -> None:
    with pytest.raises(SettingError, match="operators that are combined act on the same vectors"):
        Diagonal(d) + Diagonal(d.float())
    with pytest.raises(SettingError, match="conjugate_by"):
        Diagonal(d).conjugate_by(Diagonal(d[:3]))
