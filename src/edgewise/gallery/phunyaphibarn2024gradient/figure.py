"""Sharpness and oscillation along the way, and where it ends, with and without momentum."""

import numpy as np
from matplotlib.figure import Figure

from edgewise.claims import Runs
from edgewise.figures import INK, PALETTE, Curve, Level, Panel, plate

_SHARE = 1.3
_WAY = 1500


def toy(runs: Runs) -> Figure:
    """One start along the way, and the medians over starts of where it ends."""
    first = next(iter(runs.values()))
    eta, step = float(first.attrs["step_size"]), first["step"].values
    way, product, ends, peaks = [], [], [], []
    for i, (name, run) in enumerate(runs.items()):
        color, share = PALETTE[i], run["share"].values
        way.append(Curve(step, run["path"].sel(share=_SHARE).values, name, color))
        product.append(Curve(step, np.abs(run["product"].sel(share=_SHARE).values), None, color))
        ends.append(Curve(share, run["sharpness"].median("x0").values * eta / 2, None, color))
        peaks.append(Curve(share, run["peak"].median("x0").values, None, color))
    start = "y₀² ÷ (2/η)"
    return plate(
        [
            Panel(x="step", y="x² + y²", curves=way, levels=[Level(2 / eta, "critical curvature of all: 2/η")]),
            Panel(x="step", y="|xy|", curves=product, log="y", ylim=(1e-6, 10), xlim=(0, 200)),
            Panel(
                x=start,
                y="final sharpness ÷ (2/η)",
                curves=ends,
                levels=[Level(1.0, "critical curvature")],
                ylim=(0, 1.2),
            ),
            Panel(x=start, y="largest |xy|", curves=peaks, log="y"),
        ],
        title="At the same critical curvature, momentum catapults higher and ends flatter",
        text=f"Heavy ball on log cosh(xy) with the step size (1 + β) η, η = {eta:g}. Above: one start.",
    )


def diagonal(runs: Runs) -> Figure:
    """One data set along the way, and the ends of all."""
    way, losses, ends, medians = [], [], [], []
    for i, (name, run) in enumerate(runs.items()):
        color, step = PALETTE[i], run["reading"].values
        way.append(Curve(step, run["path"].values, name, color))
        losses.append(Curve(step, np.maximum(run["path_loss"].values, 1e-18), None, color))
        values = run["edge_ratio"].isel(multiple=0).values
        ends.append(Curve(np.arange(1, len(values) + 1), values, None, color, "dots"))
        medians.append(Curve(run["multiple"].values, run["edge_ratio"].median("data").values, None, color))
    first = next(iter(runs.values()))
    way.append(Curve(first["reading"].values, first["path_edge"].values, "critical curvature 2/η", INK, "dashes"))
    critical, ratio = [Level(1.0, "critical curvature")], "final sharpness ÷ (2/η)"
    return plate(
        [
            Panel(x="step", y="sharpness", curves=way, xlim=(0, _WAY), title="one data set"),
            Panel(x="step", y="loss", curves=losses, log="y", xlim=(0, _WAY), ylim=(1e-16, 10), title="the same"),
            Panel(x="data set", y=ratio, curves=ends, levels=critical, ylim=(0.6, 1.2)),
            Panel(
                x="η after the warm-up ÷ edge of the minimum",
                y=ratio,
                curves=medians,
                levels=critical,
                ylim=(0.8, 1.1),
            ),
        ],
        title="Taken over the edge, momentum falls below it, and gradient descent stays",
        text="Linear diagonal networks u² − v² on sparse regression, from next to the same minimum. In all panels "
        "but the last η rises to 1.02 times its edge.",
    )
