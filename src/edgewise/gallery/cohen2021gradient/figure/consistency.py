"""Every kind of network in a panel of its own, and batch normalisation."""

from matplotlib.figure import Figure

from edgewise.claims import Runs, readings
from edgewise.figures import PALETTE, Curve, Level, Panel, plate
from edgewise.gallery.cohen2021gradient.figure import panels


def consistency(runs: Runs) -> Figure:
    """Sharpness of each, with its critical curvature."""
    drawn = []
    for name, run in runs.items():
        critical = float(readings(run, "critical_curvature").values[0])
        series = readings(run, "sharpness")
        drawn.append(
            Panel(
                x="step",
                y="sharpness",
                curves=[Curve(series["step"].values, series.values, None, PALETTE[0])],
                levels=[Level(critical, "2/η")],
                ylim=(0.0, max(1.7 * critical, 1.05 * float(series.max()))),
                title=name,
            )
        )
    return plate(
        drawn,
        title="Networks of every kind come to 2/η and stay there",
        text="Gradient descent from the initial parameters until the edge has been held for a while.",
    )


def fig90(runs: Runs) -> Figure:
    """Sharpness at iterates and along the steps, and the accuracy."""
    named = {
        "sharpness": "at the iterates",
        "sharpness_along_step": "largest along the step",
        "effective_smoothness": "the gradient along the step",
    }
    drawn = [panels.sharpness(runs, name=name, title=words) for name, words in named.items()]
    accuracy = [
        Curve(run["step"].values, run["accuracy"].values[0], name, PALETTE[i])
        for i, (name, run) in enumerate(runs.items())
    ]
    drawn += [panels.loss(runs), Panel(x="step", y="training accuracy", curves=accuracy)]
    return plate(
        drawn,
        title="With batch normalisation it is the effective smoothness along the step that sits at 2/η",
        columns=3,
        text="Read at nine places on the segment from one iterate to the next, of which the largest is shown; the "
        "effective smoothness is the change of the gradient per way. Dashed: 2/η.",
    )
