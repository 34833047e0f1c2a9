"""Modes, thresholds and rates."""

import numpy as np
from matplotlib.figure import Figure

from edgewise.claims import Runs
from edgewise.figures import INK, PALETTE, Curve, Level, Panel, plate
from edgewise.gallery.polyak1964some.recipe import FORMULAS, STEP_SIZE


def modes(runs: Runs) -> Figure:
    """The size of every mode, a panel for each step size."""
    c = abs(runs["modes"]["coefficient"])
    panels = []
    for eta in c["step_size"].values:
        one = c.sel(step_size=eta)
        curves = []
        for i, curvature in enumerate(one["curvature"].values):
            color, step = PALETTE[i], one["step"].values
            theory = np.abs(1 - eta * curvature) ** step * float(one.values[0, i])
            seen = one.values[:, i] > 0
            curves += [
                Curve(step, theory, None, color, "dashes"),
                Curve(step[seen], one.values[seen, i], f"λ = {curvature:g}", color, "dots"),
            ]
        panels.append(
            Panel(
                x="step",
                y="size of the mode",
                title=f"2/η = {2 / eta:.3f}",
                curves=curves,
                levels=[Level(1.0, "start")],
                log="y",
                ylim=(1e-7, 1e9),
            )
        )
    return plate(
        panels,
        title="Gradient descent on a quadratic: exactly the modes above 2/η diverge",
        text="Dots: runs on a quadratic whose axes are not those of the parameters. Dashes: |1 − ηλ|ᵗ.",
        columns=3,
    )


def thresholds(runs: Runs) -> Figure:
    """Growth a step against curvature, and the thresholds against β."""
    grown, found = runs["growth"], runs["thresholds"]
    fine = np.linspace(0, 0.99, 199)
    first, second = [], []
    for i, family in enumerate(grown["family"].values):
        one, color = grown.sel(family=family), PALETTE[i]
        x = one["curvature"].values * STEP_SIZE
        first += [
            Curve(x, one["radius"].values, None, color, "dashes"),
            Curve(x, one["measured"].values, str(family), color, "dots"),
        ]
        beta = found["beta"].values
        second += [
            Curve(beta, found["bisected"].sel(family=family).values * STEP_SIZE, str(family), color, "dots"),
            Curve(fine, [FORMULAS[str(family)](float(b)) for b in fine], None, color, "dashes"),
        ]
    return plate(
        [
            Panel(
                x="curvature × η",
                y="growth a step",
                title="β = 0.9",
                curves=first,
                levels=[Level(1.0, "edge")],
                log="x",
                ylim=(0.75, 1.5),
            ),
            Panel(
                x="β",
                y="critical curvature × η",
                curves=second,
                levels=[Level(2.0, "gradient descent", INK)],
                log="y",
            ),
        ],
        title="Momentum moves the edge: up for Polyak, down for Nesterov, far up for averages",
        text="Left: dots are fitted to runs, dashes are spectral radii of companion matrices. "
        "Right: dots are found by bisection, dashes are (2+2β)/η, (2+2β)/((1+2β)η) and (2+2β)/((1−β)η).",
    )


def acceleration(runs: Runs) -> Figure:
    """Steps against the condition number."""
    steps = runs["steps"]["steps"]
    condition = steps["condition"].values
    curves = []
    for i, (name, power, law) in enumerate((("gradient descent", 1.0, "∝ κ"), ("Polyak", 0.5, "∝ √κ"))):
        one = steps.sel(kind=name).values
        curves += [
            Curve(condition, one[-1] * (condition / condition[-1]) ** power, law, PALETTE[i], "dashes"),
            Curve(condition, one, name, PALETTE[i], "dots"),
        ]
    return plate(
        [Panel(x="condition number κ", y="steps to 10⁻¹²", curves=curves, log="xy")],
        title="Tuned momentum: the root of the steps",
        text="Both with the step size and β that are best for the condition number.",
    )
