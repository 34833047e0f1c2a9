import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edgewise.foundation import SettingError
from edgewise.methods import Drop, RMSProp, RMSPropState, critical_curvature_by_bisection
from reference.beside_torch import (
    assert_a_step_leaves_its_inputs_unchanged,
    assert_equals_torch,
    assert_goes_on_from_what_was_stored,
)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("beta2", "eps"), [(0.99, 1e-8), (0.5, 1e-3), (0.0, 0.1)])
def test_equals_torch_bit_for_bit_over_100_steps(dtype, beta2, eps):
    assert_equals_torch(
        RMSProp(0.02, beta2, eps), lambda w: torch.optim.RMSprop(w, lr=0.02, alpha=beta2, eps=eps), dtype
    )


def test_is_its_recursion_in_one_dimension():
    η, β2, ε, x, ν = 0.1, 0.8, 1e-3, 1.7, 0.0
    method = RMSProp(η, β2, ε)
    w = torch.tensor([x], dtype=torch.float64)
    state = method.init(w)
    for _ in range(50):
        g = x**3  # L = x⁴/4
        ν = β2 * ν + (1 - β2) * g**2
        x = x - η * g / (math.sqrt(ν) + ε)
        w, state = method.step(w, w**3, state)
        assert w.item() == pytest.approx(x, rel=1e-10, abs=1e-13)
        assert state.square_average.item() == pytest.approx(ν, rel=1e-10, abs=1e-15)


def test_a_step_divides_the_gradient_by_the_preconditioner_of_that_step():
    method = RMSProp(0.3, 0.9, 1e-2)
    w, g = torch.linspace(-1, 1, 5).double(), torch.linspace(-2, 3, 5).double()
    state = RMSPropState(step=7, square_average=torch.linspace(0, 4, 5).double())
    P = method.preconditioner(w, g, state)
    np.testing.assert_allclose(P.entries, (0.9 * torch.linspace(0, 4, 5).double() + 0.1 * g**2).sqrt() + 1e-2)
    torch.testing.assert_close(method.step(w, g, state)[0], w - 0.3 * (P.power(-1.0) @ g), rtol=1e-13, atol=1e-14)


def test_its_edge_is_two_over_eta_of_the_effective_hessian():
    assert RMSProp(0.01).critical_curvature == 200.0
    assert RMSProp(0.01).critical_formula == "2/η"
    # With β₂ near one P stands still: there a mode above the edge grows and one below it shrinks.
    for share, grows in ((0.99, False), (1.01, True)):
        method = RMSProp(0.1, beta2=1 - 1e-12, eps=0.0)
        P, w = 2.0, torch.tensor([1e-8], dtype=torch.float64)
        state = RMSPropState(step=0, square_average=torch.tensor([P**2], dtype=torch.float64))
        for _ in range(100):
            w, state = method.step(w, share * method.critical_curvature * P * w, state)
        assert (abs(w.item()) > 1e-8) == grows


@settings(max_examples=30)
@given(lr=st.floats(1e-6, 1e3))
def test_bisection_equals_the_closed_form(lr):
    method = RMSProp(lr)
    assert critical_curvature_by_bisection(method) == pytest.approx(method.critical_curvature, rel=1e-9)


def test_a_scheduled_step_size_moves_the_edge_with_the_state():
    method = RMSProp(Drop(0.02, 0.01, step=1))
    state = method.init(torch.zeros(1))
    assert method.critical_curvature(state) == 100.0
    _, state = method.step(torch.zeros(1), torch.ones(1), state)
    assert method.critical_curvature_at(state) == 200.0
    assert method.companion(200.0, state)[0, 0] == -1.0


def test_a_step_leaves_its_inputs_unchanged_and_what_was_stored_goes_on():
    assert_a_step_leaves_its_inputs_unchanged(RMSProp(0.1))
    assert_goes_on_from_what_was_stored(RMSProp(Drop(0.02, 0.01, step=4), 0.9, 1e-6))


@pytest.mark.parametrize("beta2", [1.0, -0.1, math.nan])
def test_a_beta_outside_its_range_is_refused(beta2):
    with pytest.raises(SettingError, match=r"^beta2=.*: an average keeps a share 0 ≤ β < 1.*Type beta2=0.99\.$"):
        RMSProp(0.01, beta2)


@pytest.mark.parametrize("eps", [-1e-8, math.inf, math.nan])
def test_an_epsilon_outside_its_range_is_refused(eps):
    with pytest.raises(SettingError, match=r"^eps=.*: what is added to a denominator.*Type eps=1e-8\.$"):
        RMSProp(0.01, 0.9, eps)


@pytest.mark.parametrize("lr", [0.0, -1.0, math.inf])
def test_a_step_size_outside_its_range_is_refused(lr):
    with pytest.raises(SettingError, match=r"^lr=.*a step size is a positive, finite number"):
        RMSProp(lr)
