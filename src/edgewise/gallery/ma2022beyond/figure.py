"""How the loss grows from a point at the edge, and with which power."""

import numpy as np
from matplotlib.figure import Figure

from edgewise.claims import Runs
from edgewise.figures import INK, PALETTE, Curve, Level, Panel, plate


def growth(runs: Runs) -> Figure:
    """A row for each problem: growth and its local power."""
    panels = []
    for name, run in runs.items():
        reach, growths = run["reach"].values, run["growth"].values
        s = reach * float(run["delta"])
        parabola = 0.5 * float(run["curvature"][0]) * s**2
        top = "curvature {:.3g}, 2/η = {:.3g}".format(float(run["curvature"][0]), float(run["critical_curvature"]))
        powers = [np.gradient(np.log(np.maximum(g, 1e-300)), np.log(reach)) for g in growths]
        panels += [
            Panel(
                x="distance / δ", y="growth of the loss", log="xy", title=f"{name}: {top}",
                curves=[
                    Curve(reach, parabola, "parabola of the top curvature", INK, "dashes"),
                    *(
                        Curve(reach, np.where(g > 0, g, np.nan), f"eigenvector {i + 1}", PALETTE[i])
                        for i, g in enumerate(growths)
                    ),
                ],
            ),
            Panel(
                x="distance / δ", y="local power p", log="x", title=name,
                curves=[Curve(reach, p, f"eigenvector {i + 1}", PALETTE[i]) for i, p in enumerate(powers)],
                levels=[Level(2.0, "parabola")], ylim=(0.0, 3.0),
            ),
        ]  # fmt: skip
    return plate(
        panels,
        title="Far out the loss grows more slowly than a parabola",
        text=(
            "Growth to either side of the midpoint at the edge, along the top eigenvectors; δ is how far gradient "
            "descent oscillates there. Where it oscillates the loss is a parabola."
        ),
    )
