"""Trajectories in the (p, q) plane, and the bifurcation diagrams of the fast map."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from edgewise.claims import Runs
from edgewise.figures import FAINT, INK, PALETTE, Curve, Level, Panel, plate
from edgewise.gallery.song2023trajectory.recipe import log_cosh_ratio

_EDGE = Level(1.0, "edge: q = 1")


def alignment(runs: Runs) -> Figure:
    """|p| and q of every start over each other, and their distance from the curve."""
    run = runs[next(iter(runs))]
    p, eta = np.linspace(1e-3, 2.6, 200), float(run.attrs["step_size"])
    names = [f"y₀² = {start:g} × 2/η" for start in run["start"].values]
    planes = [
        Curve(np.abs(run["p"].values[:, i]), run["q"].values[:, i], None, PALETTE[i], "dots")
        for i in range(len(names))
    ]
    far = [
        Curve(run["step"].values, np.abs(run["aligned"].values[:, i] - 1), name, PALETTE[i])
        for i, name in enumerate(names)
    ]
    return plate(
        [
            Panel(
                x="|p| = |xy|",
                y="q = 2/(η (x² + y²))",
                curves=[*planes, Curve(p, log_cosh_ratio(p), "r(p) = tanh(p)/p", INK, "dashes")],
                levels=[_EDGE],
                xlim=(0, 2.6),
                ylim=(0.3, 1.5),
            ),
            Panel(
                x="step",
                y="|q ÷ r(p) − 1|",
                curves=far,
                levels=[Level(0.02, "tolerance 0.02", FAINT)],
                log="y",
                xlim=(0, 200),
                ylim=(1e-4, 1e2),
            ),
        ],
        title="Beyond the edge every trajectory comes to the same curve, and to the same end",
        text=f"Gradient descent on log cosh(xy), η = {eta:g}. A start below the edge stays where it is.",
    )


def fast_map(runs: Runs) -> Figure:
    """The last iterates over q, for both losses."""
    return plate(
        [_bifurcation(name, run) for name, run in runs.items()],
        title="The fast map has one cycle of two as long as l is convex",
        text="p' = (1 − 2r(p)/q) p at a frozen q. Where p r'/r passes −1 the branch splits.",
    )


def _bifurcation(name: str, run: xr.Dataset) -> Panel:
    last = run["p"].values
    q = np.broadcast_to(run["q"].values, last.shape)
    return Panel(
        x="q",
        y="p",
        curves=[
            Curve(q.ravel(), last.ravel(), "last iterates", PALETTE[0], "dots"),
            Curve(run["q"].values, run["cycle"].values, "±p with r(p) = q", INK, "dashes"),
            Curve(run["q"].values, -run["cycle"].values, None, INK, "dashes"),
        ],
        title=f"l = {name}",
    )
