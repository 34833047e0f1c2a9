"""Momentum's modes over their curvature, and Adam's signatures along two runs."""

import numpy as np
from matplotlib.figure import Figure

from edgewise.claims import Runs
from edgewise.figures import PALETTE, Curve, Level, Panel, plate
from edgewise.gallery.ghosh2026nonnormal.recipe import STEP_SIZES

_HIGHEST = 1e5


def momentum(runs: Runs) -> Figure:
    """ρ; and κ, K and growth."""
    run = runs["mode"]
    x = run["mode"].values
    named = (("eigenvector_condition", "κ(V)"), ("kreiss_constant", "Kreiss constant"), ("growth", "growth"))
    curves = []
    for name, label in named:
        values = run[name].values
        curves.append(Curve(x, np.where(np.isfinite(values), np.minimum(values, _HIGHEST), np.nan), label))
    return plate(
        [
            Panel(
                x="η × curvature", y="spectral radius", curves=[Curve(x, run["spectral_radius"].values)],
                levels=[Level(1.0, "stable below")], log="x",
            ),
            Panel(x="η × curvature", y="factor", curves=curves, levels=[Level(1.0, "normal")], log="xy"),
        ],
        title="Under momentum a stable mode grows before it decays",
        text="β = 0.9. κ(V) is infinite where two roots meet (drawn up to 10⁵); the growth is not.",
    )  # fmt: skip


def adam(runs: Runs) -> Figure:
    """ρ and κ(V) of both runs."""
    panels = []
    for series, label, level, highest in (
        ("spectral_radius", "spectral radius of I − ηP⁻¹H", Level(1.0, "stable below"), 3.5),
        ("eigenvector_condition", "κ(V)", Level(1.0, "normal"), 12.0),
    ):
        curves = [
            Curve(runs[name]["step"].values, runs[name][series].values, f"{name}, η = {eta:g}", PALETTE[i])
            for i, (name, eta) in enumerate(STEP_SIZES.items())
        ]
        panels.append(Panel(x="step", y=label, curves=curves, levels=[level], ylim=(0.0, highest)))
    return plate(
        panels,
        title="The condition of the eigenvectors does not tell the phases apart",
        text="A network of two layers under Adam without momentum (β₁ = 0), at two step sizes.",
    )
