"""Loss, edge ratio and the weight across the margin."""

import numpy as np
from matplotlib.figure import Figure

from edgewise.claims import Runs
from edgewise.figures import FAINT, INK, PALETTE, Curve, Level, Panel, plate
from edgewise.gallery.wu2023implicit.recipe import MARGIN


def theorem1(runs: Runs) -> Figure:
    """The logistic loss over the time with its rate, the edge ratio, and both weights."""
    run, wild = runs["logistic"], runs["exponential"]
    step = run["step"].values[1:]
    # A curve over logarithmic steps needs no more readings than it has pixels.
    shown = np.unique(np.geomspace(1, step[-1], 400).astype(int))
    sizes = [(float(eta), PALETTE[i]) for i, eta in enumerate(run["step_size"].values)]
    time = np.geomspace(1e3, sizes[-1][0] * step[-1], 50)
    exploding = wild["loss"].sel(step_size=sizes[-1][0])
    known = np.isfinite(exploding.values) & (exploding.values < 1e12)
    return plate(
        [
            Panel(
                x="time (step × η)",
                y="loss",
                curves=[
                    *(
                        Curve(eta * shown, run["loss"].sel(step_size=eta).values[shown], f"η = {eta:g}", color)
                        for eta, color in sizes
                    ),
                    Curve(time, 1 / (MARGIN**2 * time), "1/(γ²ηt)", INK, "dashes"),
                    Curve(
                        sizes[-1][0] * wild["step"].values[known][1:],
                        exploding.values[known][1:],
                        f"exponential loss, η = {sizes[-1][0]:g}",
                        FAINT,
                        "dots",
                    ),
                ],
                log="xy",
            ),
            Panel(
                x="step",
                y="edge ratio ηS/2",
                curves=[
                    Curve(
                        shown, eta * run["sharpness"].sel(step_size=eta).values[shown] / 2, f"η = {eta:g}", color
                    )
                    for eta, color in sizes
                ],
                levels=[Level(1.0, "2/η")],
                log="xy",
                ylim=(1e-5, 20),
            ),
            Panel(
                x="step",
                y="weight across the margin",
                curves=[
                    Curve(shown, run["w"].sel(step_size=eta).values[shown, 1], f"η = {eta:g}", color)
                    for eta, color in sizes
                ],
                levels=[Level(float(np.log(0.9 / 0.5) / 1.4), "balance of the samples")],
                log="x",
                xlim=(1, 1000),
            ),
        ],
        title="Logistic regression passes through the edge of stability and converges all the same",
        text="At large step sizes the loss rises for a while, with the sharpness above 2/η. Then every step size"
        " follows one law, and the weight across the margin settles. The exponential loss blows up.",
        columns=3,
    )
