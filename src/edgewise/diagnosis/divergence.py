"""Divergence: the loss grows without end, or is no longer a number."""

from dataclasses import dataclass
from typing import final

import numpy as np

from edgewise.diagnosis.series import Integers, Series

# A run whose last loss is this many times its first has lost what training had won, and far more than the
# spikes of an edge or the smaller catapults reach.
_GROWTH = 100.0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Divergence:
    """Where a run began to diverge.

    Attributes:
        start: the row from which on the loss only climbs.
        non_finite_step: the first step whose loss is not finite, if there is one.
    """

    start: int
    non_finite_step: int | None


def find_divergence(series: Series) -> Divergence | None:
    """The divergence at the end of the series, if there is one.

    A loss that is not finite counts from the row where a reading was due: a loss read every tenth step
    leaves nine rows without a number, and those mean nothing.
    """
    loss = series.loss
    finite = np.flatnonzero(np.isfinite(loss))
    infinite = np.flatnonzero(np.isinf(loss))
    if finite.size == 0:
        return _at(series, 0, int(infinite[0])) if infinite.size else None
    last = int(finite[-1])
    if infinite.size and infinite[-1] > last:
        first = int(infinite[infinite > last][0])
        return _at(series, _foot_of_climb(series, finite, first), first)
    cadence = int(np.diff(finite).max()) if finite.size > 1 else 1
    if last + cadence < loss.size:
        return _at(series, _foot_of_climb(series, finite, last + cadence), last + cadence)
    values = loss[finite]
    if values[-1] > _GROWTH * values[0] and values[-1] > 0.5 * values.max():
        return Divergence(start=_foot_of_climb(series, finite, last), non_finite_step=None)
    return None


def _at(series: Series, start: int, non_finite_row: int) -> Divergence:
    return Divergence(start=start, non_finite_step=int(series.step[non_finite_row]))


def _foot_of_climb(series: Series, finite: Integers, top: int) -> int:
    """The row where the climb that ends at row `top` began: go back while the loss was smaller."""
    values = series.loss[finite]
    foot = values.size - 1
    while foot > 0 and values[foot - 1] < values[foot]:
        foot -= 1
    return int(finite[foot]) if foot < values.size - 1 else top
