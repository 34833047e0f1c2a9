"""The hand-written maps of ahn2022learning are gradient descent on the objectives that they are said to be."""

import math

import numpy as np
import pytest
import torch

import edgewise as ew
from edgewise.gallery.ahn2022learning import network, recipe

LOSSES = {
    "log cosh s": lambda s: torch.log(torch.cosh(s)),
    "√(1 + s²)": lambda s: torch.sqrt(1 + s**2),
    "4 log cosh(s/2)": lambda s: 4 * torch.log(torch.cosh(s / 2)),
}


def descend(objective, eta, steps):
    method, w = ew.GradientDescent(eta), objective.start
    state = method.init(w)
    for _ in range(steps):
        w, state = method.step(w, objective.gradient(w), state)
    return w.numpy()


@pytest.mark.parametrize("name", LOSSES)
class TestNeuron:
    def objective(self, name, start):
        return ew.Objective.from_function(
            lambda w: LOSSES[name](w[0] * w[1]), size=2, start=torch.tensor(start, dtype=torch.float64)
        )

    def test_is_gradient_descent(self, name):
        eta, start = 0.1, (0.1, 5.5)
        expected = descend(self.objective(name, start), eta, 50)
        step = recipe.neuron_step(recipe.SLOPES[name][0], eta)
        x, y = np.array([start[0]]), np.array([start[1]])
        for _ in range(50):
            x, y = step(x, y)
        # Fifty steps multiply rounding by at most (η y² − 1)⁵⁰ while they are unstable, some 10³ here.
        np.testing.assert_allclose([x[0], y[0]], expected, rtol=1e-11)

    def test_has_the_sharpness_y_squared_at_its_minima(self, name):
        objective = self.objective(name, (0.0, 3.2))
        sharpness = ew.eigenpairs(ew.Hessian(objective, objective.start), 1).values[0]
        assert float(sharpness) == pytest.approx(3.2**2, rel=1e-9)

    def test_has_the_expansion_that_is_claimed(self, name):
        slope, c = recipe.SLOPES[name]
        s = np.array([1e-2])
        assert ((1 - slope(s) / s) / s**2)[0] == pytest.approx(c, rel=1e-3)


class TestMeanModel:
    def test_is_gradient_descent(self):
        # With A = a⁻ + a⁺ each output weight takes a step of η, and A one of 2η: two coordinates make them.
        d, eta = 200, 1.5 * 8 * math.pi / 200**2

        def loss(w):
            g = torch.exp(-(w[2] ** 2) / 2) / math.sqrt(2 * math.pi) + w[2] * torch.special.ndtr(w[2])
            s = d * (w[0] + w[1]) * g
            return torch.nn.functional.softplus(s) / 2 + torch.nn.functional.softplus(-s) / 2

        start = torch.tensor([0.02, 0.03, 0.0], dtype=torch.float64)
        a_minus, a_plus, bias = descend(ew.Objective.from_function(loss, 3, start=start), eta, 50)
        A, b = np.array([0.05]), np.array([0.0])
        for _ in range(50):
            A, b, _, _ = recipe.mean_step(A, b, np.array([eta]), np.array([float(d)]))
        np.testing.assert_allclose([A[0], b[0]], [a_minus + a_plus, bias], rtol=1e-10)

    def test_is_stable_where_the_bias_says(self):
        eta, d = np.array([4.0]) * 8 * np.pi / 200**2, np.array([200.0])
        b = recipe.stable_bias(eta, d)
        # η d² g² / 2 = 2: A changes its sign and nothing else.
        A, _, _, _ = recipe.mean_step(np.array([1e-7]), b, eta, d)
        assert A[0] == pytest.approx(-1e-7, rel=1e-6)
        assert recipe.stable_bias(0.9 * 8 * np.pi / d**2, d)[0] == 0.0


class TestNetwork:
    def test_is_gradient_descent_on_the_whole_data(self):
        rng = np.random.default_rng(0)
        x, y = network.sparse_coding(rng, 20)
        start = np.array([0.3, -0.2])
        X, Y = torch.tensor(x), torch.tensor(y)

        def loss(w):
            f = w[0] * torch.relu(-X + w[2]).sum(1) + w[1] * torch.relu(X + w[2]).sum(1)
            return torch.nn.functional.softplus(-Y * f).mean()

        # Not far above the threshold, where an unstable step multiplies rounding by little.
        eta = np.array([0.5, 1.5]) * network.THRESHOLD
        a, b = network.descend(x, y, start, eta, np.array([50, 40]))
        for i, steps in enumerate((50, 40)):
            objective = ew.Objective.from_function(loss, 3, start=torch.tensor([*start, 0.0]).double())
            expected = descend(objective, eta[i], steps)
            np.testing.assert_allclose([*a[:, i], b[i]], expected, rtol=1e-10)
            # The bias has passed entries of the data.
            assert (np.abs(x) < abs(b[i])).sum() >= 20

    def test_signals_are_where_the_labels_say(self):
        x, y = network.sparse_coding(np.random.default_rng(1), 2000)
        # Σᵢ xᵢ has the mean λ y and the variance d.
        assert (x.sum(1) * y).mean() == pytest.approx(3.0, abs=4 * math.sqrt(network.WIDTH / 2000))
