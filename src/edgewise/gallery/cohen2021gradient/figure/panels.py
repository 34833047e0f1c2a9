"""Panels that many exhibits share: sharpness beside its critical curvature, and loss, of many runs."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import xarray as xr

from edgewise.claims import readings
from edgewise.figures import INK, PALETTE, Curve, Level, Panel
from edgewise.foundation import EvidenceError

Axis = Literal["step", "time"]
AXES = {"step": "step", "time": "time (step × η)"}


def sharpness(
    runs: Mapping[str, xr.Dataset],
    axis: Axis = "step",
    *,
    name: str = "sharpness",
    title: str | None = None,
    process: str | None = None,
) -> Panel:
    """The sharpness of every run and, dashed in its colour, its critical curvature."""
    curves, levels, highest = [], [], 0.0
    for i, (label, run) in enumerate(runs.items()):
        color = _color(label, i)
        series = readings(run, name, process)
        curves.append(Curve(series[axis].values, series.values, label, color))
        if "flow" in label:
            continue
        critical = readings(run, "critical_curvature", process)
        highest = max(highest, float(critical.max()))
        if np.ptp(critical.values) == 0:
            levels.append(Level(float(critical.values[0]), "", color))
        else:
            curves.append(Curve(critical[axis].values, critical.values, None, color, "dashes"))
    return Panel(
        x=AXES[axis],
        y=name.replace("_", " "),
        curves=curves,
        levels=levels,
        title=title,
        ylim=(0.0, 1.7 * highest) if highest else None,
    )


def loss(
    runs: Mapping[str, xr.Dataset], axis: Axis = "step", *, title: str | None = None, process: str | None = None
) -> Panel:
    """The loss of every run."""
    curves = []
    for i, (label, run) in enumerate(runs.items()):
        try:
            series = readings(run, "loss", process)
        except EvidenceError:  # it has none
            continue
        curves.append(Curve(series[axis].values, series.values, label, _color(label, i)))
    return Panel(x=AXES[axis], y="training loss", curves=curves, log="y", title=title)


def _color(label: str, place: int) -> str:
    return INK if "flow" in label else PALETTE[place % len(PALETTE)]
