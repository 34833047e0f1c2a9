"""The bifurcation diagram with its phases, and the same phases in networks."""

import math

import numpy as np
from matplotlib.figure import Figure

from edgewise.claims import Runs
from edgewise.figures import FAINT, PALETTE, Curve, Field, Level, Panel, plate

_BORDERS = {
    "catapult from 2√2 − 2": 2 * math.sqrt(2) - 2,
    "periodic from 1": 1.0,
    "chaotic from 1.302": 1.3022837,
    "divergent from 2": 2.0,
}
_PHASES = ("monotone", "catapult", "periodic", "chaotic", "divergent")


def bifurcation(runs: Runs) -> Figure:
    """Where residuals end, and how fast neighbours part, over a."""
    run = runs["sweep"]
    a, orbit = run["a"].values, run["orbit"].values[:, ::2]
    exponent = np.where(np.isfinite(run["exponent"]), run["exponent"], np.nan)

    def borders(low: float, high: float, *, named: bool) -> list[Curve]:
        return [
            Curve([at, at], [low, high], name if named else None, PALETTE[1 + i], "dashes")
            for i, (name, at) in enumerate(_BORDERS.items())
        ]

    edges = np.linspace(-2.0, 2.0, 201)
    counts = np.stack([np.histogram(column[np.isfinite(column)], edges)[0] for column in orbit.T], axis=1)
    density = Field(
        a[::2],
        (edges[1:] + edges[:-1]) / 2,
        np.where(counts > 0, counts / len(orbit), np.nan),
        "share of steps",
        True,
    )
    return plate(
        [
            Panel(
                x="a = ηγ‖x‖²y",
                y="residual z, last steps",
                curves=borders(-2, 2, named=False),
                levels=[Level(0.0, "minimum")],
                field=density,
                xlim=(0.5, 2.45),
            ),
            Panel(
                x="a = ηγ‖x‖²y",
                y="Lyapunov exponent, a step",
                curves=[Curve(a, exponent, None, PALETTE[0]), *borders(-3, 1.3, named=True)],
                levels=[Level(0.0, "stable below"), Level(math.log(3), "log 3", FAINT)],
                xlim=(0.5, 2.1),
                ylim=(-3, 1.4),
            ),
        ],
        title="From stability to chaos in one cubic map",
        text="Gradient descent on a quadratic regression is z' = (z + a)(1 − z)² − a. At a = 1 the minimum's"
        " sharpness is 2/η; between there and divergence at 2 lie a cycle, its doublings, and chaos.",
    )


def network(runs: Runs) -> Figure:
    """Samples of one network in phases of their own; the phases of generic samples over the step size."""
    run, generic = runs["orthogonal"], runs["generic"]
    last = slice(0, 40)
    samples = [
        Curve(run["step"].values[last], run["z"].sel(sample=a).values[last], f"a = {a:g}")
        for a in run["sample"].values
    ]
    phase = generic["phase"].values
    return plate(
        [
            Panel(
                x="step",
                y="residual z",
                curves=samples,
                levels=[Level(0.0, "minimum")],
                ylim=(-1.9, 2.9),
                title="orthogonal samples of one network",
            ),
            Panel(
                x="step size η",
                y="mean loss, last steps",
                curves=[
                    Curve(
                        generic["step_size"].values[phase == i],
                        generic["loss"].values[phase == i],
                        name,
                        PALETTE[i],
                        "dots",
                    )
                    for i, name in enumerate(_PHASES[:-1])
                ],
                title="Gaussian samples",
            ),
        ],
        title="A quadratic network goes through the same five phases",
        text="Orthogonal samples follow a cubic map each. Samples that are not orthogonal leave the phases in"
        " place; past the last dots gradient descent diverges.",
    )
