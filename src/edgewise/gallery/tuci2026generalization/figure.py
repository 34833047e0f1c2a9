"""Expansion rates, and the dimension against the generalisation gap."""

import numpy as np
from matplotlib.figure import Figure

from edgewise.claims import Runs
from edgewise.figures import INK, Curve, Level, Panel, plate


def grid(runs: Runs) -> Figure:
    """Sums of rates; and one point a run."""
    sums = [
        Curve(np.arange(1, run.sizes["index"] + 1), np.cumsum(run["rate"].values), name)
        for name, run in runs.items()
    ]
    points = [
        Curve([float(run["dimension"])], [float(run["test_loss"] - run["training_loss"])], name, None, "dots")
        for name, run in runs.items()
    ]
    first = next(iter(runs.values()))
    exact = [float(run["dimension"]) for run in runs.values()]
    read = [float(run["quadrature_dimension"]) for run in runs.values()]
    line = [min(exact), max(exact)]
    return plate(
        [
            Panel(x="number of directions", y="λ₁ + … + λₖ", curves=sums, levels=[Level(0.0, "balance")]),
            Panel(x="sharpness dimension", y="test loss − training loss", curves=points),
            Panel(
                x="sharpness dimension, whole spectrum",
                y="by quadrature",
                curves=[Curve(line, line, "equal", INK, "dashes"), Curve(exact, read, "runs", None, "dots")],
            ),
        ],
        title="The sharpness dimension of where SGD ends up",
        text=f"The sums cross zero at the dimension. {first.sizes['index']} parameters.",
        columns=3,
    )
