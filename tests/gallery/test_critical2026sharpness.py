"""What the exhibits of critical2026sharpness rest on."""

import numpy as np
import pytest
import torch
import xarray as xr

from edgewise.gallery.critical2026sharpness.directional import RTOL, along
from edgewise.problems import digits_mlp

STEP_SIZE, SAMPLES = 0.3, 40


@pytest.fixture(scope="module")
def run() -> xr.Dataset:
    return along(STEP_SIZE, steps=20, every=10, samples=SAMPLES, seed=0)


def test_the_descent_is_plain_gradient_descent(run: xr.Dataset) -> None:
    objective = digits_mlp(n=SAMPLES, widths=(24, 24), dtype=torch.float64).objective()
    w, losses = objective.start, []
    for _ in range(21):
        losses.append(float(objective.value(w)))
        w = w - STEP_SIZE * objective.gradient(w)
    np.testing.assert_allclose(run["loss"], losses[::10], rtol=1e-12)


def test_the_first_measurement_is_what_the_definitions_say(run: xr.Dataset) -> None:
    objective = digits_mlp(n=SAMPLES, widths=(24, 24), dtype=torch.float64).objective()
    w = objective.start
    g = objective.gradient(w)
    h = 1e-5  # a central difference: an error of h² and of 1e-16/h
    curvature = g @ (objective.gradient(w + h * g) - objective.gradient(w - h * g)) / (2 * h) / (g @ g)
    assert float(run["curvature"][0]) == pytest.approx(float(curvature), rel=1e-6)
    eta = 2.0 / float(run["first_crossing"][0])
    back = float(objective.value(w - eta * g))
    assert back == pytest.approx(float(objective.value(w)), rel=1e-9)
    inside = [float(objective.value(w - share * eta * g)) for share in np.linspace(0.01, 0.99, 99)]
    assert max(inside) < back
    np.testing.assert_allclose(run["critical_sharpness"], run["first_crossing"], rtol=RTOL)


def test_no_curvature_along_a_direction_is_above_the_sharpness(run: xr.Dataset) -> None:
    # Lanczos was asked for 1e-4.
    assert bool((run["curvature"] <= run["sharpness"] * (1 + 1e-4)).all())
