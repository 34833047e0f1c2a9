import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edgewise.foundation import SettingError
from edgewise.methods import (
    Adam,
    DecoupledWeightDecay,
    Drop,
    NAdam,
    NAdamState,
    Nesterov,
    critical_curvature_by_bisection,
    spectral_radius,
)
from reference.beside_torch import (
    assert_a_step_leaves_its_inputs_unchanged,
    assert_equals_torch,
    assert_goes_on_from_what_was_stored,
)


def late(step=10**6, size=1, product=0.0):
    """After so many steps: m = 0, ν = 1."""
    zeros = torch.zeros(size, dtype=torch.float64)
    return NAdamState(step, zeros, zeros + 1.0, torch.tensor(product))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("betas", "eps", "rise"), [((0.9, 0.999), 1e-8, 4e-3), ((0.5, 0.9), 1e-3, 0.5), ((0.0, 0.0), 0.1, 0.0)]
)
def test_equals_torch_bit_for_bit_over_100_steps(dtype, betas, eps, rise):
    assert_equals_torch(
        NAdam(0.02, betas, eps, rise),
        lambda w: torch.optim.NAdam(w, lr=0.02, betas=betas, eps=eps, momentum_decay=rise),
        dtype,
    )


def test_equals_torch_where_that_keeps_its_numbers_in_double_precision():
    torch.set_default_dtype(torch.float64)
    try:
        assert_equals_torch(NAdam(0.02), lambda w: torch.optim.NAdam(w, lr=0.02), torch.float64)
    finally:
        torch.set_default_dtype(torch.float32)


def test_is_its_recursion_in_one_dimension():
    η, β1, β2, ε, ψ, x, m, ν, Π = 0.1, 0.8, 0.9, 1e-3, 0.3, 1.7, 0.0, 0.0, 1.0
    method = NAdam(η, (β1, β2), ε, ψ)
    w = torch.tensor([x], dtype=torch.float64)
    state = method.init(w)
    for t in range(1, 51):
        g = x**3  # L = x⁴/4
        m = β1 * m + (1 - β1) * g
        ν = β2 * ν + (1 - β2) * g**2
        μ, ahead = (β1 * (1 - 0.96 ** (s * ψ) / 2) for s in (t, t + 1))
        Π *= μ
        direction = (1 - μ) * g / (1 - Π) + ahead * m / (1 - Π * ahead)
        x = x - η * direction / (math.sqrt(ν / (1 - β2**t)) + ε)
        w, state = method.step(w, w**3, state)
        # Π is kept in single precision, as PyTorch does.
        assert w.item() == pytest.approx(x, rel=1e-6, abs=1e-7)
        assert state.momentum_product.item() == pytest.approx(Π, rel=1e-5)


def test_a_step_divides_its_direction_by_the_preconditioner_of_that_step():
    method = NAdam(0.3, (0.9, 0.99), 1e-2, 0.1)
    w, g = torch.linspace(-1, 1, 5).double(), torch.linspace(-2, 3, 5).double()
    state = NAdamState(2, torch.ones(5).double(), torch.linspace(0, 4, 5).double(), torch.tensor(0.25))
    P = method.preconditioner(w, g, state)
    ν = (0.99 * torch.linspace(0, 4, 5).double() + 0.01 * g**2) / (1 - 0.99**3)
    μ, ahead = (0.9 * (1 - 0.96 ** (t * 0.1) / 2) for t in (3, 4))
    Π = 0.25 * μ
    np.testing.assert_allclose(P.entries, (1 - Π) * (ν.sqrt() + 1e-2), rtol=1e-7)
    direction = (1 - μ) * g + ahead * (1 - Π) / (1 - Π * ahead) * (0.9 + 0.1 * g)
    torch.testing.assert_close(
        method.step(w, g, state)[0], w - 0.3 * (P.power(-1.0) @ direction), rtol=1e-7, atol=1e-7
    )


def test_its_edge_rises_from_the_start_to_that_of_nesterov():
    method = NAdam(1.0)
    # μ = β₁/2, and Π = 0 some steps later.
    assert NAdam(1.0, momentum_decay=0.0).critical_curvature(late()) == pytest.approx(3.8 / (1.9 - 0.81), rel=1e-6)
    assert method.critical_curvature(late()) == pytest.approx(38 / 2.8, rel=1e-6)
    assert method.critical_curvature(late()) == pytest.approx(Nesterov(0.1, 0.9).critical_curvature, rel=1e-6)
    assert method.critical_curvature(late()) == pytest.approx(Adam(1.0).critical_curvature / 2.8, rel=1e-6)
    edges = [method.critical_curvature(late(t)) for t in (10, 1000, 5000, 20000, 100000)]
    assert edges == sorted(edges)
    assert method.critical_formula == "2(1+β₁)/(((1+β₁)(1−μ)+(1−β₁)μ̂)η)"


def test_without_a_state_its_companion_matrix_is_that_of_many_steps():
    for method in (NAdam(0.1), NAdam(0.1, momentum_decay=0.0)):
        np.testing.assert_allclose(method.companion(3.0), method.companion(3.0, late()), rtol=1e-12)


