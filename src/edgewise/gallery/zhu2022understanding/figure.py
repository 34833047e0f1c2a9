"""The pictures of the minimalist example."""

import numpy as np
from matplotlib.figure import Figure

from edgewise.claims import Runs
from edgewise.figures import FAINT, INK, PALETTE, Curve, Field, Film, Level, Panel, Trail, plate, walk

_LOSS_FLOOR = 1e-16
_WALKED = 150  # steps that a film shows


def three_step_sizes(runs: Runs) -> Figure:
    """Sharpness and loss of the three, and their ways through the plane."""
    run = runs["paths"].isel(start=0)
    step = run["step"].values
    names = [f"2/η = {2 / lr:.3g}" for lr in run["lr"].values]
    colored = list(zip(range(len(names)), names, PALETTE, strict=False))
    valley = np.linspace(0.37, 0.55, 100)
    return plate(
        [
            Panel(
                x="step",
                y="sharpness",
                curves=[Curve(step, run["sharpness"].values[:, i], name, color) for i, name, color in colored],
                levels=[Level(2 / run["lr"].values[i], "", color) for i, _, color in colored],
                xlim=(0, 400),
            ),
            Panel(
                x="step",
                y="loss",
                curves=[
                    Curve(step, np.maximum(run["loss"].values[:, i], _LOSS_FLOOR), None, color)
                    for i, _, color in colored
                ],
                log="y",
            ),
            Panel(
                x="x",
                y="y",
                curves=[
                    *(
                        Curve(run["x"].values[:, i], run["y"].values[:, i], None, color, "thin")
                        for i, _, color in colored
                    ),
                    *(
                        Curve(run["x"].values[-1:, i], run["y"].values[-1:, i], None, c, "dots")
                        for i, _, c in colored
                    ),
                    Curve(1 / valley, valley, "minima, xy = 1", INK, "dashes"),
                ],
            ),
        ],
        title="Three step sizes from one start, each to a minimum just below its own 2/η",
        text="Descent on (1 − x²y²)²/4 from (2.5, 0.4001), where the sharpness is 12.8. Dashed: 2/η.",
        columns=3,
    )


def three_walks(runs: Runs) -> Film:
    """The same three ways through the plane, step by step."""
    run = runs["paths"].isel(start=0, step=slice(0, _WALKED))
    trails = [
        Trail(run["x"].values[:, i], run["y"].values[:, i], f"2/η = {2 / lr:.3g}")
        for i, lr in enumerate(run["lr"].values)
    ]
    x, y = np.linspace(1.8, 2.8, 201), np.linspace(0.2, 0.6, 201)
    loss = (1 - x**2 * y[:, None] ** 2) ** 2 / 4
    return walk(trails, (x, y, loss), x="x", y="y", title="Each bounces until it is flat enough for its step size")


def gaps(runs: Runs) -> Figure:
    """What is left of 2/η against the step size."""
    run = runs["ends"]
    lr = run["lr"].values
    gap = ((2 / run["lr"] - run["sharpness"]) / run["lr"]).isel(step=-1).transpose("lr", "start").values
    curves = [
        Curve(lr, gap[:, i], f"from a = {a:.2g}", None, "dots")
        for i, a in enumerate(run["a"].isel(step=0, lr=0).values)
    ]
    return plate(
        [
            Panel(
                x="step size η",
                y="(2/η − final sharpness) ÷ η",
                curves=curves,
                levels=[Level(0.5, "a half"), Level(0.0, "at 2/η")],
                log="x",
                ylim=(-0.05, 0.65),
            )
        ],
        title="Descent ends half a step size below 2/η",
        text="The theorem allows 0 to 20/3. The starts give one point each, on top of each other.",
    )


