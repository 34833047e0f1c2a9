"""The maps of song2023trajectory are gradient descent, and its coordinates mean what they are said to."""

import numpy as np
import pytest
import torch

import edgewise as ew
from edgewise.gallery.song2023trajectory import recipe


def objective(start):
    return ew.Objective.from_function(
        lambda w: torch.log(torch.cosh(w[0] * w[1])), size=2, start=torch.tensor(start, dtype=torch.float64)
    )


def test_the_map_is_gradient_descent():
    eta, start = 2 / 16, (0.5, 5.0)
    method, w = ew.GradientDescent(eta), objective(start).start
    state, (x, y) = method.init(w), (np.array([start[0]]), np.array([start[1]]))
    for _ in range(50):
        w, state = method.step(w, objective(start).gradient(w), state)
        x, y = recipe.descent(eta)(x, y)
    # The first steps, still unstable, multiply rounding by some ten.
    np.testing.assert_allclose([x[0], y[0]], w.numpy(), rtol=1e-12)


def test_q_at_a_minimum_is_the_step_size_of_the_edge():
    minimum = objective((0.0, 3.5))
    sharpness = float(ew.eigenpairs(ew.Hessian(minimum, minimum.start), 1).values[0])
    assert sharpness == pytest.approx(3.5**2, rel=1e-9)


def test_the_ratio_bends_as_the_gap_says():
    p = np.array([1e-3])
    # r(p) = 1 + r''(0) p²/2, at an even r.
    assert 2 * (1 - recipe.log_cosh_ratio(p))[0] / p[0] ** 2 == pytest.approx(recipe.CURVATURE, rel=1e-5)
    assert recipe.log_cosh_ratio(np.array([0.0]))[0] == 1.0


RATIOS = {"log cosh p": lambda p: torch.tanh(p) / p, "1 − exp(−p²/2)": lambda p: torch.exp(-(p**2) / 2)}


@pytest.mark.parametrize("name", recipe.RATIOS)
def test_the_cycle_is_a_cycle_of_the_frozen_map(name):
    q = np.array([0.4, 0.7, 0.95])
    p = torch.tensor(recipe.inverse(recipe.RATIOS[name], q), requires_grad=True)
    stepped = (1 - 2 * RATIOS[name](p) / torch.tensor(q)) * p
    np.testing.assert_allclose(stepped.detach(), -p.detach(), rtol=1e-12)
    stepped.sum().backward()
    # A central difference over a thousandth of p errs by its third derivative, some 10⁻⁶.
    speed = recipe.cycles(name, tuple(float(value) for value in q), 10)["speed"].values
    np.testing.assert_allclose(speed, np.abs(p.grad.numpy()), atol=1e-5)
