"""The cubic map is gradient descent on a quadratic regression, and its derivative is the sharpness."""

import math

import numpy as np
import pytest
import torch

import edgewise as ew
from edgewise.gallery.chen2023stability import recipe


@pytest.mark.parametrize("label", [0.4, 0.95, 1.2])
def test_the_cubic_map_is_gradient_descent_on_the_autograd_of_the_loss(label: float) -> None:
    x = torch.tensor([0.6, -0.8, 1.2], dtype=torch.float64)
    gamma, eta = 1.7, 0.3
    label = label / (eta * gamma * float(x @ x))

    def residual(w: torch.Tensor) -> torch.Tensor:
        return 0.5 * gamma * (w @ x) ** 2 - label

    start = torch.tensor([0.5, 0.1, 0.4], dtype=torch.float64)
    objective = ew.Objective.from_function(lambda w: 0.5 * residual(w) ** 2, 3, start=start)
    method, w = ew.GradientDescent(eta), objective.start
    state = method.init(w)
    scale = eta * gamma * float(x @ x)
    z = scale * float(residual(w))
    for _ in range(50):
        w, state = method.step(w, objective.gradient(w), state)
        z = float(recipe.cubic(np.array(z), scale * label))
        assert scale * float(residual(w)) == pytest.approx(z, abs=1e-12)


def test_the_gradient_of_the_network_is_that_of_autograd() -> None:
    rng = np.random.default_rng(0)
    inputs, labels, weights = rng.standard_normal((4, 6)), rng.random(4), rng.standard_normal((3, 6))

    def loss(w: torch.Tensor) -> torch.Tensor:
        outputs = 0.5 * ((w.reshape(3, 6) @ torch.tensor(inputs).T) ** 2).sum(0)
        return 0.5 * ((outputs - torch.tensor(labels)) ** 2).sum()

    objective = ew.Objective.from_function(loss, 18)
    dense = objective.gradient(torch.tensor(weights.ravel())).reshape(3, 6)
    np.testing.assert_allclose(recipe.gradient(weights, inputs, labels), dense, rtol=1e-12)


def test_the_slope_is_the_derivative() -> None:
    z = np.linspace(-1, 2, 31)
    ahead, behind = recipe.cubic(z + 1e-6, 1.3), recipe.cubic(z - 1e-6, 1.3)
    np.testing.assert_allclose(recipe.slope(z, 1.3), (ahead - behind) / 2e-6, atol=1e-8)


def test_the_cycle_of_two_steps_is_the_derived_one() -> None:
    a = 1.15
    u = np.roots([1.0, -math.sqrt(3 + a), 1.0]).real
    np.testing.assert_allclose(recipe.cubic(u**2 - a, a), (u**2 - a)[::-1], atol=1e-12)
    assert np.prod(recipe.slope(u**2 - a, a)) == pytest.approx(9 - 2 * (1 + a) ** 2, abs=1e-12)
    assert np.mean(u**2 - a) == pytest.approx((1 - a) / 2, abs=1e-12)


def test_the_superstable_cycles_hold_the_critical_point() -> None:
    for cycle, a in enumerate(recipe.doublings(5)["a"].values, start=1):
        critical = np.array([(1 - 2 * a) / 3])
        z = critical
        for _ in range(2**cycle):
            z = recipe.cubic(z, a)
        np.testing.assert_allclose(z, critical, atol=1e-9)
        np.testing.assert_allclose(recipe.slope(critical, a), 0.0, atol=1e-12)
