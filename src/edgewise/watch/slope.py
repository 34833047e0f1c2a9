"""Where the edge ratio of a unit of step size stands now, and where it goes: a line through recent readings."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from edgewise.watch.reading import Reading

# As in a forecast of `diagnosis`: the last third of the readings tells the present rate; the slope is a median
# over pairs, which needs a few and whose cost is quadratic.
_SHARE, _FEWEST, _MOST = 1 / 3, 5, 100
_CONFIDENCE = 0.9


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Slope:
    """The edge ratio of a unit of step size, c = r/η, as a straight line in time.

    Attributes:
        now: c at the last reading.
        low: what it is at least.
        high: what it is at most.
        first: the step of the first reading that it rests on.
        last: the step of the last.
        lr: the largest step size that they were read at.
        rate: how much it rises per step; 0 unless the readings clearly rise or fall.
        rate_low: what that is at least.
        rate_high: what it is at most.
    """

    now: float
    low: float
    high: float
    first: int
    last: int
    lr: float
    rate: float = 0.0
    rate_low: float = 0.0
    rate_high: float = 0.0

    @property
    def rising(self) -> bool:
        """Whether the readings clearly rise."""
        return self.rate_low > 0

    @property
    def per_hundred(self) -> float:
        """The share by which 1/c falls in 100 steps."""
        return 1.0 - self.now / (self.now + 100 * self.rate)


def readable(row: Reading) -> bool:
    """Whether an edge can be read of a row: a positive curvature, its critical value, a step size."""
    return row.ratio is not None and 0 < row.ratio < math.inf and 0 < row.lr < math.inf


def per_unit(row: Reading) -> float:
    """The edge ratio of a unit of step size."""
    assert row.ratio is not None
    return row.ratio / row.lr


def slope_of(rows: Sequence[Reading]) -> Slope:
    """The line through the recent ones of `rows`, which are readable and of one kind.

    The bounds are those of the readings themselves, by their median share, or nine tenths of the scatter about the
    line, whichever is wider; where the readings have no bounds of their own, the scatter of enough of them.
    """
    recent = rows[-min(_MOST, max(_FEWEST, math.ceil(_SHARE * len(rows)))) :]
    steps = np.array([row.step for row in recent], np.float64)
    c = np.array([per_unit(row) for row in recent])
    bounds = np.array([row.ratio_bounds for row in recent]) / np.array([[row.ratio] for row in recent])
    share_low, share_high = np.median(bounds, axis=0)
    if not (math.isfinite(share_low) and math.isfinite(share_high)) and len(recent) >= _FEWEST:
        share_low = share_high = 1.0
    rate = rate_low = rate_high = 0.0
    line = np.full_like(c, np.median(c))
    if len(recent) >= _FEWEST and steps[-1] > steps[0]:
        # Here, since scipy.stats takes longer to import than all of the watch.
        from scipy.stats import theilslopes

        slope, intercept, lower, upper = theilslopes(c, steps, alpha=_CONFIDENCE)
        if lower > 0 or upper < 0:
            fitted = intercept + slope * steps
            # A line that a fall has brought below zero is no line for a curvature.
            if fitted[-1] > 0:
                line, rate, rate_low, rate_high = fitted, float(slope), float(lower), float(upper)
    now = float(line[-1])
    under, above = np.quantile(c - line, [0.05, 0.95])
    return Slope(
        now=now,
        low=max(0.0, min(now + float(under), now * float(share_low))),
        high=max(now + float(above), now * float(share_high)),
        first=recent[0].step,
        last=recent[-1].step,
        lr=max(row.lr for row in recent),
        rate=rate,
        rate_low=rate_low,
        rate_high=rate_high,
    )
