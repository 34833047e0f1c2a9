"""Where one phase ends and the next begins.

The readings are cut at the jumps of the critical curvature; inside a piece, stretches below the critical
curvature alternate with excursions above it (`excursion.py`). Each phase begins at the reading, or at the
jump, that begins it, and lasts until the next.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from scipy.ndimage import median_filter

from edgewise.diagnosis.divergence import Divergence
from edgewise.diagnosis.excursion import FEWEST, Piece, next_excursion
from edgewise.diagnosis.phase import Kind, Move, Phase, Spread
from edgewise.diagnosis.series import Reals, Series

# A critical curvature that moves by more between two rows, when it usually does not, has jumped.
_JUMP = 0.05
# A rise of the sharpness below the edge that deserves its name; noise and drift stay below it.
_RISE = 1.1
# A short decrease at the beginning of a phase is normal, and part of the sharpening that follows, if that rises
# above where it began.
_SHORT = 0.2


def find_moves(series: Series) -> tuple[Move, ...]:
    """The jumps of the critical curvature; a schedule that glides makes none."""
    known = np.flatnonzero(np.isfinite(series.critical))
    change = np.abs(np.diff(np.log(series.critical[known])))
    if change.size == 0:
        return ()
    jumps = np.flatnonzero((change > _JUMP) & (change > 10 * np.median(change)))
    return tuple(
        Move(
            step=int(series.step[known[i + 1]]),
            before=float(series.critical[known[i]]),
            after=float(series.critical[known[i + 1]]),
        )
        for i in jumps
    )


def find_phases(series: Series, moves: tuple[Move, ...], divergence: Divergence | None) -> tuple[Phase, ...]:
    """The phases of a run, from its first step to its last.

    Args:
        series: the run.
        moves: the jumps of its critical curvature.
        divergence: how it ends, if it diverges.
    """
    calm = series.at.size
    cuts: list[_Cut] = []
    if divergence is not None:
        calm, start = _calm_readings(series, divergence)
        cuts.append(_Cut("divergence", start, None))
    if series.uncertain > series.at.size or calm < 2:
        cuts.append(_Cut("cannot tell", int(series.step[0]), None))
    else:
        cuts.extend(_cut_pieces(series, moves, calm))
    return _tile(series, cuts)


@final
@dataclass(frozen=True, slots=True)
class _Cut:
    """The beginning of a phase; `until` is the step of the last reading that counts towards its ratio."""

    kind: Kind
    start: int
    until: int | None


def _calm_readings(series: Series, divergence: Divergence) -> tuple[int, int]:
    """How many readings come before a divergence, and the step where it begins.

    It begins with the excursion above the edge that leads to it, which the loss shows only later.
    """
    calm = int(np.searchsorted(series.at, divergence.start))
    foot = calm
    while foot > 0 and series.ratio[foot - 1] > 1.0:
        foot -= 1
    row = series.at[foot] if foot < calm else divergence.start
    return foot, int(series.step[row])


def _cut_pieces(series: Series, moves: tuple[Move, ...], calm: int) -> Iterator[_Cut]:
    steps = series.step[series.at[:calm]]
    starts = [int(series.step[0]), *(move.step for move in moves)]
    borders = [0, *(int(i) for i in np.searchsorted(steps, starts[1:])), calm]
    for start, first, last in zip(starts, borders[:-1], borders[1:], strict=True):
        if first < last:
            piece = Piece.of(series, first, last)
            for i, cut in enumerate(_cut_piece(piece)):
                # A piece begins at its jump, not at the first reading after it.
                yield _Cut(cut.kind, start, cut.until) if i == 0 else cut


def _cut_piece(piece: Piece) -> Iterator[_Cut]:
    n, i = piece.ratio.size, 0
    calm_kind: Kind = "stable"
    while i < n:
        excursion = next_excursion(piece, i)
        first = n if excursion is None else excursion.first
        # A few readings between two excursions are part of the first.
        if i == 0 or first - i >= FEWEST:
            yield from _cut_below(piece, i, first, calm_kind)
        if excursion is None:
            return
        yield _Cut(excursion.kind, int(piece.step[first]), int(piece.step[excursion.last]))
        calm_kind = "left the edge" if excursion.kind == "edge" else "stable"
        i = excursion.next


def _cut_below(piece: Piece, first: int, last: int, calm_kind: Kind) -> Iterator[_Cut]:
    """A stretch below the critical curvature: sharpening while it rises, `calm_kind` before and after."""
    if first == last:
        return
    sharpness = piece.sharpness[first:last]
    smooth = median_filter(sharpness, size=max(1, sharpness.size // 10) | 1, mode="nearest")
    lowest, end = int(np.argmin(smooth)), sharpness.size
    if smooth[-1] <= _RISE * smooth[lowest]:
        # It does not rise at its end; it may have risen before, as cross-entropy's does until it is fitted.
        end = int(np.argmax(smooth))
        lowest = int(np.argmin(smooth[: end + 1]))
        if smooth[end] <= _RISE * smooth[lowest] or end - lowest < FEWEST:
            yield _Cut(calm_kind, int(piece.step[first]), None)
            return
    risen = smooth[min(end, sharpness.size - 1)] > _RISE * smooth[0]
    if lowest > _SHORT * sharpness.size or not risen:
        yield _Cut(calm_kind, int(piece.step[first]), None)
    else:
        lowest = 0
    yield _Cut("sharpening", int(piece.step[first + lowest]), None)
    if end < sharpness.size:
        yield _Cut(calm_kind, int(piece.step[first + end]), None)


def _tile(series: Series, cuts: list[_Cut]) -> tuple[Phase, ...]:
    """Phases from their beginnings; where two begin at one step the one named first stays."""
    by_start: dict[int, _Cut] = {}
    for cut in cuts:
        by_start.setdefault(cut.start, cut)
    ordered = [by_start[start] for start in sorted(by_start)]
    # The first phase reaches back to the first step, read or not.
    ordered[0] = replace(ordered[0], start=int(series.step[0]))
    ends = [cut.start - 1 for cut in ordered[1:]] + [int(series.step[-1])]
    return tuple(_phase(series, cut, end) for cut, end in zip(ordered, ends, strict=True))


def _phase(series: Series, cut: _Cut, end: int) -> Phase:
    """A phase with the numbers that it rests on."""
    steps = series.step[series.at]
    ratio = series.ratio[(steps >= cut.start) & (steps <= end)]
    counted = series.ratio[(steps >= cut.start) & (steps <= (end if cut.until is None else cut.until))]
    first, last = (int(row) for row in np.searchsorted(series.step, [cut.start, end + 1]))
    loss = series.loss[first:last]
    loss = loss[np.isfinite(loss)]
    return Phase(
        kind=cut.kind,
        start=cut.start,
        end=end,
        edge_ratio=_spread(counted) if counted.size else None,
        ratio_start=float(ratio[0]) if ratio.size else None,
        ratio_end=float(ratio[-1]) if ratio.size else None,
        ratio_peak=float(ratio.max()) if ratio.size else None,
        loss_start=series.loss_at(first),
        loss_end=series.loss_at(last - 1),
        loss_peak=float(loss.max()) if loss.size else None,
    )


def _spread(ratio: Reals) -> Spread:
    lower, median, upper = (float(q) for q in np.quantile(ratio, [0.25, 0.5, 0.75]))
    return Spread(median=median, lower=lower, upper=upper, readings=ratio.size)
