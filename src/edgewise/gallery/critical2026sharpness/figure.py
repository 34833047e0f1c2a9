"""Three curvatures along descents, and trainings before and after an advice."""

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from edgewise.claims import Runs, only
from edgewise.figures import INK, PALETTE, Curve, Level, Panel, plate

Reals = NDArray[np.float64]

_BAR, _GOOD, _BAD = PALETTE[5], PALETTE[2], PALETTE[1]
_SHOWN, _OPEN, _TICKS = (0.2, 40.0), (0.01, 1000.0), [2.0**k for k in range(-2, 6)]


def directional(runs: Runs) -> Figure:
    """Critical sharpness, curvature along the gradient and sharpness, a panel for each step size."""
    panels = []
    for name, run in runs.items():
        step = run["step"].values
        panels.append(
            Panel(
                x="step",
                y="curvature",
                curves=[
                    Curve(step, run["sharpness"].values, "sharpness", INK),
                    Curve(step, run["curvature"].values, "along the gradient, exactly", None, "dashes"),
                    Curve(step, run["critical_sharpness"].values, "critical sharpness, by forward passes"),
                ],
                levels=[Level(float(run["critical_curvature"]), "2/η")],
                title=name,
                log="y",
            )
        )
    return plate(
        panels,
        title="Critical sharpness is the sharpness at the edge, and far below it elsewhere",
        text="Below the edge the gradient does not lie along the sharpest direction, and the loss comes back so "
        "far away that it is no parabola until there.",
        columns=3,
    )


def watched(runs: Runs) -> Figure:
    """Losses before and after the advice, and the step sizes that belong to them."""
    run = only(runs)
    before = Curve(run["step"].values, _smooth(run["loss_before"].values), "before", INK)
    after = [
        Curve(
            run["further"].values,
            _smooth(run["loss"].sel(branch=name).values),
            f"{name}: η = {float(run['lr'].sel(branch=name)):.2g}",
        )
        for name in run["branch"].values
    ]
    return plate(
        [Panel(x="step", y="loss, mean of five steps", curves=[before, *after], log="y")],
        title="The watch says how large the step size may be",
        text=f"Advised: {float(run['advised']):.2g} ({float(run['low']):.2g} to {float(run['high']):.2g}).",
        columns=1,
    )


def panel(runs: Runs) -> Figure:
    """A row for each training: what was advised, what broke, and what the sharpness alone says."""
    rows = np.arange(len(runs))[::-1]
    trained, broke, bars, alone = _points(), _points(), _points(), _points()
    for row, run in zip(rows, runs.values(), strict=True):
        advised = float(run["advised"])
        for (x, y), at in ((trained, run["broke"] == 0), (broke, run["broke"] == 1)):
            x += list(run["multiple"].values[at.values])
            y += [row] * int(at.sum())
        # What is not a number parts the bars; one that is open goes out of sight.
        ends = np.clip([float(run["low"]) / advised, float(run["high"]) / advised], *_OPEN)
        bars[0].extend([*ends, np.nan])
        bars[1].extend([row, row, np.nan])
        alone[0].append(float(run["by_sharpness"]) / advised)
        alone[1].append(row)
    figure = plate(
        [
            Panel(
                x="step size ÷ the advised largest one",
                y="",
                curves=[
                    Curve([1, 1], [-0.7, len(runs) - 0.3], "advised", INK, "dashes"),
                    Curve(*bars, "advised: from low to high", _BAR),
                    Curve(*trained, "goes on training", _GOOD, "dots"),
                    Curve(*broke, "breaks: a spike, or not finite", _BAD, "dots"),
                    Curve(*alone, "advised by sharpness alone", INK, "dots"),
                ],
                log="x",
                xlim=_SHOWN,
            )
        ],
        title="The advised largest step size, tried",
        text="From one state on, ever larger step sizes, until two in a row break it.",
    )
    axes = figure.axes[0]
    axes.set_yticks(rows, list(runs))
    axes.set_xticks(_TICKS, [f"{tick:g}" for tick in _TICKS])
    axes.set_xticks([], minor=True)
    _, bar, good, bad, mark = axes.lines
    bar.set(linewidth=9, alpha=0.45, solid_capstyle="butt")
    good.set(markersize=5)
    bad.set(marker="X", markersize=7)
    mark.set(marker="D", markersize=7, markerfacecolor="none", markeredgewidth=1.3)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, labelcolor=INK)
    figure.set_size_inches(10.5, 5.0)
    return figure


def _points() -> tuple[list[float], list[float]]:
    return [], []


def _smooth(loss: Reals) -> Reals:
    kept = np.concatenate([np.full(4, loss[0]), loss])
    return np.where(np.isfinite(loss), np.convolve(kept, np.full(5, 0.2), "valid"), np.nan)
