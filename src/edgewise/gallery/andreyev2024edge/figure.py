"""Batch sharpness and sharpness against 2/η, and the loss."""

import numpy as np
from matplotlib.figure import Figure

from edgewise.claims import Runs
from edgewise.figures import PALETTE, Curve, Level, Panel, plate


def batches(runs: Runs) -> Figure:
    """Every size of batch."""
    return _three(
        runs,
        title="Small batches hold the sharpness down",
        text="Both curvatures in units of 2/η: what batches meet along their own gradients, and the full batch's.",
    )


def catapult(runs: Runs) -> Figure:
    """The step size raised on the way."""
    return _three(
        runs,
        title="Raised above what batch sharpness allows, the step size makes the loss leap",
        text="Both curvatures in units of 2/η of the moment: they jump where η is raised.",
    )


def _three(runs: Runs, *, title: str, text: str) -> Figure:
    panels = []
    for name, label in (
        ("batch_edge_ratio", "batch sharpness × η/2"),
        ("edge_ratio", "sharpness × η/2"),
        ("loss", "loss"),
    ):
        curves = []
        for i, (words, run) in enumerate(runs.items()):
            series = run.isel(process=0)[name]
            series = series.isel(rank=0) if "rank" in series.dims else series
            values = np.asarray(series.values, dtype=np.float64)
            known = np.isfinite(values)
            curves.append(Curve(run["step"].values[known], values[known], words, PALETTE[i]))
        panels.append(
            Panel(x="step", y=label, curves=curves, log="y")
            if name == "loss"
            else Panel(x="step", y=label, curves=curves, levels=[Level(1.0, "critical")], ylim=(0.0, 2.0))
        )
    return plate(panels, title=title, text=text, columns=3)
