"""The overview of a run: its loss, the top of its spectrum against the critical curvature, its edge ratio.

It reads the record of a run and nothing else.
"""

import numpy as np
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from edgewise.figures.limits import linear_limits, log_limits
from edgewise.figures.style import FAINT, INK, PALETTE, legend, note, page

Reals = NDArray[np.float64]

_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")

_WIDTH, _HEIGHTS = 9.0, (2.0, 2.7, 2.0)
# Lines with no more points than this show each of them; with more than the second number they are drawn
# thinner, as an edge oscillates at every step.
_FEW, _MANY = 80, 1000
# Hollow markers drawn at most, a line; more would run into each other.
_MARKERS = 30
# The band about an edge ratio of one that counts as being at the edge.
_BAND = 0.05
# A band of error bounds narrower than this share of the axis cannot be seen, and gets no legend.
_VISIBLE = 0.004
# A run that was near its edge is looked at from here upwards; its way there is in the panel above.
_NEAR, _FLOOR = 0.95, 0.75


def overview(dataset: xr.Dataset, *, title: str | None = None, verdict: str | None = None) -> Figure:
    """Loss, top eigenvalues and edge ratio over the steps, one colour a process.

    Where effective eigenvalues were read, those of a method with a preconditioner, they are shown: it is they
    that the critical curvature is for. Eigenvalues come with their error bounds as a band, unconverged readings
    as hollow markers, and the critical curvature dashed; its formula is read from
    `critical_curvature.attrs["formula"]` where that stands. A run without sharpness has its loss alone.

    Args:
        dataset: the dataset of a run, with dimensions process, step and, for eigenvalues, rank.
        title: one line above the figure.
        verdict: a sentence or two beneath it; wrapped.

    Returns:
        A figure that belongs to no window and no global state; hand it to `save`.
    """
    dataset = _comparable(dataset)
    read = "sharpness" in dataset and bool(np.isfinite(dataset["sharpness"]).any())
    figure, panels = page(_WIDTH, _HEIGHTS if read else (3.2,), title, verdict)
    _draw_loss(panels[0], dataset)
    if read:
        _draw_eigenvalues(panels[1], dataset)
        _draw_edge_ratio(panels[2], dataset)
    else:
        note(panels[0], "No sharpness was read.")
    first, last = _extent(dataset)
    panels[-1].set_xlim(first, max(last, first + 1))
    panels[-1].xaxis.set_major_locator(MaxNLocator(7, integer=True))
    panels[-1].set_xlabel("step")
    return figure


def _comparable(dataset: xr.Dataset) -> xr.Dataset:
    """The dataset with the effective eigenvalues in the place of the plain ones, where they were read."""
    if "effective_sharpness" not in dataset or not np.isfinite(dataset["effective_sharpness"]).any():
        return dataset
    names = {str(name): str(name).removeprefix("effective_") for name in dataset if "effective_" in str(name)}
    shown = dataset.drop_vars([name for name in names.values() if name in dataset]).rename(names)
    shown["sharpness"].attrs["long_name"] = "effective Hessian eigenvalues"
    return shown


def _draw_loss(panel: Axes, dataset: xr.Dataset) -> None:
    values = dataset["loss"].transpose("process", "step").values
    finite = values[np.isfinite(values)]
    processes = _processes(dataset)
    for row, (_, colour) in enumerate(processes):
        _line(panel, _steps(dataset), values[row], color=colour)
    if finite.size and finite.min() > 0:
        log_limits(panel, finite)
    elif finite.size:
        linear_limits(panel, finite, include=np.array([0.0]))
    panel.set_ylabel(_label(dataset, "loss", "loss"))
    if len(processes) > 1:
        handles = [Line2D([], [], color=colour, linewidth=2.5) for _, colour in processes]
        legend(panel, handles, [name for name, _ in processes])


