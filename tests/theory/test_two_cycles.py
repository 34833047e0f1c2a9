"""Normalised gradient descent, descent on √L, the edge of SAM and the stochastic gap against simulation."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgewise.foundation import SettingError
from edgewise.theory import (
    SelfStabilization,
    normalized_flow_rate,
    normalized_gradient_sum,
    normalized_root_loss_sum,
    sam_edge,
    sqrt_loss_flow_rate,
    sqrt_loss_root_loss_sum,
    stableness_balance,
    stochastic_sharpness_gap,
)

CURVATURES = np.array([4.0, 1.5, 0.3])


@pytest.mark.parametrize("start", [(1.0, 1.0, 1.0), (0.3, -2.0, 0.7), (-0.5, 0.1, -1.1)])
def test_on_a_quadratic_the_gradient_norms_sum_to_eta_lambda(start):
    lr, x = 0.01, np.array(start)
    for _ in range(3000):
        x = x - lr * CURVATURES * x / np.linalg.norm(CURVATURES * x)
    after = x - lr * CURVATURES * x / np.linalg.norm(CURVATURES * x)
    norms = [float(np.linalg.norm(CURVATURES * each)) for each in (x, after)]
    assert abs(x[0]) / np.linalg.norm(x) > 1 - 1e-8
    assert sum(norms) == pytest.approx(normalized_gradient_sum(4.0, lr), rel=1e-10)
    roots = [math.sqrt(0.5 * (CURVATURES * each**2).sum()) for each in (x, after)]
    assert sum(roots) == pytest.approx(normalized_root_loss_sum(4.0, lr), rel=1e-10)
    assert stableness_balance(*(lr / norm * 4.0 for norm in norms)) == pytest.approx(1.0, rel=1e-10)
    again = after - lr * CURVATURES * after / np.linalg.norm(CURVATURES * after)
    assert np.linalg.norm(again - x) < 1e-12


def test_on_a_quadratic_the_roots_of_the_loss_sum_under_descent_on_the_root():
    lr, x = 0.01, np.array([1.0, 1.0, 1.0])

    def root(x):
        return math.sqrt(0.5 * (CURVATURES * x**2).sum())

    for _ in range(4000):
        x = x - lr * CURVATURES * x / (2 * root(x))
    after = x - lr * CURVATURES * x / (2 * root(x))
    assert root(x) + root(after) == pytest.approx(sqrt_loss_root_loss_sum(4.0, lr), rel=1e-9)


def test_the_sharpness_falls_at_the_rates_of_the_limiting_flows():
    """L = ½(1 + x²)y², λ₁ = 1 + x²: x moves by the literal methods, λ₁ by the rates."""
    lr, steps = 0.02, 2000
    for method, rate in (
        ("normalized", lambda x: normalized_flow_rate((2 * x) ** 2, 1 + x * x)),
        ("root", lambda x: sqrt_loss_flow_rate((2 * x) ** 2)),
    ):
        x, y = 2.0, 0.3 * lr
        sharpness = 1 + x * x
        for _ in range(steps):
            gx, gy = x * y * y, (1 + x * x) * y
            scale = math.hypot(gx, gy) if method == "normalized" else 2 * math.sqrt((1 + x * x) / 2) * abs(y)
            sharpness += lr**2 * rate(math.sqrt(sharpness - 1))
            x, y = x - lr * gx / scale, y - lr * gy / scale
        assert 1 + x * x == pytest.approx(sharpness, rel=2e-3)
        assert 5.0 - sharpness > 0.5


@settings(max_examples=50)
@given(gradient_norm=st.floats(1e-6, 1e3), lr=st.floats(1e-4, 1.0), rho=st.floats(1e-6, 10.0))
def test_sam_is_neutral_at_its_edge(gradient_norm, lr, rho):
    edge = sam_edge(gradient_norm, lr, rho)
    assert 1 - lr * edge * (1 + rho * edge / gradient_norm) == pytest.approx(-1.0, abs=1e-12)
    assert edge < 2 / lr
    literal = gradient_norm / (2 * rho) * (math.sqrt(1 + 8 * rho / (lr * gradient_norm)) - 1)
    assert edge == pytest.approx(literal, rel=1e-4)  # the literal form cancels where ρ is small


def test_the_edge_of_sam_has_its_limits():
    assert sam_edge(1.0, 0.01, 1e-9) == pytest.approx(200.0, rel=1e-6)
    assert sam_edge(1e-12, 0.01, 0.1) == pytest.approx(math.sqrt(2e-12 / 0.001), rel=1e-4)
    assert sam_edge(1.0, 0.01, 0) == 200.0
    for arguments, name in (
        ((0.0, 1.0, 1.0), "gradient_norm"),
        ((1.0, -1.0, 1.0), "lr"),
        ((1.0, 1.0, -0.1), "rho"),
    ):
        with pytest.raises(SettingError, match=rf"{name}=.*Type a positive {name}"):
            sam_edge(*arguments)


@pytest.fixture(scope="module")
def noisy():
    """Averages of the reduced map with noise on x, at α = β = 1."""
    reduced, lr = SelfStabilization(1.0, 1.0), 0.01

    def simulate(noise_variance, steps=150_000):
        kicks = np.random.default_rng(0).standard_normal(steps) * lr * math.sqrt(noise_variance)
        x, y, xs, ys = reduced.delta, 0.0, np.empty(steps), np.empty(steps)
        for t, kick in enumerate(kicks.tolist()):
            xs[t], ys[t] = x, y
            x, y = -(1 + lr * y) * x + kick, y + lr * (1.0 - 0.5 * x * x)
        return xs[steps // 10 :], ys[steps // 10 :]

    return reduced, lr, simulate


def test_noise_holds_the_sharpness_below_the_edge_by_the_gap(noisy):
    reduced, lr, simulate = noisy
    x, y = simulate(400.0)
    assert -y.mean() == pytest.approx(stochastic_sharpness_gap(reduced, lr, 400.0), rel=0.1)
    assert (x**2).mean() == pytest.approx(reduced.delta**2, rel=0.05)


def test_with_little_noise_the_gap_is_larger_than_the_formula_and_obeys_the_exact_balance(noisy):
    reduced, lr, simulate = noisy
    x, y = simulate(4.0)
    formula = stochastic_sharpness_gap(reduced, lr, 4.0)
    assert -y.mean() > 1.5 * formula
    balance = lr / (2 * reduced.delta**2) * (4.0 + 0.5 * (x**2).var() + (x**2 * y**2).mean())
    assert -y.mean() == pytest.approx(balance, rel=0.3)
