"""Progressive sharpening, and its trends with width, depth and data."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from edgewise.claims import Runs, readings
from edgewise.figures import INK, PALETTE, Curve, Panel, plate
from edgewise.gallery.cohen2021gradient.figure import panels


def fig3(runs: Runs) -> Figure:
    """Sharpness and loss of both runs, in time."""
    words = {"mse": "squared error", "ce": "cross-entropy"}
    return plate(
        [
            panel
            for loss, title in words.items()
            for panel in (
                panels.sharpness({title: runs[loss]}, "time", title=title),
                panels.loss({title: runs[loss]}, "time"),
            )
        ],
        title="While the loss falls, the sharpness grows",
        text="Gradient descent with a step size so small that 2/η (dashed) is not reached, or gradient flow in "
        "its place, until 99 % of the samples are fitted. With the cross-entropy the sharpness peaks and falls as "
        "the samples become certain.",
    )


def fig14(runs: Runs) -> Figure:
    """Growth against width, and the curves behind it."""
    kinds = {"standard": "standard parameterisation", "ntk": "tangent-kernel parameterisation"}
    drawn = [
        _curves(
            {name.split(", ")[1]: run for name, run in runs.items() if name.startswith(kind)},
            title=title,
            relative=True,
        )
        for kind, title in kinds.items()
    ]
    points = [
        Curve(
            *_points({n: r for n, r in runs.items() if n.startswith(kind)}, relative=True),
            title,
            PALETTE[i],
            "dots",
        )
        for i, (kind, title) in enumerate(kinds.items())
    ]
    drawn.append(Panel(x="width", y="highest sharpness ÷ sharpness at the start", curves=points, log="xy"))
    return plate(
        drawn,
        title="The wider the network, the less it sharpens",
        text="Gradient flow until 99 % of the samples are fitted.",
        columns=3,
    )


def fig17(runs: Runs) -> Figure:
    """Sharpness over time, and its highest value against depth."""
    first = {name.split(", ")[0]: run for name, run in runs.items() if name.endswith("start 0")}
    return _trend(first, runs, "hidden layers", "The deeper the network, the sharper it becomes")


def fig18(runs: Runs) -> Figure:
    """Sharpness over time, and its highest value against the number of samples."""
    return _trend(runs, runs, "samples", "The more samples, the sharper the network becomes")


def _trend(curves: Runs, runs: Runs, quantity: str, title: str) -> Figure:
    points = Curve(*_points(runs, relative=False), None, INK, "dots")
    scale: Literal["xy", "y"] = "xy" if quantity == "samples" else "y"
    return plate(
        [_curves(curves, relative=False), Panel(x=quantity, y="highest sharpness", curves=[points], log=scale)],
        title=title,
        text="Gradient flow until 99 % of the samples are fitted, on the left from one initialisation. A flow has "
        "no critical curvature; gradient descent whose 2/η lies below these curves comes to its edge.",
    )


def _curves(runs: Mapping[str, xr.Dataset], *, relative: bool, title: str | None = None) -> Panel:
    curves = []
    for label, run in runs.items():
        series = readings(run, "sharpness")
        start = float(series.values[0]) if relative else 1.0
        curves.append(Curve(series["time"].values, series.values / start, label))
    y = "sharpness ÷ sharpness at the start" if relative else "sharpness"
    return Panel(x="time", y=y, curves=curves, log="xy", title=title)


def _points(runs: Mapping[str, xr.Dataset], *, relative: bool) -> tuple[list[int], list[float]]:
    """The number in the name of each run, and its highest sharpness."""
    numbers, highest = [], []
    for name, run in runs.items():
        series = readings(run, "sharpness").values
        numbers.append(next(int(word) for word in name.split() if word.isdigit()))
        highest.append(float(np.max(series) / (series[0] if relative else 1.0)))
    return numbers, highest