def _draw_eigenvalues(panel: Axes, dataset: xr.Dataset) -> None:
    step, ranks = _steps(dataset), dataset["rank"].values
    values = dataset["sharpness"].transpose("process", "step", "rank").values
    bounds = _like_sharpness(dataset, "sharpness_bound", missing=0.0)
    converged = _like_sharpness(dataset, "sharpness_converged", missing=1.0)
    processes = _processes(dataset)
    for row, (_, colour) in enumerate(processes):
        for k in reversed(range(len(ranks))):
            _line(panel, step, values[row, :, k], color=colour, rank=k)
            _draw_bounds(panel, step, values[row, :, k], bounds[row, :, k], colour)
            _hollow(panel, step, values[row, :, k], converged[row, :, k], colour)
    levels = _draw_critical_curvature(panel, dataset)
    shown = np.isfinite(values)
    linear_limits(panel, values[shown], include=np.append(levels, 0.0))
    effective = "effective" in str(dataset["sharpness"].attrs.get("long_name", ""))
    panel.set_ylabel("effective eigenvalues" if effective else "Hessian eigenvalues")
    meaning = " (effective sharpness)" if effective else " (sharpness)"

    single = processes[0][1] if len(processes) == 1 else FAINT
    handles: list[Artist] = [Line2D([], [], color=INK, linestyle="--", linewidth=1.2)]
    labels = [_critical_label(dataset, levels)]
    for k, rank in enumerate(ranks):
        handles.append(Line2D([], [], color=single, linewidth=_width(k), alpha=_strength(k)))
        labels.append("λ" + str(rank).translate(_SUBSCRIPTS) + (meaning if k == 0 else ""))
    low, high = panel.get_ylim()
    if np.quantile(np.nan_to_num(bounds[shown], nan=0.0), 0.95) > _VISIBLE * (high - low):
        handles.append(Patch(color=single, alpha=0.2, linewidth=0))
        labels.append("error bound")
    if np.any(shown & (converged == 0.0)):
        handles.append(_hollow_line(np.empty(0), np.empty(0), single))
        labels.append("not converged")
    legend(panel, handles, labels)


def _draw_edge_ratio(panel: Axes, dataset: xr.Dataset) -> None:
    step = _steps(dataset)
    ratio = _like_sharpness(dataset, "edge_ratio", missing=np.nan)[:, :, 0]
    converged = _like_sharpness(dataset, "sharpness_converged", missing=1.0)[:, :, 0]
    panel.axhspan(1 - _BAND, 1 + _BAND, color=FAINT, alpha=0.13, linewidth=0, zorder=0.5)
    panel.axhline(1.0, color=INK, linestyle="--", linewidth=1.2, zorder=2.5)
    for row, (_, colour) in enumerate(_processes(dataset)):
        _line(panel, step, ratio[row], color=colour)
        _hollow(panel, step, ratio[row], converged[row], colour)
    shown = ratio[np.isfinite(ratio)]
    if shown.size:
        linear_limits(panel, shown, include=np.array([0.0, 1 + 2 * _BAND]))
        if np.quantile(shown, 0.75) > _NEAR:
            panel.set_ylim(bottom=_FLOOR)
    panel.yaxis.set_major_locator(MaxNLocator(5))
    panel.set_ylabel("edge ratio")
    legend(
        panel,
        [
            Line2D([], [], color=INK, linestyle="--", linewidth=1.2),
            Patch(color=FAINT, alpha=0.13, linewidth=0),
        ],
        ["edge of stability", f"± {_BAND:.0%}"],
    )


def _draw_critical_curvature(panel: Axes, dataset: xr.Dataset) -> Reals:
    """The critical curvature of each process, dashed; drawn once where they agree. Returns its levels."""
    critical = dataset["critical_curvature"].transpose("process", "step").values
    for row in range(len(critical)):
        known = np.isfinite(critical[row])
        if not any(np.array_equal(critical[row], other, equal_nan=True) for other in critical[:row]):
            panel.plot(
                _steps(dataset)[known],
                critical[row][known],
                color=INK,
                linestyle="--",
                linewidth=1.2,
                drawstyle="steps-post",
                zorder=2.5,
            )
    return np.unique(critical[np.isfinite(critical)])


