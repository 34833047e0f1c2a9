"""The maps of chen2022two are gradient descent, and their cycles of two are cycles of two."""

import numpy as np
import pytest
import torch

from edgewise import GradientDescent, Objective
from edgewise.gallery.chen2022two import claims, recipe


def descend(objective, lr, steps):
    """The iterates of the library's gradient descent."""
    method, w = GradientDescent(lr), objective.start
    state, path = method.init(w), [w]
    for _ in range(steps):
        w, state = method.step(w, objective.gradient(w), state)
        path.append(w)
    return torch.stack(path).numpy()


@pytest.mark.parametrize("k", [0.9, 1.1, 1.3])
def test_the_maps_are_gradient_descent(k):
    lr, target = k / recipe._TARGET, recipe._TARGET
    start = torch.tensor([1.6, 1.1], dtype=torch.float64)
    both = Objective.from_function(lambda w: (w[0] * w[1] - target) ** 2 / 2, 2, start=start)
    x, y, rate = np.array([1.6]), np.array([1.1]), np.array([lr])
    for wanted in descend(both, lr, 30):
        np.testing.assert_allclose([x[0], y[0]], wanted, rtol=1e-9)
        x, y, _ = recipe.pair_step(x, y, rate)
    well = Objective.from_function(lambda w: (w[0] ** 2 - target) ** 2 / 4, 1, start=start[:1])
    x = np.array([1.6])
    for wanted in descend(well, lr, 30):
        np.testing.assert_allclose(x, wanted, rtol=1e-9)
        x, _ = recipe.well_step(x, rate)


@pytest.mark.parametrize("k", [1.02, 1.1, 1.2, 1.5])
def test_the_closed_form_is_a_cycle_of_two_with_that_multiplier(k):
    lr = np.array([k / recipe._TARGET])
    upper, lower = claims.orbit(lr, recipe._TARGET)
    np.testing.assert_allclose(recipe.well_step(upper, lr)[0], lower, rtol=1e-14)
    np.testing.assert_allclose(recipe.well_step(lower, lr)[0], upper, rtol=1e-14)
    np.testing.assert_allclose(upper * lower * lr, 1.0, rtol=1e-14)
    slopes = [1 - lr * (3 * x**2 - recipe._TARGET) for x in (upper, lower)]
    np.testing.assert_allclose(slopes[0] * slopes[1], 9 - 2 * (k + 1) ** 2, rtol=1e-12)


def test_the_width_of_the_cycle_is_that_of_the_expansion():
    run = recipe.derivatives(beyond=1 + 1e-4, points=4, steps=200_000)
    c, d = np.meshgrid(run["c"].values, run["d"].values)
    value = 3 * c**2 - d
    x = run["x"].values
    cycles = value > 1
    assert cycles.sum() >= 6
    width = np.abs(x[-1] - x[-2])[cycles] / 2
    np.testing.assert_allclose(width, np.sqrt(6 * (1 - 2 / float(run["lr"])) / value[cycles]), rtol=2e-3)
    middle = (x[-1] + x[-2])[cycles] / 2
    np.testing.assert_allclose(middle, -c[cycles] * width**2 / 2, rtol=5e-3)


def test_below_the_edge_there_is_no_cycle():
    assert np.isnan(claims.orbit(np.array([0.4]), 2.0)).all()
