"""φ is the sharpness at which gradient flow ends, and the closed-form sharpness is that of the Hessian."""

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from edgewise import GradientDescent, Objective
from edgewise.gallery.kreisler2023gradient import recipe

STARTS = {
    2: np.array([0.33, 3.1]),
    3: np.array([0.4, 0.5, 4.7]),
    4: np.array([0.6, 0.5, 0.55, 6.3]),
}


def loss(w):
    return (w.prod() - 1) ** 2 / 2


@pytest.mark.parametrize("depth", STARTS)
def test_it_is_where_gradient_flow_ends(depth):
    w = STARTS[depth]

    def velocity(t, w):
        return -(w.prod() - 1) * w.prod() / w

    end = solve_ivp(velocity, (0, 30), w, rtol=1e-11, atol=1e-12, method="DOP853").y[:, -1]
    assert end.prod() == pytest.approx(1, abs=1e-9)
    assert recipe.flow_sharpness(w) == pytest.approx(recipe.sharpness(end), rel=1e-7)


@pytest.mark.parametrize("depth", STARTS)
def test_the_sharpness_is_that_of_the_hessian(depth):
    rng = np.random.default_rng(depth)
    for w in rng.uniform(0.3, 2.0, (5, depth)):
        hessian = torch.autograd.functional.hessian(loss, torch.from_numpy(w))
        assert recipe.sharpness(w) == pytest.approx(float(torch.linalg.eigvalsh(hessian)[-1]), rel=1e-12)


@pytest.mark.parametrize("depth", STARTS)
def test_the_paths_are_gradient_descent(depth):
    run = recipe.paths(depth=depth, starts=2, steps=50, seed=0)
    start = torch.from_numpy(run["w"].isel(step=0, start=0).values.copy())
    objective, method = Objective.from_function(loss, depth, start=start), GradientDescent(recipe.STEP_SIZE)
    w, state = start, method.init(start)
    for step in range(51):
        np.testing.assert_allclose(run["w"].isel(step=step, start=0).values, w.numpy(), rtol=1e-9)
        assert float(run["loss"].isel(step=step, start=0)) == pytest.approx(float(loss(w)), rel=1e-6, abs=1e-14)
        w, state = method.step(w, objective.gradient(w), state)


def test_the_starts_are_ahead_of_the_edge_and_others_for_another_seed():
    one, other = (recipe.paths(depth=3, starts=5, steps=1, seed=seed) for seed in (0, 1))
    for run in (one, other):
        ahead = run["flow_sharpness"].isel(step=0).values * recipe.STEP_SIZE / 2
        assert ((ahead >= 1.02) & (ahead <= 1.1)).all()
    assert not np.array_equal(one["w"].values, other["w"].values)
