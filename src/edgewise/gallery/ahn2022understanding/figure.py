"""Steps on quadratics, paths that stay where they are bounded, and progress along a run."""

import numpy as np
from matplotlib.figure import Figure

from edgewise.claims import Runs
from edgewise.figures import INK, PALETTE, Curve, Level, Panel, plate

_PROGRESS = "relative progress"
_SMOOTHNESS = "(η/2) × directional smoothness"
_SHOWN, _STARTS_SHOWN = 20, 12
# Single steps scatter; a window this long shows where they go.
_WINDOW = 25


def quadratic(runs: Runs) -> Figure:
    """Progress over smoothness, and over the step size."""
    run = runs["steps"]
    progress, share = run["relative_progress"].values, run["smoothness_share"].values
    line = np.array([share.min(), share.max()])
    return plate(
        [
            Panel(
                x=_SMOOTHNESS,
                y=_PROGRESS,
                curves=[
                    Curve(line, line - 1, "−1 + (η/2) DS", INK, "dashes"),
                    Curve(share, progress, "steps", PALETTE[0], "dots"),
                ],
                levels=[Level(0.0, "no progress")],
            ),
            Panel(
                x="step size × sharpness / 2",
                y=_PROGRESS,
                curves=[Curve(run["step_size_share"].values, progress, None, PALETTE[0], "dots")],
                levels=[Level(0.0, "no progress"), Level(-1.0, "gradient flow")],
            ),
        ],
        title="On a quadratic, progress and smoothness are one number",
        text="Single steps on random quadratics. Below 2/η (left of 1) none of them goes up.",
    )


def bounded(runs: Runs) -> Figure:
    """Paths on log cosh, and what its steps bring."""
    run = runs["paths"]
    step = run["step"].values[: _SHOWN + 1]
    eta = float(run["start"].max())
    chosen = np.linspace(0, run.sizes["start"] - 1, _STARTS_SHOWN).astype(int)
    moving = np.linspace(0, run.sizes["moving"] - 1, _STARTS_SHOWN).astype(int)
    x = run["x"].values[: _SHOWN + 1]
    free = run["quadratic"].values[: _SHOWN + 1]
    progress = run["relative_progress"].values[:_SHOWN]
    smoothness = run["directional_smoothness"].values[:_SHOWN]
    return plate(
        [
            Panel(
                x="step", y="x", title="log cosh x",
                curves=[Curve(step, x[:, i], None, PALETTE[0], "thin") for i in chosen],
                levels=[Level(eta, "η"), Level(-eta, "−η")], ylim=(-1.3 * eta, 1.3 * eta),
            ),
            Panel(
                x="step", y="x", title="½ x², of the same curvature at 0",
                curves=[Curve(step, free[:, i], None, PALETTE[1], "thin") for i in chosen],
                levels=[Level(eta, "η"), Level(-eta, "−η")], ylim=(-1.3 * eta, 1.3 * eta),
            ),
            Panel(
                x="step", y=_PROGRESS, title="log cosh x",
                curves=[Curve(step[:-1], progress[:, i], None, PALETTE[0], "thin") for i in moving],
                levels=[Level(0.0, "no progress")],
            ),
            Panel(
                x="step", y="directional smoothness", title="log cosh x",
                curves=[Curve(step[:-1], smoothness[:, i], None, PALETTE[0], "thin") for i in moving],
                levels=[Level(2 / eta, "2/η")],
            ),
        ],
        title="A bounded gradient holds what the curvature drives away",
        text=(
            f"η = {eta:g} and curvature 1 at the minimum: unstable. On log cosh all starts end in one cycle, on "
            "which a step brings nothing and DS = 2/η."
        ),
    )  # fmt: skip


def network(runs: Runs) -> Figure:
    """Loss, edge ratio, progress and smoothness along every run."""
    series = {
        "loss": ("loss", None),
        "edge_ratio": ("edge ratio (sharpness × η/2)", 1.0),
        "relative_progress": (_PROGRESS, 0.0),
        "directional_smoothness": (_SMOOTHNESS, 1.0),
    }
    words = {
        "edge_ratio": "2/η",
        "relative_progress": "no progress",
        "directional_smoothness": "2/η",
    }
    panels = []
    for name, (label, level) in series.items():
        curves = []
        for i, (run_name, run) in enumerate(runs.items()):
            one = run.isel(process=0)
            values = one[name].isel(rank=0) if "rank" in one[name].dims else one[name]
            y = np.asarray(values.values, dtype=float)
            if name == "directional_smoothness":
                y = y / one["critical_curvature"].values
            known = np.isfinite(y)
            color = PALETTE[i % len(PALETTE)]
            x = one["step"].values[known]
            if name in ("relative_progress", "directional_smoothness"):
                curves += [Curve(x, y[known], None, color, "thin"), Curve(*_smooth(x, y[known]), run_name, color)]
            else:
                curves.append(Curve(x, y[known], run_name, color))
        panels.append(
            Panel(
                x="step", y=label, curves=curves, log="y" if name == "loss" else "",
                levels=[] if level is None else [Level(level, words[name])],
                ylim={"relative_progress": (-1.1, 0.6), "directional_smoothness": (-0.1, 1.6)}.get(name),
            )
        )  # fmt: skip
    return plate(
        panels,
        title="At the edge a step brings nothing, and many steps bring much",
        text=(
            f"Pale: single steps; lines: means of {_WINDOW}. Progress leaves −1 for 0 once the oscillation is "
            "large enough for the loss to go up."
        ),
    )


def _smooth(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean = np.convolve(y, np.ones(_WINDOW) / _WINDOW, mode="valid")
    return x[_WINDOW // 2 : _WINDOW // 2 + mean.size], mean
