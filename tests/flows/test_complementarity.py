"""Semidefinite complementarity against closed forms, a brute-force descent, and its own conditions."""

import math
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edgewise.flows import complementarity
from edgewise.foundation import FlowError, decode, encode

numbers = st.floats(-1e3, 1e3).filter(lambda x: abs(x) > 1e-6)


def random_symmetric(k, seed, shift=0.0):
    A = torch.randn(k, k, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (A + A.T) / 2 + shift * torch.eye(k, dtype=torch.float64)


def random_gram(k, rank, seed):
    """B[X] = Σ ⟨C, X⟩ C over `rank` symmetric matrices: positive semidefinite by construction."""
    C = torch.randn(rank, k, k, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    C = C + C.transpose(1, 2)
    return torch.einsum("rij,rkl->ijkl", C, C)


def conditions(A, B, X):
    """The relative violation of each of the three conditions, by NumPy, in the units that the result states."""
    A, B, X = (each.numpy() for each in (A, B, X))
    S = A + np.tensordot(B, X, axes=([2, 3], [0, 1]))
    size = max(np.linalg.norm(X), np.linalg.norm(A) / np.linalg.norm(B))
    return (
        max(0.0, -np.linalg.eigvalsh(X)[0]) / size,
        max(0.0, -np.linalg.eigvalsh(S)[0]) / np.linalg.norm(A),
        abs((X * S).sum()) / (size * np.linalg.norm(A)),
    )


def by_projected_gradient(A, B, steps=4_000):
    """min ½⟨X, B X⟩ + ⟨A, X⟩ over X ≽ 0, by nothing but small steps and projections."""
    A, B = A.numpy(), B.numpy()
    k = len(A)
    X, rate = np.zeros_like(A), 1.0 / np.linalg.norm(B.reshape(k * k, k * k), 2)
    for _ in range(steps):
        values, vectors = np.linalg.eigh(X - rate * (A + np.tensordot(B, X, axes=([2, 3], [0, 1]))))
        X = (vectors * values.clip(min=0.0)) @ vectors.T
    return X


@given(a=numbers, b=st.floats(1e-3, 1e3))
def test_one_mode_has_a_closed_form(a, b):
    one = torch.ones(1, 1, dtype=torch.float64)
    found = complementarity(a * one, b * one[..., None, None])
    assert found.solution.item() == pytest.approx(max(0.0, -a / b), rel=1e-14)
    assert found.slack.item() == pytest.approx(max(0.0, a), rel=1e-14, abs=1e-14 * abs(a))
    assert found.residual <= 1e-12
    assert found.status == "closed form"


@pytest.mark.parametrize("k", [2, 3, 5])
def test_a_diagonal_problem_is_k_problems_of_one_mode(k):
    a = torch.linspace(-2.0, 1.0, k).double()
    b = torch.linspace(0.5, 3.0, k).double()
    B = torch.zeros(k, k, k, k).double()
    for i in range(k):
        for j in range(k):
            # Off the diagonal a stiffness of any size: nothing drives it.
            B[i, j, i, j] = B[i, j, j, i] = b[i] if i == j else 0.7
    found = complementarity(torch.diag(a), B)
    torch.testing.assert_close(found.solution, torch.diag((-a / b).clamp_min(0.0)), rtol=1e-7, atol=1e-8)
    torch.testing.assert_close(found.slack, torch.diag(a.clamp_min(0.0)), rtol=1e-7, atol=1e-8)


def test_an_off_diagonal_entry_stands_for_two():
    # B is the identity, so X is the projection of −A onto the positive semidefinite matrices.
    A = random_symmetric(4, seed=5)
    eye = torch.eye(4).double()
    B = (torch.einsum("ik,jl->ijkl", eye, eye) + torch.einsum("il,jk->ijkl", eye, eye)) / 2
    values, vectors = torch.linalg.eigh(-A)
    projection = (vectors * values.clamp_min(0.0)) @ vectors.T
    torch.testing.assert_close(complementarity(A, B).solution, projection, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("k", [2, 3, 4])
def test_random_problems_satisfy_the_conditions(k, seed):
    A, B = random_symmetric(k, seed), random_gram(k, rank=k * (k + 1) // 2 + 3, seed=100 + seed)
    A = A - (float(torch.linalg.eigvalsh(A)[0]) + 0.5) * torch.eye(k).double()  # so that X = 0 is no solution
    found = complementarity(A, B)
    mine = conditions(A, B, found.solution)
    assert max(mine) <= 1e-7
    assert found.residual <= 1e-7
    assert mine == pytest.approx((found.negativity, found.slack_negativity, found.gap), rel=1e-3, abs=1e-14)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_brute_force_descent_finds_the_same(seed):
    A, B = random_symmetric(3, seed, shift=-0.3), random_gram(3, rank=12, seed=seed)
    np.testing.assert_allclose(complementarity(A, B).solution, by_projected_gradient(A, B), atol=1e-6)


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), scale=st.floats(1e-6, 1e6), stiffness=st.floats(1e-6, 1e6))
def test_the_answer_has_the_units_of_the_question_and_turns_with_its_axes(seed, scale, stiffness):
    A, B = random_symmetric(3, seed, shift=-0.2), random_gram(3, rank=9, seed=seed)
    X = complementarity(A, B).solution
    Q = torch.linalg.qr(random_symmetric(3, seed + 1))[0]
    turned = torch.einsum("ia,jb,kc,ld,ijkl->abcd", Q, Q, Q, Q, B)
    other = complementarity(scale * Q.T @ A @ Q, stiffness * turned).solution
    difference = Q @ (other * (stiffness / scale)) @ Q.T - X
    # ⟨D, B[D]⟩ = ⟨X₁ − X₂, S₁ − S₂⟩ is at most the sum of what each solution leaves of the conditions.
    distance = float(torch.einsum("ij,ijkl,kl", difference, B, difference))
    size = max(float(X.norm()), float(A.norm() / B.norm()))
    assert distance <= 4e-7 * size * float(A.norm())


def test_modes_that_fall_by_themselves_need_no_oscillation():
    A = random_symmetric(3, 0, shift=5.0)
    found = complementarity(A, random_gram(3, 6, 0))
    assert not found.solution.any()
    torch.testing.assert_close(found.slack, A)
    assert found.residual == 0.0


def test_no_mode_is_a_case_like_any_other():
    found = complementarity(torch.zeros(0, 0), torch.zeros(0, 0, 0, 0))
    assert found.solution.shape == found.slack.shape == (0, 0)
    assert found.residual == 0.0


def test_a_mode_that_only_touches_the_edge_is_found():
    A = random_symmetric(3, 1)
    A = A - (float(torch.linalg.eigvalsh(A)[0]) + 1e-9) * torch.eye(3).double()
    found = complementarity(A, random_gram(3, 9, 1))
    assert found.residual <= 1e-7
    assert float(found.solution.norm()) < 1e-7


def test_a_singular_response_that_reaches_every_mode_is_enough():
    # Only the trace is stiff: B has rank one in a space of three dimensions.
    eye = torch.eye(2).double()
    found = complementarity(-eye, torch.einsum("ij,kl->ijkl", eye, eye))
    assert float(found.solution.trace()) == pytest.approx(1.0, rel=1e-7)
    assert found.residual <= 1e-7


@pytest.mark.parametrize("k", [1, 2])
def test_without_any_response_nothing_holds_the_edge(k):
    A = -torch.eye(k).double()
    with pytest.raises(FlowError, match=r"no oscillation along them lowers their curvature.*smaller lr"):
        complementarity(A, torch.zeros(k, k, k, k).double())


def test_a_response_of_one_mode_does_not_hold_another():
    B = torch.zeros(2, 2, 2, 2).double()
    B[0, 0, 0, 0] = 1.0
    with pytest.raises(FlowError, match=r"modes that cross the edge.*solver: DualInfeasible"):
        complementarity(-torch.eye(2).double(), B)


def test_what_is_not_finite_is_refused():
    with pytest.raises(FlowError, match=r"curvature there is not finite"):
        complementarity(torch.full((1, 1), math.nan), torch.ones(1, 1, 1, 1))


def test_an_answer_that_is_not_good_enough_is_not_given(monkeypatch):
    monkeypatch.setattr(sys.modules["edgewise.flows.complementarity"], "_ACCEPTED", 0.0)
    with pytest.raises(FlowError, match=r"oscillation of 3 modes.*residual of .*it says: .*substeps=4"):
        complementarity(random_symmetric(3, 0, shift=-0.5), random_gram(3, 9, 0))


def test_single_precision_is_solved_in_double_and_written_down():
    A, B = random_symmetric(2, 3, shift=-1.0).float(), random_gram(2, 5, 3).float()
    found, tensors = complementarity(A, B), {}
    assert found.solution.dtype == torch.float64
    assert found.residual <= 1e-7
    back = decode(encode(found, tensors), tensors)
    assert torch.equal(back.solution, found.solution)
    assert (back.residual, back.status) == (found.residual, found.status)
