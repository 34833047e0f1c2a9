"""The toys of ahn2022understanding against the library's own gradient descent and probe."""

import numpy as np
import pytest
import torch

import edgewise as ew
from edgewise.gallery.ahn2022understanding import recipe


def log_cosh(w):
    return torch.log(torch.cosh(w)).sum()


def test_the_map_is_gradient_descent_on_log_cosh():
    start = torch.tensor([0.3, -1.7, 2.4], dtype=torch.float64)
    objective = ew.Objective.from_function(log_cosh, 3, start=start)
    method = ew.GradientDescent(recipe.STEP_SIZE)
    w, state, x = start, method.init(start), start.numpy()
    for _ in range(50):
        w, state = method.step(w, objective.gradient(w), state)
        x, _ = recipe.step(x, x)
    np.testing.assert_allclose(x, w.numpy(), rtol=1e-13)
    assert float(recipe.loss(x).sum()) == pytest.approx(float(objective.value(w)), rel=1e-13)


def test_the_cycle_is_where_a_step_leads_to_the_other_side():
    record = recipe.paths(400)
    end = np.abs(record["x"].isel(step=-1).values)
    eta = recipe.STEP_SIZE
    moving = record["start"].values != 0
    np.testing.assert_allclose(2 * end[moving], eta * np.tanh(end[moving]), rtol=1e-12)
    assert end[~moving].tolist() == [0.0]


def test_progress_and_smoothness_are_those_of_the_probe():
    start = torch.tensor([0.7], dtype=torch.float64)
    objective = ew.Objective.from_function(log_cosh, 1, start=start)
    run = ew.evolve(ew.GradientDescent(recipe.STEP_SIZE), objective, 10, [ew.RelativeProgress()])
    record = recipe.paths(10)
    nearest = int(np.abs(record["start"].values - 0.7).argmin())
    assert record["start"].values[nearest] == pytest.approx(0.7, abs=1e-12)
    moving = nearest - 1  # the start at 0, left of it, is not among those that move
    for name in ("relative_progress", "directional_smoothness"):
        read = run.dataset[name].values[0]
        np.testing.assert_allclose(read[:-1], record[name].values[:, moving], rtol=1e-9, atol=1e-12)
