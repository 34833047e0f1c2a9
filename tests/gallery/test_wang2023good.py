"""The losses of wang2023good have the slopes and curvatures that are written for them, and the map descends."""

import numpy as np
import pytest
import torch

import edgewise as ew
from edgewise.gallery.wang2023good import recipe

VALUES = {
    "log cosh s": lambda s: torch.log(torch.cosh(s)),
    "√(1 + s²)": lambda s: torch.sqrt(1 + s**2) - 1,
    "s²/2": lambda s: s**2 / 2,
    "s²/2 + s⁴/4": lambda s: s**2 / 2 + s**4 / 4,
    "cosh s": lambda s: torch.cosh(s) - 1,
}


@pytest.mark.parametrize("name", recipe.LOSSES)
class TestLoss:
    def test_value_slope_and_curvature_belong_together(self, name):
        loss, s = recipe.LOSSES[name], torch.linspace(-2, 2, 9, dtype=torch.float64, requires_grad=True)
        value = VALUES[name](s)
        (slope,) = torch.autograd.grad(value.sum(), s, create_graph=True)
        (curvature,) = torch.autograd.grad(slope.sum(), s)
        at = s.detach().numpy()
        for given, expected in ((loss.value, value), (loss.slope, slope), (loss.curvature, curvature)):
            # The value of the hyperbola is a difference of numbers near one.
            np.testing.assert_allclose(given(at), expected.detach().numpy(), rtol=1e-12, atol=1e-15)

    def test_curvature_at_the_minimum_is_one(self, name):
        assert recipe.LOSSES[name].curvature(np.array([0.0]))[0] == pytest.approx(1.0, abs=1e-15)

    def test_sharpness_is_that_of_the_hessian(self, name):
        x, y = np.array([0.4, -0.3, 2.0]), np.array([1.5, 2.0, 0.1])
        for i, given in enumerate(recipe.sharpness(recipe.LOSSES[name], x, y)):
            objective = ew.Objective.from_function(
                lambda w: VALUES[name](w[0] * w[1]), size=2, start=torch.tensor([x[i], y[i]])
            )
            dense = torch.func.hessian(lambda w: VALUES[name](w[0] * w[1]))(objective.start)
            assert given == pytest.approx(float(torch.linalg.eigvalsh(dense)[-1]), rel=1e-12)

    def test_the_map_is_gradient_descent(self, name):
        eta, start = 0.02, torch.tensor([0.02, 7.0], dtype=torch.float64)
        objective = ew.Objective.from_function(lambda w: VALUES[name](w[0] * w[1]), size=2, start=start)
        method, w = ew.GradientDescent(eta), start
        state, losses = method.init(w), [float(objective.value(w))]
        step = recipe.descent(recipe.LOSSES[name])
        x, y, _, peak = (np.array([v]) for v in (0.02, 7.0, eta, losses[0]))
        for _ in range(50):
            w, state = method.step(w, objective.gradient(w), state)
            losses.append(float(objective.value(w)))
            x, y, _, peak = step(x, y, np.array([eta]), peak)
        # A step here multiplies the distance from the minimum by 1 − 0.02 × 49.
        np.testing.assert_allclose([x[0] * y[0], y[0]], [float(w[0] * w[1]), float(w[1])], rtol=1e-11, atol=1e-15)
        assert peak[0] == pytest.approx(max(losses), rel=1e-11)
