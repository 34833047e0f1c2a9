"""The toy is gradient descent on its loss, the reduced map of the theory, and its stages are told apart."""

import numpy as np
import pytest
import torch

import edgewise as ew
from edgewise.gallery.damian2022selfstabilization import claims, toy

_ETA, _G, _S = 0.02, 0.1, 1.3


def _loss(w: torch.Tensor) -> torch.Tensor:
    return 0.5 * (2 / _ETA + _S * w[1]) * w[0] ** 2 - _G * w[1]


def test_the_toy_is_gradient_descent_on_autograd() -> None:
    objective = ew.Objective.from_function(_loss, 2, start=torch.tensor([0.05, 0.3], dtype=torch.float64))
    method, w = ew.GradientDescent(_ETA), objective.start
    state, (x, y) = method.init(w), (0.05, 0.3)
    for _ in range(50):
        assert toy.loss(np.array(x), np.array(y), _ETA, _G, _S) == pytest.approx(float(_loss(w)), abs=1e-13)
        w, state = method.step(w, objective.gradient(w), state)
        x, y = toy.advance(x, y, _ETA, _G, _S)
        np.testing.assert_allclose([x, y], w, atol=1e-13)


def test_the_toy_is_the_reduced_map_in_its_sharpness() -> None:
    theory = ew.theory.SelfStabilization(alpha=_G * _S, beta=_S**2)
    xs, ys = theory.trajectory(0.05, _S * 0.3, _ETA, 100)
    x, y = 0.05, 0.3
    for step in range(100):
        assert (x, _S * y) == pytest.approx((xs[step], ys[step]), abs=1e-12)
        x, y = toy.advance(x, y, _ETA, _G, _S)


def test_at_the_bottom_of_the_valley_the_sharpness_is_that_of_x() -> None:
    dense = torch.func.hessian(_loss)(torch.tensor([0.0, 0.3], dtype=torch.float64))
    assert float(torch.linalg.eigvalsh(dense)[-1]) == pytest.approx(2 / _ETA + _S * 0.3, rel=1e-14)


def test_the_stages_are_the_quadrants_around_the_edge() -> None:
    x, y = np.array([0.1, -0.1, 2.0, -2.0]), np.array([-1.0, 1.0, 1.0, -1.0])
    assert claims.stages(x, y, 1.0).tolist() == [0, 1, 2, 3]
