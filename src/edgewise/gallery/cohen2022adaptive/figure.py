"""The sharpness in the method's metric against its threshold, the sharpness itself, and the loss."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from numpy.typing import NDArray

from edgewise.claims import Runs
from edgewise.figures import PALETTE, Curve, Level, Panel, plate

_RATIO = "effective sharpness / threshold"


def adam(runs: Runs) -> Figure:
    """Adam under two step sizes."""
    return _three(
        runs,
        title="Adam hovers at the edge of its own metric, and goes on sharpening",
        text="In the metric of its preconditioner the threshold is (2 + 2β₁)/((1 − β₁)η), 38/η at β₁ = 0.9.",
    )


def momentum(runs: Runs) -> Figure:
    """Adam with more and more momentum."""
    return _three(
        runs,
        title="Every momentum has its own edge",
        text="Thresholds in the metric of the preconditioner: 2/η, 6/η and 38/η at β₁ = 0, 0.5 and 0.9.",
    )


def rmsprop(runs: Runs) -> Figure:
    """RMSProp."""
    return _three(
        runs,
        title="RMSProp hovers at 2/η in its own metric",
        text="The sharpness itself is far from 2/η, and grows.",
    )


def digits(runs: Runs) -> Figure:
    """Both on digits."""
    return _three(
        runs,
        title="On digits the edge is held, and under Adam the sharpness itself falls",
        text="So few digits are soon fitted: gradients shrink, the preconditioner with them, and so the edge.",
    )


def frozen(runs: Runs) -> Figure:
    """Adam, and the same with a frozen preconditioner."""
    return _three(
        runs,
        title="With its preconditioner frozen, Adam crosses its edge and breaks down",
        text="Where the preconditioner adapts it grows with the oscillation: that holds Adam at its threshold.",
    )


def _three(runs: Runs, *, title: str, text: str) -> Figure:
    curves: dict[str, list[Curve]] = {"effective_edge_ratio": [], "sharpness": [], "loss": []}
    for i, (label, run) in enumerate(runs.items()):
        for name, drawn in curves.items():
            drawn.append(Curve(*_known(run, name), label, PALETTE[i % len(PALETTE)]))
    # A run that diverges leaves the picture upwards.
    highest = max(float(np.percentile(np.asarray(curve.y), 95)) for curve in curves["sharpness"])
    return plate(
        [
            Panel(
                x="step", y=_RATIO, curves=curves["effective_edge_ratio"], levels=[Level(1.0, "threshold")],
                ylim=(0.0, 1.6),
            ),
            Panel(x="step", y="sharpness", curves=curves["sharpness"], ylim=(0.0, 1.25 * highest)),
            Panel(x="step", y="loss", curves=curves["loss"], log="y"),
        ],
        title=title, text=text, columns=3,
    )  # fmt: skip


def _known(run: xr.Dataset, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    one = run.isel(process=0)
    series = one[name].isel(rank=0) if "rank" in one[name].dims else one[name]
    values = np.asarray(series.values, dtype=np.float64)
    known = np.isfinite(values)
    return one["step"].values[known], values[known]
