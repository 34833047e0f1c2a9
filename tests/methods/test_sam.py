import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edgewise.foundation import SettingError
from edgewise.methods import SAM, GradientDescent, SAMState, critical_curvature_by_bisection
from edgewise.theory import sam_edge
from reference.runs import bowl, network


def taken(method, objective, w):
    gradient, state = method.look(objective, objective.at(w), method.init(w))
    return state, method.step(w, gradient, state)[0]


def test_is_the_gradient_uphill():
    objective = network()
    method, w = SAM(0.1, rho=0.05), objective.start
    g = objective.gradient(w)
    state, stepped = taken(method, objective, w)
    expected = w - 0.1 * objective.gradient(w + 0.05 * g / g.norm())
    torch.testing.assert_close(stepped, expected, rtol=1e-14, atol=1e-15)
    assert state.step == 0
    assert state.gradient_norm == pytest.approx(float(g.norm()), rel=1e-14)
    assert method.gradients_per_step(objective) == 2.0


def test_with_rho_zero_it_is_gradient_descent():
    objective = network()
    w = objective.start
    plain = GradientDescent(0.1)
    state, stepped = taken(SAM(0.1, rho=0), objective, w)
    assert torch.equal(stepped, plain.step(w, objective.gradient(w), plain.init(w))[0])
    assert SAM(0.1, rho=0).critical_curvature(state) == plain.critical_curvature


@settings(max_examples=30)
@given(lr=st.floats(1e-3, 1.0), share=st.floats(0.05, 0.95), rho=st.floats(1e-3, 10.0))
def test_at_its_edge_a_mode_neither_grows_nor_shrinks(lr, share, rho):
    """V15: on a parabola of curvature λ < 2/η the gradient with ηλ(1 + ρλ/‖g‖) = 2 puts the edge at λ."""
    curvature = share * 2 / lr
    norm = lr * rho * curvature**2 / (2 - lr * curvature)
    objective = bowl(curvature, start=[norm / curvature], dtype=torch.float64)
    method, w = SAM(lr, rho), torch.tensor([norm / curvature], dtype=torch.float64)
    state, stepped = taken(method, objective, w)
    assert method.critical_curvature(state) == pytest.approx(curvature, rel=1e-12)
    assert abs(stepped.item() / w.item()) == pytest.approx(1.0, abs=1e-12)


def test_every_mode_of_a_quadratic_is_multiplied_by_its_companion_matrix():
    λ = (7.0, 2.0, 0.5, -1.0)
    objective = bowl(*λ, start=[0.3, -1.0, 2.0, 0.1])
    method, w = SAM(0.1, rho=0.4), objective.start
    state, stepped = taken(method, objective, w)
    for before, after, curvature in zip(w.tolist(), stepped.tolist(), λ, strict=True):
        assert after == pytest.approx(method.companion(curvature, state)[0, 0] * before, rel=1e-12)


@given(lr=st.floats(1e-4, 10.0), rho=st.floats(1e-4, 10.0), norm=st.floats(1e-6, 1e6))
def test_the_closed_form_is_bisection_and_the_formula_of_the_paper(lr, rho, norm):
    method, state = SAM(lr, rho), SAMState(step=0, gradient_norm=norm)
    edge = method.critical_curvature(state)
    assert edge == pytest.approx(critical_curvature_by_bisection(method, state), rel=1e-9)
    assert 0 < edge < 2 / lr
    q = 8 * rho / (lr * norm)
    if q > 1e-3:  # below, the paper's form loses its digits to cancellation
        assert edge == pytest.approx(norm / (2 * rho) * (math.sqrt(1 + q) - 1), rel=1e-9)


@given(lr=st.floats(1e-4, 10.0), rho=st.floats(0.0, 10.0), norm=st.floats(1e-6, 1e6))
def test_the_closed_form_is_that_of_the_theory(lr, rho, norm):
    edge = SAM(lr, rho).curvature_where(2.0, SAMState(step=0, gradient_norm=norm))
    assert edge == pytest.approx(sam_edge(norm, lr, rho), rel=1e-14)


def test_the_edge_has_its_limits():
    method = SAM(0.1, rho=0.5)
    assert method.critical_curvature(SAMState(0, 1e12)) == pytest.approx(20.0)
    assert method.critical_curvature(SAMState(0, 1e-12)) == pytest.approx(math.sqrt(2e-12 / 0.05), rel=1e-5)
    assert method.critical_curvature(SAMState(0, 0.0)) == 0.0
    assert SAM(0.1, rho=0).critical_curvature(SAMState(0, 0.0)) == 20.0
    assert math.isnan(method.critical_curvature(method.init(torch.zeros(1))))


def test_where_the_gradient_is_zero_it_stays():
    objective = bowl(3.0, start=[0.0])
    _, stepped = taken(SAM(0.1, rho=0.5), objective, objective.start)
    assert stepped.tolist() == [0.0]


def test_without_a_gradient_seen_there_is_no_companion_matrix():
    for unseen in (SAMState(0, None), SAMState(0, 0.0), None):
        with pytest.raises(SettingError, match=r"SAM and no gradient seen: .*method\.look\("):
            SAM(0.1, 0.05).companion(1.0, unseen)


@pytest.mark.parametrize("rho", [-0.1, math.nan, math.inf])
def test_a_distance_outside_its_range_is_refused(rho):
    with pytest.raises(SettingError, match=r"rho=.*finite and not negative.*Type rho=0\.05"):
        SAM(0.1, rho)
