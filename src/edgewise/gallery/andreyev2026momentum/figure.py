"""Where a mode loses stability by batch size, and what batch sharpness does in a network."""

import numpy as np
from matplotlib.figure import Figure

from edgewise.claims import Runs
from edgewise.figures import PALETTE, Curve, Level, Panel, plate
from edgewise.gallery.andreyev2026momentum.recipe import LARGE, MOMENTA


def mode(runs: Runs) -> Figure:
    """η × batch sharpness over the batch size."""
    run = runs["mode"]
    size = run["size"].values
    curves, levels = [], []
    for i, beta in enumerate(run["beta"].values):
        color = PALETTE[i]
        curves.append(Curve(size, run["batch_sharpness"].values[i], f"β = {beta:g}", color))
        levels += [Level(2 * (1 - beta), "", color), Level(2 * (1 + beta), "", color)]
    return plate(
        [
            Panel(
                x="samples a batch", y="η × batch sharpness at the edge", curves=curves, levels=levels, log="xy",
                ylim=(0.1, 10.0),
            )
        ],
        title="Momentum has two edges",
        text="One sample in a hundred has the feature. Levels: 2(1 − β) for small batches, 2(1 + β) for large.",
    )  # fmt: skip


def network(runs: Runs) -> Figure:
    """Batch sharpness and sharpness of both runs."""
    panels = []
    for name, record in runs.items():
        run = record.isel(process=0)
        known = np.isfinite(run["batch_sharpness"].values)
        step = run["step"].values[known]
        beta = MOMENTA[name]
        upper = float(np.nanmax(run["critical_curvature"].values))
        lower = upper * (1 - beta) / (1 + beta)
        shown = upper if name == LARGE else lower
        panels.append(
            Panel(
                x="step",
                y="curvature",
                curves=[
                    Curve(step, run["batch_sharpness"].values[known], "batch sharpness"),
                    Curve(step, run["sharpness"].isel(rank=0).values[known], "sharpness"),
                ],
                levels=[Level(shown, "2(1 + β)/η" if name == LARGE else "2(1 − β)/η")],
                ylim=(0.0, 1.8 * shown),
                title=name,
            )
        )
    return plate(
        panels,
        title="In small batches momentum is held at its lower edge",
        text="Batch sharpness settles at 2(1 − β)/η in batches of one and at 2(1 + β)/η with all data.",
        columns=3,
    )
