import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edgewise.foundation import SettingError
from edgewise.methods import Adam, AdamState, Drop, critical_curvature_by_bisection
from reference.beside_torch import (
    assert_a_step_leaves_its_inputs_unchanged,
    assert_equals_torch,
    assert_goes_on_from_what_was_stored,
)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("betas", "eps"), [((0.9, 0.999), 1e-8), ((0.5, 0.9), 1e-3), ((0.0, 0.0), 0.1)])
def test_equals_torch_bit_for_bit_over_100_steps(dtype, betas, eps):
    assert_equals_torch(
        Adam(0.02, betas, eps), lambda w: torch.optim.Adam(w, lr=0.02, betas=betas, eps=eps), dtype
    )


def test_is_its_recursion_in_one_dimension():
    η, β1, β2, ε, x, m, ν = 0.1, 0.8, 0.9, 1e-3, 1.7, 0.0, 0.0
    method = Adam(η, (β1, β2), ε)
    w = torch.tensor([x], dtype=torch.float64)
    state = method.init(w)
    for t in range(1, 51):
        g = x**3  # L = x⁴/4
        m = β1 * m + (1 - β1) * g
        ν = β2 * ν + (1 - β2) * g**2
        x = x - η * m / (1 - β1**t) / (math.sqrt(ν / (1 - β2**t)) + ε)
        w, state = method.step(w, w**3, state)
        assert w.item() == pytest.approx(x, rel=1e-10, abs=1e-12)
        assert state.average.item() == pytest.approx(m, rel=1e-10, abs=1e-12)
        assert state.square_average.item() == pytest.approx(ν, rel=1e-10)


def test_a_step_divides_the_averaged_gradient_by_the_preconditioner_of_that_step():
    method = Adam(0.3, (0.9, 0.99), 1e-2)
    w, g = torch.linspace(-1, 1, 5).double(), torch.linspace(-2, 3, 5).double()
    state = AdamState(step=2, average=torch.ones(5).double(), square_average=torch.linspace(0, 4, 5).double())
    P = method.preconditioner(w, g, state)
    ν = (0.99 * torch.linspace(0, 4, 5).double() + 0.01 * g**2) / (1 - 0.99**3)
    np.testing.assert_allclose(P.entries, (1 - 0.9**3) * (ν.sqrt() + 1e-2), rtol=1e-14)
    m = 0.9 + 0.1 * g
    torch.testing.assert_close(method.step(w, g, state)[0], w - 0.3 * (P.power(-1.0) @ m), rtol=1e-13, atol=1e-14)


def test_its_edge_is_38_over_eta_at_the_usual_beta():
    assert Adam(1.0).critical_curvature == pytest.approx(38.0, rel=1e-14)
    assert Adam(1.0, (0.0, 0.999)).critical_curvature == 2.0
    assert Adam(1.0).critical_formula == "(2+2β₁)/((1−β₁)η)"


@settings(max_examples=40)
@given(lr=st.floats(1e-6, 1e3), beta=st.floats(0.0, 0.99))
def test_bisection_equals_the_closed_form(lr, beta):
    method = Adam(lr, (beta, 0.9))
    assert critical_curvature_by_bisection(method) == pytest.approx(method.critical_curvature, rel=1e-9)


@settings(max_examples=40)
@given(curvature=st.floats(-50.0, 50.0), w=st.floats(-10, 10), before=st.floats(-10, 10), p=st.floats(0.1, 10.0))
def test_the_companion_matrix_is_the_step_on_one_mode_where_p_stands_still(curvature, w, before, p):
    # The denominator is ε alone and t is large: P = ε. The displacement from `before` to `w` was −η m/P.
    method = Adam(0.1, (0.8, 0.0), eps=p)
    still = 10**9
    g = 1e-20  # of the direction that makes ν: too small to count
    state = AdamState(
        step=still,
        average=torch.tensor([(before - w) * p / 0.1], dtype=torch.float64),
        square_average=torch.tensor([g], dtype=torch.float64),
    )
    scale = 1e-12  # a mode so small that its own gradient does not move P
    point = torch.tensor([w * scale], dtype=torch.float64)
    state = AdamState(still, state.average * scale, state.square_average)
    stepped, _ = method.step(point, curvature * p * point, state)
    predicted = method.companion(curvature) @ np.array([w, before]) * scale
    assert stepped.item() == pytest.approx(predicted[0], rel=1e-6, abs=1e-6 * scale)


def test_a_scheduled_step_size_moves_the_edge_with_the_state():
    method = Adam(Drop(0.02, 0.01, step=1))
    state = method.init(torch.zeros(1))
    assert method.critical_curvature(state) == pytest.approx(1900.0)
    _, state = method.step(torch.zeros(1), torch.ones(1), state)
    assert method.critical_curvature_at(state) == pytest.approx(3800.0)
    assert method.companion(3800.0, state)[0, 0] == pytest.approx(1.9 - 3.8)


def test_a_step_leaves_its_inputs_unchanged_and_what_was_stored_goes_on():
    assert_a_step_leaves_its_inputs_unchanged(Adam(0.1))
    assert_goes_on_from_what_was_stored(Adam(Drop(0.02, 0.01, step=4), (0.8, 0.9), 1e-6))


@pytest.mark.parametrize("betas", [(1.0, 0.9), (0.9, 1.0), (-0.1, 0.9), (0.9, math.nan)])
def test_betas_outside_their_range_are_refused(betas):
    with pytest.raises(
        SettingError, match=r"^betas\[[01]\]=.*keeps a share 0 ≤ β < 1 of itself\. Type betas=\(0\.9, 0"
    ):
        Adam(0.01, betas)


def test_other_settings_outside_their_ranges_are_refused():
    with pytest.raises(SettingError, match=r"eps=-1e-08.*Type eps=1e-8"):
        Adam(0.01, eps=-1e-8)
    with pytest.raises(SettingError, match=r"lr=-0\.1"):
        Adam(-0.1)
