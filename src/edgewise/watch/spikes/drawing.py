"""A loss spike in pictures: the loss, the norms, and the loss along the update before it."""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from matplotlib.figure import Figure

from edgewise.figures import FAINT, PALETTE, Curve, Level, Panel, plate
from edgewise.watch.spikes.evidence import SpikeEvidence
from edgewise.watch.spikes.history import SpikeHistory

Style = Literal["line", "dashes", "dots"]


def picture(
    history: SpikeHistory,
    evidence: SpikeEvidence,
    profile: Sequence[tuple[float, float]],
    *,
    title: str,
    text: str,
) -> Figure:
    """The figure of a spike.

    Args:
        history: the steps up to it.
        evidence: its numbers.
        profile: (s, loss of the probe batch at old + s (new − old)).
        title: above it.
        text: below the title.
    """
    panels = [_losses(history, evidence), *_norms(history, evidence), *_along(profile, evidence)]
    return plate(panels, title=title, text=text, columns=len(panels))


def _losses(history: SpikeHistory, evidence: SpikeEvidence) -> Panel:
    step, level = evidence.step, evidence.loss_before
    at, finite = evidence.loss_at, [loss for loss in history.loss if math.isfinite(loss)]
    if math.isfinite(at):
        spike = _curve([(step, at)], "the spike", PALETTE[1], "dots")
    else:
        ends = [(step, end(finite)) for end in (min, max) if finite]
        spike = _curve(ends, f"the loss is {at}", PALETTE[1], "dashes")
    return Panel(
        x="step",
        y="training loss",
        title="The loss",
        log="y" if all(loss > 0 for loss in finite) else "",
        curves=[Curve(np.array(history.step), np.array(history.loss)), spike],
        levels=[] if level is None else [Level(level, "usual", FAINT)],
    )


def _norms(history: SpikeHistory, evidence: SpikeEvidence) -> list[Panel]:
    """Norms of gradient and update and the step size, each against its usual value."""
    columns: list[tuple[str, Sequence[float | None], float | None]] = [
        ("gradient norm", history.gradient_norm, evidence.gradient_norm_before),
        ("update norm", history.update_norm, evidence.update_norm_before),
        ("step size", history.lr, evidence.lr_before),
    ]
    curves = []
    for name, values, usual in columns:
        if usual is not None and usual > 0:
            relative = [math.nan if value is None else value / usual for value in values]
            style: Style = "dashes" if values is history.lr else "line"
            curves.append(Curve(np.array(history.step), np.array(relative), name, style=style))
    if not curves:
        return []
    return [
        Panel(x="step", y="relative to usual", title="What the optimiser did", log="y", curves=curves,
              levels=[Level(1, "usual", FAINT)])
    ]  # fmt: skip


def _along(profile: Sequence[tuple[float, float]], evidence: SpikeEvidence) -> list[Panel]:
    """The loss of the probe batch along the update, and where it comes back to its old value."""
    shown = [(s, loss) for s, loss in profile if s <= 2.0]
    if not shown or evidence.probe_old is None:
        return []
    curves = [_curve(shown, "probe batch")]
    if evidence.probe_new is not None:
        curves.append(_curve([(1.0, evidence.probe_new)], "where training went", PALETTE[1], "dots"))
    ratio = evidence.edge_ratio_probe
    if ratio is not None and 0.5 <= ratio < math.inf:
        curves.append(_curve([(1 / ratio, evidence.probe_old)], f"critical: {1 / ratio:.2g}", PALETTE[2], "dots"))
    finite = [loss for _, loss in shown if math.isfinite(loss)]
    long = bool(finite) and min(finite) > 0 and max(finite) > 10 * min(finite)
    return [
        Panel(x="multiple of the update", y="loss", title="Along the update before it", log="y" if long else "",
              curves=curves, levels=[Level(evidence.probe_old, "before it", FAINT)])
    ]  # fmt: skip


def _curve(
    points: Sequence[tuple[float | int, float]], label: str, color: str | None = None, style: Style = "line"
) -> Curve:
    pairs = np.array(points, dtype=np.float64).reshape(-1, 2)
    return Curve(pairs[:, 0], pairs[:, 1], label, color, style)
