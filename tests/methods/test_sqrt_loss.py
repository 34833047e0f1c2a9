import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edgewise.foundation import SettingError
from edgewise.methods import SqrtLossGD, SqrtLossGDState, critical_curvature_by_bisection
from edgewise.objectives import Objective
from reference.runs import bowl, network


def root_of(objective, minimum):
    return lambda w: torch.sqrt(sum(chunk.loss(w) for chunk in objective.terms.chunks()) - minimum)


@pytest.mark.parametrize("minimum", [0.0, -1.5])
def test_a_look_is_the_gradient_of_the_root_of_the_loss(minimum):
    objective = network()
    method = SqrtLossGD(0.1, minimum)
    w = objective.start
    gradient, state = method.look(objective, objective.at(w), method.init(w))
    expected = torch.func.grad(root_of(objective, minimum))(w)
    torch.testing.assert_close(gradient, expected, rtol=1e-12, atol=1e-14)
    assert state.root == pytest.approx(math.sqrt(float(objective.value(w)) - minimum), rel=1e-14)
    stepped, after = method.step(w, gradient, state)
    assert torch.equal(stepped, w.add(gradient, alpha=-0.1))
    assert after == SqrtLossGDState(step=1, root=state.root)


def test_its_edge_is_that_of_the_loss_at_the_root_that_was_seen():
    method = SqrtLossGD(0.1)
    state = SqrtLossGDState(step=3, root=0.25)
    assert method.critical_curvature(state) == pytest.approx(10.0)
    assert method.critical_formula == "4√(L − min L)/η"
    assert critical_curvature_by_bisection(method, state) == pytest.approx(10.0, rel=1e-9)


def test_the_companion_matrix_neglects_the_rank_one_term_along_the_gradient_and_nothing_else():
    """I − η∇²f with ∇²f = ∇²L/(2f) − ∇L∇Lᵀ/(4f³): orthogonal to ∇L it is the companion matrix."""
    λ = (3.0, 0.7)
    objective = bowl(*λ, start=[0.8, 0.0])
    method = SqrtLossGD(0.1)
    w = objective.start
    _, state = method.look(objective, objective.at(w), method.init(w))
    hessian = torch.func.hessian(root_of(objective, 0.0))(w)
    f, g = state.root, objective.gradient(w)
    full = torch.diag(torch.tensor(λ, dtype=torch.float64)) / (2 * f) - torch.outer(g, g) / (4 * f**3)
    torch.testing.assert_close(hessian, full, rtol=1e-10, atol=1e-10)
    assert 1 - 0.1 * float(hessian[1, 1]) == pytest.approx(method.companion(λ[1], state)[0, 0], rel=1e-12)
    assert float(hessian[0, 0]) == pytest.approx(0.0, abs=1e-10)  # along the gradient the terms cancel


@settings(max_examples=30)
@given(lr=st.floats(1e-3, 0.5), curvature=st.floats(0.1, 10.0), start=st.floats(0.5, 2.0))
def test_on_a_parabola_neighbouring_roots_add_up(lr, curvature, start):
    """f = √(λ/2)|x|: steps of η√(λ/2) back and forth, so fₜ + fₜ₊₁ = ηλ/2 once the minimum is passed."""
    x = torch.tensor([start * lr * math.sqrt(curvature / 2) / 2], dtype=torch.float64)
    objective = bowl(curvature, start=x.tolist())
    method = SqrtLossGD(lr)
    state, roots = method.init(x), []
    for _ in range(4):
        gradient, state = method.look(objective, objective.at(x), state)
        roots.append(state.root)
        x, state = method.step(x, gradient, state)
    for now, then in pairwise(roots):
        assert now + then == pytest.approx(lr * curvature / 2, rel=1e-9)


def test_at_the_minimum_it_stays():
    objective = bowl(2.0, start=[0.0])
    method = SqrtLossGD(0.1)
    gradient, state = method.look(objective, objective.at(objective.start), method.init(objective.start))
    assert gradient.tolist() == [0.0]
    assert method.critical_curvature(state) == 0.0


def test_a_loss_below_its_minimum_is_refused_with_what_to_type():
    objective = Objective.from_function(lambda w: w.sum() - 2.0, 1)
    method = SqrtLossGD(0.1)
    at = objective.at(objective.start)
    sentence = r"a loss of -2 below minimum=0: the square root .* not real.*Type SqrtLossGD\(0\.1, minimum=…\)"
    with pytest.raises(SettingError, match=sentence):
        method.look(objective, at, method.init(at.w))
    _, state = SqrtLossGD(0.1, minimum=-3.0).look(objective, at, method.init(at.w))
    assert state.root == 1.0


def test_a_loss_below_its_minimum_by_rounding_is_at_it():
    objective = Objective.from_function(lambda w: w.sum() - 2.0, 1)
    method = SqrtLossGD(0.1, minimum=-2.0 + 4e-16)
    gradient, state = method.look(objective, objective.at(objective.start), method.init(objective.start))
    assert state.root == 0.0
    assert gradient.tolist() == [0.0]


def test_a_minimum_that_is_not_finite_is_refused():
    with pytest.raises(SettingError, match="minimum=nan: the least loss is a finite number"):
        SqrtLossGD(0.1, minimum=math.nan)


def test_without_a_look_the_edge_is_not_known():
    method = SqrtLossGD(0.5)
    assert math.isnan(method.critical_curvature(method.init(torch.zeros(1))))
    for unseen in (method.init(torch.zeros(1)), SqrtLossGDState(step=0, root=0.0), None):
        with pytest.raises(SettingError, match=r"no loss above its minimum seen: .*method\.look\("):
            method.companion(1.0, unseen)


def test_along_a_valley_it_drifts_to_lower_curvature():
    """On L = (1 + x²) y²/2, x follows dx/dτ = −⅛ d(1 + x²)/dx, τ = η² t: x = 2 exp(−τ/4)."""

    def end(η):
        method = SqrtLossGD(η)
        w = torch.tensor([2.0, 0.3 * η], dtype=torch.float64)
        state = method.init(w)
        for _ in range(round(2.0 / η**2)):
            x, y = w.tolist()
            root = math.sqrt((1 + x * x) / 2)  # f = root · |y|
            slope = torch.tensor([x * abs(y) / (2 * root), math.copysign(root, y)], dtype=torch.float64)
            w, state = method.step(w, slope, state)
        return w[0].item()

    flow = 2 * math.exp(-0.5)
    coarse, fine = (abs(end(η) - flow) for η in (0.05, 0.025))  # whole numbers of steps
    assert fine < 1e-3
    assert fine < coarse / 2
