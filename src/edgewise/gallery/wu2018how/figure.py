"""The way out of the minimum at 1."""

from matplotlib.figure import Figure

from edgewise.claims import Runs
from edgewise.figures import FAINT, INK, Curve, Level, Panel, plate

_SHOWN = 20


def escape(runs: Runs) -> Figure:
    """Positions along both methods, and the loss of SGD."""
    run = runs["paths"]
    step = run["step"].values
    paths = [
        Curve(step, run["sgd"].values[:, i], "SGD, batches of one" if i == 0 else None, FAINT, "thin")
        for i in range(_SHOWN)
    ]
    losses = [Curve(step, run["sgd_loss"].values[:, i], None, FAINT, "thin") for i in range(_SHOWN)]
    return plate(
        [
            Panel(
                x="step",
                y="x",
                curves=[*paths, Curve(step, run["gd"].values, "gradient descent", INK)],
                levels=[Level(0.0, "minimum, no noise"), Level(1.0, "minimum, noisy")],
                xlim=(0, 300),
            ),
            Panel(x="step", y="loss", curves=losses, xlim=(0, 300)),
        ],
        title="SGD is pickier than gradient descent",
        text="Both minima have curvature 2, below 2/η = 2.86. At 1 the samples disagree (0.2, 3.8): SGD leaves.",
    )
