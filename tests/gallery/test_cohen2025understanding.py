"""The toy of two modes against autograd, the library's gradient descent, and the central flow itself."""

import numpy as np
import pytest
import torch

import edgewise as ew
from edgewise.flows import complementarity
from edgewise.gallery.cohen2025understanding import recipe


def toy(start):
    S, g = torch.from_numpy(recipe.SLOPES), torch.from_numpy(recipe.FORCES)

    def loss(w):
        x, y = w[:2], w[2:]
        H = 2 / recipe.STEP_SIZE * torch.eye(2, dtype=torch.float64) + torch.einsum("k,kij->ij", y, S)
        return 0.5 * x @ H @ x - g @ y

    return ew.Objective.from_function(loss, 5, start=torch.tensor(start, dtype=torch.float64))


def test_the_map_is_gradient_descent_on_the_toy():
    objective = toy([0.02, -0.01, -0.05, -0.05, 0.0])
    method = ew.GradientDescent(recipe.STEP_SIZE)
    w = objective.start
    state = method.init(w)
    x, y = w[:2].numpy(), w[2:].numpy()
    for _ in range(50):
        w, state = method.step(w, objective.gradient(w), state)
        x, y = recipe.step(x, y)
    # x is a difference of numbers of the order of 0.02 that shrinks by the step.
    np.testing.assert_allclose(np.concatenate([x, y]), w.numpy(), rtol=1e-10, atol=1e-15)


def test_the_covariance_is_that_of_the_central_flow():
    drive, response = recipe.problem()
    found = complementarity(torch.from_numpy(drive), torch.from_numpy(response))
    objective, flow = toy([0.0] * 5), ew.CentralFlow(ew.GradientDescent(recipe.STEP_SIZE))
    w = objective.start
    state = flow.init(objective, w, 0)
    for _ in range(3):
        w, state = flow.advance(objective, objective.at(w), state, recipe.STEP_SIZE)
    carried = state.directions @ state.oscillation.solution @ state.directions.T
    torch.testing.assert_close(carried[:2, :2], found.solution, rtol=1e-5, atol=1e-10)


def test_each_mode_alone_has_the_variance_of_one_mode():
    for mode, variance in enumerate(recipe.alone()):
        slope = recipe.SLOPES[:, mode, mode]
        # The oscillation of that mode alone stops its own curvature: s·(½ s σ² − g) = 0.
        assert slope @ (0.5 * slope * variance - recipe.FORCES) == pytest.approx(0.0, abs=1e-15)
