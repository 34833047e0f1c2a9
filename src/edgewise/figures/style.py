"""How edgewise's figures look: one palette, one type scale, one frame.

Everything is set on the figure itself, never in matplotlib's global settings, so a figure looks the same
whatever the reader's are. The page is opaque white, so it is legible in print and on a dark screen.
"""

import textwrap
from collections.abc import Sequence

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec

# Okabe and Ito's colours, told apart with any kind of colour vision; yellow, too pale for a line on
# white, is left out, and black is kept for what is predicted.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
INK, FAINT, GRID = "#1A1A1A", "#6B6B6B", "#E4E4E4"

TITLE, TEXT, SMALL = 13.0, 10.0, 9.0
"""Font sizes in points: the title, text and labels, ticks and legends."""

# Inches around the panels: the right margin holds the legends, so that they never cover data.
_LEFT, _RIGHT, _BOTTOM, _GAP, _PAD = 0.95, 1.85, 0.55, 0.16, 0.2
_LABEL = 0.66  # inches from a panel to its vertical label
_LINE = 1.35 / 72  # inches a line of text takes, per point of its size
# Inches a letter takes on average, per point of its size.
_LETTER = {"bold": 0.62 / 72, "normal": 0.52 / 72}


def page(width: float, heights: Sequence[float], title: str | None, text: str | None) -> tuple[Figure, list[Axes]]:
    """A page of stacked panels on one horizontal axis, under a title and a wrapped paragraph.

    Args:
        width: of the page, in inches.
        heights: of the panels, in inches.
        title: one bold line, or more if it is long; None leaves it out.
        text: a paragraph beneath it; None leaves it out.
    """
    lines = [
        (line, size, weight)
        for words, size, weight in ((title, TITLE, "bold"), (text, TEXT, "normal"))
        if words
        for line in textwrap.wrap(words, int((width - 2 * _PAD) / (size * _LETTER[weight])))
    ]
    head = _PAD + sum(size * _LINE for _, size, _ in lines) + (_GAP if lines else 0.0)
    height = head + sum(heights) + _GAP * (len(heights) - 1) + _BOTTOM
    figure = Figure(figsize=(width, height), facecolor="white", edgecolor="white")
    y = height - _PAD
    for line, size, weight in lines:
        figure.text(
            _PAD / width, y / height, line, fontsize=size, fontweight=weight, color=INK, ha="left", va="top"
        )
        y -= size * _LINE
    grid = GridSpec(
        len(heights),
        1,
        figure=figure,
        height_ratios=heights,
        left=_LEFT / width,
        right=1 - _RIGHT / width,
        bottom=_BOTTOM / height,
        top=1 - head / height,
        hspace=_GAP / (sum(heights) / len(heights)),
    )
    panels: list[Axes] = []
    for row in range(len(heights)):
        panels.append(figure.add_subplot(grid[row], sharex=panels[0] if panels else None))
        dress(panels[-1], last=row == len(heights) - 1)
        panels[-1].yaxis.set_label_coords(-_LABEL / (width - _LEFT - _RIGHT), 0.5)
    return figure, panels


def legend(panel: Axes, handles: Sequence[Artist], labels: Sequence[str], *, handle: float = 1.6) -> None:
    """A legend in the right margin, beside the panel; long labels are wrapped.

    Args:
        panel: whose lines they are.
        handles: how they look.
        labels: what they are called.
        handle: the length of a handle, in letters; dashes need more than a line does.
    """
    panel.legend(
        handles,
        [textwrap.fill(label, 18, break_long_words=True, max_lines=3, placeholder=" …") for label in labels],
        loc="upper left",
        bbox_to_anchor=(1.0, 1.04),
        frameon=False,
        fontsize=SMALL,
        labelcolor=INK,
        handlelength=handle,
        handletextpad=0.6,
        labelspacing=0.45,
    )


def note(panel: Axes, words: str) -> None:
    """A remark in the lower part of the right margin, where nothing else stands."""
    panel.text(
        1.03, 0.0, textwrap.fill(words, 21), transform=panel.transAxes, fontsize=SMALL, color=FAINT, va="bottom"
    )


def dress(panel: Axes, *, last: bool) -> None:
    """A quiet frame: two spines, a light grid behind the data, numbers only below the last panel."""
    panel.set_facecolor("white")
    for side in ("top", "right"):
        panel.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        panel.spines[side].set_color(FAINT)
        panel.spines[side].set_linewidth(0.8)
    panel.grid(visible=True, which="major", color=GRID, linewidth=0.7)
    panel.set_axisbelow(True)
    panel.tick_params(which="both", labelsize=SMALL, color=FAINT, labelcolor=INK, width=0.8, length=3)
    panel.tick_params(which="minor", length=2)
    panel.tick_params(axis="x", labelbottom=last)
    panel.xaxis.label.set(fontsize=TEXT, color=INK)
    panel.yaxis.label.set(fontsize=TEXT, color=INK)
