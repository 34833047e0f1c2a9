"""A cut of the step size, the distance from gradient flow, and the integration of that flow."""

from matplotlib.figure import Figure

from edgewise.claims import Runs, readings
from edgewise.figures import INK, PALETTE, Curve, Level, Panel, plate
from edgewise.gallery.cohen2021gradient.figure import panels

_FLOW = "gradient flow"


def fig7(runs: Runs) -> Figure:
    """Sharpness and loss across the cut."""
    named = {"gradient descent": runs["cut"]}
    return plate(
        [panels.sharpness(named), panels.loss(named)],
        title="When the step size is cut, the sharpness rises to the new 2/η",
        text="At the edge it was still trying to grow: as soon as 2/η (dashed) is lifted, it does.",
    )


def flow_distance(runs: Runs) -> Figure:
    """The sharpness of both processes, and the distance between them."""
    drawn = []
    for name, title in (("tanh", "tanh"), ("relu", "ReLU")):
        run = runs[name]
        critical = float(readings(run, "critical_curvature", "gd").values[0])
        flow, gd = readings(run, "sharpness", _FLOW), readings(run, "sharpness", "gd")
        distance, way = readings(run, "distance", _FLOW), readings(run, "distance_from_start", _FLOW)
        drawn += [
            Panel(
                x="time (step × η)",
                y="sharpness",
                curves=[
                    Curve(gd["time"].values, gd.values, "gradient descent", PALETTE[0]),
                    Curve(flow["time"].values, flow.values, "gradient flow", INK),
                ],
                levels=[Level(critical, "2/η")],
                title=title,
            ),
            Panel(
                x="time (step × η)",
                y="distance between parameters",
                curves=[
                    Curve(distance["time"].values, distance.values, "from gradient descent to flow", PALETTE[0]),
                    Curve(way["time"].values[1:], way.values[1:], "from the start to the flow", INK, "dashes"),
                ],
                log="y",
            ),
        ]
    return plate(
        drawn,
        title="Gradient descent follows gradient flow until its sharpness reaches 2/η",
        text="Then the flow goes on into sharper regions, where gradient descent cannot stay.",
    )


def rk4(runs: Runs) -> Figure:
    """The sharpness along the flow, and how far the other integrations are from the first."""
    run = runs["flows"]
    apart, curves = [], []
    for i, name in enumerate(str(one) for one in run["process"].values):
        series = readings(run, "sharpness", name)
        curves.append(
            Curve(series["time"].values, series.values, name, PALETTE[i], "line" if i == 0 else "dashes")
        )
        if i > 0:
            distance = readings(run, "relative_distance", name)
            known = distance.values > 0
            apart.append(Curve(distance["time"].values[known], distance.values[known], name, PALETTE[i]))
    return plate(
        [
            Panel(x="time", y="sharpness", curves=curves),
            Panel(
                x="time",
                y="distance ÷ way from the start",
                curves=apart,
                levels=[Level(1e-4, "what is allowed for half the step")],
                log="y",
            ),
        ],
        title="Integrators of two kinds agree on where gradient flow leads",
        text="Distances are from the Runge-Kutta method with steps of half the inverse sharpness.",
    )
