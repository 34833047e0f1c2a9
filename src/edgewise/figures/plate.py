"""A plate of panels from plain arrays: what the gallery's figures are made of.

A panel is described, not drawn: its curves, points and fields, and the levels that matter in it.
"""

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from numpy.typing import ArrayLike, NDArray

from edgewise.figures.style import FAINT, INK, PALETTE, SMALL, TEXT, TITLE, dress
from edgewise.foundation import SettingError

Reals = NDArray[np.float64]

Style = Literal["line", "dashes", "dots", "thin"]
"""How a curve looks: a line, dashes (a prediction), dots (single values), or thin and pale (raw readings)."""

_STYLES: dict[str, dict[str, Any]] = {
    "line": {"linewidth": 1.6},
    "dashes": {"linewidth": 1.6, "linestyle": (0, (5, 2))},
    "dots": {"linestyle": "none", "marker": "o", "markersize": 3.5, "markeredgewidth": 0},
    "thin": {"linewidth": 0.7, "alpha": 0.55},
}
# Inches: a panel with room for its labels, and what the head takes a line.
_WIDTH, _HEIGHT, _LINE = 4.6, 3.4, 0.24
_LETTERS = {TITLE: 0.112, TEXT: 0.078}
_SHORT = 1.7  # decades
_HUGE = 1e150
# A legend with more entries than this stands in two columns.
_COLUMN = 6


