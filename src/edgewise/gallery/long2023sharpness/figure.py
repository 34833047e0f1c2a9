"""The edge of a mode, where quadratics end, and networks beside their edges."""

import numpy as np
from matplotlib.figure import Figure

from edgewise.claims import Runs
from edgewise.figures import FAINT, PALETTE, Curve, Level, Panel, plate


def quadratic(runs: Runs) -> Figure:
    """Growth of modes beside the edge; edge ratios in the final oscillation."""
    run, end = runs["modes"], runs["descents"]
    share = run["of_plain"].values
    return plate(
        [
            Panel(
                x="edge of SAM ÷ (2/η)",
                y="|x'| ÷ |x| of a mode",
                curves=[
                    Curve(share, run["growth"].sel(share=at).values, f"λ = {at:g} × edge", style="dots")
                    for at in run["share"].values
                ],
                levels=[Level(1.0, "neutral")],
                log="x",
            ),
            Panel(
                x="sharpness ÷ (2/η)",
                y="sharpness ÷ edge, at the end",
                curves=[
                    Curve(end["plain"].values, end["edge_ratio"].values, "edge of SAM", style="dots"),
                    Curve(end["plain"].values, end["plain"].values, "edge of gradient descent", FAINT, "dots"),
                ],
                levels=[Level(1.0, "at the edge")],
                ylim=(0, 1.6),
            ),
        ],
        title="On a quadratic SAM oscillates where its edge meets the sharpness",
        text="Left: at the edge a mode keeps its size, whatever step size, radius and gradient norm. Right:"
        " descents on quadratics end with the gradient norm that puts the edge at their sharpness.",
    )


def network(runs: Runs) -> Figure:
    """Sharpness with its edge, their ratio, and the loss."""
    sharp, ratios, losses = [], [], []
    for i, (name, run) in enumerate(runs.items()):
        one, color = run.isel(process=0), PALETTE[i]
        known = np.isfinite(one["sharpness"].isel(rank=0).values)
        step, sharpness = one["step"].values[known], one["sharpness"].isel(rank=0).values[known]
        critical = one["critical_curvature"].values[known]
        sharp += [Curve(step, sharpness, name, color), Curve(step, critical, None, color, "dashes")]
        ratios.append(Curve(step, sharpness / critical, name, color))
        losses.append(Curve(one["step"].values, one["loss"].values, name, color))
    plain = float(runs["GD"]["critical_curvature"].isel(process=0, step=0))
    return plate(
        [
            Panel(
                x="step",
                y="sharpness",
                curves=sharp,
                levels=[Level(plain, "2/η")],
                ylim=(0, 1.45 * plain),
            ),
            Panel(
                x="step",
                y="sharpness ÷ edge of the method",
                curves=ratios,
                levels=[Level(1.0, "1")],
                ylim=(0, 1.8),
            ),
            Panel(x="step", y="loss", curves=losses, log="y"),
        ],
        title="SAM has an edge of stability of its own, and it sinks",
        text="Sharpness (lines) and the edge of each method (dashes): 2/η for gradient descent, and for SAM the"
        " lower, the smaller the gradient.",
        columns=3,
    )
