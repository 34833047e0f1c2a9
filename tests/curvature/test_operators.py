"""Laws that hold for every matrix of the room."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.linalg import eigsh

from edgewise.curvature import NTK, EffectiveHessian, EmpiricalFisher, Fisher, GaussNewton, Hessian

KINDS = {
    "Hessian": Hessian,
    "GaussNewton": GaussNewton,
    "EmpiricalFisher": EmpiricalFisher,
    "Fisher": Fisher,
    "NTK": NTK,
    "EffectiveHessian": lambda objective, w: EffectiveHessian(Hessian(objective, w), 0.5 + w**2),
}


@pytest.fixture(params=KINDS)
def operator(request, build):
    setting = build("mlp, cross-entropy")
    return KINDS[request.param](setting.objective(chunk_size=5), setting.w)


def test_symmetry_and_linearity(operator):
    @settings(max_examples=6)
    @given(seed=st.integers(0, 2**32), a=st.floats(-1e3, 1e3), b=st.floats(-1e3, 1e3))
    def laws(seed: int, a: float, b: float) -> None:
        u, v = torch.randn(2, operator.size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        Au, Av = operator @ u, operator @ v
        scale = float(Au.norm() * v.norm() + Av.norm() * u.norm())
        assert abs(float(u @ Av - v @ Au)) <= 1e-13 * scale
        difference = operator @ (a * u + b * v) - (a * Au + b * Av)
        assert float(difference.norm()) <= 1e-12 * (abs(a) * float(Au.norm()) + abs(b) * float(Av.norm()))

    laws()


def test_scipy_sees_the_same_matrix(operator, dense):
    matrix = dense(operator)
    assert operator.products == operator.size
    eigenvalues = torch.linalg.eigvalsh(matrix)
    v0 = np.random.default_rng(0).standard_normal(operator.size)
    found = eigsh(operator.to_scipy(), k=2, which="LA", v0=v0, return_eigenvectors=False)
    np.testing.assert_allclose(np.sort(found), eigenvalues[-2:].numpy(), rtol=1e-9)
    assert operator.products > operator.size  # ARPACK's products are counted too


def test_the_zero_vector_and_the_empty_block(operator):
    zero = torch.zeros(operator.size, dtype=torch.float64)
    assert torch.equal(operator @ zero, zero)
    assert (operator @ zero[:, None][:, :0]).shape == (operator.size, 0)
    assert operator.products == 1
