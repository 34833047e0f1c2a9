"""Methods beside their flows, and two modes at the edge."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from numpy.typing import NDArray

from edgewise.claims import Runs
from edgewise.figures import FAINT, INK, PALETTE, Curve, Level, Panel, plate

Reals = NDArray[np.float64]

_METHOD, _CENTRAL, _STABLE = FAINT, PALETTE[0], PALETTE[1]
# Oscillations of period two, and the longer cycles of the edge, are averaged over this many steps.
_WINDOW = 50
# What the edge does not hold is soon above this edge ratio; a flow that is there all the time is not drawn.
_HIGH = 2.0


def gradient_descent(runs: Runs) -> Figure:
    """Gradient descent beside its flows."""
    return _flows(runs, "gradient descent", "gradient flow")


def scalar_rmsprop(runs: Runs) -> Figure:
    """Scalar RMSProp beside its flows."""
    return _flows(runs, "scalar RMSProp", "stable flow")


def rmsprop(runs: Runs) -> Figure:
    """RMSProp beside its flows."""
    return _flows(runs, "RMSProp", "stable flow")


def two_modes(runs: Runs) -> Figure:
    """The path, and the mean squares against their predictions."""
    run = runs["toy"]
    modes = ("mode 1", "mode 2")
    predicted = np.diag(run["predicted"].values)
    step = run["step"].values if "step" in run.coords else np.arange(run.sizes["step"])
    return plate(
        [
            Panel(
                x="step",
                y="x",
                curves=[Curve(step, run["x"].values[:, i], modes[i], PALETTE[i], "thin") for i in (0, 1)],
                levels=[Level(0.0, "critical modes at rest")],
            ),
            Panel(
                x="steps averaged",
                y="time mean of x²",
                curves=[
                    Curve(run["averaged"].values, run["running"].values[:, i], modes[i], PALETTE[i])
                    for i in (0, 1)
                ],
                levels=[Level(float(predicted[i]), f"predicted, {modes[i]}", PALETTE[i]) for i in (0, 1)],
                log="x",
                ylim=(0.0, 2.5 * float(predicted.max())),
            ),
        ],
        title="Two coupled modes oscillate as strongly as complementarity says",
        text="Each oscillation drives back the other mode too: neither is as strong as would hold it by itself.",
    )


def _flows(runs: Runs, method: str, stable: str) -> Figure:
    run = runs["flows"]
    near, far = (_known(run, process, "distance") for process in ("central", "stable"))
    ratio = "effective_edge_ratio"
    ratios = (
        Curve(*_known(run, "midpoint", ratio), f"{method}, midpoints", _METHOD),
        Curve(*_known(run, "stable", ratio), stable, _STABLE),
        Curve(*_known(run, "central", ratio), "central flow", _CENTRAL, "dashes"),
    )
    losses = _known(run, "method", "loss")
    swing = [
        Curve(*_squares(run, mode), f"measured, mode {mode + 1}", PALETTE[mode]) for mode in range(_modes(run))
    ] + [
        Curve(*_predicted(run, mode), f"predicted, mode {mode + 1}", PALETTE[mode], "dashes")
        for mode in range(_modes(run))
    ]
    return plate(
        [
            Panel(
                x="step", y="edge ratio",
                curves=[curve for curve in ratios if np.any(np.asarray(curve.y) < _HIGH)],
                levels=[Level(1.0, "critical")], ylim=(0.0, _HIGH),
            ),
            Panel(
                x="step", y="loss", log="y",
                curves=[
                    Curve(*losses, method, _METHOD, "thin"),
                    Curve(*_known(run, "stable", "loss"), stable, _STABLE),
                    Curve(*_known(run, "central", "predicted_loss"), "central flow", _CENTRAL, "dashes"),
                    Curve(*_smooth(*losses), f"{method}, mean of {_WINDOW}", INK),
                ],
            ),
            Panel(
                x="step", y="distance from the midpoints",
                curves=[Curve(*far, stable, _STABLE), Curve(*near, "central flow", _CENTRAL, "dashes")],
            ),
            Panel(x="step", y="squared displacement", curves=swing, log="y", ylim=(1e-6, 1.0)),
        ],
        title=f"The central flow goes where {method} goes on average",
        text=(
            f"Past the edge the {stable} parts from the method. The central flow stays, and predicts the loss "
            "and the oscillation."
        ),
    )  # fmt: skip


def _modes(run: xr.Dataset) -> int:
    flow = run.sel(process="central")
    seen = np.isfinite(flow["mode_displacement"].values).sum(0)
    return int((seen > _WINDOW).sum())


def _squares(run: xr.Dataset, mode: int) -> tuple[Reals, Reals]:
    flow = run.sel(process="central")
    values = flow["mode_displacement"].values[:, mode] ** 2
    known = np.isfinite(values)
    return _smooth(flow["step"].values[known], values[known])


def _predicted(run: xr.Dataset, mode: int) -> tuple[Reals, Reals]:
    flow = run.sel(process="central")
    values = flow["predicted_variance"].values[:, mode]
    known = np.isfinite(values)
    return flow["step"].values[known], values[known]


def _known(run: xr.Dataset, process: str, name: str) -> tuple[Reals, Reals]:
    series = run.sel(process=process)[name]
    series = series.isel(rank=0) if "rank" in series.dims else series
    values = np.asarray(series.values, dtype=np.float64)
    known = np.isfinite(values)
    return run["step"].values[known], values[known]


def _smooth(x: Reals, y: Reals) -> tuple[Reals, Reals]:
    window = min(_WINDOW, len(y))
    mean = np.convolve(y, np.ones(window) / window, mode="valid")
    return x[window // 2 : window // 2 + mean.size], mean
