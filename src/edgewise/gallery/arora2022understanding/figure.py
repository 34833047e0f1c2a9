"""Two-cycles, slides, and the two phases."""

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from edgewise.claims import Runs
from edgewise.figures import FAINT, INK, PALETTE, Curve, Level, Panel, plate
from edgewise.gallery.arora2022understanding.toys import (
    DESCENT_FROM,
    METHODS,
    QUADRATIC_LR,
    SPECTRUM,
    gradient_flow_height,
)

Reals = NDArray[np.float64]

_WORDS = {"normalized": "normalised GD", "sqrt_loss": "GD on √L"}
_SHOWN = 3


def quadratic(runs: Runs) -> Figure:
    """Gradient norms of single steps and of pairs of them, and what is not along the top eigenvector."""
    run = runs["starts"]
    norms = np.linalg.norm(run["gradient"].values, axis=-1)
    aside = np.linalg.norm(run["gradient"].values[:, :, 1:], axis=-1) / norms
    step, unit = run["step"].values, QUADRATIC_LR * SPECTRUM[0]
    singles = [Curve(step, norms[:, i] / unit, f"start {i + 1}", PALETTE[i], "thin") for i in range(_SHOWN)]
    pairs = [Curve(step[1:], (norms[1:, i] + norms[:-1, i]) / unit, None, PALETTE[i]) for i in range(_SHOWN)]
    return plate(
        [
            Panel(
                x="step",
                y="gradient norm ÷ ηλ₁",
                curves=singles,
                levels=[Level(0.5, "half of the sum")],
                title="one step",
                xlim=(0, 200),
                ylim=(0, 2),
            ),
            Panel(
                x="step",
                y="gradient norm ÷ ηλ₁",
                curves=pairs,
                levels=[Level(1.0, "ηλ₁")],
                title="two steps together",
                xlim=(0, 200),
                ylim=(0, 2),
            ),
            Panel(
                x="step",
                y="share of the gradient beside v₁",
                curves=[
                    Curve(step, np.where(aside[:, i] > 1e-17, aside[:, i], np.nan), None, PALETTE[i])
                    for i in range(_SHOWN)
                ],
                log="y",
                xlim=(0, 200),
                ylim=(1e-12, 2),
            ),
        ],
        title="Normalised gradient descent on a quadratic ends in a period of two",
        text="The two gradient norms differ, and from start to start; their sum is ηλ₁.",
        columns=3,
    )


def limiting_flows(runs: Runs) -> Figure:
    """Where the methods are on the line of minimisers, and how far from their flows."""
    slides, errors = [], []
    for i, method in enumerate(METHODS):
        named = {name: run for name, run in runs.items() if name.startswith(method)}
        coarse, color = next(iter(named.values())), PALETTE[i]
        slides += [
            Curve(
                coarse["tau"].values,
                1 + coarse["flow"].values ** 2,
                f"limiting flow, {_WORDS[method]}",
                color,
                "dashes",
            ),
            Curve(coarse["tau"].values, 1 + coarse["x"].values ** 2, _WORDS[method], color, "dots"),
        ]
        lrs = np.array([float(run["lr"]) for run in named.values()])
        apart = np.array([float(np.abs(run["x"][-1] - run["flow"][-1])) for run in named.values()])
        errors += [
            Curve(lrs, apart, _WORDS[method], color, "dots"),
            Curve(lrs, apart[-1] * (lrs / lrs[-1]) ** 2, None, color, "dashes"),
        ]
    lr = float(coarse["lr"])
    return plate(
        [
            Panel(
                x="time τ = η²t",
                y="sharpness",
                curves=slides,
                levels=[Level(1.0, "least on the manifold")],
                title=f"η = {lr:g}",
                ylim=(0, 5.5),
            ),
            Panel(x="step size η", y="distance from the flow at the end", curves=errors, log="xy"),
        ],
        title="Along the minimisers of ½(1 + x²)y² both methods follow their limiting flows",
        text="Dashes on the right: proportional to η².",
    )


def phase_two(runs: Runs) -> Figure:
    """Stableness of single steps and of pairs, and the loss."""
    panels = []
    for i, method in enumerate(METHODS):
        run = next(run for name, run in runs.items() if name.startswith(method))
        s, loss, color = run["stableness"].values, run["loss"].values, PALETTE[i]
        time = np.arange(len(s)) * float(run["lr"]) ** 2
        even, odd = slice(0, None, 2), slice(1, None, 2)
        panels += [
            Panel(
                x="time τ = η²t",
                y="stableness S",
                title=f"{_WORDS[method]}, η = {float(run['lr']):g}",
                curves=[
                    Curve(time[even], s[even], "even steps", color),
                    Curve(time[odd], s[odd], "odd steps", FAINT),
                    Curve(time[1:], 2 / (1 / s[1:] + 1 / s[:-1]), "harmonic mean of two", INK, "dashes"),
                ],
                levels=[Level(2.0, "edge: 2")],
                log="y",
                ylim=(0.8, 12),
            ),
            Panel(
                x="time τ = η²t",
                y="√L of a step ÷ sum of two",
                title=_WORDS[method],
                curves=[
                    Curve(time[even][:-1], _share(loss)[even][: len(time[even]) - 1], "even steps", color),
                    Curve(time[odd][:-1], _share(loss)[odd][: len(time[odd]) - 1], "odd steps", FAINT),
                ],
                levels=[Level(0.5, "equal")],
                ylim=(0, 1),
            ),
        ]
    return plate(
        panels,
        title="Of two steps across the manifold one is unstable",
        text="1/S + 1/S′ = 1 for two consecutive steps: their harmonic mean is at the edge, neither of them is.",
    )


