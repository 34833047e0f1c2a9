"""The toy of liao2026sharpness is gradient descent on the loss that its docstring states."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import edgewise as ew
from edgewise.dynamics import Silent
from edgewise.gallery.liao2026sharpness import recipe
from edgewise.methods import SGD

ALPHA, BETA, ETA, SIGMA = 0.7, 2.0, 0.05, 0.3


class Toy(nn.Module):
    """The losses of two samples, told apart by the sign of their input."""

    def __init__(self, x: float, y: float) -> None:
        super().__init__()
        start = [x, (2 / ETA + y) / math.sqrt(BETA)]
        self.w = nn.Parameter(torch.tensor(start, dtype=torch.float64))

    def forward(self, sign: Tensor) -> Tensor:
        x, z = self.w
        root = math.sqrt(BETA)
        return root * z * x**2 / 2 - ALPHA / root * z + SIGMA * sign * x


def toy(x: float, y: float) -> ew.Objective:
    data = torch.tensor([[1.0], [-1.0]], dtype=torch.float64), torch.zeros(2, 1, dtype=torch.float64)
    return ew.Objective.from_module(Toy(x, y), lambda outputs, targets: (outputs - targets).mean(), data)


def test_the_map_is_sgd_on_the_two_samples() -> None:
    method, objective = SGD(ETA, 1, seed=3), toy(0.4, -0.5)
    w, state = objective.start, method.init(objective.start)
    x, y = np.array([0.4]), np.array([-0.5])
    columns = (np.array([ALPHA]), np.array([BETA]), np.array([ETA]))
    for _ in range(50):
        sign = 1.0 if int(method.batch(state, 2)[0]) == 0 else -1.0
        gradient, state = method.look(objective, objective.at(w), state)
        w, state = method.step(w, gradient, state)
        x, y = recipe.step(x, y, *columns, np.array([SIGMA * sign]))
        assert float(w[0]) == pytest.approx(float(x[0]), abs=1e-11)
        assert math.sqrt(BETA) * float(w[1]) - 2 / ETA == pytest.approx(float(y[0]), abs=1e-11)


def test_its_numbers_are_those_of_self_stabilisation() -> None:
    """At x = 0 the sharpness is 2/η + y along x, and the gradient of it gives β and α."""
    objective = toy(0.0, 0.25)
    w = objective.start
    u = torch.tensor([1.0, 0.0], dtype=torch.float64)
    point = objective.at(w)
    assert float(u @ point.hvp(u)) == pytest.approx(2 / ETA + 0.25, rel=1e-12)
    slope = point.third(u, u)
    assert float(slope @ slope) == pytest.approx(BETA, rel=1e-12)
    assert -float(point.gradient @ slope) == pytest.approx(ALPHA, rel=1e-12)


def test_without_noise_it_is_gradient_descent() -> None:
    run = ew.evolve(ew.GradientDescent(ETA), toy(0.4, 0.0), 30, [ew.Sharpness(rtol=1e-9)], progress=Silent())
    x, y = np.array([0.4]), np.array([0.0])
    for _ in range(30):
        x, y = recipe.step(x, y, np.array([ALPHA]), np.array([BETA]), np.array([ETA]), np.array([0.0]))
    s = 2 / ETA + float(y[0])
    # The Hessian of the mean loss in (x, z) is [[s, √β x], [√β x, 0]].
    expected = (s + math.sqrt(s**2 + 4 * BETA * float(x[0]) ** 2)) / 2
    assert float(run.sharpness.values[0, -1, 0]) == pytest.approx(expected, rel=1e-8)


def test_the_exponent_of_bursts_is_two_where_the_mean_square_stops_being_stable() -> None:
    """(1 − ηa)² + η²a²r² = 1 is the bound of wu2018how."""
    mean = 1.4
    spread = math.sqrt(1 - (1 - mean) ** 2) / mean
    assert recipe.tail_exponent(mean, spread) == pytest.approx(2.0, abs=1e-9)
    assert recipe.tail_exponent(1.5, 0.0) == math.inf
