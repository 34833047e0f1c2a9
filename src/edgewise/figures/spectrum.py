"""The spectrum of a curvature at one point: its density, and the top eigenvalues standing out of it."""

import numpy as np
from jaxtyping import Float
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from edgewise.figures.style import FAINT, INK, PALETTE, SMALL, legend, page

_WIDTH, _HEIGHT = 9.0, 3.4
# Decades of density shown: one eigenvalue among a million is at the bottom.
_DECADES = 6


def spectrum(
    grid: Float[np.ndarray, " points"],
    density: Float[np.ndarray, " points"],
    *,
    eigenvalues: Float[np.ndarray, " k"] | None = None,
    bounds: Float[np.ndarray, " k"] | None = None,
    critical_curvature: float | None = None,
    formula: str = "critical curvature",
    title: str | None = None,
    text: str | None = None,
) -> Figure:
    """Eigenvalue density on a logarithmic axis, with the top eigenvalues marked below it.

    Args:
        grid: eigenvalues at which the density is known, increasing.
        density: eigenvalues per unit of curvature, as a share of all.
        eigenvalues: the top ones, marked with stems.
        bounds: their error bounds, drawn as horizontal bars.
        critical_curvature: where the method in use loses stability; dashed.
        formula: what to call that, such as `2/η`.
        title: one line above the figure.
        text: a paragraph beneath it; wrapped.
    """
    figure, (panel,) = page(_WIDTH, (_HEIGHT,), title, text)
    top = float(np.max(density))
    floor = top * 10.0**-_DECADES
    panel.set_yscale("log")
    panel.set_ylim(floor, 3 * top)
    panel.fill_between(grid, floor, np.maximum(density, floor), color=PALETTE[0], alpha=0.18, linewidth=0)
    panel.plot(grid, np.maximum(density, floor), color=PALETTE[0], linewidth=1.3)
    handles: list[Artist] = [Line2D([], [], color=PALETTE[0], linewidth=1.3)]
    labels = ["density"]
    right = float(grid[-1])
    if eigenvalues is not None and eigenvalues.size:
        height = floor * 10.0 ** (_DECADES / 6)
        panel.vlines(eigenvalues, floor, height, color=PALETTE[1], linewidth=1.3)
        panel.errorbar(
            eigenvalues,
            np.full(eigenvalues.shape, height),
            xerr=None if bounds is None else np.nan_to_num(bounds, posinf=0.0),
            fmt="o",
            markersize=5,
            color=PALETTE[1],
            elinewidth=1.3,
            capsize=3,
        )
        handles.append(Line2D([], [], color=PALETTE[1], marker="o", markersize=5, linewidth=1.3))
        labels.append(f"top {eigenvalues.size} eigenvalues" if eigenvalues.size > 1 else "top eigenvalue")
        right = max(right, float(eigenvalues.max()))
        panel.annotate(
            f"λ₁ = {eigenvalues.max():.4g}",
            (float(eigenvalues.max()), height),
            xytext=(0, 8),
            textcoords="offset points",
            ha="center",
            fontsize=SMALL,
            color=INK,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.5},
        )
    if critical_curvature is not None:
        panel.axvline(critical_curvature, color=INK, linestyle="--", linewidth=1.2)
        handles.append(Line2D([], [], color=INK, linestyle="--", linewidth=1.2))
        labels.append(f"{formula} = {critical_curvature:.4g}")
        right = max(right, critical_curvature)
    left = float(grid[0])
    room = 0.05 * (right - left)
    panel.set_xlim(left - room, right + room)
    panel.axvline(0.0, color=FAINT, linewidth=0.8)
    panel.set_xlabel("eigenvalue")
    panel.set_ylabel("density (share of all / unit)")
    legend(panel, handles, labels)
    return figure