def _steps(dataset: xr.Dataset) -> Reals:
    return np.asarray(dataset["step"].values, dtype=np.float64)


def _extent(dataset: xr.Dataset) -> tuple[float, float]:
    """The first and last step with a reading of anything drawn."""
    read = np.isfinite(dataset["loss"].transpose("process", "step").values).any(axis=0)
    if "sharpness" in dataset:
        sharpness = dataset["sharpness"].transpose("process", "step", "rank").values
        read = read | np.isfinite(sharpness).any(axis=(0, 2))
    steps = _steps(dataset)[read] if read.any() else _steps(dataset)
    return float(steps[0]), float(steps[-1])


def _critical_label(dataset: xr.Dataset, levels: Reals) -> str:
    formula = str(dataset["critical_curvature"].attrs.get("formula", "critical curvature"))
    return f"{formula} = {levels[0]:.4g}" if levels.size == 1 else formula


def _processes(dataset: xr.Dataset) -> list[tuple[str, str]]:
    """Each process with its colour; more than the palette holds start it again."""
    names = [str(name) for name in dataset["process"].values]
    return [(name, PALETTE[i % len(PALETTE)]) for i, name in enumerate(names)]


def _label(dataset: xr.Dataset, name: str, words: str) -> str:
    units = str(dataset[name].attrs.get("units", ""))
    return words if units in ("", "1", "dimensionless") else f"{words} ({units})"


def _like_sharpness(dataset: xr.Dataset, name: str, *, missing: float) -> Reals:
    """A variable beside the sharpness, in its shape; `missing` throughout if the record has none."""
    if name not in dataset:
        return np.full(dataset["sharpness"].transpose("process", "step", "rank").shape, missing)
    return np.asarray(dataset[name].transpose("process", "step", "rank").values, dtype=np.float64)


def _width(rank: int) -> float:
    return 1.5 if rank == 0 else 1.0


def _strength(rank: int) -> float:
    """The opacity of an eigenvalue's line: the largest strong, the ones below it fainter."""
    return max(0.25, 1.0 - 0.3 * rank)


def _line(panel: Axes, step: Reals, values: Reals, *, color: str, rank: int = 0) -> None:
    """A line through the readings there are; each one shown where they are few."""
    read = np.isfinite(values)
    count = int(np.count_nonzero(read))
    panel.plot(
        step[read],
        values[read],
        color=color,
        linewidth=_width(rank) * (0.65 if count > _MANY else 1.0),
        alpha=_strength(rank),
        marker="o" if count <= _FEW else "",
        markersize=3.0,
        solid_joinstyle="round",
    )


def _draw_bounds(panel: Axes, step: Reals, values: Reals, bounds: Reals, color: str) -> None:
    """Error bounds: a band, or a bar at each reading where they are few."""
    read = np.isfinite(values) & np.isfinite(bounds)
    at, low, high = step[read], (values - bounds)[read], (values + bounds)[read]
    if at.size <= _FEW:
        panel.vlines(at, low, high, color=color, alpha=0.35, linewidth=2.2)
    else:
        panel.fill_between(at, low, high, color=color, alpha=0.2, linewidth=0)


def _hollow(panel: Axes, step: Reals, values: Reals, converged: Reals, color: str) -> None:
    """Hollow markers on unconverged readings, thinned where they would run into each other."""
    at = np.flatnonzero(np.isfinite(values) & (converged == 0.0))
    at = at[:: max(1, -(-at.size // _MARKERS))]
    panel.add_line(_hollow_line(step[at], values[at], color))


def _hollow_line(x: Reals, y: Reals, color: str) -> Line2D:
    return Line2D(
        x,
        y,
        linestyle="none",
        marker="o",
        markersize=4.5,
        markerfacecolor="white",
        markeredgecolor=color,
        markeredgewidth=1.1,
        zorder=3,
    )
