import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from edgewise.foundation import SettingError
from edgewise.methods import AveragedMomentum, HeavyBall, critical_curvature_by_bisection


def test_is_its_recursion_in_one_dimension():
    η, β, x, m = 0.3, 0.8, 1.7, 0.0
    method = AveragedMomentum(η, β)
    w = torch.tensor([x], dtype=torch.float64)
    state = method.init(w)
    for _ in range(50):
        m = β * m + (1 - β) * x**3  # L = x⁴/4
        x = x - η * m
        w, state = method.step(w, w**3, state)
        assert w.item() == pytest.approx(x, rel=1e-12)
        assert state.average.item() == pytest.approx(m, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize(("beta", "edge"), [(0.0, 2.0), (0.5, 6.0), (0.9, 38.0), (0.95, 78.0), (0.99, 398.0)])
def test_its_edge(beta, edge):
    assert AveragedMomentum(1.0, beta).critical_curvature == pytest.approx(edge, rel=1e-13)
    assert critical_curvature_by_bisection(AveragedMomentum(1.0, beta)) == pytest.approx(edge, rel=1e-9)
    assert AveragedMomentum(1, beta).critical_formula == "(2+2β)/((1−β)η)"


@given(lr=st.floats(1e-8, 1e6), beta=st.floats(0.0, 0.999))
def test_bisection_equals_the_closed_form_for_any_setting(lr, beta):
    method = AveragedMomentum(lr, beta)
    assert critical_curvature_by_bisection(method) == pytest.approx(method.critical_curvature, rel=1e-9)


@pytest.mark.parametrize(("lr", "beta"), [(0.5, 0.9), (0.1, 0.0), (1, 0.99)])
def test_it_is_heavy_ball_at_a_smaller_step_size(lr, beta):
    averaged, ball = AveragedMomentum(lr, beta), HeavyBall((1 - beta) * lr, beta)
    assert averaged.critical_curvature == pytest.approx(ball.critical_curvature, rel=1e-12)
    w = torch.linspace(-1, 1, 5, dtype=torch.float64)
    theirs = w
    state, other = averaged.init(w), ball.init(w)
    for _ in range(50):
        w, state = averaged.step(w, torch.sin(w), state)
        theirs, other = ball.step(theirs, torch.sin(theirs), other)
    torch.testing.assert_close(w, theirs, rtol=1e-12, atol=1e-13)


def test_a_beta_outside_its_range_is_refused():
    with pytest.raises(SettingError, match=r"beta=1.0: .*unless 0 ≤ beta < 1"):
        AveragedMomentum(0.01, 1.0)
