"""A run as a film: the loss, the sharpness, and the iterate swinging along the top eigenvector.

As Cohen shows it in his talks: below the critical curvature the iterate slides down the valley; at the edge it
bounces between the walls, and the bouncing pushes the sharpness back.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from edgewise.figures.style import FAINT, INK, PALETTE, SMALL, TEXT, TITLE, dress
from edgewise.foundation import RecordError, SettingError

Reals = NDArray[np.float64]

_FRAMES = 150  # pictures that a film has at most
_TAIL = 24  # bounces that stay visible behind the iterate
_VALLEY = 1.35  # width of the drawn valley, in largest swings


@final
@dataclass(frozen=True, slots=True, eq=False)
class Film:
    """Pictures, one after the other.

    Attributes:
        figure: what they are drawn on.
        draw: draws the picture of that number, and returns what has changed.
        pictures: how many there are.
    """

    figure: Figure
    draw: Callable[[int], Sequence[Artist]]
    pictures: int


def film(dataset: xr.Dataset, *, title: str | None = None, process: str | None = None) -> Film:
    """Loss, sharpness and the iterate in its valley, growing from the first step to the last.

    The valley is the parabola of the sharpness read at that step, λx²/2, and the ball the iterate's displacement x
    from the midpoint of its neighbours along the top eigenvector.

    Args:
        dataset: of a run with the series `sharpness` and `oscillation` (the probes `Sharpness` and `Oscillation`).
        title: one line above.
        process: whose; None takes the first.

    Raises:
        RecordError: if one of the two was not read, or never where the critical curvature is known.
    """
    one = dataset.isel(process=0) if process is None else dataset.sel(process=process)
    for name, probe in (("sharpness", "Sharpness()"), ("oscillation", "Oscillation()")):
        if name not in one:
            raise RecordError(
                f"a film without {name}",
                "it shows what one does to the other",
                f"Add {probe} to its probes",
            )
    known = np.isfinite(one["oscillation"].values) & np.isfinite(one["sharpness"].isel(rank=0).values)
    critical = one["critical_curvature"].values
    known &= np.isfinite(critical) & (critical > 0)
    if not known.any():
        raise RecordError(
            "a film of this run",
            "at no step are sharpness, oscillation and critical curvature known together",
            "Take more steps, and read both at each",
        )
    read = one.isel(step=np.flatnonzero(known))
    step, loss = _values(read["step"]), _values(read["loss"])
    sharpness, critical = _values(read["sharpness"].isel(rank=0)), _values(read["critical_curvature"])
    x = _values(read["oscillation"])
    figure, (top, middle, valley) = _page(title or "At the edge of stability")
    top.plot(step, loss, color=FAINT, linewidth=0.7, alpha=0.35)
    top.set_yscale("log" if (loss > 0).all() else "linear")
    top.set_ylabel("loss")
    middle.plot(step, sharpness, color=FAINT, linewidth=0.7, alpha=0.35)
    middle.plot(step, critical, color=INK, linestyle="--", linewidth=1.2)
    middle.annotate(
        "critical curvature", (step[0], critical[0]), xytext=(2, 3), textcoords="offset points", fontsize=SMALL
    )
    middle.set_ylim(0, 1.5 * float(critical.max()))
    middle.set_ylabel("sharpness")
    middle.set_xlabel("step")
    (loss_line,) = top.plot([], [], color=PALETTE[0], linewidth=1.5)
    (sharpness_line,) = middle.plot([], [], color=PALETTE[0], linewidth=1.5)
    widest = float(np.abs(x).max()) or 1.0
    across = np.linspace(-_VALLEY * widest, _VALLEY * widest, 201)
    valley.set_xlim(across[0], across[-1])
    highest = float(critical.max()) * (_VALLEY * widest) ** 2 / 2
    valley.set_ylim(-0.06 * highest, 1.2 * highest)
    valley.set_xlabel("x, along the top eigenvector")
    valley.set_ylabel("loss above the valley's floor, λx²/2")
    (wall,) = valley.plot([], [], color=INK, linewidth=1.4)
    (path,) = valley.plot([], [], color=PALETTE[1], linewidth=0.7, alpha=0.6)
    (ball,) = valley.plot([], [], color=PALETTE[1], marker="o", markersize=9, linestyle="none")
    valley.xaxis.set_major_locator(MaxNLocator(5))
    said = valley.text(0.03, 0.95, "", transform=valley.transAxes, va="top", fontsize=TEXT, color=INK)
    shown = _chosen(len(step))

    def draw(frame: int) -> Sequence[Artist]:
        i = int(shown[frame])
        loss_line.set_data(step[: i + 1], loss[: i + 1])
        sharpness_line.set_data(step[: i + 1], sharpness[: i + 1])
        wall.set_data(across, sharpness[i] * across**2 / 2)
        tail = slice(max(0, i - _TAIL), i + 1)
        path.set_data(x[tail], sharpness[tail] * x[tail] ** 2 / 2)
        ball.set_data([x[i]], [sharpness[i] * x[i] ** 2 / 2])
        ratio = sharpness[i] / critical[i]
        said.set_text(f"step {int(step[i])}\nsharpness = {ratio:.2f} × critical")
        said.set_color(PALETTE[1] if ratio > 1 else INK)
        return loss_line, sharpness_line, wall, path, ball, said

    _settle(figure)
    return Film(figure, draw, len(shown))


@final
@dataclass(frozen=True, slots=True, eq=False)
class Trail:
    """A trajectory in the plane.

    Attributes:
        x: its first coordinate, at every step.
        y: its second.
        label: its name in the legend.
    """

    x: ArrayLike
    y: ArrayLike
    label: str


def walk(
    trails: Sequence[Trail],
    loss: tuple[ArrayLike, ArrayLike, ArrayLike],
    *,
    x: str,
    y: str,
    title: str,
) -> Film:
    """Trajectories of a toy on the contours of its loss, step by step.

    Args:
        trails: of equal length or not; the shorter ones stand still at their end.
        loss: the columns, the rows, and the loss on their grid, of the shape (rows, columns).
        x: what the horizontal axis shows.
        y: what the vertical axis shows.
        title: one line above.

    Raises:
        SettingError: if there is no trajectory, an empty one, or no loss that is a number.
    """
    if not trails or not all(np.size(trail.x) for trail in trails) or not np.isfinite(loss[2]).any():
        raise SettingError(
            f"the film {title!r}",
            "it has no trajectory, an empty one, or no loss to draw",
            "Give it trails of one point or more, and a loss on the grid",
        )
    figure = Figure(figsize=(6.4, 5.4), facecolor="white", layout="constrained")
    axes = figure.add_subplot()
    dress(axes, last=True)
    columns, rows, values = (np.asarray(part, dtype=float) for part in loss)
    logs = np.log10(np.maximum(values, np.finfo(float).tiny))
    low = float(np.quantile(logs[np.isfinite(logs)], 0.02))
    shade = np.clip(logs, low, None)
    # An image: filled contours take a second, and every picture of the film draws them anew.
    extent = (columns[0], columns[-1], rows[0], rows[-1])
    axes.imshow(
        shade, extent=extent, origin="lower", aspect="auto", cmap="cividis", alpha=0.55, interpolation="bilinear"
    )
    axes.contour(columns, rows, shade, levels=8, colors="white", linewidths=0.5)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.set_xlim(columns[0], columns[-1])
    axes.set_ylim(rows[0], rows[-1])
    figure.suptitle(title, fontsize=TITLE, fontweight="bold", color=INK)
    paths = [(np.asarray(trail.x, dtype=float), np.asarray(trail.y, dtype=float)) for trail in trails]
    colors = [PALETTE[(i + 1) % len(PALETTE)] for i in range(len(trails))]
    lines = [
        axes.plot([], [], color=color, linewidth=0.9, label=trail.label)[0]
        for trail, color in zip(trails, colors, strict=True)
    ]
    ball: dict[str, Any] = {"marker": "o", "markersize": 7, "markeredgecolor": "white", "linestyle": "none"}
    balls = [axes.plot([], [], color=color, **ball)[0] for color in colors]
    axes.legend(loc="upper right", fontsize=SMALL, framealpha=0.9, edgecolor="none")
    said = axes.text(0.02, 0.02, "", transform=axes.transAxes, fontsize=SMALL, color=INK)
    shown = _chosen(max(len(path) for path, _ in paths))

    def draw(frame: int) -> Sequence[Artist]:
        i = int(shown[frame])
        for (path_x, path_y), line, end in zip(paths, lines, balls, strict=True):
            line.set_data(path_x[: i + 1], path_y[: i + 1])
            end.set_data(path_x[: i + 1][-1:], path_y[: i + 1][-1:])
        said.set_text(f"step {i}")
        return *lines, *balls, said

    _settle(figure)
    return Film(figure, draw, len(shown))


def _page(title: str) -> tuple[Figure, tuple[Axes, Axes, Axes]]:
    """Two panels over each other on the left, a large one on the right."""
    figure = Figure(figsize=(10.0, 5.0), facecolor="white")
    figure.set_layout_engine(ConstrainedLayoutEngine(rect=(0.01, 0.01, 0.98, 0.91), wspace=0.06))
    figure.text(0.02, 0.97, title, fontsize=TITLE, fontweight="bold", color=INK, va="top")
    grid = GridSpec(2, 2, figure=figure, width_ratios=[1.1, 1.0])
    panels = (figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[1, 0]), figure.add_subplot(grid[:, 1]))
    for panel in panels:
        dress(panel, last=True)
    return figure, panels


def _settle(figure: Figure) -> None:
    """Lay the page out once: every picture has the same, and finding it takes longer than drawing."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")


def _chosen(steps: int) -> NDArray[np.int64]:
    """Which steps get a picture: all of a short run; else every so many, an odd number."""
    if steps <= _FRAMES:
        return np.arange(steps)
    stride = math.ceil(steps / _FRAMES)
    # An odd stride shows the two sides of a two-cycle in turn; an even one would make it stand still.
    return np.arange(0, steps, stride + 1 - stride % 2)


def _values(series: xr.DataArray) -> Reals:
    return np.asarray(series.values, dtype=np.float64)
