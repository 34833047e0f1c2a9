import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edgewise.foundation import SettingError
from edgewise.methods import (
    Drop,
    ScheduleFree,
    ScheduleFreeState,
    critical_curvature_by_bisection,
    spectral_radius,
)
from reference.beside_torch import (
    assert_a_step_leaves_its_inputs_unchanged,
    assert_goes_on_from_what_was_stored,
)


def state_at(step, z=1.0, x=1.0):
    return ScheduleFreeState(step, torch.tensor([z], dtype=torch.float64), torch.tensor([x], dtype=torch.float64))


def test_is_its_recursion_in_one_dimension_and_x_is_the_mean_of_all_z():
    η, β, z, x = 0.1, 0.8, 1.7, 1.7
    method = ScheduleFree(η, β)
    w = torch.tensor([z], dtype=torch.float64)
    state = method.init(w)
    bases = [z]
    for t in range(1, 51):
        y = (1 - β) * z + β * x
        assert w.item() == pytest.approx(y, rel=1e-12)
        z = z - η * y**3  # L = y⁴/4
        c = 1 / (t + 1)
        x = (1 - c) * x + c * z
        bases.append(z)
        w, state = method.step(w, w**3, state)
        assert state.base.item() == pytest.approx(z, rel=1e-12)
        assert state.average.item() == pytest.approx(x, rel=1e-12)
        assert x == pytest.approx(np.mean(bases), rel=1e-12)


def test_with_beta_zero_it_is_gradient_descent_at_z():
    method = ScheduleFree(0.1, 0.0)
    w = torch.tensor([1.0, -2.0], dtype=torch.float64)
    stepped, _ = method.step(w, w, method.init(w))
    torch.testing.assert_close(stepped, 0.9 * w)
    assert method.critical_curvature(state_at(10**12)) == pytest.approx(20.0)


@settings(max_examples=60)
@given(lr=st.floats(1e-4, 10.0), beta=st.floats(0.0, 0.99), step=st.integers(0, 10**4))
def test_bisection_equals_the_closed_form(lr, beta, step):
    method, state = ScheduleFree(lr, beta), state_at(step)
    critical = method.critical_curvature_at(state)
    assert critical_curvature_by_bisection(method, state) == pytest.approx(critical, rel=1e-9)


@settings(max_examples=40)
@given(lr=st.floats(1e-4, 10.0), beta=st.floats(0.0, 0.99))
def test_the_limit_of_many_steps_is_two_over_one_minus_beta_eta(lr, beta):
    method, limit = ScheduleFree(lr, beta), 2 / ((1 - beta) * lr)
    assert critical_curvature_by_bisection(method) == pytest.approx(limit, rel=1e-9)
    assert method.critical_curvature(state_at(10**14)) == pytest.approx(limit, rel=1e-9)


@settings(max_examples=40)
@given(curvature=st.floats(-50.0, 50.0), z=st.floats(-10, 10), x=st.floats(-10, 10), step=st.integers(0, 100))
def test_the_companion_matrix_is_the_step_on_one_mode(curvature, z, x, step):
    method, state = ScheduleFree(0.1, 0.8), state_at(step, z, x)
    y = 0.2 * state.base + 0.8 * state.average
    _, after = method.step(y, curvature * y, state)
    predicted = method.companion(curvature, state) @ np.array([z, x])
    scale = (1 + abs(curvature)) * (abs(z) + abs(x))
    assert after.base.item() == pytest.approx(predicted[0], rel=1e-12, abs=1e-14 * scale)
    assert after.average.item() == pytest.approx(predicted[1], rel=1e-12, abs=1e-14 * scale)


@pytest.mark.parametrize(("share", "grows"), [(0.97, False), (1.03, True)])
def test_a_mode_grows_in_the_long_run_exactly_above_the_edge(share, grows):
    method = ScheduleFree(0.1, 0.9)
    state = state_at(10**5)
    w, curvature = state.base, share * method.critical_curvature(state_at(10**5))
    for _ in range(500):
        w, state = method.step(w, curvature * w, state)
    assert (abs(w.item()) > 1.0) == grows
    assert (spectral_radius(method, curvature, state_at(10**5)) > 1.0) == grows


def test_a_scheduled_step_size_moves_the_edge_with_the_state():
    method = ScheduleFree(Drop(0.02, 0.01, step=1), 0.5)
    state = method.init(torch.zeros(1))
    assert method.critical_curvature(state) == pytest.approx(150.0)
    _, state = method.step(torch.zeros(1), torch.zeros(1), state)
    assert method.critical_curvature_at(state) == pytest.approx((4 - 2 / 3) / 0.01)
    assert method.critical_formula == "(4−2c)/((2(1−β)+(2β−1)c)η)"
    with pytest.raises(SettingError, match="no state"):
        method.companion(1.0)


def test_a_step_leaves_its_inputs_unchanged_and_what_was_stored_goes_on():
    assert_a_step_leaves_its_inputs_unchanged(ScheduleFree(0.1))
    assert_goes_on_from_what_was_stored(ScheduleFree(Drop(0.02, 0.01, step=4), 0.7))


@pytest.mark.parametrize("beta", [1.0, -0.1, float("nan")])
def test_a_beta_outside_its_range_is_refused(beta):
    with pytest.raises(SettingError, match=r"^beta=.*keeps a share 0 ≤ β < 1 of itself\. Type beta=0\.9\.$"):
        ScheduleFree(0.1, beta)
