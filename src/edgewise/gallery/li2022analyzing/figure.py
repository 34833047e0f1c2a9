"""Sharpness and output norm along the steps, and one against the other."""

from matplotlib.figure import Figure

from edgewise.claims import Runs
from edgewise.figures import PALETTE, Curve, Level, Panel, plate


def proxy(runs: Runs) -> Figure:
    """A row for each network."""
    panels = []
    for name, run in runs.items():
        step, sharpness, norm = (run[key].values for key in ("step", "sharpness", "output_norm"))
        critical = float(run["critical_curvature"])
        panels += [
            Panel(
                x="step", y="sharpness", title=f"{name} network", levels=[Level(critical, "2/η")],
                curves=[Curve(step, sharpness, None, PALETTE[0])], ylim=(0.0, 1.6 * critical),
            ),
            Panel(x="step", y="‖output weights‖²", curves=[Curve(step, norm, None, PALETTE[1])]),
            Panel(
                x="‖output weights‖²", y="sharpness", levels=[Level(critical, "2/η")],
                curves=[Curve(norm, sharpness, None, PALETTE[2], "dots")], ylim=(0.0, 1.6 * critical),
            ),
        ]  # fmt: skip
    return plate(
        panels,
        title="The norm of the output layer moves with the sharpness",
        text=(
            "In the linear network it stands for the sharpness. In that of tanh it mostly moves with it step by "
            "step, but grows on where the sharpness is held."
        ),
        columns=3,
    )
