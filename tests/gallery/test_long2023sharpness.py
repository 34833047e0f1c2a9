"""The hand-written step is sharpness-aware minimisation, and its final oscillation the derived one."""

import numpy as np
import pytest
import torch

import edgewise as ew
from edgewise.gallery.long2023sharpness import recipe

_CURVATURE = np.array([0.9, 0.5, 0.2])


def test_the_step_is_sam_on_autograd() -> None:
    curvature = torch.tensor(_CURVATURE)
    start = torch.tensor([1.0, -0.5, 2.0], dtype=torch.float64)
    objective = ew.Objective.from_function(lambda w: 0.5 * (curvature * w**2).sum(), 3, start=start)
    method, w, x = ew.SAM(0.7, rho=0.3), objective.start, start.numpy()
    state = method.init(w)
    for _ in range(50):
        gradient, state = method.look(objective, objective.at(w), state)
        w, state = method.step(w, gradient, state)
        x = recipe.step(x, _CURVATURE, 0.7, 0.3)
        np.testing.assert_allclose(x, w, atol=1e-13)


def test_a_single_mode_repeats_the_derived_oscillation_at_the_edge() -> None:
    eta, rho, curvature = 0.7, 0.3, 0.9
    size = eta * curvature * rho / (2 - eta * curvature)
    x = np.array([size])
    np.testing.assert_allclose(recipe.step(x, np.array([curvature]), eta, rho), -x, atol=1e-15)
    assert ew.theory.sam_edge(curvature * size, eta, rho) == pytest.approx(curvature, rel=1e-14)