def phases(runs: Runs) -> Figure:
    """The way down and along, and how long both take."""
    drawn = {method: [run for name, run in runs.items() if name.startswith(method)] for method in METHODS}
    x = np.linspace(float(drawn["normalized"][0]["gradient_flow_limit"]), DESCENT_FROM[0], 400)
    way, losses, sharpnesses, lengths = (
        [Curve(x, gradient_flow_height(x, DESCENT_FROM), "gradient flow", INK, "dashes")],
        [],
        [],
        [],
    )
    for i, method in enumerate(METHODS):
        color, chosen = PALETTE[i], drawn[method][1]
        way.append(Curve(chosen["descent_x"].values, chosen["descent_y"].values, _WORDS[method], color, "dots"))
        slid = chosen["step"].values >= int(chosen["phase_one"])
        way.append(Curve(chosen["x"].values[slid], chosen["y"].values[slid], None, color, "thin"))
        losses.append(Curve(chosen["step"].values + 1, chosen["loss"].values, _WORDS[method], color, "thin"))
        sharpnesses.append(Curve(chosen["step"].values + 1, 1 + chosen["x"].values ** 2, _WORDS[method], color))
        lrs = np.array([float(run["lr"]) for run in drawn[method]])
        for phase, power in (("one", 1), ("two", 2)):
            steps = np.array([float(run[f"phase_{phase}"]) for run in drawn[method]])
            lengths += [
                Curve(lrs, steps, f"{_WORDS[method]}, phase {'I' * power}", color, "dots"),
                Curve(lrs, steps[-1] * (lrs[-1] / lrs) ** power, None, color, "dashes"),
            ]
    lr = float(drawn["normalized"][1]["lr"])
    return plate(
        [
            Panel(
                x="x", y="y", curves=way, levels=[Level(0.0, "minimisers")], title=f"η = {lr:g}", ylim=(-0.2, 1.1)
            ),
            Panel(x="step size η", y="steps", curves=lengths, log="xy", title="dashes: ∝ 1/η and ∝ 1/η²"),
            Panel(x="step (from 1)", y="loss", curves=losses, log="xy"),
            Panel(
                x="step (from 1)",
                y="sharpness at y = 0",
                curves=sharpnesses,
                levels=[Level(1.0, "least on the manifold")],
                log="x",
                ylim=(0, 5.5),
            ),
        ],
        title="Two phases: down to the minimisers, then along them",
        text="The first takes about 1/η steps and ends where the gradient flow would. "
        "In the second, of about 1/η², the loss oscillates and the sharpness falls.",
    )


def network(runs: Runs) -> Figure:
    """Sharpness against its prediction, stableness of two consecutive steps, and the loss."""
    panels, losses = [], []
    for i, method in enumerate(METHODS):
        run, color = runs[method], PALETTE[i]
        tau, lr = run["tau"].values, float(run["lr"])
        panels.append(
            Panel(
                x="time τ = η²t",
                y="eigenvalue of the Hessian",
                title=f"{_WORDS[method]}, η = {lr:g}",
                curves=[
                    Curve(
                        tau,
                        _integrated(run["sharpness"].values[0], run["rate"].values, tau),
                        "predicted",
                        INK,
                        "dashes",
                    ),
                    Curve(tau, run["sharpness"].values, "λ₁", color, "dots"),
                    Curve(tau, run["second"].values, "λ₂", FAINT),
                ],
                ylim=(0, 1.1 * float(run["sharpness"][0])),
            )
        )
        loss = run["loss"].values
        losses.append(Curve(np.arange(len(loss)), loss, _WORDS[method], color, "thin"))
    stableness = []
    for i, method in enumerate(METHODS):
        run = runs[method]
        pair = np.sort(np.stack([run["before"].values, run["after"].values]), axis=0)
        part = np.linspace(0, 1, pair.shape[1])
        stableness += [
            Curve(part, pair[1], _WORDS[method], PALETTE[i], "dots"),
            Curve(part, pair[0], None, PALETTE[i], "dots"),
            Curve(part, 2 / (1 / pair).sum(0), None, PALETTE[i], "dashes"),
        ]
    return plate(
        [
            *panels,
            Panel(
                x="share of the run",
                y="stableness of two consecutive steps",
                curves=stableness,
                levels=[Level(2.0, "edge: 2")],
                log="y",
                title="dashes: harmonic mean of the two",
            ),
            Panel(x="step", y="loss", curves=losses, log="y"),
        ],
        title="A trained network slides to where it is less sharp, at a loss near zero",
        text="Predicted: −¼‖P∇λ₁‖²/λ₁ and −⅛‖P∇λ₁‖² a unit of τ, P off the range of the Gauss–Newton matrix.",
    )


def _share(loss: Reals) -> Reals:
    roots = np.sqrt(loss)
    return roots[:-1] / (roots[:-1] + roots[1:])


def _integrated(start: float, rate: Reals, tau: Reals) -> Reals:
    return start + np.concatenate([[0.0], np.cumsum((rate[1:] + rate[:-1]) / 2 * np.diff(tau))])
