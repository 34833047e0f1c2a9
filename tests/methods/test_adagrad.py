import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edgewise.foundation import SettingError
from edgewise.methods import Adagrad, AdagradState, Drop, critical_curvature_by_bisection
from reference.beside_torch import (
    assert_a_step_leaves_its_inputs_unchanged,
    assert_equals_torch,
    assert_goes_on_from_what_was_stored,
)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("decay", "initial", "eps"), [(0.0, 0.0, 1e-10), (0.05, 0.3, 1e-3), (2.0, 0.0, 0.1)])
def test_equals_torch_bit_for_bit_over_100_steps(dtype, decay, initial, eps):
    assert_equals_torch(
        Adagrad(0.02, decay, initial, eps),
        lambda w: torch.optim.Adagrad(w, lr=0.02, lr_decay=decay, initial_accumulator_value=initial, eps=eps),
        dtype,
    )


def test_is_its_recursion_in_one_dimension():
    η, δ, s, ε, x = 0.1, 0.2, 0.5, 1e-3, 1.7
    method = Adagrad(η, δ, s, ε)
    w = torch.tensor([x], dtype=torch.float64)
    state = method.init(w)
    for t in range(1, 51):
        g = x**3  # L = x⁴/4
        s = s + g**2
        x = x - η / (1 + (t - 1) * δ) * g / (math.sqrt(s) + ε)
        w, state = method.step(w, w**3, state)
        assert w.item() == pytest.approx(x, rel=1e-12)
        assert state.square_sum.item() == pytest.approx(s, rel=1e-12)


def test_a_step_divides_the_gradient_by_the_preconditioner_of_that_step():
    method = Adagrad(0.3, 0.5, eps=1e-2)
    w, g = torch.linspace(-1, 1, 5).double(), torch.linspace(-2, 3, 5).double()
    state = AdagradState(step=6, square_sum=torch.linspace(0, 4, 5).double())
    P = method.preconditioner(w, g, state)
    np.testing.assert_allclose(P.entries, 4 * ((torch.linspace(0, 4, 5).double() + g**2).sqrt() + 1e-2))
    torch.testing.assert_close(method.step(w, g, state)[0], w - 0.3 * (P.power(-1.0) @ g), rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("decay", [0.0, 3.0])
@pytest.mark.parametrize("share", [0.99, 1.01])
def test_its_edge_is_two_over_eta_of_the_effective_hessian(decay, share):
    method = Adagrad(0.1, decay)
    # A displacement so small that its squares add nothing, late enough that δ shortens no more.
    w = torch.tensor([1e-20], dtype=torch.float64)
    state = AdagradState(step=10**8, square_sum=torch.tensor([4.0], dtype=torch.float64))
    P = float(method.preconditioner(w, torch.zeros_like(w), state).entries)
    for _ in range(100):
        w, state = method.step(w, share * method.critical_curvature * P * w, state)
    expected = abs(1 - 2 * share) ** 100 * 1e-20
    assert abs(w.item()) == pytest.approx(expected, rel=1e-3, abs=0.0)
    assert method.critical_curvature == 20.0
    assert method.critical_formula == "2/η"


def test_an_oscillation_at_the_edge_ends_itself():
    # Far above the edge it would grow without end, were P at rest.
    method, w = Adagrad(0.5), torch.tensor([1e-3], dtype=torch.float64)
    state = AdagradState(step=0, square_sum=torch.tensor([1e-4], dtype=torch.float64))
    H, sizes = 1.0, []
    assert 0.5 * H / 1e-2 > 2
    for _ in range(300):
        w, state = method.step(w, H * w, state)
        sizes.append(abs(w.item()))
    assert max(sizes) > 10e-3
    assert sizes[-1] < 1e-6 * max(sizes)
    assert H / float(method.preconditioner(w, w, state).entries) < method.critical_curvature


@settings(max_examples=30)
@given(lr=st.floats(1e-6, 1e3))
def test_bisection_equals_the_closed_form(lr):
    method = Adagrad(lr)
    assert critical_curvature_by_bisection(method) == pytest.approx(method.critical_curvature, rel=1e-9)


def test_a_scheduled_step_size_moves_the_edge_with_the_state():
    method = Adagrad(Drop(0.02, 0.01, step=1))
    state = method.init(torch.zeros(1))
    assert method.critical_curvature(state) == 100.0
    _, state = method.step(torch.zeros(1), torch.ones(1), state)
    assert method.critical_curvature_at(state) == 200.0
    assert method.companion(200.0, state)[0, 0] == -1.0


def test_a_step_leaves_its_inputs_unchanged_and_what_was_stored_goes_on():
    assert_a_step_leaves_its_inputs_unchanged(Adagrad(0.1))
    assert_goes_on_from_what_was_stored(Adagrad(Drop(0.02, 0.01, step=4), 0.1, 0.2, 1e-6))


@pytest.mark.parametrize("value", [-0.1, math.inf, math.nan])
@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("lr_decay", "steps that lengthen by themselves diverge in the end. Type lr_decay=1e-3"),
        ("initial_sum", r"a sum of squares is finite and not negative. Type initial_sum=0\.1"),
        ("eps", "what is added to a denominator"),
    ],
)
def test_settings_outside_their_ranges_are_refused(name, sentence, value):
    with pytest.raises(SettingError, match=f"^{name}=.*: {sentence}"):
        Adagrad(0.01, **{name: value})
