"""Limits of an axis that leave the bulk of the data legible when a few values blow up."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from numpy.typing import NDArray

from edgewise.figures.style import FAINT, SMALL

Reals = NDArray[np.float64]

# Values further from the bulk (the middle 96 %) than this many times its height are cut off.
_BEYOND = 1.0
# On a logarithmic axis: this many times the middle of the data.
_FOLD = 1e4
_ROOM = 0.06
_PLAIN = 300.0


def linear_limits(panel: Axes, values: Reals, *, include: Reals) -> None:
    """Limits around `values` and `include`, without values far outside the bulk.

    Args:
        panel: whose vertical axis is set.
        values: what is drawn.
        include: levels that must be visible.
    """
    values, include = values[np.isfinite(values)], include[np.isfinite(include)]
    bulk = np.concatenate([np.quantile(values, [0.02, 0.98]), include])
    low, high = float(bulk.min()), float(bulk.max())
    reach = _BEYOND * (high - low)
    bottom = max(float(values.min()), low - reach) if values.min() < low else low
    top = min(float(values.max()), high + reach) if values.max() > high else high
    room = _ROOM * (top - bottom) or 1.0
    panel.set_ylim(bottom - room, top + room)
    _say_what_is_cut(panel, values, bottom - room, top + room)


def log_limits(panel: Axes, values: Reals) -> None:
    """A logarithmic axis around positive `values`, without a blow-up of more than four decades."""
    panel.set_yscale("log")
    values = values[np.isfinite(values)]
    bottom, top = float(values.min()), min(float(values.max()), float(_FOLD * np.median(values)))
    room = max((top / bottom) ** _ROOM, 1.05)
    panel.set_ylim(bottom / room, top * room)
    if top < _PLAIN * bottom:
        # Within few decades plain numbers read better than powers of ten.
        panel.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=12))
        panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        panel.yaxis.set_minor_formatter(NullFormatter())
    _say_what_is_cut(panel, values, bottom / room, top * room)


def _say_what_is_cut(panel: Axes, values: Reals, bottom: float, top: float) -> None:
    for count, arrow, y, side in (
        (int(np.count_nonzero(values > top)), "↑", 0.99, "top"),
        (int(np.count_nonzero(values < bottom)), "↓", 0.01, "bottom"),
    ):
        if count:
            panel.text(
                0.01,
                y,
                f"{arrow} {count} {'reading' if count == 1 else 'readings'} beyond",
                transform=panel.transAxes,
                fontsize=SMALL,
                color=FAINT,
                ha="left",
                va=side,
            )
