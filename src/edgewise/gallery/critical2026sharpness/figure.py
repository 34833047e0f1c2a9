"""Three curvatures along descents, and trainings before and after an advice."""

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from edgewise.claims import Runs, only
from edgewise.figures import INK, Curve, Level, Panel, plate

Reals = NDArray[np.float64]


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


def _smooth(loss: Reals) -> Reals:
    kept = np.concatenate([np.full(4, loss[0]), loss])
    return np.where(np.isfinite(loss), np.convolve(kept, np.full(5, 0.2), "valid"), np.nan)
