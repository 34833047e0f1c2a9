"""Datasets as a run store gives them, with known numbers."""

import numpy as np
import pytest
import xarray as xr


def build_run(steps=300, processes=("gd",), k=3, every=1, critical=200.0, unconverged=(), formula="2/η"):
    """Sharpness that rises to `critical` over the first half and then oscillates about it."""
    step = np.arange(steps + 1)
    rise = np.minimum(1.0, 2 * step / steps) * critical
    ratio = np.where(step > steps / 2, 1.0 + 0.02 * (-1.0) ** step, rise / critical)
    shape = (len(processes), step.size, k)
    share = np.array([1.0, 0.8, 0.6, 0.5, 0.4][:k])
    sharpness = np.broadcast_to((ratio * critical)[None, :, None] * share, shape).copy()
    sharpness[:, step % every != 0] = np.nan
    converged = np.where(np.isfinite(sharpness), 1.0, np.nan)
    converged[:, list(unconverged), 0] = 0.0
    loss = np.broadcast_to(2.0 * np.exp(-step / steps), shape[:2]).copy()
    rows, ranks = ("process", "step"), ("process", "step", "rank")
    dataset = xr.Dataset(
        {
            "loss": (rows, loss),
            "step_size": (rows, np.full(shape[:2], 2 / critical)),
            "critical_curvature": (rows, np.full(shape[:2], critical)),
            "sharpness": (ranks, sharpness),
            "sharpness_bound": (ranks, 1e-3 * np.abs(sharpness)),
            "sharpness_converged": (ranks, converged),
            "edge_ratio": (ranks, sharpness / critical),
        },
        coords={"process": list(processes), "step": step, "rank": np.arange(1, k + 1)},
    )
    dataset["loss"].attrs["units"] = "1"
    dataset["critical_curvature"].attrs["formula"] = formula
    return dataset


@pytest.fixture
def make_run():
    return build_run
