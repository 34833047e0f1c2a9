"""The hand-written step is gradient descent, and its closed forms are those of autograd and of gradient flow."""

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

import edgewise as ew
from edgewise.gallery.beneventano2025gradient import recipe

_START = np.array([0.9, -0.2, 0.4, 0.5, 0.3, 0.2])


def _loss(w: torch.Tensor) -> torch.Tensor:
    return 0.5 * (w[:3] @ w[3:] - 1) ** 2


def test_the_step_is_gradient_descent_on_autograd() -> None:
    objective = ew.Objective.from_function(_loss, 6, start=torch.tensor(_START))
    method, w = ew.GradientDescent(0.6), objective.start
    state = method.init(w)
    u, v = _START[:3], _START[3:]
    for _ in range(50):
        w, state = method.step(w, objective.gradient(w), state)
        u, v = recipe.step(u, v, 0.6)
        np.testing.assert_allclose(np.concatenate([u, v]), w, atol=1e-13)


def test_at_a_minimum_the_sharpness_is_the_squared_norm() -> None:
    u, v = _START[:3], _START[3:]
    for _ in range(200):
        u, v = recipe.step(u, v, 0.3)
    w = torch.tensor(np.concatenate([u, v]))
    dense = torch.func.hessian(_loss)(w)
    assert float(torch.linalg.eigvalsh(dense)[-1]) == pytest.approx(float(w @ w), abs=1e-12)


def test_gradient_flow_ends_at_the_sharpness_of_its_first_imbalance() -> None:
    def velocity(t: float, w: np.ndarray) -> np.ndarray:
        r = w[:3] @ w[3:] - 1
        return np.concatenate([-r * w[3:], -r * w[:3]])

    end = solve_ivp(velocity, (0, 200), _START, rtol=1e-11, atol=1e-13).y[:, -1]
    predicted = np.sqrt(4 + (_START @ _START) ** 2 - 4 * (_START[:3] @ _START[3:]) ** 2)
    assert end @ end == pytest.approx(predicted, rel=1e-8)
