"""The gap against its formula, and how likely bursts are."""

import numpy as np
from matplotlib.figure import Figure

from edgewise.claims import Runs
from edgewise.figures import FAINT, INK, Curve, Level, Panel, plate

# From this one of the probabilities on, the power is drawn.
_SHOWN = 8


def gap(runs: Runs) -> Figure:
    """Two paths of one setting, and all gaps."""
    run = runs["gap"]
    quiet, noisy = run.isel(setting=0), run.isel(setting=3)
    theory = np.sort(run["theory"].values)
    return plate(
        [
            Panel(
                x="step",
                y="sharpness − 2/η",
                curves=[
                    Curve(np.arange(quiet.sizes["shown"]), one["y"].values, f"ησ² = {float(one['noise']):g} √α δ²")
                    for one in (quiet, noisy)
                ],
                levels=[
                    Level(0.0, "critical curvature 2/η"),
                    Level(-float(noisy["theory"]), "below it by ηβσ²/4α"),
                ],
            ),
            Panel(
                x="ηβσ²/(4α)",
                y="gap 2/η − ⟨S⟩",
                curves=[
                    Curve(theory, theory, "equal", INK, "dashes"),
                    Curve(run["theory"].values, run["gap"].values, "measured", None, "dots"),
                ],
                log="xy",
            ),
        ],
        title="The noise of small batches holds the sharpness below the edge",
        text="With enough noise the gap is that of the formula. With hardly any, the cycles of self-stabilisation "
        "make a larger one.",
    )


def spikes(runs: Runs) -> Figure:
    """Probabilities of large |x|."""
    run = runs["spikes"]
    curves = []
    for i in range(run.sizes["spiking"]):
        one = run.isel(spiking=i)
        spread, exponent = float(one["spread"]), float(one["exponent"])
        label = f"± {100 * spread:.0f} %, κ = {exponent:.1f}" if spread else "samples agree"
        level, beyond = one["level"].values, one["beyond"].values
        curves.append(Curve(level, beyond, label, None, "dots"))
        if np.isfinite(exponent):
            rare = level[_SHOWN:]
            curves.append(Curve(rare, beyond[_SHOWN] * (rare / rare[0]) ** -exponent, None, FAINT, "dashes"))
    return plate(
        [Panel(x="u, in units of the noise of a step", y="P(|x| > u)", curves=curves, log="xy")],
        title="Where samples disagree, bursts are likely",
        text="One mode under SGD, its mean curvature 1.5/η. Dashes: the power u^−κ with E|1 − ηh|^κ = 1.",
    )
