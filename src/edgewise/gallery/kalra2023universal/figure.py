"""The recursion's errors, the four regimes, the catapult, and the route to chaos."""

import math

import numpy as np
from matplotlib.figure import Figure

from edgewise.claims import Runs
from edgewise.figures import FAINT, PALETTE, Curve, Field, Level, Panel, plate


def recursion(runs: Runs) -> Figure:
    """How far a step of the network is from the recursion."""
    run = runs["networks"]
    return plate(
        [
            Panel(
                x="first ηλ",
                y="largest error of a step, relative",
                curves=[
                    Curve(
                        run["edge"].values,
                        np.maximum(run[name].sel(width=n).values, 1e-17),
                        f"{label}, n = {n}",
                        style="dots",
                    )
                    for name, label in (("f", "f"), ("lam", "λ"))
                    for n in run["width"].values
                ],
                levels=[Level(float(np.finfo(float).eps), "one rounding"), Level(1e-12, "allowed", FAINT)],
                log="y",
                ylim=(1e-17, 1e-11),
            )
        ],
        title="Two numbers are all there is to the UV model",
        text="Output f and λ of networks of three widths, step by step against the recursion in f and λ alone.",
    )


def regimes(runs: Runs) -> Figure:
    """ηλ and the loss in each regime."""
    panels = []
    for i, (name, run) in enumerate(runs.items()):
        panels.append(
            Panel(
                x="step",
                y="ηλ",
                curves=[
                    Curve(
                        run["step"].values[:80],
                        (run.attrs["step_size"] * run["lam"]).values[:80],
                        None,
                        PALETTE[i],
                    )
                ],
                levels=[Level(2.0, "2")],
                title=name,
                ylim=(0, 3),
            )
        )
    for i, run in enumerate(runs.values()):
        loss = ((run["f"] - run.attrs["label"]) ** 2).values / 2
        panels.append(
            Panel(
                x="step",
                y="loss",
                curves=[Curve(run["step"].values[:80], np.maximum(loss[:80], 1e-12), None, PALETTE[i])],
                log="y",
            )
        )
    return plate(
        panels,
        title="One sample, two layers, every kind of sharpness dynamics",
        text="λ falls while f and the label lie on different sides, rises while f grows to the label, is thrown"
        " below 2/η by a catapult, and oscillates where the flattest minimum is sharper than 2/η.",
        columns=4,
    )


def catapult(runs: Runs) -> Figure:
    """Shares of rising and converging losses, and where λ ends."""
    run = runs["sweep"]
    edge = run["edge"].values
    ends = run["end"]
    return plate(
        [
            Panel(
                x="first ηλ",
                y="share of starts",
                curves=[
                    Curve(edge, run["rises"].mean("start").values, "loss rises"),
                    Curve(edge, run["converged"].mean("start").values, "converges"),
                    Curve([2, 2], [0, 1], "2, the edge", FAINT, "dashes"),
                    Curve([4, 4], [0, 1], "4", FAINT, "dashes"),
                ],
            ),
            Panel(
                x="first ηλ",
                y="final ηλ",
                curves=[
                    *(
                        Curve(edge, ends.isel(start=i).values, "single starts" if i == 0 else None, FAINT, "thin")
                        for i in range(min(12, run.sizes["start"]))
                    ),
                    Curve(edge, ends.median("start").values, "median", PALETTE[0]),
                ],
                levels=[Level(2.0, "2, the edge")],
                ylim=(0, 2.6),
            ),
        ],
        title="A catapult between 2 and 4",
        text="Width 512, label 0. Past ηλ = 2 the loss first rises; this makes λ fall until the minimum is"
        " stable. From 4 on λ rises with it.",
    )


def chaos(runs: Runs) -> Figure:
    """Where c and ηλ end, and the Lyapunov exponent."""
    run = runs["sweep"].isel(a=slice(None, None, 2))
    a = run["a"].values

    def density(values: np.ndarray, low: float, high: float) -> Field:
        edges = np.linspace(low, high, 201)
        counts = np.stack([np.histogram(column[np.isfinite(column)], edges)[0] for column in values.T], axis=1)
        share = np.where(counts > 0, counts / len(values), np.nan)
        return Field(a, (edges[1:] + edges[:-1]) / 2, share, "share of steps", True)

    exponent = np.where(np.isfinite(run["exponent"]), run["exponent"], np.nan)
    borders = {"cycle of two from 1": 1.0, "of four from √5 − 1": math.sqrt(5) - 1, "chaos from 1.302": 1.3022837}
    return plate(
        [
            Panel(
                x="a = ηy/√n",
                y="c = ηD/√n, last steps",
                field=density(run["c"].values, -2, 2),
                levels=[Level(0.0, "minimum")],
                xlim=(0.8, 2.45),
            ),
            Panel(
                x="a = ηy/√n",
                y="ηλ, last steps",
                field=density(run["edge"].values, 0, 8),
                curves=[Curve(a[a < 1.24], 1 + np.maximum(a[a < 1.24], 1), "1 + a", PALETTE[1], "dashes")],
                levels=[Level(2.0, "2, the edge")],
                xlim=(0.8, 2.45),
            ),
            Panel(
                x="a = ηy/√n",
                y="Lyapunov exponent, a step",
                curves=[
                    Curve(a, exponent, None, PALETTE[0]),
                    *(
                        Curve([at, at], [-1.5, 1.2], name, PALETTE[1 + i], "dashes")
                        for i, (name, at) in enumerate(borders.items())
                    ),
                ],
                levels=[Level(0.0, "stable below")],
                ylim=(-1.5, 1.3),
            ),
        ],
        title="Past the last stable minimum: cycles, doublings, chaos",
        text="Where the flattest minimum is sharper than 2/η, the network becomes balanced and follows a cubic map"
        " of one number, whose cycles double until they are chaotic.",
        columns=3,
    )
