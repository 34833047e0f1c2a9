"""The growth of the loss to either side, and its power, on functions whose growth is known."""

import numpy as np
import torch
import xarray as xr

import edgewise as ew
from edgewise.gallery.ma2022beyond import claims, recipe


def test_slope_and_third_derivative_cancel():
    objective = ew.Objective.from_function(lambda w: 3 * w[0] + 2 * w[0] ** 2 + 5 * w[0] ** 3 + w[0] ** 4 / 2, 1)
    s = np.array([0.1, 1.0, 2.0])
    found = recipe.rise(objective, objective.start, torch.ones(1, 1, dtype=torch.float64), s)
    np.testing.assert_allclose(found, [2 * s**2 + s**4 / 2], rtol=1e-13)


def test_the_power_of_a_power_is_found():
    s = np.geomspace(0.01, 200.0, 60)
    run = xr.Dataset({"growth": (("mode", "reach"), [0.3 * s**1.5, 7 * s**2])}, coords={"reach": s})
    for mode, power in enumerate((1.5, 2.0)):
        assert abs(claims.power({"run": run}, mode, (1.0, 100.0)) - power) < 1e-12
