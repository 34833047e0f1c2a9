"""The four stages of the toy, and networks beside their prediction."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from edgewise.claims import Runs
from edgewise.figures import FAINT, INK, PALETTE, Curve, Level, Panel, plate
from edgewise.gallery.damian2022selfstabilization.claims import Reals, stages

_STAGES = ("sharpening", "blow-up", "self-stabilisation", "return")


def toy(runs: Runs) -> Figure:
    """One cycle in its four stages, and how the highest sharpness nears the conserved quantity's."""
    run = runs["η = 0.0025"]
    first = run.isel(step=slice(0, int(run["period"][0])))
    stage = stages(first["x"].values, first["y"].values, run.attrs["delta"])
    delta, step = run.attrs["delta"], first["step"].values

    def parts(x: Reals, y: Reals) -> list[Curve]:
        return [
            Curve(np.where(stage == i, x, np.nan), np.where(stage == i, y, np.nan), name, PALETTE[i])
            for i, name in enumerate(_STAGES)
        ]

    sizes = [one for name, one in runs.items() if name.startswith("η")]
    eta = np.array([one.attrs["step_size"] for one in sizes])
    over = np.array([float(one["highest"][0] / one["predicted"][0] - 1) for one in sizes])
    size, sharpness = np.abs(first["x"].values), first["y"].values
    return plate(
        [
            Panel(
                x="step",
                y="sharpness − 2/η",
                curves=parts(step, sharpness),
                levels=[Level(0.0, "2/η"), Level(float(run["predicted"][0]), "highest, predicted", FAINT)],
            ),
            Panel(
                x="step",
                y="oscillation |x|",
                curves=parts(step, size),
                levels=[Level(delta, "δ")],
                log="y",
            ),
            Panel(
                x="oscillation |x|",
                y="sharpness − 2/η",
                curves=parts(size, sharpness),
                levels=[Level(0.0, "2/η")],
                log="x",
            ),
            Panel(
                x="step size η",
                y="highest sharpness ÷ predicted − 1",
                curves=[
                    Curve(eta, over, "first cycle", style="dots"),
                    Curve(eta, over[-1] * eta / eta[-1], "∝ η", INK, "dashes"),
                ],
                log="xy",
            ),
        ],
        title="Sharpening, blow-up, self-stabilisation, return",
        text="A cycle of the smallest loss that stabilises itself: past 2/η the oscillation grows, and past δ it"
        " brings the sharpness down. Whole cycles average to δ and to 2/η.",
    )


def network(runs: Runs) -> Figure:
    """Oscillation and sharpness beside their predictions; loss, sharpness and distances of the trajectories."""
    panels = []
    for record, title in (("early", "from an early crossing"), ("late", "from a later crossing")):
        if record not in runs:
            continue
        run = runs[record]
        step, critical = run["step"].values, 2 / run.attrs["step_size"]
        panels += [
            Panel(
                x="step",
                y="|x|, oscillation along u",
                curves=[
                    Curve(step, np.abs(run["x"].values), "gradient descent", PALETTE[0]),
                    Curve(step, np.abs(run["predicted_x"].values), "predicted", INK, "dashes"),
                    Curve(step, np.sqrt(run["delta_squared"].values), "δ", FAINT, "thin"),
                ],
                title=title,
            ),
            Panel(
                x="step",
                y="sharpness between iterates",
                curves=[
                    Curve(step, critical + run["y"].values, "gradient descent", PALETTE[0]),
                    Curve(step, critical + run["predicted_y"].values, "predicted", INK, "dashes"),
                ],
                levels=[Level(critical, "2/η")],
            ),
            Panel(
                x="step",
                y="loss",
                curves=[
                    Curve(step, run["loss"].values, "gradient descent", PALETTE[0]),
                    Curve(step, run["constrained_loss"].values, "constrained, L(w†)", PALETTE[1]),
                    Curve(
                        step,
                        run["constrained_loss"].values + run["delta_squared"].values / run.attrs["step_size"],
                        "L(w†) + δ²/η",
                        INK,
                        "dashes",
                    ),
                ],
            ),
        ]
    return plate(
        panels + (_paths(runs["paths"]) if "paths" in runs else []),
        title="Networks at the edge beside what self-stabilisation predicts of them",
        text="Each prediction starts from one iterate and takes no gradient at another."
        + (
            " Last row: gradient descent beside projected gradient descent (constrained) and gradient flow."
            * ("paths" in runs)
        ),
        columns=3,
    )


def _paths(run: xr.Dataset) -> list[Panel]:
    names = {"gd": ("gradient descent", PALETTE[0]), "constrained": ("constrained", PALETTE[1]),
             "flow": ("gradient flow", PALETTE[2])}  # fmt: skip
    critical = float(run["critical_curvature"].sel(process="gd").isel(step=0))

    def curves(name: str, chosen: tuple[str, ...]) -> list[Curve]:
        found = []
        for process in chosen:
            series = run[name].sel(process=process)
            series = series.isel(rank=0) if "rank" in series.dims else series
            series = series.where(np.isfinite(series), drop=True)
            found.append(Curve(series["step"].values, series.values, *names[process]))
        return found

    return [
        Panel(x="step", y="loss", curves=curves("loss", ("gd", "constrained", "flow")), log="y"),
        Panel(
            x="step",
            y="sharpness",
            curves=curves("sharpness", ("flow", "gd", "constrained")),
            levels=[Level(critical, "2/η")],
        ),
        Panel(x="step", y="distance from the midpoints", curves=curves("distance", ("constrained", "flow"))),
    ]
