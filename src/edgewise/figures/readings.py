"""The figure of a training that was watched: its loss, its edge ratio, and the curvatures that were read of it.

It reads the record that a watch has left and nothing else.
"""

from typing import Literal

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from numpy.typing import NDArray

from edgewise.figures.plate import Curve, Level, Panel, plate
from edgewise.figures.style import FAINT, INK, PALETTE

Points = tuple[NDArray[np.int64], NDArray[np.float64]]

# With the series that each is to be compared with where it is not `critical_curvature`.
_CURVATURES = {
    "effective_sharpness": "effective sharpness",
    "mean_square_sharpness": "mean-square sharpness",
    "batch_sharpness": "batch sharpness",
    "gradient_curvature": "along the gradient",
    "critical_sharpness": "critical sharpness",
}


def readings(dataset: xr.Dataset, *, title: str, verdict: str | None = None) -> Figure:
    """Loss, edge ratio and curvatures over the steps at which they were read; a panel for what there is.

    Args:
        dataset: the dataset of a run with one process, as the run store of a watch fills it.
        title: one line above the figure.
        verdict: a sentence or two below the title.

    Returns:
        A figure that belongs to no window and no global state; hand it to `save`.
    """
    panels = [_loss(dataset)]
    steps, ratios = _read(dataset, "edge_ratio")
    if len(steps):
        curves = [Curve(steps, ratios, color=INK, style="dots")]
        panels.append(Panel(x="step", y="edge ratio", curves=curves, levels=[Level(1, "the edge", FAINT)]))
    curves = _curvatures(dataset)
    if curves:
        panels.append(Panel(x="step", y="curvature", log=_log(curves), curves=curves))
    return plate(panels, title=title, text=verdict, columns=len(panels))


def _loss(dataset: xr.Dataset) -> Panel:
    curves = [Curve(*_read(dataset, "loss"), color=INK)]
    return Panel(x="step", y="training loss", log=_log(curves), curves=curves)


def _curvatures(dataset: xr.Dataset) -> list[Curve]:
    """Every curvature as dots, what it is to be compared with dashed in its colour."""
    curves = []
    for (name, label), color in zip(_CURVATURES.items(), PALETTE, strict=False):
        steps, values = _read(dataset, name)
        if not len(steps):
            continue
        curves.append(Curve(steps, values, label, color, "dots"))
        own = f"{name}_critical_curvature"
        line, critical = _read(dataset, own if own in dataset else "critical_curvature")
        there = np.isin(line, steps)
        if there.any():
            curves.append(Curve(line[there], critical[there], None, color, "dashes"))
    return curves


def _read(dataset: xr.Dataset, name: str) -> Points:
    """The steps at which a series was read, and its values there."""
    if name not in dataset:
        return np.array([], np.int64), np.array([])
    values = dataset[name].isel(process=0).values.astype(np.float64)
    there = np.isfinite(values)
    return dataset["step"].values[there], values[there]


def _log(curves: list[Curve]) -> Literal["", "y"]:
    values = np.concatenate([np.asarray(curve.y, np.float64) for curve in curves])
    wide = values.size > 0 and values.min() > 0 and values.max() > 10 * values.min()
    return "y" if wide else ""
