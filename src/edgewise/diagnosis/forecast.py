"""When a sharpening run reaches its edge, at its present rate."""

import math

import numpy as np
from scipy.stats import theilslopes

from edgewise.diagnosis.phase import Forecast, Phase
from edgewise.diagnosis.series import Series

# Sharpening is seldom linear over a whole phase: the last third of its readings tells the present rate.
# The slope is a median over pairs, so its cost is quadratic in the readings used.
_SHARE, _FEWEST, _MOST = 1 / 3, 5, 200
_CONFIDENCE = 0.9


def forecast_edge(series: Series, phase: Phase) -> Forecast | None:
    """Steps until the edge ratio reaches one, or None where the readings show no clear rise.

    The slope is Theil and Sen's, the median of the slopes between all pairs of readings; it stands up
    to a quarter of them being wild.
    """
    if phase.kind != "sharpening":
        return None
    steps = series.step[series.at]
    inside = np.flatnonzero((steps >= phase.start) & (steps <= phase.end))
    recent = inside[-max(_FEWEST, math.ceil(_SHARE * inside.size)) :]
    if recent.size < _FEWEST:
        return None
    recent = recent[np.unique(np.linspace(0, recent.size - 1, min(recent.size, _MOST)).astype(int))]
    slope, intercept, lower, upper = theilslopes(series.ratio[recent], steps[recent], alpha=_CONFIDENCE)
    if lower <= 0:
        return None
    last = float(steps[recent[-1]])
    gap = max(0.0, 1.0 - (intercept + slope * last))
    return Forecast(steps=round(gap / slope), earliest=math.floor(gap / upper), latest=math.ceil(gap / lower))
