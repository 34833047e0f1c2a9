"""A step size that is cut, the distance from gradient flow, and how well that flow is integrated."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from edgewise.claims import (
    AtLeast,
    AtMost,
    Claim,
    Measure,
    Runs,
    Within,
    crossing,
    hovering_at,
    increases,
    last,
    maximum,
    of,
    only,
    rank_correlation,
    readings,
)
from edgewise.foundation import EvidenceError
from edgewise.gallery.cohen2021gradient.claims.edge import FLOW

_FIG7 = "cohen2021gradient, Figure 7"
_APART = "cohen2021gradient, Appendix I.1"
_RK4 = "cohen2021gradient, Appendix I.5"
# Of the 6,000 steps before the cut, the 500 on either side of it.
_WINDOW = 500 / 6000


def cut(run: xr.Dataset, process: str | None) -> float:
    """The first step with another critical curvature than at the start."""
    series = readings(run, "critical_curvature", process)
    changed = series["step"].values[series.values != series.values[0]]
    if not changed.size:
        raise EvidenceError("the cut of the step size", "the run ends before it", "Take more steps")
    return float(changed[0])


def shortly_before(run: xr.Dataset, process: str | None) -> float:
    """The beginning of the window before the cut."""
    return (1 - _WINDOW) * cut(run, process)


def last_before(run: xr.Dataset, process: str | None) -> float:
    """The last step before the cut."""
    return cut(run, process) - 1


def shortly_after(run: xr.Dataset, process: str | None) -> float:
    """The end of the window after the cut."""
    return (1 + _WINDOW) * cut(run, process)


def second_edge(run: xr.Dataset, process: str | None) -> float:
    """The first step after the cut at which the sharpness is above the new critical curvature."""
    after = run.sel(step=run["step"] >= cut(run, process))
    return crossing("sharpness", "critical_curvature")(after, process)


def rise_after(runs: Runs) -> float:
    """The highest sharpness in the window after the cut ÷ the critical curvature before it."""
    run = only(runs)
    before = float(readings(run, "critical_curvature").values[0])
    return maximum("sharpness", after=cut, until=shortly_after)(runs) / before


CUT = (
    Claim(
        "before the cut the sharpness hovers at 2/η",
        _FIG7,
        hovering_at("sharpness", "critical_curvature", after=shortly_before, until=last_before),
        Within(0.05),
    ),
    Claim("soon after it, the sharpness is above the old 2/η", _FIG7, rise_after, AtLeast(1.05)),
    Claim(
        "it was still trying to grow: with the cut it starts to rise at once",
        _FIG7,
        rank_correlation("sharpness", after=cut, until=second_edge),
        AtLeast(0.9),
    ),
    Claim(
        "it settles at the new 2/η",
        _FIG7,
        hovering_at("sharpness", "critical_curvature", after=second_edge),
        Within(0.05),
    ),
)


def departure(runs: Runs) -> float:
    """The mean distance from gradient flow from the crossing t* to 1.5 t*, ÷ that at the crossing."""
    run = only(runs)
    start = crossing("sharpness", "critical_curvature")(run, "gd")
    series = readings(run, "distance", FLOW)
    if float(series["step"].values[-1]) < 1.5 * start:
        raise EvidenceError(
            f"the distance from gradient flow until step {1.5 * start:g}", "the run ends before", "Take more steps"
        )
    steps, distance = series["step"].values, series.values
    then = distance[(steps >= start) & (steps <= 1.5 * start)]
    return float(then.mean() / distance[np.argmin(np.abs(steps - start))])


def closeness(runs: Runs) -> float:
    """The distance from gradient flow at the crossing ÷ the way from the start."""
    run = only(runs)
    start = crossing("sharpness", "critical_curvature")(run, "gd")
    series = readings(run, "relative_distance", FLOW)
    return float(series.values[np.argmin(np.abs(series["step"].values - start))])


DISTANCE = (
    Claim(
        "tanh: until the crossing gradient descent follows gradient flow",
        _APART,
        of("tanh", closeness),
        AtMost(0.1),
    ),
    Claim("tanh: from the crossing on it departs", _APART, of("tanh", departure), AtLeast(5.0)),
    Claim("ReLU: from the crossing on it departs", _APART, of("relu", departure), AtLeast(2.0)),
)


def _ends_apart(process: str) -> Measure:
    """How far that process ends from the first one, ÷ the way that it has come."""
    return last("relative_distance", process=process)


def _most_increases(processes: Sequence[str]) -> Measure:
    return lambda runs: max(increases("loss", process=process)(runs) for process in processes)


INTEGRATION = (
    Claim(
        "half the step of the Runge-Kutta method leads to the same point", _RK4, _ends_apart("RK4"), AtMost(1e-4)
    ),
    Claim("so does a stabilised Chebyshev method, of another kind", _RK4, _ends_apart("RKC3"), AtMost(1e-3)),
    Claim(
        "the loss never goes up along gradient flow",
        _RK4,
        _most_increases(("RK4", "RK4, half the step", "RKC3")),
        AtMost(0),
    ),
)