@final
@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Values over positions.

    Attributes:
        x: positions, of any shape of one axis.
        y: values, of the same length; what is not finite leaves a gap.
        label: its name in the legend; None leaves it out.
        color: as matplotlib knows it; None takes the next one of the palette.
        style: how it looks.
    """

    x: ArrayLike
    y: ArrayLike
    label: str | None = None
    color: str | None = None
    style: Style = "line"


@final
@dataclass(frozen=True, slots=True)
class Level:
    """A horizontal line that matters, such as the critical curvature.

    Attributes:
        y: where it lies.
        label: what it is called, at its right end.
        color: None takes the ink.
    """

    y: float | int
    label: str
    color: str | None = None


@final
@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """Values on a grid, as colours.

    Attributes:
        x: columns, ascending.
        y: rows, ascending.
        values: of the shape (rows, columns); what is not finite stays white.
        label: what the colours mean.
        log: on a logarithmic scale.
    """

    x: ArrayLike
    y: ArrayLike
    values: ArrayLike
    label: str
    log: bool = False


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Panel:
    """One pair of axes.

    Attributes:
        x: what the horizontal axis shows, with its unit.
        y: what the vertical axis shows.
        curves: in the order of the legend.
        levels: the lines that matter.
        field: colours behind them.
        title: a line above it.
        log: which axes are logarithmic: "", "x", "y" or "xy".
        xlim: from where to where; None takes what the data need.
        ylim: likewise.
    """

    x: str
    y: str
    curves: Sequence[Curve] = ()
    levels: Sequence[Level] = ()
    field: Field | None = None
    title: str | None = None
    log: Literal["", "x", "y", "xy"] = ""
    xlim: tuple[float | int, float | int] | None = None
    ylim: tuple[float | int, float | int] | None = None


def plate(panels: Sequence[Panel], *, title: str, text: str | None = None, columns: int = 2) -> Figure:
    """Panels side by side, in rows, under a title and a paragraph.

    Args:
        panels: what to draw, row by row.
        title: one bold line.
        text: a sentence or two that say what is to be seen.
        columns: how many panels stand in a row.

    Raises:
        SettingError: if there is no panel.
    """
    if not panels:
        raise SettingError(f"the figure {title!r}", "it has no panel", "Give it one: plate([Panel(…)], title=…)")
    columns = min(columns, len(panels))
    rows = math.ceil(len(panels) / columns)
    width = max(columns * _WIDTH, 6.4)
    lines = [
        (line, size, weight)
        for words, size, weight in ((title, TITLE, "bold"), (text, TEXT, "normal"))
        if words
        for line in textwrap.wrap(words, int((width - 0.4) / _LETTERS[size]))
    ]
    head = 0.2 + _LINE * len(lines) + 0.12
    height = head + rows * _HEIGHT
    figure = Figure(
        figsize=(width, height),
        facecolor="white",
        edgecolor="white",
        layout=ConstrainedLayoutEngine(
            rect=(0.01, 0.01, 0.98, 1 - head / height - 0.01), wspace=0.06, hspace=0.06
        ),
    )
    for i, (line, size, weight) in enumerate(lines):
        y = 1 - (0.16 + i * _LINE) / height
        figure.text(0.2 / width, y, line, fontsize=size, fontweight=weight, color=INK, ha="left", va="top")
    grid = GridSpec(rows, columns, figure=figure)
    for i, panel in enumerate(panels):
        _draw(figure, figure.add_subplot(grid[i // columns, i % columns]), panel)
    return figure


def _draw(figure: Figure, axes: Axes, panel: Panel) -> None:
    dress(axes, last=True)
    if panel.field is not None:
        _colours(figure, axes, panel.field)
    colors = iter(PALETTE * (1 + len(panel.curves) // len(PALETTE)))
    for curve in panel.curves:
        color = next(colors) if curve.color is None else curve.color
        x, y = _drawable(curve.x), _drawable(curve.y)
        axes.plot(x, y, color=color, label=curve.label, solid_joinstyle="round", **_STYLES[curve.style])
    # An axis on which nothing is positive stays linear, as it would have no numbers at all.
    if "x" in panel.log and _any_positive(axes.dataLim.intervalx, *(curve.x for curve in panel.curves)):
        axes.set_xscale("log")
    if "y" in panel.log and _any_positive(axes.dataLim.intervaly, *(curve.y for curve in panel.curves)):
        axes.set_yscale("log")
    for level in panel.levels:
        color = level.color or INK
        axes.axhline(level.y, color=color, linestyle=(0, (4, 2)), linewidth=1.1, zorder=2.5)
        axes.annotate(
            level.label, (1.0, level.y), xycoords=("axes fraction", "data"), xytext=(-2, 2),
            textcoords="offset points", ha="right", va="bottom", fontsize=SMALL, color=color,
            annotation_clip=True,  # a level out of sight has no name in the margin
        )  # fmt: skip
    if panel.xlim is not None:
        axes.set_xlim(panel.xlim)
    if panel.ylim is not None:
        axes.set_ylim(panel.ylim)
    for axis in (axes.xaxis, axes.yaxis):
        if axis.get_scale() == "log":
            _number(axis)
    axes.set_xlabel(panel.x)
    axes.set_ylabel(panel.y)
    if panel.title is not None:
        axes.set_title(panel.title, fontsize=TEXT, color=INK, loc="left")
    named = sum(curve.label is not None for curve in panel.curves)
    if named:
        axes.legend(
            frameon=True, framealpha=0.85, edgecolor="none", facecolor="white", fontsize=SMALL, labelcolor=INK,
            ncols=1 + (named > _COLUMN), handlelength=1.8, labelspacing=0.35,
        )  # fmt: skip


def _drawable(values: ArrayLike) -> Reals:
    """As numbers; those of a divergence that drawing would overflow leave a gap, as infinity does."""
    numbers = np.asarray(values, dtype=np.float64)
    return np.where(np.abs(numbers) < _HUGE, numbers, np.nan)


def _any_positive(*many: ArrayLike) -> bool:
    return any(bool((_drawable(values) > 0).any()) for values in many)


def _number(axis: Axis) -> None:
    """Powers of ten on a long logarithmic axis; 1, 2, 5 of each on a short one, which would have one number."""
    low, high = sorted(axis.get_view_interval())
    axis.set_minor_formatter(NullFormatter())
    if low > 0 and math.log10(high) - math.log10(low) < _SHORT:
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _colours(figure: Figure, axes: Axes, field: Field) -> None:
    values = np.ma.masked_invalid(np.asarray(field.values, dtype=float))
    norm = LogNorm() if field.log and (values > 0).any() else None
    mesh = axes.pcolormesh(
        np.asarray(field.x), np.asarray(field.y), values, cmap="cividis", norm=norm, shading="nearest",
        rasterized=True,
    )  # fmt: skip
    axes.grid(visible=False)
    bar = figure.colorbar(mesh, ax=axes, pad=0.02)
    bar.set_label(field.label, fontsize=TEXT, color=INK)
    bar.ax.tick_params(labelsize=SMALL, color=FAINT, labelcolor=INK)
    bar.outline.set_visible(False)
