"""Sharpness by decay, and the two rates that it settles between."""

from matplotlib.figure import Figure

from edgewise.claims import Runs
from edgewise.figures import PALETTE, Curve, Level, Panel, plate
from edgewise.gallery.saether2026does.recipe import DECAYS, STEP_SIZES


def networks(runs: Runs) -> Figure:
    """Both networks, the balance, and the alignment."""
    panels = []
    for name, decays in DECAYS.items():
        shown = [runs[f"{name}, γ = {decay:g}"] for decay in decays]
        critical = 2 / STEP_SIZES[name]
        panels.append(
            Panel(
                x="step",
                y="sharpness",
                curves=[
                    Curve(run["step"].values, run["sharpness"].values, f"γ = {float(run['decay']):g}")
                    for run in shown
                ],
                levels=[Level(critical, "2/η")],
                ylim=(0.0, 1.5 * critical),
                title=name,
            )
        )
    strongest = DECAYS["MLP"][-2:]
    rates = []
    for i, decay in enumerate(strongest):
        run = runs[f"MLP, γ = {decay:g}"].isel(step=slice(1, None))
        step, color = run["step"].values, PALETTE[i]
        rates.append(Curve(step, run["data_rate"].values, f"data, γ = {decay:g}", color))
        rates.append(Curve(step, (run["decay"] * run["decay_slope"]).values, "taken by decay", color, "dashes"))
    cosines = [
        Curve(run["step"].values, run["cosine"].values, name)
        for name, run in ((name, runs[f"{name}, γ = 0"]) for name in DECAYS)
    ]
    panels.append(
        Panel(x="step", y="rate of sharpening, a unit of time", curves=rates, levels=[Level(0.0, "")], title="MLP")
    )
    panels.append(Panel(x="step", y="cos(w, ∇S)", curves=cosines, levels=[Level(0.0, "")], title="without decay"))
    return plate(
        panels,
        title="Decay slows sharpening, and can stop it below the edge",
        text="The sharpness stays where what decay takes from it is what the data give. 2/η − γ looks like 2/η.",
    )
