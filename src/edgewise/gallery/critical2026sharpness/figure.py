"""Three curvatures along descents."""

from matplotlib.figure import Figure

from edgewise.claims import Runs
from edgewise.figures import INK, Curve, Level, Panel, plate


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
        text="Below the edge the gradient does not lie along the sharpest direction, and the loss comes back so far "
        "away that it is no parabola until there.",
        columns=3,
    )
