"""Sharpness under batches of several sizes."""

from matplotlib.figure import Figure

from edgewise.claims import Runs
from edgewise.figures import plate
from edgewise.gallery.cohen2021gradient.figure import panels


def fig29(runs: Runs) -> Figure:
    """A row for every step size."""
    drawn = []
    for kind in dict.fromkeys(name.split(", ")[0] for name in runs):
        chosen = {name.split(", ")[1]: run for name, run in runs.items() if name.startswith(kind)}
        drawn += [panels.sharpness(chosen, title=kind), panels.loss(chosen)]
    return plate(
        drawn,
        title="The smaller the batches, the lower the sharpness",
        text="Sharpness and loss of all samples, under stochastic gradient descent without replacement. With the "
        "largest batch, which is all of them, the sharpness hovers at 2/η (dashed).",
    )
