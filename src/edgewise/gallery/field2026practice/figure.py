"""Losses of the race, and sharpness and test loss by step size."""

import numpy as np
from matplotlib.figure import Figure

from edgewise.claims import Runs
from edgewise.figures import INK, Curve, Level, Panel, plate
from edgewise.gallery.field2026practice.recipe import EDGE, TARGET


def speed(runs: Runs) -> Figure:
    """Loss and step size of every process."""
    run = runs["race"]
    names = [str(name) for name in run["process"].values]
    losses, critical = [], []
    for name in names:
        one = run.sel(process=name)
        color = INK if name == EDGE else None
        losses.append(Curve(one["step"].values, np.minimum.accumulate(one["loss"].values), name, color))
        critical.append(Curve(one["step"].values, one["critical_curvature"].values, None, color))
    return plate(
        [
            Panel(x="step", y="least loss so far", curves=losses, log="y"),
            Panel(x="step", y="critical curvature 2/η", curves=critical),
        ],
        title="A step size held at the edge against constant ones",
        text="At the edge η is two over the sharpness. The best constant one lets the sharpness come down to it.",
    )


def flatness(runs: Runs) -> Figure:
    """Training, and what it ends at."""
    losses = [Curve(run["step"].values, run["loss"].values, name) for name, run in runs.items()]
    eta = np.array([float(run["step_size"]) for run in runs.values()])
    fine = np.linspace(eta.min(), eta.max(), 100)
    sharpness, test = ([float(run[name]) for run in runs.values()] for name in ("sharpness", "test_loss"))
    return plate(
        [
            Panel(x="step", y="training loss", curves=losses, levels=[Level(TARGET, "stopped")], log="xy"),
            Panel(
                x="step size η", y="sharpness where stopped",
                curves=[
                    Curve(fine, 2 / fine, "2/η", INK, "dashes"), Curve(eta, sharpness, "measured", None, "dots"),
                ],
                ylim=(0.0, 2.0 * max(sharpness)),
            ),
            Panel(x="step size η", y="test loss there", curves=[Curve(eta, test, None, None, "dots")]),
        ],
        title="A larger step size ends flatter, once its edge is reached",
        text="Constant step sizes, each until the training loss is the same.",
        columns=3,
    )  # fmt: skip
