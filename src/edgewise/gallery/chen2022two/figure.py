"""Where there are cycles of two, and how descent comes into one."""

import numpy as np
from matplotlib.figure import Figure

from edgewise.claims import Runs
from edgewise.figures import FAINT, INK, PALETTE, Curve, Field, Panel, plate

_FLOOR = 1e-12


def criterion(runs: Runs) -> Figure:
    """Half the width of the cycle over the third and fourth derivative."""
    run = runs["grid"]
    x = run["x"].transpose("step", "d", "c").values
    with np.errstate(invalid="ignore"):
        width = np.where(np.abs(x).max(0) < 0.5, np.abs(x[-1] - x[-2]) / 2, np.nan)
    c = np.linspace(-np.sqrt(2), np.sqrt(2), 200)
    lr = float(run["lr"])
    value = np.linspace(0.25, 12, 200)
    criteria = np.broadcast_to(3 * run["c"].values[None] ** 2 - run["d"].values[:, None], width.shape)
    return plate(
        [
            Panel(
                x="f‴ at the minimum (f″ = 1)",
                y="f⁗ at the minimum",
                field=Field(run["c"].values, run["d"].values, width, "half the width of the cycle"),
                curves=[Curve(c, 3 * c**2, "3f‴² = f″f⁗", PALETTE[1], "dashes")],
            ),
            Panel(
                x="3f‴² − f″f⁗",
                y="half the width of the cycle",
                curves=[
                    Curve(criteria.ravel(), width.ravel(), "descent", PALETTE[0], "dots"),
                    Curve(value, np.sqrt(6 * (1 - 2 / lr) / value), "√(6 (1 − 2/η)/(3f‴² − f″f⁗))", INK, "dashes"),
                ],
                xlim=(-6, 12),
            ),
        ],
        title="Just beyond the edge there is a cycle of two where 3f‴² > f″f⁗",
        text=f"η = {lr:g}, of which 2 would be stable. White: descent leaves the neighbourhood.",
    )


def cycles(runs: Runs) -> Figure:
    """The last states over K, and a pair on its way into the cycle."""
    one, two = runs["one"], runs["two"].isel(ratio=-1)
    k = one["k"].values
    x = np.abs(one["x"].transpose("step", "k").values)[-32:]
    fine = np.linspace(1, 1.4, 400)
    target = float(two["target"])
    outer, inner = np.sqrt((fine + 3) * target / fine), np.sqrt((fine - 1) * target / fine)
    apart = np.abs((two["x"] - two["y"]).transpose("step", "k").values)
    step = two["step"].values
    ways = []
    for i, each in enumerate(two["k"].values):
        ways.append(Curve(step, np.maximum(apart[:, i], _FLOOR), f"K = {each:.3g}", PALETTE[i]))
        rate = apart[100, i] * np.abs(3 - 2 * each) ** ((step - 100) / 2)
        ways.append(Curve(step, np.where(rate > _FLOOR, rate, np.nan), None, INK, "dashes"))
    return plate(
        [
            Panel(
                x="K = ημ (1: the edge)",
                y="x at the end",
                curves=[
                    Curve(np.broadcast_to(k, x.shape).ravel(), x.ravel(), "descent on (x² − μ)²/4", FAINT, "dots"),
                    Curve(fine, (outer + inner) / 2, "the cycle in closed form", PALETTE[1], "dashes"),
                    Curve(fine, (outer - inner) / 2, None, PALETTE[1], "dashes"),
                    Curve([5**0.5 - 1] * 2, [0.5, 2.1], "√5 − 1", INK, "dashes"),
                ],
            ),
            Panel(
                x="step",
                y="|x − y|",
                curves=ways,
                log="y",
                xlim=(0, 800),
                title="(xy − μ)²/2",
            ),
        ],
        title="Beyond the edge descent settles in a cycle of two, and balances its factors",
        text="μ = 2. Pairs that start apart become equal, as in the flattest minima. Dashed: |3 − 2K| a cycle.",
    )
