"""A discrete run beside the flows that describe it: sharpness, loss, and how far they go apart.

It reads the record of a run and nothing else.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from edgewise.figures.limits import linear_limits, log_limits
from edgewise.figures.style import FAINT, INK, PALETTE, legend, page

Reals = NDArray[np.float64]
Styles = Mapping[str, Mapping[str, Any]]
"""How each flow is drawn."""

_WIDTH, _HEIGHTS = 9.0, (2.7, 2.7, 2.0)
# Flows that agree lie on top of each other: dashes let the ones below be seen.
_DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (2, 1.5)), (0, (6, 2, 1, 2)), (0, (1, 1)), (0, (9, 3)))
# How far above the run a flow is followed.
_ROOM = 1.5
# Within a cycle the loss goes from that of the flow's own point (at rest) to twice the mean excess (a full swing).
_SWING = 2.0


def comparison(
    dataset: xr.Dataset,
    *,
    run: str,
    midpoint: str,
    flows: Sequence[str],
    title: str | None = None,
    verdict: str | None = None,
) -> Figure:
    """Sharpness, loss and distance of flows against a discrete run.

    The run is grey, its midpoints black; a flow is a colour. Distances are from the midpoints, relative to the way
    from the start. The loss that a flow predicts, a time average, comes with the band in which the oscillation
    takes the loss up and down.

    Args:
        dataset: the dataset of a run with a discrete process, its midpoints and flows.
        run: the name of the discrete process.
        midpoint: the name of its midpoints.
        flows: the names of the flows, in the order of the legend.
        title: one line above the figure.
        verdict: a sentence or two beneath it; wrapped.
    """
    figure, panels = page(_WIDTH, _HEIGHTS, title, verdict)
    styles = {
        flow: {"color": PALETTE[i % len(PALETTE)], "linestyle": _DASHES[i % len(_DASHES)]}
        for i, flow in enumerate(flows)
    }
    _draw_sharpness(panels[0], dataset, run, midpoint, styles)
    _draw_loss(panels[1], dataset, run, styles)
    _draw_distance(panels[2], dataset, styles)
    step = _steps(dataset)
    panels[-1].set_xlim(step[0], max(step[-1], step[0] + 1))
    panels[-1].xaxis.set_major_locator(MaxNLocator(7, integer=True))
    panels[-1].set_xlabel("step")
    return figure


def _draw_sharpness(panel: Axes, dataset: xr.Dataset, run: str, midpoint: str, styles: Styles) -> None:
    step = _steps(dataset)
    shown = [_top(dataset, name) for name in (run, midpoint, *styles)]
    _line(panel, step, shown[0], color=FAINT, linewidth=0.7, alpha=0.6)
    _line(panel, step, shown[1], color=INK, linewidth=1.8)
    for style, values in zip(styles.values(), shown[2:], strict=True):
        _line(panel, step, values, **style)
    critical = dataset["critical_curvature"].sel(process=run).values
    panel.plot(step, critical, color=INK, linestyle="--", linewidth=1.2, zorder=2.5)
    # A flow that leaves the run behind may leave the panel.
    highest = _ROOM * max(np.nanmax(values, initial=0.0) for values in shown[:2])
    finite = np.concatenate([values[values <= highest] for values in shown])
    linear_limits(panel, finite, include=critical[np.isfinite(critical)])
    panel.set_ylabel(_read(dataset).replace("_", " "))
    formula = str(dataset["critical_curvature"].attrs.get("formula", "critical curvature"))
    handles = [
        Line2D([], [], color=FAINT, linewidth=1.2, alpha=0.6),
        Line2D([], [], color=INK, linewidth=1.6),
        Line2D([], [], color=INK, linestyle="--", linewidth=1.2),
        *(Line2D([], [], linewidth=1.8, **style) for style in styles.values()),
    ]
    # One label for the axis that all processes share.
    legend(panel, handles, [run, "its midpoints", formula.split(",")[0].split(": ")[-1], *styles], handle=2.8)


def _draw_loss(panel: Axes, dataset: xr.Dataset, run: str, styles: Styles) -> None:
    step = _steps(dataset)
    loss = dataset["loss"].sel(process=run).values
    _line(panel, step, loss, color=FAINT, linewidth=0.7, alpha=0.6)
    for flow, style in styles.items():
        one = dataset.sel(process=flow)
        predicted, at_rest = one["predicted_loss"].values, one["loss"].values
        known = np.isfinite(predicted) & np.isfinite(at_rest)
        swing = at_rest + _SWING * (predicted - at_rest)
        panel.fill_between(
            step[known], at_rest[known], swing[known], color=style["color"], alpha=0.13, linewidth=0
        )
        _line(panel, step, predicted, **style)
    finite = loss[np.isfinite(loss)]
    if finite.size and finite.min() > 0:
        log_limits(panel, finite)
    elif finite.size:
        linear_limits(panel, finite, include=np.array([0.0]))
    panel.set_ylabel("loss")
    legend(
        panel,
        [Line2D([], [], color=FAINT, linewidth=1.2, alpha=0.6), Line2D([], [], color=PALETTE[0], linewidth=2.0),
         Patch(color=PALETTE[0], alpha=0.13, linewidth=0)],
        [run, "predicted time average", "predicted swing of the oscillation"],
    )  # fmt: skip


def _draw_distance(panel: Axes, dataset: xr.Dataset, styles: Styles) -> None:
    step = _steps(dataset)
    drawn = []
    for flow, style in styles.items():
        values = dataset["relative_distance"].sel(process=flow).values
        _line(panel, step, values, **style)
        drawn.append(values[np.isfinite(values) & (values > 0)])
    positive = np.concatenate(drawn) if drawn else np.empty(0)
    if positive.size:
        log_limits(panel, positive)
    panel.set_ylabel("relative distance")


def _steps(dataset: xr.Dataset) -> Reals:
    return np.asarray(dataset["step"].values, dtype=np.float64)


def _top(dataset: xr.Dataset, process: str) -> Reals:
    return np.asarray(dataset[_read(dataset)].sel(process=process).transpose("step", "rank").values[:, 0])


def _read(dataset: xr.Dataset) -> str:
    """The curvature that was read: of a method with a preconditioner the effective one."""
    return "effective_sharpness" if "effective_sharpness" in dataset else "sharpness"


def _line(panel: Axes, step: Reals, values: Reals, **style: Any) -> None:
    read = np.isfinite(values)
    panel.plot(step[read], values[read], **{"linewidth": 1.5, "solid_joinstyle": "round", **style})
