import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from edgewise.foundation import SettingError
from edgewise.methods import GradientDescent, HeavyBall, Nesterov, critical_curvature_by_bisection


def test_is_its_recursion_in_one_dimension():
    η, β, x, v = 0.1, 0.8, 1.7, 0.0
    method = Nesterov(η, β)
    w = torch.tensor([x], dtype=torch.float64)
    state = method.init(w)
    for _ in range(50):
        g = x**3  # L = x⁴/4
        v = β * v + g
        x = x - η * (g + β * v)
        w, state = method.step(w, w**3, state)
        assert w.item() == pytest.approx(x, rel=1e-12, abs=1e-15)
        assert state.velocity.item() == pytest.approx(v, rel=1e-12, abs=1e-15)


def test_is_the_gradient_ahead_of_polyaks_point():
    """In y = w + ηβv, a shifted point, it is y' = y − η∇L(w) + momentum: Nesterov's own two sequences."""
    η, β = 0.05, 0.7
    method = Nesterov(η, β)
    w = torch.tensor([1.3, -0.4], dtype=torch.float64)
    state = method.init(w)
    # x' = y − η∇L(y), y' = x' + β(x' − x); PyTorch's w is y.
    x, y = w.clone(), w.clone()
    for _ in range(40):
        ahead = y - η * y**3
        x, y = ahead, ahead + β * (ahead - x)
        w, state = method.step(w, w**3, state)
        torch.testing.assert_close(w, y, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("beta", "edge"), [(0.0, 2.0), (0.5, 1.5), (0.9, 1.357142857142857), (0.95, 3.9 / 2.9), (0.99, 3.98 / 2.98)]
)
def test_its_edge(beta, edge):
    assert Nesterov(1.0, beta).critical_curvature == pytest.approx(edge, rel=1e-14)
    assert critical_curvature_by_bisection(Nesterov(1.0, beta)) == pytest.approx(edge, rel=1e-9)
    assert Nesterov(1, beta).critical_formula == "(2+2β)/((1+2β)η)"


@given(lr=st.floats(1e-8, 1e6), beta=st.floats(0.0, 0.999))
def test_bisection_equals_the_closed_form_for_any_setting(lr, beta):
    method = Nesterov(lr, beta)
    assert critical_curvature_by_bisection(method) == pytest.approx(method.critical_curvature, rel=1e-9)
    assert method.critical_curvature <= HeavyBall(lr, beta).critical_curvature


def test_without_momentum_it_is_gradient_descent():
    w = torch.linspace(-1, 1, 5)
    method, plain = Nesterov(0.3, 0.0), GradientDescent(0.3)
    assert torch.equal(method.step(w, w**3, method.init(w))[0], plain.step(w, w**3, plain.init(w))[0])
    assert np.abs(np.linalg.eigvals(method.companion(2.0))).max() == GradientDescent(0.3).companion(2.0)[0, 0]


@pytest.mark.parametrize("beta", [1.0, -0.1, float("nan"), 2.0])
def test_a_beta_outside_its_range_is_refused(beta):
    with pytest.raises(SettingError, match=r"beta=.*unless 0 ≤ beta < 1.*GradientDescent\(lr\)"):
        Nesterov(0.01, beta)