def parabola(runs: Runs) -> Figure:
    """The paths in the (a, b) plane and the parabola, and the leading order of two steps."""
    # Every third reading: an odd number of steps apart again.
    run = runs["paths"].isel(lr=0, step=slice(None, None, 3))
    kappa = float(np.sqrt(runs["paths"]["lr"].values[0]))
    a = np.linspace(0, 0.16, 200)
    b = np.sqrt(a * kappa / 2 + kappa**4 / 16)
    curves = [
        Curve(
            run["a"].values[:, i],
            run["b"].values[:, i],
            "descent, every 75th step" if i == 0 else None,
            FAINT,
            "dots",
        )
        for i in range(run.sizes["start"])
    ]
    starts = Curve(run["a"].values[0], run["b"].values[0], "starts", PALETTE[1], "dots")
    two = runs["two steps"]
    return plate(
        [
            Panel(
                x="a (0: minimum at 2/η)",
                y="b = xy − 1",
                curves=[
                    *curves,
                    starts,
                    Curve(a, b, "b² = aκ/2 + κ⁴/16", INK, "dashes"),
                    Curve(a, -b, None, INK, "dashes"),
                ],
            ),
            Panel(
                x="(a, b) ÷ (0.05, 0.02)",
                y="two steps ÷ their leading order",
                curves=[
                    Curve(two["share"].values, two["a"].values, "a″ − a ÷ (−4b²κ³)"),
                    Curve(two["share"].values, two["b"].values, "b″ − b ÷ (8abκ − 16b³)"),
                ],
                levels=[Level(1.0, "leading order")],
                log="x",
            ),
        ],
        title="Ahead of the edge the oscillation is drawn onto a parabola, and slides down it",
        text="η = 0.01, κ = √η. The mean of b² over both sides lies on it; the sides themselves differ.",
    )


def initialisations(runs: Runs) -> Figure:
    """The final sharpness over the square of starts, and its distribution beside that of the flow."""
    run = runs["grid"]
    bar = 2 / float(run["lr"])
    edges = np.linspace(4, 20, 81)
    middle = (edges[1:] + edges[:-1]) / 2
    descent, flow = (
        np.histogram(run[name].values[np.isfinite(run[name].values)], edges)[0]
        / np.isfinite(run[name].values).sum()
        for name in ("sharpness", "flow")
    )
    x = np.linspace(0.26, 4, 200)
    return plate(
        [
            Panel(
                x="x at the start",
                y="y at the start",
                field=Field(run["x"].values, run["y"].values, run["sharpness"].values, "sharpness at the end"),
                curves=[Curve(x, 1 / x, "minima, xy = 1", PALETTE[1], "dashes")],
                xlim=(0, 4),
                ylim=(0, 4),
            ),
            Panel(
                x=f"sharpness at the end (2/η = {bar:g})",
                y="share of the starts that converge",
                curves=[
                    Curve(middle, descent, "gradient descent"),
                    Curve(middle, flow, "gradient flow from the same starts", None, "dashes"),
                    Curve([bar, bar], [0, float(descent.max())], "2/η", INK, "dashes"),
                ],
                xlim=(4, 20),
                ylim=(0, 0.45),
            ),
        ],
        title="A quarter of the starts that converge end at the edge",
        text="Descent on (1 − x²y²)²/4 with η = 0.2 from every point of a square. White: it escapes.",
    )


def bifurcation(runs: Runs) -> Figure:
    """The last states of the map of b alone, and the path over them."""
    path = runs["path"].isel(start=0, lr=0)
    kappa = float(np.sqrt(runs["path"]["lr"].values[0]))
    frozen = []
    for name in ("dying", "alternating", "doubling"):
        some = runs[name].isel(step=slice(-16, None), s=slice(None, None, 3))
        b, s = some["b"].values, some["s"].values
        both = np.concatenate([b, -b])
        x = np.broadcast_to(s / (8 * kappa), both.shape)
        frozen.append(Curve(x.ravel(), both.ravel(), "a frozen" if name == "dying" else None, FAINT, "dots"))
    s = np.linspace(0, 1, 100)
    branch = [
        Curve(s / (8 * kappa), sign * np.sqrt(s) / 4, "±√s/4" if sign > 0 else None, INK, "dashes")
        for sign in (1, -1)
    ]
    return plate(
        [
            Panel(
                x="a = s/(8κ)",
                y="b = xy − 1",
                curves=[
                    *frozen,
                    Curve(path["a"].values, path["b"].values, "descent", PALETTE[0], "dots"),
                    *branch,
                ],
                xlim=(-0.5, 2.6),
                ylim=(-0.6, 0.6),
            ),
            Panel(
                x="thousands of steps",
                y="sharpness of the minimum at that x² − y²",
                curves=[
                    Curve(
                        path["step"].values / 1000,
                        2 * np.sqrt((path["x"].values ** 2 - path["y"].values ** 2) ** 2 + 4),
                        "descent",
                    )
                ],
                levels=[Level(2 / float(path["lr"]), "2/η")],
            ),
        ],
        title="From chaos by way of period doubling, backwards, to the edge",
        text="η = 0.01 from (12.5, 0.05). As a falls, descent runs through what the map of b does with a frozen.",
    )


