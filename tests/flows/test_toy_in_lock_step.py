"""The smallest objective with an edge of stability, through the whole machinery: runs, flows, trackers, probes.

    L(x, y) = ½ (2/η + s y) x² − g y

sharpens at the rate α = g s, and is held at 2/η by an oscillation of δ² = 2g/s (theory of self-stabilisation).
"""

import numpy as np
import pytest
import torch
import xarray as xr

import edgewise as ew

ETA, SLOPE, FORCE, STEPS = 0.2, 2.0, 0.025, 160
DELTA2 = 2 * FORCE / SLOPE
PERIOD = 2 * np.pi / (ETA * np.sqrt(2 * FORCE * SLOPE))


@pytest.fixture(scope="module")
def dataset() -> xr.Dataset:
    method = ew.GradientDescent(ETA)
    toy = ew.Objective.from_function(
        lambda w: 0.5 * (2 / ETA + SLOPE * w[1]) * w[0] ** 2 - FORCE * w[1],
        2,
        start=torch.tensor([0.12, -0.02]),
    )
    processes = {
        "gd": method,
        "mid": ew.Midpoint("gd"),
        "flow": ew.GradientFlow(),
        "central": ew.CentralFlow(method),
        "constrained": ew.ConstrainedFlow(method),
    }
    probes = [ew.Sharpness(every=2), ew.Distance("mid", "central"), ew.Distance("mid", "flow")]
    modes = [ew.ModeDisplacement("gd", "central"), ew.ModeDisplacement("gd", "central", about="mid")]
    return ew.evolve(processes, toy, STEPS, [*probes, *modes]).dataset


def over_cycles(series: xr.DataArray) -> float:
    """The mean over the last whole cycles."""
    cycles = int((STEPS - PERIOD / 2) // PERIOD)
    return float(series[-round(cycles * PERIOD) :].mean(skipna=True))


def test_the_oscillation_is_as_strong_as_the_theory_says(dataset: xr.Dataset) -> None:
    central = dataset.sel(process="central")
    np.testing.assert_allclose(central.predicted_variance[STEPS // 2 :, 0], DELTA2, rtol=1e-6)
    np.testing.assert_allclose(dataset.sel(process="constrained").predicted_variance[-1, 0], DELTA2, rtol=1e-6)
    measured = over_cycles(central.mode_displacement[:, 0] ** 2)
    assert measured == pytest.approx(DELTA2, rel=0.05)
    about_the_midpoints = over_cycles(central.mode_oscillation[:, 0] ** 2)
    assert about_the_midpoints == pytest.approx(DELTA2, rel=0.05)
    assert about_the_midpoints != measured


def test_the_averages_stay_at_the_edge_where_gradient_flow_leaves_it(dataset: xr.Dataset) -> None:
    for name in ("central", "constrained"):
        held = dataset.sel(process=name).edge_ratio[-1, 0]
        assert float(held) == pytest.approx(1.0, abs=0.01), name
    assert float(dataset.sel(process="flow").edge_ratio[-1, 0]) > 1.1
    assert over_cycles(dataset.sel(process="mid").edge_ratio[:, 0]) == pytest.approx(1.0, abs=0.02)


def test_the_mean_loss_is_what_the_central_flow_predicts(dataset: xr.Dataset) -> None:
    """L + δ²/η: the loss itself runs away with −g y, so excesses over the flow's point are compared."""
    central, gd = dataset.sel(process="central"), dataset.sel(process="gd")
    np.testing.assert_allclose((central.predicted_loss - central.loss)[STEPS // 2 :], DELTA2 / ETA, rtol=0.02)
    y = dataset.sel(process="gd").sharpness[:, 0]
    assert np.isfinite(gd.loss).all() and np.isfinite(y[::2]).all()


def test_the_run_stays_by_the_central_flow(dataset: xr.Dataset) -> None:
    distance = dataset.distance
    assert float(distance.sel(process="central")[-1]) < 0.2 * float(distance.sel(process="flow")[-1])
