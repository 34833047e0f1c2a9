import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edgewise.foundation import SettingError
from edgewise.methods import Adam, AdamW, Drop, critical_curvature_by_bisection
from reference.beside_torch import (
    assert_a_step_leaves_its_inputs_unchanged,
    assert_equals_torch,
    assert_goes_on_from_what_was_stored,
    start,
    wavy_gradient,
)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("betas", "eps", "decay"), [((0.9, 0.999), 1e-8, 0.01), ((0.5, 0.9), 1e-3, 3.0), ((0.9, 0.99), 1e-8, 0.0)]
)
def test_equals_torch_bit_for_bit_over_100_steps(dtype, betas, eps, decay):
    assert_equals_torch(
        AdamW(0.02, betas, eps, decay),
        lambda w: torch.optim.AdamW(w, lr=0.02, betas=betas, eps=eps, weight_decay=decay),
        dtype,
    )


def test_without_decay_it_is_adam():
    w = start(9, torch.float64)
    plain, decayed = Adam(0.1), AdamW(0.1, weight_decay=0.0)
    g = wavy_gradient(w)
    assert torch.equal(plain.step(w, g, plain.init(w))[0], decayed.step(w, g, decayed.init(w))[0])
    assert decayed.critical_curvature == plain.critical_curvature
    P, Q = plain.preconditioner(w, g, plain.init(w)), decayed.preconditioner(w, g, decayed.init(w))
    assert torch.equal(P.entries, Q.entries)


@settings(max_examples=60)
@given(lr=st.floats(1e-4, 10.0), beta=st.floats(0.0, 0.99), share=st.floats(0.0, 1.8))
def test_bisection_equals_the_closed_form(lr, beta, share):
    method = AdamW(lr, (beta, 0.9), weight_decay=share / lr)
    assert critical_curvature_by_bisection(method) == pytest.approx(method.critical_curvature, rel=1e-9)


def test_a_decay_that_diverges_by_itself_is_stable_at_no_curvature():
    method = AdamW(0.5, weight_decay=4.5)
    assert method.critical_curvature == 0.0 == critical_curvature_by_bisection(method)


def test_the_decay_takes_its_share_of_the_edge():
    η, γ, β = 0.01, 5.0, 0.9
    assert AdamW(η, weight_decay=γ).critical_curvature == pytest.approx(38 / η - γ * (1 + β) / (1 - β), rel=1e-12)
    assert AdamW(η).critical_formula == "(1+β₁)(2−ηγ)/((1−β₁)η)"


def test_a_scheduled_step_size_moves_the_edge_with_the_state():
    method = AdamW(Drop(0.02, 0.01, step=1), weight_decay=1.0)
    state = method.init(torch.zeros(1))
    assert method.critical_curvature(state) == pytest.approx(19 * 1.98 / 0.02)
    _, state = method.step(torch.zeros(1), torch.ones(1), state)
    assert method.critical_curvature_at(state) == pytest.approx(19 * 1.99 / 0.01)
    assert critical_curvature_by_bisection(method, state) == pytest.approx(19 * 1.99 / 0.01, rel=1e-9)


def test_a_step_leaves_its_inputs_unchanged_and_what_was_stored_goes_on():
    assert_a_step_leaves_its_inputs_unchanged(AdamW(0.1))
    assert_goes_on_from_what_was_stored(AdamW(Drop(0.02, 0.01, step=4), (0.8, 0.9), 1e-6, 0.1))


@pytest.mark.parametrize("decay", [-0.1, float("inf"), float("nan")])
def test_a_decay_outside_its_range_is_refused(decay):
    with pytest.raises(SettingError, match=r"^weight_decay=.*not negative\. Type weight_decay="):
        AdamW(0.01, weight_decay=decay)


def test_other_settings_outside_their_ranges_are_refused():
    with pytest.raises(SettingError, match="betas="):
        AdamW(0.01, (0.9, 1.5))