@settings(max_examples=60)
@given(
    lr=st.floats(1e-6, 1e3),
    beta=st.floats(0.0, 0.99),
    rise=st.floats(0.0, 10.0),
    step=st.integers(0, 10**5),
    product=st.floats(0.0, 1.0, width=32),
)
def test_bisection_equals_the_closed_form(lr, beta, rise, step, product):
    method, state = NAdam(lr, (beta, 0.9), momentum_decay=rise), late(step, product=product)
    critical = method.critical_curvature(state)
    assert critical_curvature_by_bisection(method, state) == pytest.approx(critical, rel=1e-9)
    # Period two: there a mode flips its sign at every step.
    roots = np.linalg.eigvals(method.companion(critical, state))
    assert np.abs(roots + 1.0).min() < 1e-9


@settings(max_examples=40)
@given(lr=st.floats(1e-3, 10.0), beta=st.floats(0.0, 0.99), share=st.floats(0.0, 1.8), step=st.integers(1, 10**5))
def test_bisection_equals_the_closed_form_with_decoupled_decay(lr, beta, share, step):
    method, state = DecoupledWeightDecay(NAdam(lr, (beta, 0.9)), share / lr), late(step, product=0.1)
    critical = method.critical_curvature(state)
    assert critical_curvature_by_bisection(method, state) == pytest.approx(critical, rel=1e-9)


@settings(max_examples=40)
@given(
    curvature=st.floats(-50.0, 50.0),
    w=st.floats(-10, 10),
    m=st.floats(-10, 10),
    rise=st.sampled_from([0.0, 0.1, 50]),
)
def test_the_companion_matrix_is_two_steps_on_one_mode_where_p_stands_still(curvature, w, m, rise):
    # The denominator is ε alone and μ rests: P = ε.
    ε, scale = 0.7, 1e-12  # a mode so small that its own gradient does not move P
    method = NAdam(0.1, (0.8, 0.0), ε, rise)
    before = torch.tensor([w * scale], dtype=torch.float64)
    average = torch.tensor([m * scale], dtype=torch.float64)
    state = NAdamState(10**7, average, torch.zeros_like(average), torch.tensor(0.0))
    middle, state = method.step(before, curvature * ε * before, state)
    after, _ = method.step(middle, curvature * ε * middle, state)
    predicted = method.companion(curvature, state) @ np.array([middle.item(), before.item()])
    size = (1 + abs(curvature)) ** 2 * (abs(w) + abs(m) + 1e-6) * scale
    assert after.item() == pytest.approx(predicted[0], rel=1e-6, abs=1e-9 * size)


@pytest.mark.parametrize("share", [0.99, 1.01])
def test_with_p_at_rest_a_mode_grows_above_its_edge_only(share):
    method = NAdam(0.1, (0.9, 1 - 1e-12), momentum_decay=1e-6)
    w, state = torch.tensor([1e-8], dtype=torch.float64), late(10**7)
    P = float(method.preconditioner(w, torch.zeros_like(w), state).entries)
    curvature = share * method.critical_curvature(state) * P
    sizes = []
    for _ in range(600):
        w, state = method.step(w, curvature * w, state)
        sizes.append(abs(w.item()))
    rate = (max(sizes[-50:]) / max(sizes[-250:-200])) ** (1 / 200)
    assert (rate > 1) == (share > 1)
    assert rate == pytest.approx(spectral_radius(method, curvature / P, state), rel=1e-3)


def test_a_scheduled_step_size_moves_the_edge_with_the_state():
    method = NAdam(Drop(0.02, 0.01, step=10**6), momentum_decay=1.0)
    assert method.critical_curvature(late(10**6 - 1)) == pytest.approx(38 / 2.8 / 0.02)
    assert method.critical_curvature_at(late()) == pytest.approx(38 / 2.8 / 0.01)


def test_a_step_leaves_its_inputs_unchanged_and_what_was_stored_goes_on():
    assert_a_step_leaves_its_inputs_unchanged(NAdam(0.1))
    assert_goes_on_from_what_was_stored(NAdam(Drop(0.02, 0.01, step=4), (0.8, 0.9), 1e-6, 0.1))


@pytest.mark.parametrize("rise", [-0.1, math.inf, math.nan])
def test_a_momentum_that_falls_is_refused(rise):
    with pytest.raises(
        SettingError, match=r"^momentum_decay=.*the momentum would fall.*Type momentum_decay=4e-3\.$"
    ):
        NAdam(0.01, momentum_decay=rise)


def test_other_settings_outside_their_ranges_are_refused():
    with pytest.raises(SettingError, match=r"betas\[0\]=1\.5"):
        NAdam(0.01, (1.5, 0.9))
    with pytest.raises(SettingError, match=r"lr=-0\.1"):
        NAdam(-0.1)


@settings(max_examples=30)
@given(
    beta=st.floats(0.01, 0.99),
    rise=st.floats(0.0, 1.0),
    step=st.integers(0, 10**4),
    product=st.floats(0.0, 1.0, width=32),
)
def test_beside_other_groups_no_mode_leaves_but_through_minus_one(beta, rise, step, product):
    # At z on the unit circle its recursion asks for the curvature λ(z), whose imaginary part has one sign.
    method, state = NAdam(1.0, (beta, 0.9), momentum_decay=rise), late(step, product=product)
    resting, moved = (np.poly(method.companion(curvature, state)) for curvature in (0.0, 1.0))
    z = np.exp(1j * np.linspace(0.01, np.pi - 0.01, 300))
    curvature = -np.polyval(resting, z) / np.polyval(moved - resting, z)
    assert curvature.imag.max() < 0
