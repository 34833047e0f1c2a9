"""Past 2/η the iterate oscillates along the top eigenvector, wider and wider, and the loss goes up at times."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from edgewise.claims import AtLeast, AtMost, Claim, Runs, Within, only
from edgewise.foundation import EvidenceError

_SOURCE = "cohen2021gradient, Figure 4"
_WINDOW = 100
"""Steps after the crossing in which the quadratic model is asked for, if the sharpness rises so long."""

# Parameters of order one in single precision are known to 10⁻⁷: an oscillation below that has no side.
_RESOLVED = 1e-7

Reals = NDArray[np.float64]


def oscillation(run: xr.Dataset) -> tuple[NDArray[np.intp], Reals]:
    """The steps from the crossing on, and the distance from the two-step mean at each, along the eigenvector."""
    place = run["place"].values
    steps = np.flatnonzero(np.isfinite(place))[1:-1]
    return steps, (2 * place[steps] - place[steps - 1] - place[steps + 1]) / 4


def _crossing(run: xr.Dataset) -> int:
    crossing = int(run["crossing"])
    if crossing < 0:
        raise EvidenceError(
            "the crossing of 2/η", "the sharpness never gets there", "Take a larger step size, or more steps"
        )
    return crossing


def _growing(run: xr.Dataset) -> tuple[NDArray[np.intp], Reals, Reals]:
    """Steps, oscillation and sharpness from the crossing to the highest sharpness, or to the end of the window."""
    start = _crossing(run)
    steps, wave = oscillation(run)
    close = run["sharpness"].values[start : start + _WINDOW + 1]
    end = start + int(np.nanargmax(close))
    chosen = (steps <= end) & np.isfinite(run["sharpness"].values[steps]) & (np.abs(wave) > _RESOLVED)
    if chosen.sum() < 10:
        raise EvidenceError(
            f"the {chosen.sum()} steps of the growth", "it takes ten to fit a slope", "Take a smaller step size"
        )
    return steps[chosen], wave[chosen], run["sharpness"].values[steps[chosen]]


def flips(runs: Runs) -> float:
    """The share of the first steps that are not rounding in which the oscillation changes its sign."""
    run = only(runs)
    _crossing(run)
    _, wave = oscillation(run)
    wave = wave[np.abs(wave) > _RESOLVED][:_WINDOW]
    if len(wave) < _WINDOW / 2:
        raise EvidenceError(
            f"the sides of {len(wave)} steps",
            "in the others the oscillation is rounding",
            "Take float64, or more steps",
        )
    return float((np.sign(wave[1:]) == -np.sign(wave[:-1])).mean())


def growth(runs: Runs) -> float:
    """The fitted slope of log|x| ÷ the mean of log(ηS − 1), the factor by which a quadratic multiplies x."""
    run = only(runs)
    steps, wave, sharpness = _growing(run)
    slope = np.polyfit(steps, np.log(np.abs(wave)), 1)[0]
    return float(slope / np.log(2 * sharpness / float(run["critical_curvature"]) - 1).mean())


def increases_before(runs: Runs) -> float:
    """How often the loss goes up before the crossing."""
    run = only(runs)
    return float((np.diff(run["loss"].values[: _crossing(run) + 1]) > 0).sum())


def increases_after(runs: Runs) -> float:
    """How often it goes up after it."""
    run = only(runs)
    return float((np.diff(run["loss"].values[_crossing(run) :]) > 0).sum())


def loss_kept(runs: Runs) -> float:
    """The loss at the end ÷ the loss at the crossing."""
    run = only(runs)
    return float(run["loss"].values[-1] / run["loss"].values[_crossing(run)])


CROSSING = (
    Claim("once past 2/η the iterate changes sides at every step", _SOURCE, flips, AtLeast(0.95)),
    Claim("the oscillation grows as the quadratic model says", _SOURCE, growth, Within(0.2)),
    Claim("before, the loss falls at every step", _SOURCE, increases_before, AtMost(0)),
    Claim("after, it goes up now and then", _SOURCE, increases_after, AtLeast(1)),
    Claim("and yet training goes on", _SOURCE, loss_kept, AtMost(0.5)),
)
