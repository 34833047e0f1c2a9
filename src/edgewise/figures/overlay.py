"""Many runs over each other: sharpness against its critical curvature, and the loss."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from edgewise.figures.plate import Curve, Level, Panel, plate
from edgewise.figures.style import PALETTE

# Linear where it matters: a panel ends a little above the highest level that it shows.
_HEADROOM = 1.6


def overlay(
    runs: Mapping[str, xr.Dataset],
    *,
    title: str,
    text: str | None = None,
    series: Sequence[str] = ("sharpness", "loss"),
    against: Sequence[Literal["step", "time"]] = ("step",),
    process: str | None = None,
) -> Figure:
    """One panel for each series, with all runs in it, over the steps, the time, or both.

    The critical curvature of every run is drawn beside its sharpness in the run's colour.

    Args:
        runs: records by the name in the legend.
        title: one bold line.
        text: what is to be seen.
        series: what to show; one that a run does not have is left out for it.
        against: "step", "time" (step × η), or both, a row each.
        process: whose readings; None takes the first of each run.
    """
    panels = [_panel(runs, name, axis, process) for axis in against for name in series]
    return plate(panels, title=title, text=text, columns=len(series))


def _panel(runs: Mapping[str, xr.Dataset], name: str, axis: str, process: str | None) -> Panel:
    curves, levels, highest, positive = [], [], 0.0, True
    for i, (label, run) in enumerate(runs.items()):
        one = run.isel(process=0) if process is None else run.sel(process=process)
        if name not in one:
            continue
        values = one[name].isel(rank=0) if "rank" in one[name].dims else one[name]
        known = np.isfinite(values.values)
        color = PALETTE[i % len(PALETTE)]
        x = one[axis].values[known]
        curves.append(Curve(x, values.values[known], label, color))
        positive &= bool((values.values[known] > 0).all())
        if "sharpness" in name and "critical_curvature" in one:
            critical = one["critical_curvature"].values
            finite = critical[np.isfinite(critical)]
            if not finite.size:
                continue
            if np.ptp(finite) == 0:
                levels.append(Level(float(finite[0]), "", color))
            else:
                curves.append(Curve(one[axis].values, critical, None, color, "dashes"))
            highest = max(highest, float(finite.max()))
    return Panel(
        x="step" if axis == "step" else "time (step × η)",
        y=name.replace("_", " "),
        curves=curves,
        levels=levels,
        log="y" if name == "loss" and positive else "",
        ylim=(0.0, _HEADROOM * highest) if highest else None,
    )
