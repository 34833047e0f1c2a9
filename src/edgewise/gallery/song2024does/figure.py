"""Loss after the switch, and the dominant share of the gradient."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from edgewise.claims import Runs
from edgewise.figures import Curve, Level, Panel, plate
from edgewise.gallery.song2024does.recipe import WHOLE


def stochastic(runs: Runs) -> Figure:
    """Small batches."""
    return plate(
        _panels(runs["sgd"]),
        title="SGD does not happen in the dominant subspace",
        text="The top ten modes hold nearly all of the gradient. Shown those alone SGD stops learning; shown "
        "everything else it learns as before.",
    )


def edge(runs: Runs) -> Figure:
    """All data, at the edge."""
    return plate(
        _panels(runs["gd"]),
        title="At the edge the dominant part of the gradient is an oscillation",
        text="It is nearly all of the gradient, is little of the mean of two, and does not lower the loss.",
    )


def _panels(run: xr.Dataset) -> list[Panel]:
    names = [str(name) for name in run["process"].values]
    losses = [Curve(run["step"].values, run["loss"].sel(process=name).values, name) for name in names]
    whole = run.sel(process=WHOLE)
    shares = []
    for series, label in (
        ("dominant_fraction", "gradient"),
        ("mean_dominant_fraction", "mean gradient of two steps"),
    ):
        known = np.isfinite(whole[series].values)
        shares.append(Curve(whole["step"].values[known], whole[series].values[known], label, None, "dots"))
    return [
        Panel(x="step", y="loss", curves=losses, log="y"),
        Panel(
            x="step", y="share in the top ten modes", curves=shares, levels=[Level(1.0, "all of it")],
            ylim=(0.0, 1.15), title="descent by the whole gradient",
        ),
    ]  # fmt: skip