def decoupled(runs: Runs) -> Figure:
    """Factors and sharpness of each product."""
    panels = []
    for name, run in runs.items():
        step = run["step"].values
        factors = [
            Curve(step[1:], run["w"].values[1:, i], "factors" if i == 0 else None, PALETTE[0])
            for i in range(run.sizes["factor"])
        ]
        panels.append(Panel(x="step", y="factors", curves=factors, title=name, log="x"))
    for i, run in enumerate(runs.values()):
        panels.append(
            Panel(
                x="step",
                y="sharpness",
                curves=[
                    Curve(
                        run["step"].values[1:], run["sharpness"].values[1:], None if i else "descent", PALETTE[0]
                    ),
                    Curve(
                        [1, run.sizes["step"]],
                        [float(run["flow"])] * 2,
                        None if i else "end of gradient flow",
                        PALETTE[1],
                        "dashes",
                    ),
                ],
                levels=[Level(2 / float(run["lr"]), "2/η")],
                log="x",
                ylim=(0, 26),
            )
        )
    return plate(
        panels,
        title="Factors of their own end at the edge as well",
        text="Descent on (1 − ∏ wᵢ)²/2, η = 0.2. Small factors grow equal; the sharpness ends just below 2/η.",
        columns=3,
    )


def degrees(runs: Runs) -> Figure:
    """The ways of both degrees through the (a, b) plane, and what they leave of 2/η."""
    two, four = (runs[f"{name}, path"].isel(start=0).sel(lr=0.05) for name in ("two", "four"))
    one = runs["one step"].isel(start=0)
    left = []
    for name, label in (("two", "degree two"), ("four", "degree four")):
        run = runs[name]
        gap = (2 / run["lr"] - run["sharpness"]).isel(step=-1).transpose("lr", "start").values
        color = PALETTE[0] if name == "two" else PALETTE[1]
        left += [
            Curve(run["lr"].values, gap[:, i], label if i == 0 else None, color, "dots")
            for i in range(gap.shape[1])
        ]
    return plate(
        [
            Panel(
                x="a (0: minimum at 2/η)",
                y="b = xy − 1",
                curves=[
                    Curve(two["a"].values, two["b"].values, "degree two", PALETTE[0], "dots"),
                    Curve(four["a"].values, four["b"].values, "degree four", PALETTE[1], "dots"),
                ],
                title="from a = 0.05, η = 0.05",
            ),
            Panel(
                x="step size η", y="2/η − final sharpness", curves=left, log="xy", title="from a = 0.05, 0.1, 0.2"
            ),
            Panel(
                x="step",
                y="sharpness",
                curves=[
                    Curve(one["step"].values, one["sharpness"].values[:, i], f"2/η = {2 / lr:.3g}", PALETTE[i])
                    for i, lr in enumerate(one["lr"].values)
                ],
                levels=[Level(2 / lr, "", PALETTE[i]) for i, lr in enumerate(one["lr"].values)],
                title="degree two from (3.2, 0.25)",
            ),
        ],
        title="A product of two passes the edge and leaves it behind",
        text="In degree two the way is an ellipse, from a to −a; in degree four a parabola, down to its vertex.",
        columns=3,
    )


def elu_network(runs: Runs) -> Figure:
    """Sharpness and loss of the network, and its last way."""
    run = runs["path"]
    step = run["step"].values
    y = np.linspace(float(run["y"].min()), float(run["y"].max()), 200)
    lr = float(run["lr"])
    c, d = np.polyfit(run["y"].values ** 2, run["x"].values, 1)
    return plate(
        [
            Panel(
                x="step",
                y="sharpness",
                curves=[Curve(step, run["sharpness"].values, "gradient descent")],
                levels=[Level(2 / lr, "2/η")],
            ),
            Panel(x="step", y="loss", curves=[Curve(step, run["loss"].values)], log="y"),
            Panel(
                x="y, along the top eigenvector",
                y="x, along the slow direction",
                curves=[
                    Curve(
                        run["y"].values,
                        run["x"].values,
                        f"steps {int(run['at'][0])} to {int(run['at'][-1])}",
                        None,
                        "dots",
                    ),
                    Curve(y, c * y**2 + d, f"x = {c:.0f} y²", INK, "dashes"),
                ],
            ),
        ],
        title="A network of five layers, ELU, on two classes",
        text=f"η = {lr:g}. The sharpness ends at {float(run['end_sharpness']):.2f}; 2/η is {2 / lr:.4g}.",
        columns=3,
    )
