"""Excursions of the sharpness above the critical curvature: an edge, a catapult, or noise.

At the edge of stability the sharpness crosses the critical curvature and stays around it, in cycles of
blow-up and self-stabilisation that dip below it and come back. In a catapult one large spike of the loss
throws the iterate to where the sharpness is lower, and there it settles.
"""

from dataclasses import dataclass
from typing import final

import numpy as np

from edgewise.diagnosis.phase import Kind
from edgewise.diagnosis.series import Integers, Reals, Series

NEAR = 0.95
"""The edge lasts while the edge ratio comes back above this: 1.9/η for gradient descent."""

FEWEST = 5
"""Fewer readings than this do not show that the sharpness stays somewhere."""

# A median edge ratio beyond this over a whole excursion is no hovering: gradient descent at its edge
# stays within a few per cent of one.
_ABOVE = 1.3
# Cycles of self-stabilisation dip to 0.8; a stretch with a median below this has left the edge.
_DEEP = 0.7
# A last dip this many times longer than the longest one before it, and than this share of the whole
# excursion, is no longer a dip.
_LONGER, _SHARE = 1.5, 0.1
# The spike of a catapult, against the loss before it; the share of its height at which it is over; and
# what it leaves of the sharpness.
_SPIKE, _OVER, _FALL = 2.0, 0.25, 0.95


@final
@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """The readings of a run between two jumps of its critical curvature.

    Attributes:
        step: the step of each reading.
        row: its row in the run.
        ratio: its edge ratio.
        sharpness: its sharpness.
        loss: the loss of every row of the run up to the end of the piece.
    """

    step: Integers
    row: Integers
    ratio: Reals
    sharpness: Reals
    loss: Reals

    @classmethod
    def of(cls, series: Series, first: int, last: int) -> "Piece":
        """Readings `first` to `last` (excluded) of `series`."""
        row, ratio = series.at[first:last], series.ratio[first:last]
        end = series.at[last] if last < series.at.size else series.step.size
        return cls(series.step[row], row, ratio, ratio * series.critical[row], series.loss[:end])


@final
@dataclass(frozen=True, slots=True)
class Excursion:
    """A stretch of readings that begins above the critical curvature.

    Attributes:
        kind: what it is.
        first: its first reading.
        last: the last reading that counts towards its edge ratio.
        next: the first reading after it.
    """

    kind: Kind
    first: int
    last: int
    next: int


def next_excursion(piece: Piece, start: int) -> Excursion | None:
    """The next excursion that is not noise, from reading `start` on."""
    above = start + np.flatnonzero(piece.ratio[start:] > 1.0)
    for first in above:
        if (excursion := _judge(piece, int(first))) is not None:
            return excursion
    recent = above[above >= piece.ratio.size - FEWEST]
    if recent.size and piece.ratio[-1] > NEAR:
        # It has only just crossed: whether it stays is for the readings to come.
        last = piece.ratio.size - 1
        return Excursion("cannot tell", int(recent[0]), last, last + 1)
    return None


def _judge(piece: Piece, first: int) -> Excursion | None:
    last, left = _window(piece.ratio, first)
    settled = _settled(piece, first)
    if settled is not None and (first == 0 or (left and last <= settled)):
        return Excursion("catapult", first, settled, settled + 1)
    ahead = piece.ratio[first : first + int(np.clip(piece.ratio.size // 40, FEWEST, 4 * FEWEST))]
    typical = np.median(piece.ratio[first : last + 1])
    if ahead.size < FEWEST or min(np.median(ahead), typical) < NEAR:
        return None
    kind: Kind = "edge" if typical <= _ABOVE else "above the edge"
    return Excursion(kind, first, last, last + 1 if left else piece.ratio.size)


def _window(ratio: Reals, first: int) -> tuple[int, bool]:
    """The last reading near the edge in an excursion that begins at `first`, and whether it then left."""
    low = np.concatenate([[False], ratio[first:] <= NEAR, [False]])
    begins, ends = np.flatnonzero(np.diff(low.astype(int)) == 1), np.flatnonzero(np.diff(low.astype(int)) == -1)
    size, longest = ratio.size - first, 0
    for begin, end in zip(begins, ends, strict=True):
        dip = int(end - begin)
        if dip >= FEWEST and np.median(ratio[first + begin : first + end]) < _DEEP:
            return first + int(begin) - 1, True
        if end == size:
            left = dip >= FEWEST and dip > _LONGER * longest and dip > _SHARE * size
            return first + int(begin) - 1, left
        longest = max(longest, dip)
    return ratio.size - 1, False


def _settled(piece: Piece, first: int) -> int | None:
    """The first reading after a large spike of the loss that lowered the sharpness for good, or None."""
    start = int(piece.row[first])
    rows = start + np.flatnonzero(np.isfinite(piece.loss[start:]))
    if rows.size == 0:
        return None
    loss = piece.loss[rows]
    peak = np.maximum.accumulate(loss)
    over = np.flatnonzero((peak > _SPIKE * loss[0]) & (loss <= loss[0] + _OVER * (peak - loss[0])))
    if over.size == 0:
        return None
    settled = int(np.searchsorted(piece.row, rows[over[0]]))
    if settled == piece.row.size or piece.ratio[settled] > _FALL * piece.ratio[first : settled + 1].max():
        return None
    return settled
