import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edgewise.foundation import SettingError
from edgewise.methods import Drop, ScalarRMSProp, ScalarRMSPropState, critical_curvature_by_bisection
from reference.beside_torch import (
    assert_a_step_leaves_its_inputs_unchanged,
    assert_goes_on_from_what_was_stored,
)
from reference.runs import bowl


@pytest.mark.parametrize("looks", [False, True])
def test_is_its_recursion_whether_or_not_it_looks(looks):
    η, β2, ε = 0.1, 0.8, 1e-3
    objective = bowl(1.0, 4.0, start=[1.0, -2.0])
    method = ScalarRMSProp(η, β2, ε)
    x, y = 1.0, -2.0
    ν = x**2 + (4 * y) ** 2
    w = objective.start
    state = method.init(w)
    for _ in range(50):
        g, h = x, 4 * y
        ν = β2 * ν + (1 - β2) * (g**2 + h**2)
        critical = 2 * (math.sqrt(ν) + ε) / η
        x, y = x - η * g / (math.sqrt(ν) + ε), y - η * h / (math.sqrt(ν) + ε)
        gradient = objective.gradient(w)
        if looks:
            gradient, state = method.look(objective, objective.at(w), state)
            gradient, state = method.look(objective, objective.at(w), state)  # a second look changes nothing
            assert method.critical_curvature(state) == pytest.approx(critical, rel=1e-10)
        w, state = method.step(w, gradient, state)
        assert w.tolist() == pytest.approx([x, y], rel=1e-9, abs=1e-12)
        assert state.square_average == pytest.approx(ν, rel=1e-10)
        assert method.critical_curvature(state) == pytest.approx(critical, rel=1e-10)


def test_the_first_step_is_as_long_as_the_step_size():
    method = ScalarRMSProp(0.25, eps=0.0)
    w, state = method.step(
        torch.zeros(2).double(), torch.tensor([30.0, 40.0]).double(), method.init(torch.zeros(2).double())
    )
    assert w.norm().item() == pytest.approx(0.25, rel=1e-14)
    assert state.square_average == pytest.approx(2500.0, rel=1e-15)


@settings(max_examples=40)
@given(lr=st.floats(1e-6, 1e3), nu=st.floats(1e-12, 1e12), eps=st.floats(0.0, 1.0))
def test_bisection_equals_the_closed_form(lr, nu, eps):
    method = ScalarRMSProp(lr, eps=eps)
    for state in (ScalarRMSPropState(3, nu), ScalarRMSPropState(3, 2 * nu, coming=nu)):
        critical = method.critical_curvature_at(state)
        assert critical == pytest.approx(2 * (math.sqrt(nu) + eps) / lr, rel=1e-14)
        assert critical_curvature_by_bisection(method, state) == pytest.approx(critical, rel=1e-9)


@settings(max_examples=40)
@given(curvature=st.floats(-50.0, 50.0), w=st.floats(-10.0, 10.0), nu=st.floats(1e-3, 100.0))
def test_the_companion_matrix_of_a_look_is_the_step_that_follows(curvature, w, nu):
    method = ScalarRMSProp(0.1, 0.9)
    objective = bowl(curvature, start=[w])
    gradient, state = method.look(objective, objective.at(objective.start), ScalarRMSPropState(3, nu))
    stepped, _ = method.step(objective.start, gradient, state)
    predicted = method.companion(curvature, state)[0, 0] * objective.start.item()
    assert stepped.item() == pytest.approx(predicted, rel=1e-10, abs=1e-12)


def test_before_the_first_gradient_its_edge_is_not_known():
    method = ScalarRMSProp(0.1)
    state = method.init(torch.zeros(3))
    assert math.isnan(method.critical_curvature(state))
    for unseen in (state, None):
        with pytest.raises(SettingError, match=r"scalar RMSProp and no gradient: .*Give the state that method"):
            method.companion(1.0, unseen)


def test_a_gradient_in_single_precision_is_summed_in_double():
    method = ScalarRMSProp(0.1, beta2=0.0)
    gradient = torch.full((1000,), 1e-30)  # whose square single precision does not have
    _, state = method.step(torch.zeros(1000), gradient, method.init(torch.zeros(1000)))
    assert state.square_average == pytest.approx(1000 * float(gradient[0].double() ** 2), rel=1e-12)


def test_where_there_is_no_gradient_it_stays():
    method = ScalarRMSProp(0.1, eps=0.0)
    w, zero = torch.ones(3), torch.zeros(3)
    stepped, state = method.step(w, zero, method.init(w))
    assert torch.equal(stepped, w)
    assert method.critical_curvature(state) == 0.0
    with pytest.raises(SettingError, match="scalar RMSProp and no gradient"):
        method.companion(1.0, state)


def test_a_scheduled_step_size_moves_the_edge_with_the_state():
    method = ScalarRMSProp(Drop(0.2, 0.1, step=1), eps=0.0)
    state = ScalarRMSPropState(0, 4.0)
    assert method.step_size_at(state) == 0.2
    assert method.critical_curvature_at(state) == pytest.approx(20.0)
    assert method.critical_curvature_at(ScalarRMSPropState(1, 4.0)) == pytest.approx(40.0)
    assert method.critical_formula == "2√ν/η"


def test_a_step_leaves_its_inputs_unchanged_and_what_was_stored_goes_on():
    assert_a_step_leaves_its_inputs_unchanged(ScalarRMSProp(0.1))
    assert_goes_on_from_what_was_stored(ScalarRMSProp(Drop(0.02, 0.01, step=4), 0.9, 1e-6))


def test_settings_outside_their_ranges_are_refused():
    with pytest.raises(SettingError, match=r"beta2=1\.0: .*Type beta2=0.99"):
        ScalarRMSProp(0.01, 1.0)
    with pytest.raises(SettingError, match=r"eps=-1\.0"):
        ScalarRMSProp(0.01, eps=-1.0)
    with pytest.raises(SettingError, match=r"lr=0\.0"):
        ScalarRMSProp(0.0)
