import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from edgewise.foundation import SettingError
from edgewise.methods import (
    Drop,
    GradientDescent,
    HeavyBall,
    Method,
    critical_curvature_by_bisection,
    spectral_radius,
)
from reference.bad_settings import BAD, as_a_user_types


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9, 0.95, 0.99])
def test_bisection_equals_the_closed_form(beta):
    method = HeavyBall(1.0, beta)
    assert critical_curvature_by_bisection(method) == pytest.approx(2 + 2 * beta, rel=1e-9)
    assert method.critical_curvature == pytest.approx(2 + 2 * beta, rel=1e-15)


@given(lr=st.floats(1e-8, 1e6), beta=st.floats(0.0, 0.999))
def test_bisection_equals_the_closed_form_for_any_setting(lr, beta):
    for method in (GradientDescent(lr), HeavyBall(lr, beta)):
        assert critical_curvature_by_bisection(method) == pytest.approx(method.critical_curvature, rel=1e-9)


@given(lr=st.floats(1e-4, 10.0), beta=st.floats(0.0, 0.99), share=st.floats(0.01, 3.0))
def test_a_mode_grows_exactly_when_its_curvature_is_above_the_critical_one(lr, beta, share):
    assume(abs(share - 1) > 1e-6)
    method = HeavyBall(lr, beta)
    assert (spectral_radius(method, share * method.critical_curvature) > 1) == (share > 1)


def test_the_spectral_radius_is_the_growth_of_a_mode_in_the_long_run():
    method, curvature = HeavyBall(0.1, 0.5), 31.0
    w = torch.ones(1, dtype=torch.float64)
    state, sizes = method.init(w), []
    for _ in range(200):
        w, state = method.step(w, curvature * w, state)
        sizes.append(w.abs().item())
    assert sizes[-1] / sizes[-2] == pytest.approx(spectral_radius(method, curvature), rel=1e-9)


def test_a_schedule_is_measured_at_the_step_of_the_state():
    method = GradientDescent(Drop(2 / 200, 2 / 300, step=1))
    state = method.init(torch.zeros(1))
    assert critical_curvature_by_bisection(method, state) == pytest.approx(200.0, rel=1e-9)
    _, state = method.step(torch.zeros(1), torch.zeros(1), state)
    assert critical_curvature_by_bisection(method, state) == pytest.approx(300.0, rel=1e-9)
    assert spectral_radius(method, 450.0, state) == pytest.approx(2.0)


class OneMode(Method[None]):
    """A method known by its companion matrix alone."""

    def __init__(self, factor):
        self.factor = factor

    def companion(self, curvature, state=None):
        return np.array([[self.factor(curvature)]])

    init = step = step_size_at = critical_curvature = critical_formula = None


def test_a_method_that_is_stable_everywhere_has_an_infinite_critical_curvature():
    implicit_euler = OneMode(lambda curvature: 1 / (1 + 0.1 * curvature))
    assert critical_curvature_by_bisection(implicit_euler) == math.inf
    assert critical_curvature_by_bisection(OneMode(lambda curvature: 0.5)) == math.inf


def test_a_method_that_is_stable_nowhere_has_critical_curvature_zero():
    ascent = OneMode(lambda curvature: 1 + 0.1 * curvature)
    assert critical_curvature_by_bisection(ascent) == 0.0
    assert critical_curvature_by_bisection(OneMode(lambda curvature: 2.0)) == 0.0


@pytest.mark.parametrize("label", BAD)
def test_what_is_no_method_is_refused_in_a_sentence(label):
    for function, further in ((spectral_radius, (1.0,)), (critical_curvature_by_bisection, ())):
        with (
            pytest.raises(SettingError, match=f"^{function.__name__} of .*: it is a method") as refused,
            as_a_user_types(),
        ):
            function(BAD[label], *further)
        assert refused.value.fix.startswith(f"Type {function.__name__}(GradientDescent(0.01)")


@pytest.mark.parametrize("label", BAD)
def test_a_curvature_is_a_finite_number(label):
    value = BAD[label]
    if label in ("negative", "a negative half", "a half too much"):
        assert spectral_radius(GradientDescent(0.5), value) == pytest.approx(abs(1 - 0.5 * value))
        return
    with pytest.raises(SettingError, match=r"^curvature=.*Type curvature=100\.0\.$"), as_a_user_types():
        spectral_radius(GradientDescent(0.5), value)
